import type { Folder } from './folder.ts';
import type { NewObject } from './objects.ts';
import type { EncodedPack } from './pack-format.ts';
import type { Revision, TagDraft } from './repo.ts';

/** A push that is ready to be sent; nothing of it is on disk. */
export interface PreparedPush {
  readonly tip: Revision;
  readonly commits: readonly Revision[];
  /** Commits, trees and blobs that are not here yet, and the tags. */
  readonly pack: EncodedPack;
  readonly tags: readonly PreparedTag[];
  /** The folders that were written, as they stand at the tip. */
  readonly folders: ReadonlyMap<string, Folder>;
}

export interface PreparedTag {
  readonly draft: TagDraft;
  readonly ref: string;
  readonly object: NewObject;
}

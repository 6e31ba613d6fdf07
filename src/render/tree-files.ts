import type { FileOfTree, Rendering } from '../manifest/load.ts';

/** A file as it stands in Git. Its text is read when it is asked for the first time, and kept with it. */
export interface GitFile {
  readonly oid: string;
  /** As Git writes it. Absent: a regular file. */
  readonly mode?: string | undefined;
  text?: string | undefined;
  /** What its text says; undefined until the tree has been read. Kept here, because the sync forgets what has left its tip. */
  parsed?: Rendering | undefined;
}

/** Texts of files by path from the repository's root. */
export type Files = ReadonlyMap<string, string>;

/** A tree's manifest files by path: a text, or what stands in Git. Nobody changes one of these, only makes another. */
export type TreeFiles = ReadonlyMap<string, string | GitFile>;

/** The text of a file; undefined where there is none. Throws where a file of Git was not read: see `TreeReader.readTexts`. */
export function sourceOf(files: TreeFiles, path: string): string | undefined {
  const file = files.get(path);
  if (typeof file !== 'object') return file;
  if (file.text === undefined) throw new Error(`${path} was not read`);
  return file.text;
}

/** Files of Git among these whose text has not been read. */
export function unreadAmong(files: TreeFiles, paths: Iterable<string>): readonly string[] {
  return [...paths].filter((path) => {
    const file = files.get(path);
    return typeof file === 'object' && file.text === undefined;
  });
}

/** What else stands in the tree that files were read of. Nothing of it is read before it is asked for. */
export interface OtherFiles {
  /** A file or a link; undefined where there is none. */
  find(path: string): Promise<FileOfTree | undefined>;
  /** All files and links under a folder, by path from the repository's root. */
  list(folder: string): Promise<ReadonlyMap<string, FileOfTree>>;
  /** The content of any file of the tree, by its oid. */
  read(oid: string): Promise<Uint8Array>;
}

const others = new WeakMap<ReadonlyMap<string, unknown>, OtherFiles>();

/** Undefined: the files are all that is known of the tree. */
export const othersOf = (files: ReadonlyMap<string, unknown>): OtherFiles | undefined => others.get(files);

/** The same map. */
export function withOthers<Map_ extends ReadonlyMap<string, unknown>>(files: Map_, other: OtherFiles): Map_ {
  others.set(files, other);
  return files;
}

export function editedFiles<Source>(
  files: ReadonlyMap<string, Source>,
  edits: ReadonlyMap<string, string | null>,
): ReadonlyMap<string, Source | string> {
  const edited = new Map<string, Source | string>(files);
  const other = others.get(files);
  if (other) {
    const isGone = (path: string): boolean => edits.get(path) === null;
    others.set(edited, {
      ...other,
      find: (path) => (isGone(path) ? Promise.resolve(undefined) : other.find(path)),
      list: async (folder) => new Map([...(await other.list(folder))].filter(([path]) => !isGone(path))),
    });
  }
  for (const [path, text] of edits) {
    if (text === null) edited.delete(path);
    else edited.set(path, text);
  }
  return edited;
}

import { answered, type Steps } from '../lib/turns.ts';
import { exactText, fileBytes } from './file-bytes.ts';
import { type GitFile, othersOf, type TreeFiles } from './tree-files.ts';

/** A file or link of a tree, also where it is none of those that are synced. */
export function* fileAt(path: string, files: TreeFiles): Steps<string | GitFile | undefined> {
  const known = files.get(path);
  if (known !== undefined) return known;
  const other = othersOf(files);
  return other && (yield* answered(other.find(path)));
}

/** All files and links under a folder, by path from the repository's root; the empty string is all of it. */
export function* filesUnder(folder: string, files: TreeFiles): Steps<ReadonlyMap<string, string | GitFile>> {
  const isUnder = (path: string): boolean => folder === '' || path.startsWith(`${folder}/`);
  const other = othersOf(files);
  const found = new Map<string, string | GitFile>();
  for (const [path, file] of other ? yield* answered(other.list(folder)) : []) if (isUnder(path)) found.set(path, file);
  for (const [path, file] of files) if (isUnder(path)) found.set(path, file);
  return found;
}

/** The content of a file of a tree. Throws where Git does not give it. */
export function* sourceBytes(file: string | GitFile, files: TreeFiles): Steps<Uint8Array> {
  const text = typeof file === 'string' ? file : file.text;
  if (text !== undefined) return Buffer.from(fileBytes(text));
  const other = othersOf(files);
  if (!other) throw new Error(`${typeof file === 'string' ? 'a text' : file.oid} was not read`);
  return yield* answered(other.read((file as GitFile).oid));
}

/** As `exactText` gives it; undefined: there is no such file. */
export function* textAt(path: string, { files }: { readonly files: TreeFiles }): Steps<string | undefined> {
  const file = yield* fileAt(path, files);
  if (file === undefined || typeof file === 'string') return file;
  return file.text ?? exactText(yield* sourceBytes(file, files));
}

import type { Steps } from '../lib/turns.ts';
import { readManifestFile, type Rendering } from '../manifest/load.ts';
import type { Problem } from '../manifest/types.ts';
import { shownText } from './file-bytes.ts';
import { pathSaid } from './kustomize-origin.ts';
import type { SourceTree, Unit } from './renderer.ts';
import { textAt } from './source-bytes.ts';

/** Larger files of others' folders are not read only to tell a line in them. */
const mostLength = 256 * 1024;

/** Problems for whose line the file is looked through. */
const mostPlaced = 100;

/** What the files say that objects come from, those that are synced and those beside them. */
export function* readSources(
  paths: Iterable<string | undefined>,
  tree: SourceTree,
  unit: Unit,
  /** Plain contents of those that are encrypted. */
  opened: ReadonlyMap<string, Uint8Array> = new Map(),
): Steps<ReadonlyMap<string, Pick<Rendering, 'parsed'>>> {
  const found = new Map<string, Pick<Rendering, 'parsed'>>();
  for (const path of new Set(paths)) {
    if (path === undefined) continue;
    const plain = opened.get(path);
    if (plain && plain.length <= mostLength) {
      found.set(path, yield* readManifestFile(path, plain, { oid: '', isRendered: true }));
      continue;
    }
    const said = tree.said.get(path);
    // An object with variables that are filled in later is one, too.
    const isWhole = said !== undefined && said.parsed.unreadableText === '';
    if (said) found.set(path, said);
    const text = isWhole || !unit.inputs.has(path) ? undefined : yield* textAt(path, tree);
    if (text !== undefined && text.length <= mostLength)
      found.set(path, yield* readManifestFile(path, shownText(text), { oid: '', isRendered: true }));
    yield;
  }
  return found;
}

/** Problems of what a unit renders to, told at the file that the object is written in. */
export function* sourceProblems(
  problems: readonly Problem[],
  output: Uint8Array,
  { tree, unit }: { readonly tree: SourceTree; readonly unit: Unit },
): Steps<readonly Problem[]> {
  if (problems.length === 0) return [];
  const lines = Buffer.from(output).toString('utf8').split('\n');
  const told: Problem[] = [];
  for (const problem of problems) {
    if (told.length >= mostPlaced) {
      told.push({ ...problem, path: unit.path, line: 1 });
      continue;
    }
    const at = Math.min(problem.line, lines.length) - 1;
    const from = lines.lastIndexOf('---', at) + 1;
    const end = lines.indexOf('---', at + 1);
    const document = lines.slice(from, end < 0 ? lines.length : end);
    const path = pathSaid(document.join('\n')) ?? unit.path;
    const text = unit.inputs.has(path) ? yield* textAt(path, tree) : undefined;
    told.push({ ...problem, path, line: text === undefined ? 1 : lineIn(text, document, lines[at] ?? '') });
    yield;
  }
  return told;
}

/** The line that says the same, or has the same value, where only one does; else that of the object's name; else the first. */
function lineIn(source: string, document: readonly string[], said: string): number {
  if (source.length > mostLength) return 1;
  const own = source.split('\n').map(plain);
  const value = plain(said.replace(/^[^:]*: /, ''));
  const name = plain(document.find((line) => /^ {2}name: /.test(line)) ?? '');
  const looks: readonly ((line: string) => boolean)[] = [
    (line) => said !== '' && line === plain(said),
    (line) => value.length > 2 && line.includes(value),
    (line) => name !== '' && line === name,
  ];
  for (const isIt of looks) {
    const first = own.findIndex(isIt);
    if (first >= 0 && own.findIndex((line, at) => at > first && isIt(line)) < 0) return first + 1;
  }
  return 1;
}

/** Without what kustomize writes in another way: quotes, marks of lists, spaces, comments. */
const plain = (line: string): string => line.replace(/ #.*$/, '').replaceAll(/["'\s]|^\s*-\s/g, '');

import { sha256Hex } from '../lib/hash.ts';
import type { Steps } from '../lib/turns.ts';
import { isList, isObject } from '../manifest/edit-value.ts';
import { writtenIn } from '../manifest/edit-tree.ts';
import { kustomizationNames } from '../manifest/rendering-tools.ts';
import type { KubeObject, Problem } from '../manifest/types.ts';
import type { EncryptedFiles } from './encrypted-files.ts';
import { pathIn } from './helm-chart.ts';
import type { Unit } from './renderer.ts';
import { shownText } from './file-bytes.ts';

/** What a kustomization is made from, with what was encrypted in it decrypted. */
export interface OpenedInputs {
  readonly contents: ReadonlyMap<string, Uint8Array>;
  /** The plain content of what was encrypted, by path. */
  readonly opened: ReadonlyMap<string, Uint8Array>;
  /** Secrets may stand in any object of it, not only in Secrets. */
  readonly isWide: boolean;
}

/**
 * As Flux does it, what a generator of ConfigMaps reads stays as it is: it would be there for all to read. A text says why something cannot be
 * decrypted.
 */
export function* openedInputs(
  unit: Unit,
  contents: ReadonlyMap<string, Uint8Array>,
  encrypted: EncryptedFiles | undefined,
): Steps<OpenedInputs | string> {
  const opened = new Map<string, Uint8Array>();
  if (!encrypted) return { contents, opened, isWide: false };
  let said: Said | undefined;
  for (const [path, content] of contents) {
    const plain = yield* encrypted.open(path, content, unit.root?.keys);
    if (plain === undefined) continue;
    said ??= saidBy(unit, contents);
    if (said.ofConfigMaps.has(path) && !said.ofSecrets.has(path)) continue;
    if (typeof plain === 'string') return `${path} ${plain}`;
    opened.set(path, plain);
  }
  // A template may put a value anywhere.
  const isEverywhere = said?.copies === true || unit.charts !== undefined;
  const isWide = opened.size > 0 && (isEverywhere || [...opened.keys()].some((path) => said?.ofPatches.has(path)));
  return { contents: opened.size === 0 ? contents : new Map([...contents, ...opened]), opened, isWide };
}

/** Which files kustomizations read for what. */
interface Said {
  readonly ofConfigMaps: ReadonlySet<string>;
  readonly ofSecrets: ReadonlySet<string>;
  readonly ofPatches: ReadonlySet<string>;
  /** Values are copied from one object to others. */
  readonly copies: boolean;
}

function saidBy(unit: Unit, contents: ReadonlyMap<string, Uint8Array>): Said {
  const said = {
    ofConfigMaps: new Set<string>(),
    ofSecrets: new Set<string>(),
    ofPatches: new Set<string>(),
    copies: false,
  };
  const read = (folder: string, text: string): void => {
    const fields = writtenIn(text)?.[0]?.value;
    if (!isObject(fields)) return;
    const take = (into: Set<string>, name: unknown): void => {
      const path = typeof name === 'string' && !name.includes('\n') ? pathIn(folder, name) : undefined;
      if (path !== undefined) into.add(path);
    };
    for (const [field, into] of [
      ['configMapGenerator', said.ofConfigMaps],
      ['secretGenerator', said.ofSecrets],
    ] as const) {
      for (const generator of listOf(fields[field])) {
        if (!isObject(generator)) continue;
        for (const name of listOf(generator['files']))
          take(into, typeof name === 'string' ? name.replace(/^[^=]*=/, '') : name);
        for (const name of [...listOf(generator['envs']), generator['env']]) take(into, name);
      }
    }
    for (const field of ['patches', 'patchesStrategicMerge', 'patchesJson6902'])
      for (const entry of listOf(fields[field])) take(said.ofPatches, isObject(entry) ? entry['path'] : entry);
    said.copies ||= [...listOf(fields['replacements']), ...listOf(fields['vars'])].length > 0;
  };
  for (const [path, content] of contents) {
    const [, folder = '', name = ''] = /^(?:(.*)\/)?([^/]*)$/.exec(path) ?? [];
    if (kustomizationNames.includes(name)) read(folder, shownText(Buffer.from(content).toString('utf8')));
  }
  if (unit.root) read(unit.root.folder, unit.root.kustomization);
  return said;
}

const listOf = (value: unknown): readonly unknown[] => (isList(value) ? value : []);

/** Whether a Secret holds a value that was encrypted. */
export function holdsOpened(object: KubeObject, opened: Iterable<Uint8Array>): boolean {
  const data = object['data'];
  if (object.kind !== 'Secret' || !isObject(data)) return false;
  const values = Object.values(data).flatMap((value) =>
    typeof value === 'string' && value !== '' ? [Buffer.from(value, 'base64')] : [],
  );
  return [...opened].some((plain) => {
    const bytes = Buffer.from(plain.buffer, plain.byteOffset, plain.length);
    return values.some((value) => value.length > 0 && bytes.includes(value));
  });
}

/** The letters of which kustomize makes the end of a generated name. */
const letters = 'bcdfghkmt2456789';
const generated = /^(.*)-([bcdfghkmt2456789]{10})$/;

/**
 * Kustomize ends the name of a generated Secret with a hash of what it holds, which stands in pod templates and whatever tells of them: whoever
 * reads it can find a short secret by trying. Another end, which changes as that one does. Undefined: the name has no such end.
 */
export function unguessableName(name: string, salt: string): string | undefined {
  const [, stem, end] = generated.exec(name) ?? [];
  if (stem === undefined || end === undefined || salt === '') return undefined;
  const hex = sha256Hex(`${salt}\n${end}`);
  return `${stem}-${Array.from(hex.slice(0, 10), (digit) => letters[Number.parseInt(digit, 16)] ?? 'b').join('')}`;
}

/** Why a program did not do it, without its words, which may quote something secret: only the files that it names. */
export function unquoted(words: string, paths: Iterable<string>): string {
  const named = [...paths].filter((path) => path !== '' && words.includes(path)).slice(0, 3);
  const where = named.length === 0 ? '' : `it names ${named.join(', ')}; `;
  return `${where}its words are left out, because secrets take part in it`;
}

/** The same with none of its words: they may quote something secret. */
export const untold = ({ severity, path, line }: Problem): Problem => ({
  severity,
  path,
  line,
  message: 'something that is made with secrets from it cannot be applied as an object',
  hint: 'look at what is made of it by hand, with sops decrypt and kustomize build',
});

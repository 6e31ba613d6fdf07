import { sha256Hex } from '../lib/hash.ts';
import { splitDocuments } from '../manifest/documents.ts';
import { isObject } from '../manifest/edit-value.ts';
import { nameOf } from '../manifest/identity.ts';
import type { OpenEncrypted, Rendering } from '../manifest/load.ts';
import type { ManifestLimits } from '../manifest/limits.ts';
import type { ParsedFiles } from '../manifest/parsed-files.ts';
import { readYaml, valueOf } from '../manifest/read-yaml.ts';
import { type KubeObject, type Manifest, type Problem, refOf } from '../manifest/types.ts';
import type { EncryptedFiles } from './encrypted-files.ts';
import { readingPlain } from './plain.ts';
import { sourceBytes } from './source-bytes.ts';
import type { TreeFiles } from './tree-files.ts';

interface Reading {
  readonly parsed: ParsedFiles;
  readonly limits?: ManifestLimits | undefined;
}

const kept = 'what the cluster has of it stays as it is';
const mostNamed = 50;
const mostNamedLength = 256 * 1024;

/** What was read of a plain text is kept as long as the text is. */
const readings = new WeakMap<Uint8Array, Map<string, Rendering>>();
const lockedFiles = new WeakMap<Rendering, Map<string, Rendering>>();

/** Reads manifests that SOPS has encrypted. What is wrong with them is told without a word of them. */
export function openingPlain(files: TreeFiles, encrypted: EncryptedFiles, reading: Reading): OpenEncrypted {
  return function* (path, file) {
    const source = files.get(path);
    if (source === undefined) return file;
    const content = yield* sourceBytes(source, files);
    const plain = yield* encrypted.open(path, content);
    if (plain === undefined) return file;
    const salt = yield* encrypted.salt();
    const text = Buffer.from(content).toString('utf8');
    if (typeof plain === 'string')
      return remembered(lockedFiles, file, plain, () => locked(path, file, text, { plain, salt }));
    const isStoodIn = encrypted.unlooked !== undefined;
    const key = `${salt} ${path}`;
    const known = readings.get(plain)?.get(key);
    if (known) return known;
    const read = yield* readingPlain(
      reading.parsed,
      path,
      plain,
      { oid: `${file.oid} decrypted`, mode: file.mode, isRendered: true },
      reading.limits,
    );
    return remembered(readings, plain, key, () => opened(path, file, read, { text, salt, isStoodIn }));
  };
}

function remembered<Key extends object>(
  all: WeakMap<Key, Map<string, Rendering>>,
  key: Key,
  name: string,
  make: () => Rendering,
): Rendering {
  const known = all.get(key) ?? new Map<string, Rendering>();
  all.set(key, known);
  const made = known.get(name) ?? make();
  known.set(name, made);
  return made;
}

/** At the places of the file in Git, and with nothing of the plain text in what is told. */
function opened(
  path: string,
  file: Rendering,
  { parsed }: Rendering,
  { text, salt, isStoodIn }: { readonly text: string; readonly salt: string; readonly isStoodIn: boolean },
): Rendering {
  const documents = splitDocuments(text);
  const isEncrypted = (at: number): boolean => documents.length <= 1 || /^sops:/m.test(documents[at]?.text ?? '');
  const problems: Problem[] = [];
  const manifests: Manifest[] = [];
  for (const { object, origin } of parsed.manifests) {
    const at = origin.document ?? 0;
    const { linesBefore = 0, text: written = '' } = documents[at] ?? {};
    const line = linesBefore + (/^---\s*\n/.test(written) ? 2 : 1);
    const place = { ...origin, line };
    if (!isEncrypted(at)) manifests.push({ object, origin: place });
    else if (isConfigMap(object)) problems.push(openConfigMap(object, path, line));
    else manifests.push({ object, origin: place, sealed: salt });
  }
  const isWrong = parsed.problems.some(({ severity }) => severity === 'error');
  if (isWrong && !isStoodIn) problems.push(unusable(path));
  const stray = parsed.stray && { line: 1, what: 'holds something encrypted that is no object' };
  return {
    ...file,
    parsed: {
      manifests,
      problems,
      stray,
      // Its words in Git tell which objects may be meant.
      unreadableText: problems.length > 0 ? file.parsed.unreadableText : '',
    },
    placed: undefined,
  };
}

export const isConfigMap = ({ apiVersion, kind }: KubeObject): boolean => apiVersion === 'v1' && kind === 'ConfigMap';

function openConfigMap(object: KubeObject, path: string, line: number): Problem {
  const message = `${nameOf(refOf(object))} is encrypted with SOPS and not applied: whoever may read ConfigMaps could read it, and a checksum of it goes to Git`;
  return { severity: 'error', path, line, message, hint: 'make it a Secret' };
}

const unusable = (path: string): Problem => ({
  severity: 'error',
  path,
  line: 1,
  message: 'something that the file decrypts to cannot be applied as an object',
  hint: `look at it with sops decrypt ${path.slice(-100)}; ${kept}`,
});

/** What stands in it in the open goes on, and objects whose names do are known by them: nothing of their apps is judged meanwhile. */
function locked(
  path: string,
  file: Rendering,
  text: string,
  { plain, salt }: { readonly plain: string; readonly salt: string },
): Rendering {
  const problem: Problem = { severity: 'error', path, line: 1, message: `the file ${plain}`, hint: kept };
  const named: Manifest[] = [];
  const documents = splitDocuments(text);
  for (const [document, { text: written, linesBefore }] of documents.entries()) {
    if (named.length >= mostNamed || written.length > mostNamedLength) break;
    const object = nameIn(written);
    if (!object) continue;
    const origin = { renderer: 'plain' as const, path, document, line: linesBefore + 1 };
    named.push({ object, origin, sealed: `${salt} ${sha256Hex(written)}`, locked: problem });
  }
  const isOfOthers = ({ line }: Problem): boolean => {
    const document = documents.findLast(({ linesBefore }) => linesBefore < line);
    return documents.length > 1 && !/^sops:/m.test(document?.text ?? '');
  };
  const others = file.parsed.problems.filter(isOfOthers);
  const manifests = [...file.parsed.manifests, ...named].toSorted(
    ({ origin: a }, { origin: b }) => (a.document ?? 0) - (b.document ?? 0),
  );
  return { ...file, parsed: { ...file.parsed, manifests, problems: [problem, ...others] }, placed: undefined };
}

/** A Secret, with no more of it than its name. */
function nameIn(document: string): KubeObject | undefined {
  if (!/^sops:/m.test(document) || !/^kind:\s*["']?Secret\b/m.test(document)) return undefined;
  try {
    const [first] = readYaml(document);
    const value = first && first.errors.length === 0 ? valueOf(first) : undefined;
    const metadata = isObject(value) ? value['metadata'] : undefined;
    if (!isObject(value) || value['kind'] !== 'Secret' || value['apiVersion'] !== 'v1' || !isObject(metadata))
      return undefined;
    const { name, namespace } = metadata;
    const isPlain = (word: unknown): word is string => typeof word === 'string' && /^[a-z0-9.-]+$/.test(word);
    if (!isPlain(name)) return undefined;
    return { apiVersion: 'v1', kind: 'Secret', metadata: { name, ...(isPlain(namespace) ? { namespace } : {}) } };
  } catch {
    return undefined;
  }
}

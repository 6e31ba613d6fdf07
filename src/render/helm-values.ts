import type { Steps } from '../lib/turns.ts';
import { isObject } from '../manifest/edit-value.ts';
import { nameOf } from '../manifest/identity.ts';
import type { LoadSettings } from '../manifest/load.ts';
import { type KubeObject, type Manifest, refOf, unitOfRelease } from '../manifest/types.ts';
import type { Chart } from './chart.ts';
import type { EncryptedFiles } from './encrypted-files.ts';
import { pathIn } from './helm-chart.ts';
import type { HelmRelease, ValuesFrom } from './helm-release.ts';
import { liveConfig, type LiveConfigs } from './live-configs.ts';
import type { SourceTree } from './renderer.ts';
import { fileAt, sourceBytes } from './source-bytes.ts';

/** Values as a file for Helm, each overruling those before it. */
interface ValuesFile {
  readonly content: Uint8Array;
  /** It came out of a Secret. */
  readonly isSecret: boolean;
}

/** What values are made from. */
export interface ReleaseValues {
  readonly files: readonly ValuesFile[];
  /** Files of the repository among them, by path. */
  readonly paths: readonly string[];
  /** ConfigMaps and Secrets of the repository among them. */
  readonly objects: readonly Manifest[];
  /** Some of them Git does not say in the open. */
  readonly isSealed: boolean;
}

/** What values may come from beside files. */
export interface ValueSources {
  readonly manifests: readonly Manifest[];
  readonly encrypted: EncryptedFiles;
  /** Absent: no cluster is there. */
  readonly live: LiveConfigs | undefined;
  readonly settings: LoadSettings;
  /** Called where only a cluster would know. Absent: nobody asks. */
  readonly missed?: () => unknown;
}

const mostBytes = 2 * 1024 * 1024;

/** A text says what is missing. */
export function* valuesOf(
  release: HelmRelease,
  chart: Chart,
  tree: SourceTree,
  sources: ValueSources,
): Steps<ReleaseValues | string> {
  const files: ValuesFile[] = [];
  const paths: string[] = [];
  const objects: Manifest[] = [];
  const { object: asking, origin } = release.manifest;
  const missed = (): unknown => sources.encrypted.unlooked?.units.add(unitOfRelease(origin, refOf(asking)));
  let bytes = 0;
  let isSealed = false;
  const take = (content: Uint8Array, isSecret = false): void => {
    bytes += content.length;
    files.push({ content, isSecret });
  };
  for (const name of release.valuesFiles.paths) {
    const path = name.startsWith('/') ? undefined : pathIn('', name);
    if (path === undefined) return `the values file ${name.slice(0, 200)} is not in the repository`;
    if (!tree.isOwn(path)) return `${path} belongs to another tenant`;
    const file = yield* fileAt(path, tree.files);
    if (file === undefined) {
      if (release.valuesFiles.mayBeMissing) continue;
      return `there is no values file ${path}`;
    }
    if (typeof file === 'object' && file.mode === '120000') return `${path} is a symbolic link`;
    paths.push(path);
    const content = yield* sourceBytes(file, tree.files);
    const plain = yield* sources.encrypted.open(path, content);
    if (typeof plain === 'string') return `${path} ${plain}`;
    isSealed ||= plain !== undefined;
    take(plain ?? content, plain !== undefined);
    if (bytes > mostBytes) return tooMuch;
  }
  for (const from of release.valuesFrom) {
    yield;
    if (from.kind === 'file') {
      const file = chart.files.get(pathIn('', from.path) ?? '');
      if (file !== undefined) take(yield* sourceBytes(file, tree.files));
      else if (!from.isOptional) return `the chart has no file ${from.path.slice(0, 200)}`;
      continue;
    }
    const written = sources.manifests.find(({ object }) => isNamed(object, from));
    if (written) objects.push(written);
    if (written?.locked) return `${named(from)}, which its values come from, cannot be decrypted`;
    const found = written?.object ?? (yield* liveConfig(from, origin.path, { ...sources, missed }));
    if (typeof found === 'string') {
      if (from.isOptional && !sources.live) continue;
      return `its values come from ${named(from)}, ${found}`;
    }
    isSealed ||= written ? written.sealed !== undefined : found !== undefined && from.kind === 'Secret';
    const text = found && textOf(found, from.key);
    if (text !== undefined) {
      const content = from.targetPath === undefined ? text : placed(from.targetPath, text);
      if (content === undefined)
        return `spec.valuesFrom of ${named(from)}: ${shown(from.targetPath)} is no path of names`;
      take(Buffer.from(content), from.kind === 'Secret');
      if (bytes > mostBytes) return tooMuch;
    } else if (!from.isOptional)
      return found
        ? `${named(from)} has no key ${from.key.slice(0, 200)}`
        : `${named(from)}, which its values come from, is neither in Git nor in the cluster`;
  }
  take(Buffer.from(JSON.stringify(release.values)));
  return bytes > mostBytes ? tooMuch : { files, paths, objects, isSealed };
}

const tooMuch = `its values take more than ${mostBytes / 1024 / 1024} MiB`;
const shown = (text: string | undefined): string => (text ?? '').slice(0, 100);
const named = ({ kind, namespace, name }: Exclude<ValuesFrom, { kind: 'file' }>): string =>
  `the ${nameOf({ apiVersion: 'v1', kind, namespace, name })}`.slice(0, 300);

const isNamed = ({ apiVersion, kind, metadata }: KubeObject, from: Exclude<ValuesFrom, { kind: 'file' }>): boolean =>
  apiVersion === 'v1' && kind === from.kind && metadata.name === from.name && metadata.namespace === from.namespace;

function textOf(object: KubeObject, key: string): string | undefined {
  const own = (field: string): unknown => {
    const data = object[field];
    return isObject(data) && Object.hasOwn(data, key) ? data[key] : undefined;
  };
  const plain = own('stringData') ?? (object.kind === 'ConfigMap' ? own('data') : undefined);
  if (typeof plain === 'string') return plain;
  const encoded = own(object.kind === 'ConfigMap' ? 'binaryData' : 'data');
  return typeof encoded === 'string' ? Buffer.from(encoded, 'base64').toString('utf8') : undefined;
}

/** One value where a path leads, as `--set` reads it. Undefined: the path needs more than names. */
function placed(path: string, text: string): string | undefined {
  const names = path.split('.');
  if (names.some((name) => !/^[\w/-]+$/.test(name))) return undefined;
  let value: unknown = typedValue(text);
  for (const name of names.toReversed()) value = Object.fromEntries([[name, value]]);
  return JSON.stringify(value);
}

function typedValue(text: string): unknown {
  // So Flux tells a text that looks like something else.
  const quoted = /^(['"])([^]*)\1$/.exec(text)?.[2];
  if (quoted !== undefined) return quoted;
  if (text === 'true' || text === 'false') return text === 'true';
  if (text === 'null') return null;
  return text === '0' || (/^-?[1-9]\d*$/.test(text) && Number.isSafeInteger(Number(text))) ? Number(text) : text;
}

import { canonicalJson, sha256OfParts } from '../lib/hash.ts';
import { perObject } from '../lib/memo.ts';
import { setOwn } from '../lib/own.ts';
import { atOnce } from '../lib/turns.ts';
import { refKeyOf } from '../manifest/identity.ts';
import { groupOf, type KubeObject, type Manifest, type ObjectRef, refKey } from '../manifest/types.ts';
import { configRefsOf, imagesOf, isTrackedConfig } from './configs.ts';
import { at, jsonOf, textOf, textsOf } from '../lib/json.ts';
import { footprintOf } from './footprint.ts';
import { targetKindOf, targets } from './targets/registry.ts';
import type { TargetKind } from './types.ts';

/** One Canary with its target and the configs that the target refers to, as they stand in Git at one commit. */
export interface App {
  readonly id: { readonly namespace: string; readonly name: string };
  readonly canary: Manifest;
  readonly targetKind: TargetKind;
  /** Absent: Git has no such object. */
  readonly target?: Manifest;
  /** Only those that stand in Git and are tracked. */
  readonly configs: readonly Manifest[];
  /** Container name to image, as written. Empty where the target names none, as a Service. */
  readonly images: Readonly<Record<string, string>>;
  /** Hash of what a release is about: pod template (of a Service: where it leads) and config data. Not replicas, not the Canary. */
  readonly content: string;
}

/** Keys, as `refKey` makes them, of the objects in Git into which Canaries write: their targets, and routes that stay their users' own. */
export function writtenInto(apps: readonly App[]): ReadonlySet<string> {
  return new Set(
    apps.flatMap(({ canary, target }) => {
      const { route } = footprintOf(canary.object);
      return [...(target ? [refKeyOf(target.object)] : []), ...(route ? keysOfRoute(route) : [])];
    }),
  );
}

const routeVersions = ['v1', 'v1beta1', 'v1alpha3', 'v1alpha2'];

/** As `refKey` makes them: Git may hold a route in another version than its Canary names. */
export function keysOfRoute(route: ObjectRef): readonly string[] {
  return routeVersions.map((version) => refKey({ ...route, apiVersion: `${groupOf(route.apiVersion)}/${version}` }));
}

/**
 * All apps in the order of their Canaries. Canaries that cannot be parsed count too. Of the apps found `before` (under the same default
 * namespace), those whose manifests are the same objects still are the same.
 */
export function appsOf(manifests: readonly Manifest[], defaultNamespace: string, before?: readonly App[]): App[] {
  return atOnce(findApps(manifests, defaultNamespace, before));
}

/** As `appsOf`; yields after each app, so that it can be done in turns. */
export function* findApps(
  manifests: readonly Manifest[],
  defaultNamespace: string,
  before: readonly App[] = [],
): Generator<void, App[]> {
  const known = new Map(before.map((app) => [app.canary, app]));
  const namespaceOf = (object: KubeObject): string => object.metadata.namespace ?? defaultNamespace;
  const index = createIndex();
  const canaries: Manifest[] = [];
  for (const [at, manifest] of manifests.entries()) {
    if (at % 512 === 511) yield;
    const { object } = manifest;
    const part = partOf(object);
    if (part !== undefined) index.add(part, namespaceOf(object), manifest);
    else if (object.kind === 'Canary' && object.apiVersion.startsWith('flagger.app/')) canaries.push(manifest);
  }
  yield;
  const found: App[] = [];
  for (const canary of canaries) {
    const namespace = namespaceOf(canary.object);
    const id = { namespace, name: canary.object.metadata.name };
    const { targetKind, name } = targetOf(canary.object);
    const target = index.get(targetKind, namespace, name);
    if (!target) {
      found.push({ id, canary, targetKind, configs: [], images: {}, content: atOnce(contentOf(undefined, [])) });
      continue;
    }
    const kind = targets[targetKind];
    const refs = kind.tracksConfigs ? configRefsOf(target.object) : [];
    const configs = refs.flatMap((config) => {
      const manifest = index.get(config.kind, namespace, config.name);
      return manifest && isTrackedConfig(manifest.object) ? [manifest] : [];
    });
    const last = known.get(canary);
    if (last?.target === target && isSame(last.configs, configs)) {
      found.push(last);
      continue;
    }
    const content = yield* contentOf(kind.judged(target.object), configs, target.sealed);
    found.push({ id, canary, targetKind, target, configs, images: imagesOf(target.object), content });
    yield;
  }
  return found;
}

interface Index {
  add(part: string, namespace: string, manifest: Manifest): void;
  get(part: string, namespace: string, name: string): Manifest | undefined;
}

/** Not by one key of all three: to make and hash those of thousands of objects takes longer than everything else. */
function createIndex(): Index {
  const parts = new Map<string, Map<string, Map<string, Manifest>>>();
  return {
    add(part, namespace, manifest) {
      const spaces = parts.get(part) ?? new Map<string, Map<string, Manifest>>();
      const names = spaces.get(namespace) ?? new Map<string, Manifest>();
      parts.set(part, spaces.set(namespace, names.set(manifest.object.metadata.name, manifest)));
    },
    get: (part, namespace, name) => parts.get(part)?.get(namespace)?.get(name),
  };
}

const targetOf = perObject((canary: KubeObject): { readonly targetKind: TargetKind; readonly name: string } => {
  const ref = at(canary, 'spec', 'targetRef');
  const targetKind = targetKindOf(textOf(at(ref, 'kind')) ?? 'Deployment', textOf(at(ref, 'apiVersion')) ?? '');
  return { targetKind, name: textOf(at(ref, 'name')) ?? '' };
});

function isSame(before: readonly Manifest[], now: readonly Manifest[]): boolean {
  return before.length === now.length && before.every((manifest, index) => manifest === now[index]);
}

/** How an object that may belong to an app is found; undefined: it cannot. */
function partOf({ apiVersion, kind }: KubeObject): string | undefined {
  if (kind === 'Deployment' || kind === 'DaemonSet') return apiVersion.startsWith('apps/') ? kind : undefined;
  if (kind === 'Service' && apiVersion.startsWith('serving.knative.dev/')) return 'Knative';
  return apiVersion === 'v1' ? kind : undefined;
}

/** Does what is done with an object that may be a target or a config of an app: throws where it cannot be done. */
export function tryPart(object: KubeObject): void {
  if (partOf(object) === undefined) return;
  const kind = targetKindOf(object.kind, object.apiVersion);
  configRefsOf(object);
  imagesOf(object);
  atOnce(contentOf(targets[kind].judged(object), []));
  dataOf(object);
}

/** Yields after each config: one alone may be as large as a cluster stores. */
function* contentOf(judged: unknown, configs: readonly Manifest[], sealed?: string): Generator<void, string> {
  const hash = sha256OfParts();
  // Where something of it is secret, whoever reads the hash in Git must not find that by trying.
  const salt = sealed ?? configs.find((config) => config.sealed !== undefined)?.sealed;
  if (salt !== undefined) hash.add(`${salt}\n`);
  hash.add(`[${canonicalJson(withoutNulls(judged))},[`);
  for (const [at, { object }] of configs.entries()) {
    const data = [object.kind, object.metadata.name, dataOf(object), object['binaryData']];
    hash.add(`${at === 0 ? '' : ','}${canonicalJson(data)}`);
    yield;
  }
  hash.add(']]');
  return hash.hex().slice(0, 16);
}

/** Maps in which a null is a value: the empty text, or zero. */
const valueMaps = new Set(['annotations', 'labels', 'limits', 'matchLabels', 'nodeSelector', 'requests']);

/** A field that is null is absent for an API server. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutNulls);
  const members = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(
    members.map(([name, member]) => [name, valueMaps.has(name) ? member : withoutNulls(member)] as const),
  );
}

/** `stringData` is only another way to write `data`. */
function dataOf(object: KubeObject): unknown {
  const written = jsonOf(object['data']);
  if (object['stringData'] === undefined && Object.values(written).every((text) => typeof text === 'string'))
    return written;
  const data = textsOf(written);
  const plain = jsonOf(object['stringData']);
  for (const name of Object.keys(plain)) {
    const text = plain[name];
    if (typeof text === 'string') setOwn(data, name, Buffer.from(text, 'utf8').toString('base64'));
  }
  return data;
}

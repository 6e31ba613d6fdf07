import { sha256Hex } from '../lib/hash.ts';
import { perObject } from '../lib/memo.ts';
import type { KubeObject, OwnerReference } from '../manifest/types.ts';
import { at, type Json, jsonOf, listOf, textOf, textsOf } from '../lib/json.ts';
import { includedByPrefix } from './labels.ts';
import { isCanaryRef, ownerOf } from './owner.ts';
import { mapConfigRefs, type RefSite } from './config-sites.ts';
import type { ConfigKey, ConfigSeen } from './types.ts';

/** A ConfigMap or Secret that a pod template refers to. */
export interface ConfigRef {
  readonly key: ConfigKey;
  readonly kind: 'ConfigMap' | 'Secret';
  readonly name: string;
  /** Pods start without it: only where every reference says so. */
  readonly optional: boolean;
}

const trackedSecretTypes = ['Opaque', 'kubernetes.io/basic-auth', 'kubernetes.io/ssh-auth', 'kubernetes.io/tls'];

/** What a Deployment's pods refer to, each once, in the order of the template. */
export function configRefsOf(deployment: KubeObject): readonly ConfigRef[] {
  return refsIn(jsonOf(at(deployment, 'spec', 'template', 'spec')));
}

const refsIn = perObject((podSpec: Json): readonly ConfigRef[] => {
  const found = new Map<ConfigKey, ConfigRef>();
  mapConfigRefs(podSpec, (site) => {
    const key = configKey(site);
    const before = found.get(key);
    found.set(key, { key, kind: site.kind, name: site.name, optional: site.optional && (before?.optional ?? true) });
    return site.name;
  });
  return [...found.values()];
});

/** The pod spec of the primary: references in `tracked` lead to the copies, which have Flagger's names unless `copies` has others. */
export function withPrimaryConfigs(
  podSpec: unknown,
  tracked: ReadonlySet<ConfigKey>,
  copies: ReadonlyMap<ConfigKey, ConfigKey> = new Map(),
): unknown {
  return mapConfigRefs(podSpec, (site) => {
    const key = configKey(site);
    if (!tracked.has(key)) return site.name;
    const copy = copies.get(key);
    return copy === undefined ? `${site.name}-primary` : parseConfigKey(copy).name;
  });
}

export function configKey({ kind, name }: Pick<RefSite, 'kind' | 'name'>): ConfigKey {
  return kind === 'ConfigMap' ? `configmap/${name}` : `secret/${name}`;
}

export function parseConfigKey(key: ConfigKey): { readonly kind: 'ConfigMap' | 'Secret'; readonly name: string } {
  const slash = key.indexOf('/');
  return { kind: key.startsWith('secret/') ? 'Secret' : 'ConfigMap', name: key.slice(slash + 1) };
}

/** Not opted out by annotation, and of a type that applications own. */
export function isTrackedConfig(object: KubeObject): boolean {
  const optOut = object.metadata.annotations?.['flagger.app/config-tracking'] ?? '';
  if (optOut.startsWith('disable')) return false;
  return object.kind !== 'Secret' || trackedSecretTypes.includes(textOf(object['type']) ?? 'Opaque');
}

/** Flagger's checksum of `data`, so that taking over is silent; binaryData, which Flagger overlooks, is hashed with it. */
export function configChecksum(object: KubeObject): string {
  const data = goJson(object['data']);
  const binary = textsOf(object['binaryData']);
  const text = Object.keys(binary).length === 0 ? data : `${data}${goJson(binary)}`;
  return sha256Hex(text).slice(0, 16);
}

/** JSON of a string map as Go's encoder writes it: sorted by bytes, HTML characters escaped, `null` for no map. */
function goJson(value: unknown): string {
  if (value === undefined || value === null) return 'null';
  const texts = textsOf(value);
  const names = Object.keys(texts).sort();
  // Only of letters beyond ASCII the order of bytes is another one.
  if (beyondAscii.test(names.join(''))) names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  let text = '';
  for (const name of names)
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${JSON.stringify(texts[name] ?? '')}`;
  return `{${escaped(text)}}`;
}

// oxlint-disable-next-line no-control-regex
const beyondAscii = /[^\0-\x7f]/;

/** None of these is a sign of JSON itself, so all of it is looked through at once. */
function escaped(json: string): string {
  return json.replace(/[<>&\u2028\u2029]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** What the core sees of a ConfigMap or Secret. `checksum`: what it is known by, which of a Secret is no plain one outside of tests. */
export function configSeenOf(object: KubeObject, checksum = configChecksum(object)): ConfigSeen {
  const { ownerReferences = [] } = object.metadata;
  const canaries = ownerReferences.filter(isCanaryRef).map(({ uid }) => uid);
  return {
    checksum,
    tracked: isTrackedConfig(object),
    ...(ownerReferences.length === 0 ? {} : { owners: ownerReferences.map(({ uid }) => uid) }),
    ...(canaries.length === 0 ? {} : { canaries }),
  };
}

export interface ConfigCopyOptions {
  readonly canary: KubeObject;
  /** Name of the copy. Absent: Flagger's. */
  readonly name?: string;
  /** The copy as it stands; undefined before there is one. */
  readonly live: KubeObject | undefined;
  readonly includeLabelPrefix: readonly string[];
}

/**
 * The copy with the source's content. Others that own it stay owners. It is never made immutable, so that it can follow
 * a source that was made anew under its name; where somebody has made it so, it stays it as long as its content may stay.
 */
export function renderConfigCopy(
  source: KubeObject,
  { canary, name = `${source.metadata.name}-primary`, live, includeLabelPrefix }: ConfigCopyOptions,
): KubeObject {
  const { namespace, labels = {} } = source.metadata;
  const others = (live?.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== canary.metadata.uid);
  const ownerReferences: OwnerReference[] = [
    ownerOf(canary),
    ...others.map((other) => ({ ...other, controller: false })),
  ];
  const included = includedByPrefix(labels, includeLabelPrefix);
  const { labels: _labels, annotations: _annotations, ...kept } = live?.metadata ?? { name };
  return {
    apiVersion: 'v1',
    kind: source.kind,
    metadata: {
      ...kept,
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(Object.keys(included).length === 0 ? {} : { labels: included }),
      ownerReferences,
    },
    ...(source.kind === 'Secret' ? { type: textOf(source['type']) ?? 'Opaque' } : {}),
    ...(source['data'] === undefined ? {} : { data: source['data'] }),
    ...(source['binaryData'] === undefined ? {} : { binaryData: source['binaryData'] }),
    ...(live?.['immutable'] === true ? { immutable: true } : {}),
  };
}

/** The API server would not let `live` become `copy`: it is immutable, or a Secret of another type. */
export function mustBeReplaced(live: KubeObject, copy: KubeObject): boolean {
  if (live.kind === 'Secret' && live['type'] !== copy['type']) return true;
  return live['immutable'] === true && configChecksum(live) !== configChecksum(copy);
}

/** Names of all containers with their images. */
export function imagesOf(deployment: KubeObject): Record<string, string> {
  const podSpec = at(deployment, 'spec', 'template', 'spec');
  const containers = [...listOf(at(podSpec, 'initContainers')), ...listOf(at(podSpec, 'containers'))];
  return Object.fromEntries(containers.map((one) => [textOf(one['name']) ?? '', textOf(one['image']) ?? '']));
}

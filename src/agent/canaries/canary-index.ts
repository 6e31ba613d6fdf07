import { jsonOf, listOf, textOf } from '../../lib/json.ts';
import { footprintOf } from '../../canary/footprint.ts';
import { baseName } from '../../canary/names.ts';
import { isUnderWay } from '../../canary/phase.ts';
import type { CanaryStatus, ConfigKey } from '../../canary/types.ts';
import type { Reflection } from '../../cluster/cluster.ts';
import { sha256Hex } from '../../lib/hash.ts';
import { type AppKey, keyOf, namespacedName, partsOf } from '../../lib/key.ts';
import type { KubeObject } from '../../manifest/types.ts';

/** The status tells times in whole seconds, cut off. */
const statusStepMs = 1_000;

/**
 * After a start: a canary under way gets the rest of its interval, so that no step follows the last one too soon (Flagger's R46);
 * resting ones are spread over their interval.
 */
export function firstTickMs(key: AppKey, status: CanaryStatus, intervalMs: number, nowMs: number): number {
  const underWay = status.phase === 'Waiting' || isUnderWay(status.phase);
  const lastMs = Date.parse(status.lastTransitionTime ?? '');
  if (underWay && Number.isFinite(lastMs))
    return Math.min(Math.max(nowMs, lastMs + statusStepMs + intervalMs), nowMs + intervalMs);
  if (underWay) return nowMs;
  return nowMs + (Number.parseInt(sha256Hex(key).slice(0, 8), 16) % intervalMs);
}

/** Whether a canary at rest can wait until it is known what Git says: nobody depends on its pods, and nobody wants it gone. */
export function mayWait({ metadata }: KubeObject, { canaryWeight }: CanaryStatus): boolean {
  return canaryWeight === 0 && metadata.deletionTimestamp === undefined;
}

/** Tells the Canaries that a changed object may belong to. */
export interface KeysFor {
  (kind: string, namespace: string, name: string): readonly AppKey[];
  /** A Canary looks at these ConfigMaps and Secrets, whether they are there or not; takes the place of what it looked at before. */
  noteConfigs(key: AppKey, configs: readonly ConfigKey[]): void;
}

/**
 * Tells the Canaries of an object from its name. To look at every Canary for every Service or ConfigMap would make the start of a
 * thousand of them last minutes.
 */
export function createKeysFor(canaries: Pick<Reflection, 'list' | 'onChange'>): KeysFor {
  const names = createIndex();
  const templates = createIndex();
  const configs = createIndex();
  const put = (canary: KubeObject): void => {
    const key = keyOf(canary.metadata);
    const namespace = canary.metadata.namespace ?? '';
    names.set(
      key,
      footprintOf(canary).watched.map((name) => namespacedName({ namespace, name })),
    );
    templates.set(key, templatesOf(canary['spec'], namespace));
  };
  for (const canary of canaries.list()) put(canary);
  canaries.onChange((change) => {
    if (change.kind !== 'deleted') return put(change.object);
    for (const index of [names, templates, configs]) index.set(keyOf(change.object.metadata), []);
  });
  const keysFor = (kind: string, namespace: string, name: string): readonly AppKey[] => {
    const place = namespacedName({ namespace, name });
    if (kind === 'MetricTemplate') return templates.get(place);
    if (kind === 'ConfigMap' || kind === 'Secret') return configs.get(`${namespace}/${kind.toLowerCase()}/${name}`);
    const base = baseName(name);
    const exact = names.get(place);
    return base === name ? exact : [...new Set([...exact, ...names.get(namespacedName({ namespace, name: base }))])];
  };
  const noteConfigs = (key: AppKey, looked: readonly ConfigKey[]): void => {
    const { namespace } = partsOf(key);
    configs.set(
      key,
      looked.map((config) => `${namespace}/${config}`),
    );
  };
  return Object.assign(keysFor, { noteConfigs });
}

/** Keys by the places that they are interested in. */
interface Index {
  set(key: AppKey, places: readonly string[]): void;
  get(place: string): readonly AppKey[];
}

function createIndex(): Index {
  const placesByKey = new Map<AppKey, readonly string[]>();
  const keysByPlace = new Map<string, Set<AppKey>>();
  return {
    set(key, places) {
      const before = placesByKey.get(key) ?? [];
      if (before.length === places.length && before.every((place, at) => place === places[at])) return;
      for (const place of before) {
        const keys = keysByPlace.get(place);
        keys?.delete(key);
        if (keys?.size === 0) keysByPlace.delete(place);
      }
      if (places.length === 0) placesByKey.delete(key);
      else placesByKey.set(key, places);
      for (const place of places) keysByPlace.set(place, (keysByPlace.get(place) ?? new Set()).add(key));
    },
    get: (place) => [...(keysByPlace.get(place) ?? [])],
  };
}

/** MetricTemplates that the analysis measures by. */
function templatesOf(spec: unknown, namespace: string): readonly string[] {
  const { analysis, canaryAnalysis } = jsonOf(spec);
  const refs = listOf(jsonOf(analysis ?? canaryAnalysis)['metrics']).map(({ templateRef }) => jsonOf(templateRef));
  return refs.flatMap((ref) => {
    const name = textOf(ref['name']);
    return name === undefined ? [] : [namespacedName({ namespace: textOf(ref['namespace']) ?? namespace, name })];
  });
}

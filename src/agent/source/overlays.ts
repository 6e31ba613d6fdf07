import type { App } from '../../canary/app.ts';
import { type AppKey, keyOf, namespacedName } from '../../lib/key.ts';
import { refKeyOf } from '../../manifest/identity.ts';
import type { Manifest } from '../../manifest/types.ts';

/** Documents of an app that are judged: the target and the configs it refers to. The Canary itself is not. */
export function judgedKeys(app: App): readonly string[] {
  return judgedManifests(app).map(({ object }) => refKeyOf(object));
}

export function judgedManifests({ target, configs }: App): readonly Manifest[] {
  return [...(target ? [target] : []), ...configs];
}

/**
 * The tip's manifests with some apps' judged documents taken from another revision. `stable` maps an app's key to the app as it was there;
 * an app that was not there at all keeps the tip's documents.
 */
export function withOverlays(
  tip: readonly Manifest[],
  apps: readonly App[],
  stable: ReadonlyMap<AppKey, App>,
): readonly Manifest[] {
  if (stable.size === 0) return tip;
  const dropped = new Set<string>();
  const added = new Map<string, Manifest>();
  const keptByOthers = new Set<string>();
  for (const app of apps) {
    const key = keyOf(app.id);
    const before = stable.get(key);
    if (!before?.target) for (const judged of judgedKeys(app)) keptByOthers.add(judged);
    else {
      for (const judged of judgedKeys(app)) dropped.add(judged);
      for (const manifest of [before.target, ...before.configs]) added.set(refKeyOf(manifest.object), manifest);
    }
  }
  // A config that two apps share follows the one whose candidate is not held back.
  const isReplaced = (key: string): boolean => (dropped.has(key) || added.has(key)) && !keptByOthers.has(key);
  const rest = tip.filter(({ object }) => !isReplaced(refKeyOf(object)));
  return [...rest, ...[...added].filter(([key]) => isReplaced(key)).map(([, manifest]) => manifest)];
}

/** The manifests, these apps' judged documents marked so that the cluster keeps what it has of them. */
export function withLeftAlone(
  manifests: readonly Manifest[],
  apps: readonly App[],
  keys: ReadonlySet<AppKey>,
): readonly Manifest[] {
  if (keys.size === 0) return manifests;
  const left = new Set(apps.filter(({ id }) => keys.has(keyOf(id))).flatMap(judgedKeys));
  return manifests.map((manifest) => {
    const { object } = manifest;
    if (!left.has(refKeyOf(object))) return manifest;
    const annotations = { ...object.metadata.annotations, 'serin.dev/ignore': 'true' };
    return { ...manifest, object: { ...object, metadata: { ...object.metadata, annotations } } };
  });
}

/** Canaries whose targets Git asks for another number of pods than before. Those that are new do not count. */
export function rescaled(before: readonly App[], now: readonly App[]): readonly AppKey[] {
  if (before === now) return [];
  const numberOf = ({ target }: App): unknown =>
    (target?.object['spec'] as { replicas?: unknown } | undefined)?.replicas;
  const known = new Map(before.map((app) => [keyOf(app.id), numberOf(app)]));
  return now
    .map((app) => ({ key: keyOf(app.id), number: numberOf(app) }))
    .filter(({ key, number }) => known.has(key) && known.get(key) !== number)
    .map(({ key }) => key);
}

/** spec.replicas that Git asks of each target, by `namespacedName`. */
export function replicasOf(apps: readonly App[]): ReadonlyMap<string, number> {
  const replicas = new Map<string, number>();
  for (const { target } of apps) {
    const wanted = (target?.object['spec'] as { replicas?: unknown } | undefined)?.replicas;
    if (target && typeof wanted === 'number') replicas.set(namespacedName(target.object.metadata), wanted);
  }
  return replicas;
}

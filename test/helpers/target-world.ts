import { possibleCopies } from '../../src/canary/config-copies.ts';
import { configRefsOf, configSeenOf, parseConfigKey, renderConfigCopy } from '../../src/canary/configs.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import { targets } from '../../src/canary/targets/registry.ts';
import type { CanarySpec, ConfigKey, ConfigSeen, Effect, Seen, TrafficSplit } from '../../src/canary/types.ts';
import { canonicalJson } from '../../src/lib/hash.ts';
import type { KubeObject, ObjectRef } from '../../src/manifest/types.ts';
import { planRoutes } from '../../src/routers/reconcile.ts';
import { routerFor } from '../../src/routers/registry.ts';
import { aRouteContext } from './a-route-context.ts';
import { daemonSetWithStatus } from './workload-status.ts';

type Spec = Record<string, unknown>;

/** A world of one target of any kind, in which effects happen at once and pods are up a second after they were asked for. */
export interface TargetWorld {
  nowMs: number;
  canary: KubeObject;
  readonly objects: Map<string, KubeObject>;
  /** DaemonSets, Deployments and Revisions of these names never get ready. */
  readonly broken: Set<string>;
  /** DaemonSets without any node for them. */
  readonly nowhere: Set<string>;
  get(kind: string, name: string): KubeObject | undefined;
  put(object: KubeObject): void;
  /** Changes spec of the target as a push to Git would. */
  push(change: (spec: Spec) => Spec): void;
  /** A Knative Service gets a new Revision. */
  revise(): void;
  see(): Omit<Seen, 'answers'>;
  apply(effect: Effect): void;
}

export interface TargetWorldOptions {
  readonly canarySpec: Spec;
  readonly target: KubeObject;
  /** Pods of the node's DaemonSets. */
  readonly nodes?: number;
}

export function createTargetWorld({ canarySpec, target, nodes = 2 }: TargetWorldOptions): TargetWorld {
  const objects = new Map<string, KubeObject>();
  const movedMs = new Map<string, number>();
  const keyOf = (kind: string, name: string): string => `${kind}/${name}`;
  const at = ({ kind, name }: Pick<ObjectRef, 'kind' | 'name'>): KubeObject | undefined => {
    const found = objects.get(keyOf(kind, name));
    return found && withStatus(found);
  };
  let split: TrafficSplit | undefined;
  let versions = 0;
  const specNow = (): CanarySpec => parseCanary(world.canary, { provider: 'traefik', minIntervalMs: 10_000 });

  const withStatus = (object: KubeObject): KubeObject => {
    if (object.kind === 'Deployment') return withReplicas(object);
    if (object.kind !== 'DaemonSet') return object;
    const { name } = object.metadata;
    const sinceMs = movedMs.get(name) ?? 0;
    const isZero = targets.DaemonSet.scaling?.replicasOf(object) === 0 || world.nowhere.has(name);
    const wanted = isZero ? 0 : nodes;
    const isUp = !world.broken.has(name) && world.nowMs - sinceMs >= 1_000;
    return daemonSetWithStatus(object, { wanted, old: 0, available: isUp ? wanted : 0, sinceMs });
  };
  const withReplicas = (object: KubeObject): KubeObject => {
    const { name, generation } = object.metadata;
    const replicas = targets.Deployment.scaling?.replicasOf(object) ?? 0;
    const isUp = !world.broken.has(name) && world.nowMs - (movedMs.get(name) ?? 0) >= 1_000;
    const counts = { replicas, updatedReplicas: replicas, availableReplicas: isUp ? replicas : 0 };
    return { ...object, status: { observedGeneration: generation, ...counts } };
  };
  const put = (object: KubeObject): void => {
    const key = keyOf(object.kind, object.metadata.name);
    const before = objects.get(key);
    const isSame = canonicalJson(before?.['spec']) === canonicalJson(object['spec']);
    versions += 1;
    const generation = isSame ? (before?.metadata.generation ?? versions) : versions;
    const { managedFields: _managed, ...metadata } = object.metadata;
    const uid = before?.metadata.uid ?? `uid-${versions}`;
    objects.set(key, { ...object, metadata: { ...metadata, uid, generation } });
    if (!isSame) movedMs.set(object.metadata.name, world.nowMs);
  };
  const configs = (): ReadonlyMap<ConfigKey, ConfigSeen> => {
    const found = new Map<ConfigKey, ConfigSeen>();
    const { targetKind, target: ref } = specNow();
    const live = at(ref);
    for (const { key, kind } of live && targets[targetKind].tracksConfigs ? configRefsOf(live) : []) {
      for (const wanted of [key, ...possibleCopies([key], world.canary)]) {
        const config = objects.get(keyOf(kind, parseConfigKey(wanted).name));
        if (config) found.set(wanted, configSeenOf(config));
      }
    }
    return found;
  };
  const knativeRoute = (wanted: TrafficSplit | 'keep'): void => {
    const spec = specNow();
    for (const { object } of planRoutes(routerFor('knative'), aRouteContext(spec), [at(spec.target)], wanted))
      put(object);
  };

  const world: TargetWorld = {
    nowMs: Date.UTC(2026, 0, 1),
    canary: {
      apiVersion: 'flagger.app/v1beta1',
      kind: 'Canary',
      metadata: { name: target.metadata.name, namespace: 'demo', uid: 'uid-of-canary', generation: 1 },
      spec: { ...canarySpec },
    },
    objects,
    broken: new Set(),
    nowhere: new Set(),
    get: (kind, name) => at({ kind, name }),
    put,
    push(change) {
      const live = objects.get(keyOf(target.kind, target.metadata.name));
      if (live) put({ ...live, spec: change(live['spec'] as Spec) });
    },
    revise() {
      const live = objects.get(keyOf('Service', target.metadata.name));
      if (!live) return;
      const status = live['status'] as { latestCreatedRevisionName?: string } | undefined;
      const count = Number(status?.latestCreatedRevisionName?.slice(-5) ?? 0) + 1;
      const name = `${target.metadata.name}-${String(count).padStart(5, '0')}`;
      const revised = (live['spec'] as { template?: { spec?: unknown } }).template?.spec;
      put({ ...live, status: { ...status, latestCreatedRevisionName: name } });
      put({ apiVersion: live.apiVersion, kind: 'Revision', metadata: { name, namespace: 'demo' }, spec: revised });
    },
    see() {
      const spec = specNow();
      const kind = targets[spec.targetKind];
      const live = at(spec.target);
      const revision = (ref: ObjectRef | undefined): KubeObject | undefined => {
        const found = ref && at(ref);
        if (found?.kind !== 'Revision') return found;
        const status = world.broken.has(found.metadata.name) ? 'False' : 'True';
        return { ...found, status: { conditions: [{ type: 'Ready', status }] } };
      };
      const candidate = revision(kind.candidateRef?.(spec.target, live));
      const isKnative = spec.targetKind === 'Knative';
      const serviceOf = (suffix: string): KubeObject | undefined =>
        isKnative ? undefined : at({ kind: 'Service', name: `${spec.service.name}${suffix}` });
      return {
        nowMs: world.nowMs,
        canary: world.canary,
        target: live,
        primary: revision(kind.primaryRef(spec.target, live)),
        ...(candidate ? { candidate } : {}),
        apexService: serviceOf(''),
        primaryService: serviceOf('-primary'),
        canaryService: serviceOf('-canary'),
        split: isKnative ? routerFor('knative').read(aRouteContext(spec), [live]) : split,
        routeTrouble: undefined,
        routeDrift: false,
        configs: configs(),
        desiredReplicas: undefined,
      };
    },
    apply(effect) {
      const spec = specNow();
      switch (effect.kind) {
        case 'write':
          if (effect.object.kind === 'Canary') world.canary = effect.object;
          else put(effect.object);
          return;
        case 'copy-config': {
          const { kind, name } = parseConfigKey(effect.key);
          const source = objects.get(keyOf(kind, name));
          const { name: copy } = parseConfigKey(effect.copy);
          const live = objects.get(keyOf(kind, copy));
          if (source) put(renderConfigCopy(source, { canary: world.canary, name: copy, live, includeLabelPrefix: [] }));
          return;
        }
        case 'scale-target': {
          const live = objects.get(keyOf(spec.target.kind, spec.target.name));
          const patch = targets[spec.targetKind].scaling?.patch(effect.replicas);
          if (live && patch) put(mergePatch(live, patch) as KubeObject);
          return;
        }
        case 'set-route':
          if (spec.targetKind === 'Knative') knativeRoute(effect.split);
          else split = effect.split;
          return;
        case 'reconcile-route':
          if (spec.targetKind === 'Knative') knativeRoute('keep');
          else split ??= { canaryWeight: 0, mirror: false };
          return;
        default:
      }
    },
  };
  put({ ...target, metadata: { ...target.metadata, namespace: 'demo' } });
  if (specNow().targetKind === 'Knative') world.revise();
  return world;
}

/** RFC 7386. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const merged: Spec = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = mergePatch(merged[name], value);
  }
  return merged;
}

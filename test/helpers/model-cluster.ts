import { possibleCopies } from '../../src/canary/config-copies.ts';
import {
  configChecksum,
  configKey,
  configRefsOf,
  configSeenOf,
  parseConfigKey,
  renderConfigCopy,
} from '../../src/canary/configs.ts';
import { isControlledBy, ownerOf } from '../../src/canary/owner.ts';
import { scalers } from '../../src/canary/scalers/registry.ts';
import { targets } from '../../src/canary/targets/registry.ts';
import type { ConfigKey, ConfigSeen, Effect, Seen, TrafficSplit } from '../../src/canary/types.ts';
import { canonicalJson } from '../../src/lib/hash.ts';
import { perObject } from '../../src/lib/memo.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { mergePatch } from '../../src/sandbox/api/patch.ts';
import { daemonSetWithStatus, deploymentWithStatus } from './workload-status.ts';

export interface ModelOptions {
  /** `spec` of the Canary. Its target is a Deployment, unless it names a DaemonSet: there is one node for that. */
  readonly canarySpec: Readonly<Record<string, unknown>>;
  readonly name?: string;
  readonly namespace?: string;
  /** How long new pods take to answer. */
  readonly settleMs?: number;
  readonly replicas?: number;
  /** What several of them live in. Absent: a cluster of its own. */
  readonly objects?: Map<string, KubeObject>;
  /** Name of the ConfigMap that the target reads. */
  readonly config?: string;
}

/** An effect did not happen: the tick ends, the status stays. */
export class ClusterFailure extends Error {}

/** A world in the smallest form that the core can see: what stands in it changes only by effects and by the test. */
export interface ModelCluster {
  nowMs: number;
  canary: KubeObject;
  split: TrafficSplit | undefined;
  routeTrouble: string | undefined;
  routeDrift: boolean;
  desiredReplicas: number | undefined;
  readonly objects: Map<string, KubeObject>;
  /** The target, its primary, or another of the target's kind, with its status. */
  deployment(name: string): KubeObject | undefined;
  /** Changes the target as a push to Git would. */
  setImage(image: string): void;
  setConfig(text: string): void;
  setReplicas(name: string, replicas: number): void;
  /** Pods of these images never answer. */
  readonly brokenImages: Set<string>;
  /** New pods of these Deployments never answer. */
  readonly brokenDeployments: Set<string>;
  /** Pods of these Deployments do not answer any more. */
  readonly downDeployments: Set<string>;
  see(): Omit<Seen, 'answers'>;
  apply(effect: Effect): void;
}

const configSeen = perObject(configSeenOf);
const key = (kind: string, name: string): string => `${kind}/${name}`;
/** What the API server notes of `kubectl scale`. */
const byHand = [{ manager: 'kubectl', subresource: 'scale', fieldsV1: { 'f:spec': { 'f:replicas': {} } } }];

export function createModelCluster({
  canarySpec,
  name = 'app',
  namespace = 'demo',
  settleMs = 1_000,
  replicas = 1,
  objects = new Map(),
  config: configName = `${name}-config`,
}: ModelOptions): ModelCluster {
  const { kind: wantedKind } = (canarySpec['targetRef'] ?? {}) as { readonly kind?: string };
  const workload = wantedKind === 'DaemonSet' ? wantedKind : 'Deployment';
  const { scaling } = targets[workload];
  /** When a workload last changed, and how many pods of the version before still answer. */
  const changes = new Map<string, { atMs: number; stillServing: number }>();
  let generations = 0;
  /** A workload with its status: the same object for as long as nothing changes, as in the views of the agent. */
  const shown = new WeakMap<KubeObject, { readonly counts: string; readonly object: KubeObject }>();

  const put = (object: KubeObject): void => {
    const at = key(object.kind, object.metadata.name);
    const before = objects.get(at);
    generations += 1;
    const { status: _status, ...rest } = object;
    const stored: KubeObject = {
      ...rest,
      metadata: { ...object.metadata, uid: before?.metadata.uid ?? `uid-${generations}`, generation: generations },
    } as KubeObject;
    if (before && canonicalJson(before['spec']) === canonicalJson(object['spec']) && object.kind === workload) {
      objects.set(at, { ...stored, metadata: { ...stored.metadata, generation: before.metadata.generation ?? 0 } });
      return;
    }
    if (object.kind === workload) {
      changes.set(object.metadata.name, { atMs: world.nowMs, stillServing: before ? servingOf(before) : 0 });
    }
    objects.set(at, stored);
  };
  const imageOf = (deployment: KubeObject): string => {
    const spec = deployment['spec'] as { template: { spec: { containers: { image: string }[] } } };
    return spec.template.spec.containers[0]?.image ?? '';
  };
  const replicasOf = (deployment: KubeObject): number => scaling?.replicasOf(deployment) ?? 0;
  const isGood = (deployment: KubeObject): boolean =>
    !world.brokenImages.has(imageOf(deployment)) && !world.brokenDeployments.has(deployment.metadata.name);
  const servingOf = (deployment: KubeObject): number => {
    const { name: own } = deployment.metadata;
    const wanted = replicasOf(deployment);
    const change = changes.get(own) ?? { atMs: 0, stillServing: 0 };
    if (wanted === 0 || world.downDeployments.has(own)) return 0;
    const isUp = isGood(deployment) && world.nowMs - change.atMs >= settleMs;
    return isUp ? wanted : Math.min(change.stillServing, wanted);
  };
  const withStatus = (deployment: KubeObject): KubeObject => {
    const wanted = replicasOf(deployment);
    const change = changes.get(deployment.metadata.name) ?? { atMs: 0, stillServing: 0 };
    const available = servingOf(deployment);
    const isNew = isGood(deployment) && world.nowMs - change.atMs >= settleMs;
    const old = isNew ? 0 : Math.min(change.stillServing, wanted);
    const deadlineMs =
      ((deployment['spec'] as { progressDeadlineSeconds?: number }).progressDeadlineSeconds ?? 600) * 1_000;
    const isLate = !isNew && wanted > 0 && world.nowMs - change.atMs > deadlineMs;
    const pods = { wanted, old, available, sinceMs: change.atMs, isLate };
    const counts = [wanted, old, available, change.atMs, isLate].join();
    const last = shown.get(deployment);
    if (last?.counts === counts) return last.object;
    const object =
      workload === 'DaemonSet' ? daemonSetWithStatus(deployment, pods) : deploymentWithStatus(deployment, pods);
    shown.set(deployment, { counts, object });
    return object;
  };
  const patchTarget = (change: (spec: Record<string, unknown>) => Record<string, unknown>, own = name): void => {
    const target = objects.get(key(workload, own));
    if (target) put({ ...target, spec: change(target['spec'] as Record<string, unknown>) });
  };
  const scaleTarget = (wanted: number): void => {
    const target = objects.get(key(workload, name));
    if (target && scaling) put(mergePatch(target, scaling.patch(wanted)) as KubeObject);
  };
  const ownCopies = (): readonly ConfigKey[] =>
    [...objects.values()].flatMap(({ kind, metadata: { name: own, ownerReferences = [] } }) =>
      (kind === 'ConfigMap' || kind === 'Secret') &&
      ownerReferences.some(({ uid }) => uid === world.canary.metadata.uid)
        ? [configKey({ kind, name: own })]
        : [],
    );
  const readByOthers = (): ReadonlySet<ConfigKey> =>
    new Set(
      [...objects.values()]
        .filter(({ metadata }) => metadata.name.endsWith('-primary') && metadata.name !== `${name}-primary`)
        .flatMap((other) => configRefsOf(other).map((ref) => ref.key)),
    );
  const configsSeen = (): ReadonlyMap<ConfigKey, ConfigSeen> => {
    const found = new Map<ConfigKey, ConfigSeen>();
    const target = objects.get(key(workload, name));
    const sources = target ? configRefsOf(target).map((ref) => ref.key) : [];
    for (const wanted of [...sources, ...possibleCopies(sources, world.canary), ...ownCopies()]) {
      const { kind, name: own } = parseConfigKey(wanted);
      const config = objects.get(key(kind, own));
      if (config) found.set(wanted, configSeen(config));
    }
    return found;
  };

  const scalersSeen = (): Pick<Seen, 'scaler' | 'primaryScaler' | 'formerScalers'> => {
    const ref = (world.canary['spec'] as Record<string, unknown>)['autoscalerRef'] as
      | { kind: string; name: string }
      | undefined;
    const scaler = ref && objects.get(key(ref.kind, ref.name));
    const primaryScaler = ref && objects.get(key(ref.kind, `${ref.name}-primary`));
    const formerScalers = [...objects.values()].flatMap((copy) => {
      const isOne = isControlledBy(copy, world.canary) && Object.hasOwn(scalers, copy.kind) && copy !== primaryScaler;
      const source = objects.get(key(copy.kind, copy.metadata.name.replace(/-primary$/, '')));
      return isOne ? [source ? { copy, source } : { copy }] : [];
    });
    return { ...(scaler ? { scaler } : {}), ...(primaryScaler ? { primaryScaler } : {}), formerScalers };
  };

  const world: ModelCluster = {
    nowMs: Date.UTC(2026, 0, 1),
    canary: {
      apiVersion: 'flagger.app/v1beta1',
      kind: 'Canary',
      metadata: { name, namespace, uid: name === 'app' ? 'uid-of-canary' : `uid-of-${name}`, generation: 1 },
      spec: { ...canarySpec },
    },
    split: undefined,
    routeTrouble: undefined,
    routeDrift: false,
    desiredReplicas: replicas,
    objects,
    brokenImages: new Set(),
    brokenDeployments: new Set(),
    downDeployments: new Set(),
    deployment(own) {
      const found = objects.get(key(workload, own));
      return found && withStatus(found);
    },
    setImage(image) {
      patchTarget((spec) => {
        const template = spec['template'] as { metadata: unknown; spec: { containers: Record<string, unknown>[] } };
        const containers = template.spec.containers.map((container) => ({ ...container, image }));
        return { ...spec, template: { ...template, spec: { ...template.spec, containers } } };
      });
    },
    setConfig(text) {
      put({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: configName, namespace },
        data: { message: text },
      });
    },
    setReplicas(own, wanted) {
      patchTarget((spec) => ({ ...spec, replicas: wanted }), own);
      const scaled = objects.get(key(workload, own));
      if (scaled)
        objects.set(key(workload, own), { ...scaled, metadata: { ...scaled.metadata, managedFields: byHand } });
    },
    see() {
      const isPlain = (world.canary['spec'] as { provider?: string }).provider === 'kubernetes';
      return {
        nowMs: world.nowMs,
        canary: world.canary,
        target: world.deployment(name),
        primary: world.deployment(`${name}-primary`),
        apexService: objects.get(key('Service', name)),
        primaryService: objects.get(key('Service', `${name}-primary`)),
        canaryService: objects.get(key('Service', `${name}-canary`)),
        split: isPlain ? { canaryWeight: 0, mirror: false } : world.split,
        routeTrouble: world.routeTrouble,
        routeDrift: world.routeDrift,
        configs: configsSeen(),
        ownCopies: ownCopies(),
        readByOthers: readByOthers(),
        desiredReplicas: world.desiredReplicas,
        ...scalersSeen(),
      };
    },
    apply(effect) {
      switch (effect.kind) {
        case 'write': {
          const { object, over } = effect;
          if (object.kind === 'Canary') {
            world.canary = object;
            return;
          }
          const live = objects.get(key(object.kind, object.metadata.name));
          if ((over === undefined) !== (live === undefined))
            throw new ClusterFailure(`conflict: ${object.kind} ${object.metadata.name}`);
          return put(object);
        }
        case 'copy-config': {
          const { kind, name: own } = parseConfigKey(effect.key);
          const source = objects.get(key(kind, own));
          if (!source || configChecksum(source) !== effect.checksum)
            throw new ClusterFailure(`${effect.key} changed meanwhile`);
          const { name: copy } = parseConfigKey(effect.copy);
          const live = objects.get(key(kind, copy));
          return put(renderConfigCopy(source, { canary: world.canary, name: copy, live, includeLabelPrefix: [] }));
        }
        case 'join-copy':
        case 'leave-copy': {
          const { kind, name: copy } = parseConfigKey(effect.copy);
          const live = objects.get(key(kind, copy));
          if (!live) return;
          const others = (live.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== world.canary.metadata.uid);
          const ownerReferences = effect.kind === 'join-copy' ? [...others, ownerOf(world.canary)] : others;
          if (ownerReferences.length === 0) return void objects.delete(key(kind, copy));
          return put({ ...live, metadata: { ...live.metadata, ownerReferences } });
        }
        case 'remove-scaler':
          return void objects.delete(key(effect.object.kind, effect.object.metadata.name));
        case 'scale-target':
          return scaleTarget(effect.replicas);
        case 'set-route':
          world.split = effect.split;
          world.routeDrift = false;
          return;
        case 'reconcile-route':
          world.split ??= { canaryWeight: 0, mirror: false };
          world.routeDrift = false;
          return;
        default:
      }
    },
  };
  if (!objects.has(key('ConfigMap', configName))) world.setConfig('one');
  const deadlineSeconds = (canarySpec['progressDeadlineSeconds'] as number | undefined) ?? 600;
  put({
    apiVersion: 'apps/v1',
    kind: workload,
    metadata: { name, namespace, labels: { app: name, team: 'rig' }, annotations: { 'example.org/owner': 'rig' } },
    spec: {
      ...(workload === 'DaemonSet' ? {} : { replicas, progressDeadlineSeconds: deadlineSeconds }),
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name }, annotations: { 'prometheus.io/scrape': 'true' } },
        spec: {
          containers: [
            {
              name: 'app',
              image: 'example.org/app:1.0.0',
              ports: [{ name: 'http', containerPort: 9898, protocol: 'TCP' }],
              env: [{ name: 'MESSAGE', valueFrom: { configMapKeyRef: { name: configName, key: 'message' } } }],
            },
          ],
        },
      },
    },
  });
  return world;
}

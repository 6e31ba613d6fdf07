import { footprintOf, subjectName } from '../../canary/footprint.ts';
import type { Cluster, KindRef, Reflection, ReflectOptions } from '../../cluster/cluster.ts';
import { createOwnWrites, hasReached, type OwnWrites } from '../../cluster/own-writes.ts';
import { configSeenOf } from '../../canary/configs.ts';
import { at, listOf } from '../../lib/json.ts';
import { scalers } from '../../canary/scalers/registry.ts';
import { daemonset } from '../../canary/targets/daemonset.ts';
import { deployment } from '../../canary/targets/deployment.ts';
import type { ConfigKey, ConfigSeen } from '../../canary/types.ts';
import type { ClusterKey } from './cluster-key.ts';
import type { Clock } from '../../lib/clock.ts';
import { AgentError } from '../../lib/errors.ts';
import type { KubeObject, ObjectRef } from '../../manifest/types.ts';
import { createConfigReaders, createOwnedConfigs, seenField } from './config-index.ts';
import { createLateReflection } from './late-reflection.ts';
import { createOwnedScalers, makerOf } from './owned-scalers.ts';

/** Live, cached views of all kinds that canaries look at. Kinds that nobody needs are not watched. */
export interface Views {
  /** Opens the watches of what was asked for until now, and from now on each at once. To be called once; nothing is there before. */
  begin(): void;
  readonly canaries: Reflection;
  readonly deployments: Reflection;
  readonly services: Reflection;
  readonly templates: Reflection;
  /** One object, from a view of its kind, which is opened when it is asked for the first time. */
  object(ref: ObjectRef): Promise<KubeObject | undefined>;
  /** Likewise several at a time, in the same order; what is not asked for is not there. */
  objects(refs: readonly (ObjectRef | undefined)[]): Promise<readonly (KubeObject | undefined)[]>;
  config(namespace: string, key: ConfigKey): Promise<ConfigSeen | undefined>;
  /** Whether the view of its kind has this version of an object, or a later one; true where nobody looks at that kind. */
  hasSeen(ref: ObjectRef, version: string): boolean;
  /** ConfigMaps and Secrets that a Canary owns, as far as these kinds are looked at. */
  configsOf(canary: KubeObject): readonly ConfigKey[];
  /** Those of these ConfigMaps and Secrets to which primaries refer, apart from the one that is named. */
  readByOthers(
    namespace: string,
    keys: readonly ConfigKey[],
    except: ObjectRef | undefined,
  ): Promise<ReadonlySet<ConfigKey>>;
  /** Autoscalers that were made for a Canary, as far as their kinds are looked at. */
  scalersOf(canary: KubeObject): readonly KubeObject[];
  /** Looks at those kinds of autoscalers from now on of which one was made for a Canary. To be called once, at the start. */
  findScalers(): Promise<void>;
  /** What this process wrote, and whether the watches have it. */
  readonly own: OwnWrites;
  /** Something was written by this process: `object` gives that until the watch has told of it. */
  wrote(object: KubeObject): void;
  /** Called for every change of a watched kind; `isOwn`: this process made it, and knows what it has done. */
  onChange(listener: (kind: string, namespace: string, name: string, isOwn: boolean) => void): void;
  /** Why some view is not up to date, for /readyz. */
  trouble(): readonly string[];
}

const listPatienceMs = 5_000;
const flagger = 'flagger.app/v1beta1';

export interface ViewsOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  /** Absent: all of them. */
  readonly namespace?: string | undefined;
  /** What configs are known by. */
  readonly key: Pick<ClusterKey, 'checksumOf' | 'known'>;
}

/** Views that are looked at at once. */
export function openViews(options: ViewsOptions, signal: AbortSignal): Views {
  const views = createViews(options, signal);
  views.begin();
  return views;
}

/** Nothing is asked of the cluster before `begin`. */
export function createViews({ cluster, clock, namespace, key: clusterKey }: ViewsOptions, signal: AbortSignal): Views {
  const views = new Map<string, Reflection>();
  const listeners = new Set<(kind: string, namespace: string, name: string, isOwn: boolean) => void>();
  const scope = namespace === undefined ? {} : { namespace };
  const own = createOwnWrites(clock);
  const readers = createConfigReaders();
  const owned = createOwnedConfigs();
  const ownScalers = createOwnedScalers();

  /** What opens them; undefined: they are opened at once. */
  let late: (() => void)[] | undefined = [];

  const open = (kind: KindRef, project?: (object: KubeObject) => KubeObject): Reflection => {
    const key = `${kind.apiVersion}/${kind.kind}`;
    const known = views.get(key);
    if (known) return known;
    const watch = (): Reflection =>
      cluster.reflect(kind, { ...scope, ...optionsFor.get(kind.kind), ...(project ? { project } : {}) }, signal);
    const view = late ? lateView(late, watch) : watch();
    views.set(key, view);
    view.onChange((change) => {
      const isOwn = own.heard(change);
      const { object } = change;
      readers.heard(change);
      owned.heard(change);
      ownScalers.heard(change);
      for (const listener of listeners)
        listener(kind.kind, object.metadata.namespace ?? '', subjectName(object), isOwn);
    });
    return view;
  };
  const project = (object: KubeObject): KubeObject => projectConfig(object, clusterKey.checksumOf(object));
  const configView = (kind: 'ConfigMap' | 'Secret'): Reflection => open({ apiVersion: 'v1', kind }, project);
  /** It never gets lost again. */
  let hasKey = false;
  const patiently = async (awaited: Promise<unknown>): Promise<void> => {
    const waiting = new AbortController();
    const patience = clock.sleep(listPatienceMs, AbortSignal.any([signal, waiting.signal])).catch(() => undefined);
    await Promise.race([awaited, patience]);
    waiting.abort(new Error('listed'));
  };

  /** A kind that may not be read must not keep its canaries, and with them all others, waiting for ever. */
  const listed = async (view: Reflection, { apiVersion, kind }: KindRef): Promise<void> => {
    if (view.isSynced) return;
    await patiently(view.synced);
    if (view.isSynced) return;
    const why = view.trouble ?? 'it is not listed yet';
    throw new AgentError('CLUSTER_UNREACHABLE', `${kind} (${apiVersion}) cannot be read: ${why}`);
  };

  const canaryRef = { apiVersion: flagger, kind: 'Canary' };
  const canaries = open(canaryRef);
  // Primaries of all of them count, whichever is looked at first.
  canaries.onChange(({ object }) => {
    if (footprintOf(object).targetKind === 'DaemonSet') open(daemonset.ref);
  });

  return {
    begin() {
      const waiting = late ?? [];
      late = undefined;
      for (const start of waiting) start();
    },
    own,
    canaries,
    deployments: open(deployment.ref),
    services: open({ apiVersion: 'v1', kind: 'Service' }),
    templates: open({ apiVersion: flagger, kind: 'MetricTemplate' }),
    async object(ref) {
      return (await this.objects([ref]))[0];
    },
    async objects(refs) {
      // All are opened before one is waited for.
      const asked = refs.map((ref) => ref && { ref, view: open(ref) });
      for (const one of asked) if (one && !one.view.isSynced) await listed(one.view, one.ref);
      return asked.map((one) => one && own.newest(one.ref, one.view.get(one.ref.namespace, one.ref.name)));
    },
    hasSeen({ apiVersion, kind, namespace: place, name }, version) {
      const view = views.get(`${apiVersion}/${kind}`);
      return !view || hasReached(view.get(place, name)?.metadata.resourceVersion, version);
    },
    wrote(object) {
      const { keepManagedFields = false, project } = optionsFor.get(object.kind) ?? {};
      const { managedFields, ...metadata } = object.metadata;
      const kept = { ...object, metadata: keepManagedFields ? { ...metadata, managedFields } : metadata };
      own.note(project ? project(kept) : kept);
      readers.heard({ kind: 'modified', object: kept });
    },
    async config(inNamespace, key) {
      const [kind, name] = key.startsWith('secret/')
        ? (['Secret', key.slice(7)] as const)
        : (['ConfigMap', key.slice(10)] as const);
      // The view keeps checksums only.
      if (kind === 'Secret' && !hasKey) {
        await patiently(clusterKey.known);
        // Throws while it is not.
        clusterKey.checksumOf(emptySecret);
        hasKey = true;
      }
      const view = configView(kind);
      await listed(view, { apiVersion: 'v1', kind });
      return view.get(inNamespace, name)?.[seenField] as ConfigSeen | undefined;
    },
    configsOf: ({ metadata }) => owned.of(metadata.uid ?? ''),
    async readByOthers(inNamespace, keys, except) {
      if (keys.length === 0) return new Set();
      // One that is not listed yet must not be taken for one that nobody has.
      for (const ref of [canaryRef, deployment.ref, daemonset.ref]) {
        const view = views.get(`${ref.apiVersion}/${ref.kind}`);
        if (view) await listed(view, ref);
      }
      return new Set(keys.filter((key) => readers.isRead(inNamespace, key, except)));
    },
    scalersOf: ({ metadata }) => ownScalers.of(metadata.uid ?? ''),
    async findScalers() {
      for (const { ref } of Object.values(scalers)) {
        try {
          if (views.has(`${ref.apiVersion}/${ref.kind}`) || !(await cluster.resource(ref, signal))) continue;
          const all = await cluster.list(ref, scope, signal);
          if (all.some((object) => makerOf(object) !== undefined)) await listed(open(ref), ref);
        } catch (error) {
          // What no Canary refers to may not be readable; those that do, say so themselves.
          if (!(error instanceof AgentError)) throw error;
        }
      }
    },
    onChange(listener) {
      listeners.add(listener);
    },
    trouble: () =>
      [...views].flatMap(([key, view]) =>
        view.isSynced && view.trouble === undefined ? [] : [`${key}: ${view.trouble ?? 'not listed yet'}`],
      ),
  };
}

/** A view whose watch `starts` opens. */
function lateView(starts: (() => void)[], watch: () => Reflection): Reflection {
  const view = createLateReflection();
  starts.push(() => view.begin(watch()));
  return view;
}

/** Fields of all objects of a kind that are needed beside those that views keep. */
const optionsFor: ReadonlyMap<string, Pick<ReflectOptions, 'keepManagedFields' | 'project'>> = new Map(
  Object.entries({
    // Only there does it say when one last moved.
    DaemonSet: { keepManagedFields: true },
    // Only there does it say who has set the number of pods.
    Deployment: { keepManagedFields: true, project: withScaler },
  }),
);

/** A Deployment with nothing left of its managed fields but who set its replicas. */
function withScaler(object: KubeObject): KubeObject {
  const managedFields = listOf(object.metadata['managedFields']).flatMap(({ manager, fieldsV1 }) =>
    at(fieldsV1, 'f:spec', 'f:replicas') === undefined
      ? []
      : [{ manager, fieldsV1: { 'f:spec': { 'f:replicas': {} } } }],
  );
  return { ...object, metadata: { ...object.metadata, managedFields } };
}

const emptySecret: KubeObject = { apiVersion: 'v1', kind: 'Secret', metadata: { name: '' } };

function projectConfig(object: KubeObject, checksum: string): KubeObject {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  const seen = configSeenOf(object, checksum);
  const metadata = {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
  return { apiVersion: object.apiVersion, kind: object.kind, metadata, [seenField]: seen };
}

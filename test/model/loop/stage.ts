import { setMaxListeners } from 'node:events';
import {
  type AppliedApps,
  createAppliedApps,
  type ObjectVersion,
  type Synced,
} from '../../../src/agent/releases/applied-apps.ts';
import { type CanaryLoop, createCanaryLoop } from '../../../src/agent/canaries/canary-loop.ts';
import { type Bus, createBus } from '../../../src/agent/bus.ts';
import type { WholeSettings, Deps } from '../../../src/agent/deps.ts';
import { createEventRecorder } from '../../../src/outlets/event-recorder.ts';
import { createEffects, type Effects } from '../../../src/agent/effects/execute.ts';
import { notingWrites } from '../../../src/cluster/own-writes.ts';
import { createRecordStore } from '../../../src/agent/releases/record-store.ts';
import { createReleases, type Releases } from '../../../src/agent/releases/releases.ts';
import { createTelemetry } from '../../../src/outlets/telemetry.ts';
import type { StableState } from '../../../src/agent/releases/tracker.ts';
import { openViews, type Views } from '../../../src/agent/views/views.ts';
import { type App, appsOf } from '../../../src/canary/app.ts';
import type { Json } from '../../../src/lib/json.ts';
import { parseStatus } from '../../../src/canary/status.ts';
import { configRefsOf } from '../../../src/canary/configs.ts';
import { templateHash } from '../../../src/canary/template-hash.ts';
import type { CanaryStatus, ConfigKey, Phase } from '../../../src/canary/types.ts';
import { asRevision, type Revision } from '../../../src/git/repo.ts';
import { sha256Hex } from '../../../src/lib/hash.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import type { Fence } from '../../../src/lib/fence.ts';
import type { Http, HttpRequest, HttpResponse } from '../../../src/lib/http/http.ts';
import { silentLogger } from '../../../src/lib/log.ts';
import { defaultRouterSettings } from '../../../src/routers/registry.ts';
import { openOutlets } from '../../../src/outlets/open-outlets.ts';
import { sameJson } from '../../../src/lib/same-json.ts';
import { type KubeObject, type Manifest, refOf } from '../../../src/manifest/types.ts';
import { readRecordObject, recordRef } from '../../../src/release/record-object.ts';
import type { Outcome, ReleaseRecord } from '../../../src/release/types.ts';
import { createMemoryCluster, type MemoryCluster, type Written } from './memory-cluster.ts';
import { createPods, type Pods } from './pods.ts';
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts';
import { aKey } from '../../helpers/a-key.ts';
import { appKey } from '../../helpers/key.ts';

/** What one commit says of the app. */
export interface Says {
  /** Of the image. */
  readonly version: number;
  /** Of the ConfigMap. */
  readonly text: number;
  /** Of the Secret. */
  readonly password: number;
}

export interface Commit {
  readonly revision: Revision;
  readonly says: Says;
  readonly apps: readonly App[];
}

/** Parts of an app that are applied one by one. */
export type Part = 'ConfigMap' | 'Secret' | 'Deployment';

/** How a sync goes: in this order, with these pauses after each part. */
export interface Course {
  readonly order: readonly Part[];
  readonly pausesMs: readonly number[];
  /** Refused until somebody mends it. */
  readonly refused?: Part;
}

export type Metrics = 'good' | 'bad' | 'silent' | 'unreachable';

const key = appKey('demo/app');
export const allAtOnce: Course = { order: ['ConfigMap', 'Secret', 'Deployment'], pausesMs: [0, 0, 0] };
export const intervalMs = 10_000;

const namespace = 'demo';
const settings: WholeSettings = {
  namespace: 'serin',
  defaultNamespace: 'default',
  path: '',
  ledgerDir: '.releases',
  write: 'direct',
  tagPrefix: 'releases/',
  author: { name: 'serin', email: 'serin@example.test' },
  clusterName: '',
  version: 'model',
  pollIntervalMs: 30_000,
  resyncSchedule: '*/10 * * * *',
  prune: true,
  pruneAnything: false,
  suspend: false,
  provider: 'istio',
  metricsServer: 'http://prometheus',
  minIntervalMs: 1_000,
  routing: defaultRouterSettings,
  selectorLabels: ['app', 'name', 'app.kubernetes.io/name'],
  includeLabelPrefix: [],
  configTracking: true,
  eventSource: 'serin',
  noCrossNamespaceRefs: false,
  gateHost: 'serin.serin',
};
/** Its series go by names, and those are always the same. */
const telemetry = createTelemetry('model', 'istio');
const nothing = { GET: '{"status":"success","data":{"resultType":"vector","result":[]}}' };
const value = (number: number): string =>
  `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[0,"${number}"]}]}}`;

const deployment = ({ version }: Says, replicas: number, isRecreated: boolean): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'app', namespace, labels: { app: 'app' } },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'app' } },
    ...(isRecreated ? { strategy: { type: 'Recreate' } } : {}),
    template: {
      metadata: { labels: { app: 'app' } },
      spec: {
        containers: [
          {
            name: 'app',
            image: `app:${version}`,
            envFrom: [
              { configMapRef: { name: 'config' } },
              { secretRef: { name: 'secret' } },
              // Of somebody's operator; Git does not have it.
              { secretRef: { name: 'foreign', optional: true } },
            ],
          },
        ],
      },
    },
  },
});
const configMap = ({ text }: Says): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'config', namespace },
  data: { text: `${text}` },
});
const secret = (name: string, password: number): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  type: 'Opaque',
  metadata: { name, namespace },
  data: { password: Buffer.from(`${password}`).toString('base64') },
});

export const neighbour = 'other-primary';
const readerOfCopies: KubeObject = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: neighbour, namespace, labels: { app: 'other' } },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'other' } },
    template: {
      metadata: { labels: { app: 'other' } },
      spec: {
        containers: [
          {
            name: 'other',
            image: 'other:1',
            envFrom: [{ configMapRef: { name: 'config-primary' } }, { secretRef: { name: 'secret-primary' } }],
          },
        ],
      },
    },
  },
};

export interface StageOptions {
  /** `spec` of the Canary. */
  readonly spec: Json;
  readonly replicas: number;
  readonly podStartMs?: number;
  /** All pods end before new ones start. Absent: one after the other. */
  readonly isRecreated?: boolean;
  /** The agent sees everything and leads no canary before `lead`. */
  readonly isWaiting?: boolean;
  /** Parts of the agent that are made another way: planted faults. */
  readonly faulty?: Faults;
}

export interface Faults {
  readonly releases?: (releases: Releases, record: () => ReleaseRecord | undefined) => Releases;
  readonly effects?: (effects: Effects) => Effects;
  /** How it reads the Canary. */
  readonly canary?: (canary: KubeObject) => KubeObject;
  readonly clock?: (clock: Clock) => Clock;
  readonly fence?: Fence;
}

/** An agent with its real loop on a cluster in memory, with time that passes as fast as it is told, and a branch that it is told of. */
export class Stage {
  readonly clock: VirtualClock;
  readonly cluster: MemoryCluster;
  readonly pods: Pods;
  readonly commits: Commit[] = [];
  /** As they were handed over, each once. */
  readonly outcomes: Outcome[] = [];
  /** Texts of the Canary's events, oldest first. */
  readonly told: string[] = [];
  /** What the agent tells of a Canary beside its steps: what people have to know, and refusals. */
  readonly noted: string[] = [];
  metrics: Metrics = 'good';
  /** Its answers take so long. */
  metricsLateMs = 0;
  /** Told when a metric is asked, and when it has been answered or nobody waits for the answer any more. */
  onMeasured: (what: 'asked' | 'answered' | 'given up') => void = () => undefined;
  /** Webhooks that say no, by the name in their address. */
  readonly closed = new Set<string>();
  /** Told of each write to the cluster. */
  onWritten: (written: Written) => void = () => undefined;
  /** Told of each outcome, once. */
  onOutcome: (outcome: Outcome) => void = () => undefined;
  /** So many pods the autoscaler gives to Deployments that have any; undefined: there is none. */
  private load: number | undefined;
  private isGitSilent = false;
  /** Good answers since what is judged last changed. */
  passed = 0;
  readonly options: StageOptions;
  private readonly pending = new Map<string, Outcome>();
  private stable: StableState | undefined;
  /** Contents that were rejected and not promoted since. */
  private readonly quarantine = new Set<string>();
  private taken: Revision | undefined;
  private agent: Agent | undefined;
  private syncing: Promise<void> | undefined;
  private isSyncWanted = false;
  private course: Course = allAtOnce;

  constructor(options: StageOptions) {
    this.options = options;
    this.clock = createVirtualClock(Date.UTC(2026, 0, 1));
    // Only the agent's time of day is set by anybody.
    const begunMs = this.clock.now();
    const cluster: Clock = { ...this.clock, now: () => begunMs + this.clock.elapsed() };
    this.cluster = createMemoryCluster(() => cluster.now());
    this.pods = createPods(this.cluster, cluster, options.podStartMs ?? 1_000);
    this.cluster.onWritten = (written) => {
      this.pods.written(written);
      this.autoscale(written.after);
      this.onWritten(written);
    };
  }

  get canary(): KubeObject | undefined {
    return this.cluster.peek('Canary', 'app');
  }

  /** What the agent has written down of the release. */
  get record(): ReleaseRecord | undefined {
    const { kind, name } = recordRef(key, settings.namespace);
    const object = this.cluster.peek(kind, name, settings.namespace);
    return object && readRecordObject(object)?.record;
  }

  get status(): CanaryStatus {
    const { canary } = this;
    if (!canary) throw new Error('the Canary is gone');
    return parseStatus(canary);
  }

  get tip(): Commit {
    const tip = this.commits.at(-1);
    if (!tip) throw new Error('there is no commit');
    return tip;
  }

  get stableContent(): string | undefined {
    return this.stable?.content;
  }

  get routes(): { readonly weight: number; readonly isMirrored: boolean } {
    const spec = this.cluster.peek('VirtualService', 'app')?.['spec'] as
      | { http?: { route?: { destination: { host: string }; weight?: number }[]; mirror?: unknown }[] }
      | undefined;
    const rules = spec?.http ?? [];
    const weight = Math.max(
      0,
      ...rules.map(({ route = [] }) => route.find(({ destination }) => destination.host === 'app-canary')?.weight ?? 0),
    );
    return { weight, isMirrored: rules.some(({ mirror }) => mirror !== undefined) };
  }

  /** A sync pauses between two parts. */
  get isSyncing(): boolean {
    return this.syncing !== undefined;
  }

  get isRunning(): boolean {
    return this.agent !== undefined;
  }

  /** A commit that the next sync brings to the cluster. */
  push(says: Partial<Says>): Commit {
    const before = this.commits.at(-1)?.says ?? { version: 0, text: 0, password: 0 };
    const now = { ...before, ...says };
    const revision = asRevision(sha256Hex(`commit ${this.commits.length}`).slice(0, 40));
    const known = this.commits.find(({ says: one }) => sameJson(one, now));
    const commit = { revision, says: now, apps: known?.apps ?? appsOf(this.manifests(now), 'default') };
    this.commits.push(commit);
    return commit;
  }

  /** The agent starts on what is there. */
  start(): void {
    const ending = new AbortController();
    const { signal } = ending;
    setMaxListeners(0, signal);
    const { faulty = {} } = this.options;
    const cluster = faulty.canary ? misread(this.cluster, faulty.canary) : this.cluster;
    const clock = faulty.clock?.(this.clock) ?? this.clock;
    const http: Http = { request: (request, stop) => this.answer(request, stop) };
    const deps: Deps = {
      clock,
      log: silentLogger,
      http,
      cluster,
      sources: [],
      telemetry,
      settings,
      ...(faulty.fence ? { fence: faulty.fence } : {}),
    };
    const keyed = aKey();
    const views = openViews({ cluster, clock, key: keyed }, signal);
    const recorder = createEventRecorder(
      { cluster, clock, log: silentLogger, component: 'serin', onDropped: () => undefined },
      signal,
    );
    const applied = createAppliedApps({ clock, hasSeen: (ref, version) => views.hasSeen(ref, version) });
    const own = createReleases({
      own: views.own,
      deps,
      submit: (outcome) => this.submit(outcome),
      ledger: () =>
        this.stable && {
          stable: this.stable,
          failed: ({ content }) => (this.quarantine.has(content) ? 'it was rejected' : undefined),
          rejectedImage: () => undefined,
          provenBy: () => undefined,
          tells: () => false,
        },
      applied,
      store: createRecordStore(cluster, settings.namespace),
      signal,
    });
    const releases = faulty.releases?.(own, () => this.record) ?? own;
    const outlets = openOutlets(deps, recorder);
    const noted = notingWrites(cluster, (object) => views.wrote(object));
    const made = createEffects({ ...deps, cluster: noted }, { releases, outlets, key: keyed });
    const effects = faulty.effects?.(made) ?? made;
    const listening: Effects = {
      ...effects,
      run: (effect, context, stop) => {
        if (effect.kind === 'event') this.told.push(effect.event.message);
        return effects.run(effect, context, stop);
      },
      tell: (canary, spec, said, releaseId) => {
        this.noted.push(said.message);
        effects.tell(canary, spec, said, releaseId);
      },
    };
    const phases = new Map<string, Phase>();
    const bus = createBus(silentLogger);
    bus.on('phase-changed', ({ status: { phase } }) => {
      phases.set(key, phase);
      if (['Initialized', 'Failed', 'Succeeded'].includes(phase)) this.wakeSync();
    });
    const loop = createCanaryLoop({
      deps,
      views,
      key: keyed,
      effects: listening,
      outlets,
      releases,
      git: { desiredReplicas: () => this.options.replicas, workloads: () => [] },
      bus,
      signal,
    });
    if (this.options.isWaiting !== true) loop.start();
    // As the agent does it: no commit is taken over before the records are read.
    const loaded = releases.load(views.canaries.list()).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    this.agent = { ending, views, applied, releases, bus, loop, phases, loaded };
    this.taken = undefined;
    this.wakeSync();
  }

  /** The agent that has waited begins to lead canaries. */
  lead(): void {
    this.agent?.loop.start();
  }

  /** The agent is gone at once, whatever it was about to do. */
  kill(): void {
    this.agent?.ending.abort(new Error('killed'));
    void this.agent?.loop.stop();
    this.agent = undefined;
    this.syncing = undefined;
    this.isSyncWanted = false;
    // Their next agent hands them over again.
    this.pending.clear();
  }

  /** How syncs go from now on. */
  goes(course: Course): void {
    this.course = course;
  }

  wakeSync(): void {
    const { agent } = this;
    if (!agent) return;
    this.isSyncWanted = true;
    this.syncing ??= this.syncAll(agent);
  }

  /** Git takes no outcomes, or takes them again. */
  silenceGit(isSilent: boolean): void {
    this.isGitSilent = isSilent;
    this.landSoon();
  }

  /** What an autoscaler of the target and its primary asks for. */
  needs(pods: number): void {
    this.load = pods;
    for (const name of ['app', 'app-primary']) this.autoscale(this.cluster.peek('Deployment', name));
  }

  private landSoon(): void {
    if (this.pending.size > 0 && !this.isGitSilent) this.clock.after(500, () => void this.land());
  }

  /** Outcomes that wait are pushed; Git says so. */
  private async land(): Promise<void> {
    for (const [id, outcome] of this.pending) {
      if (this.isGitSilent || !this.agent) return;
      this.pending.delete(id);
      const { verdict, state, base } = outcome;
      if (verdict === 'promoted' || verdict === 'adopted')
        this.stable = { content: state.content, revision: state.revision };
      if (verdict === 'rolled-back') this.quarantine.add(state.content);
      if (verdict === 'promoted') this.quarantine.delete(state.content);
      const { says } = this.commits.find(({ revision }) => revision === base) ?? this.tip;
      const isStill = verdict === 'rolled-back' && this.tip.apps[0]?.content === state.content;
      const { revision } = this.push(isStill ? says : {});
      await this.agent.releases.written(outcome, revision);
      this.wakeSync();
    }
  }

  async run(ms: number): Promise<void> {
    await this.clock.run(ms);
  }

  /** Somebody changes an object by hand. */
  edit(kind: string, name: string, change: (object: KubeObject) => KubeObject): void {
    const live = this.cluster.peek(kind, name);
    if (live) this.cluster.put(change(live));
  }

  foreignSecret(password: number): void {
    this.cluster.put(secret('foreign', password));
  }

  /** Somebody else's primary that reads the copies of this one, by Flagger's names. */
  neighbour(reads: boolean): void {
    const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: neighbour };
    if (!reads) return this.cluster.drop(ref);
    this.cluster.put(readerOfCopies);
  }

  /** The copy of a config that the primary refers to. */
  copyOf(kind: 'ConfigMap' | 'Secret', name: string): KubeObject | undefined {
    const primary = this.cluster.peek('Deployment', 'app-primary');
    const [ref] = primary
      ? configRefsOf(primary).filter((one) => one.kind === kind && one.name.startsWith(`${name}-primary`))
      : [];
    return ref && this.cluster.peek(kind, ref.name);
  }

  private manifests(says: Says): readonly Manifest[] {
    const canary = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', metadata: { name: 'app', namespace } };
    const objects = [
      configMap(says),
      secret('secret', says.password),
      deployment(says, this.options.replicas, this.options.isRecreated ?? false),
      { ...canary, spec: this.options.spec } as KubeObject,
    ];
    return objects.map((object, document) => ({
      object,
      origin: { renderer: 'plain', path: 'app.yaml', document, line: 1 },
    }));
  }

  private submit(outcome: Outcome): void {
    // After a restart it is handed over again.
    if (
      this.outcomes.every(({ releaseId, verdict }) => releaseId !== outcome.releaseId || verdict !== outcome.verdict)
    ) {
      this.outcomes.push(outcome);
      this.onOutcome(outcome);
    }
    this.pending.set(outcome.releaseId, outcome);
    this.landSoon();
  }

  private async syncAll(agent: Agent): Promise<void> {
    await agent.loaded;
    while (this.isSyncWanted && this.agent === agent) {
      this.isSyncWanted = false;
      // It takes one look at Git a sync.
      await Promise.resolve();
      if (this.agent === agent) await this.sync(agent);
    }
    if (this.agent === agent) this.syncing = undefined;
  }

  /** What the agent's sync does, without a tree of files and server-side apply: in the order and with the pauses that are asked for. */
  private async sync({ releases, applied, views, bus, phases }: Agent): Promise<void> {
    const { ending } = this.agent ?? {};
    const isOver = (): boolean => this.agent?.ending !== ending;
    const landed = releases.landedOutcomes();
    const { apps, revision } = this.tip;
    const { course } = this;
    if (this.taken !== revision) {
      releases.advance(revision, apps, landed);
      this.taken = revision;
    }
    releases.seen(landed);
    const [app] = apps;
    if (!app) return;
    const { canary } = this;
    const phase = canary && (phases.get(key) ?? parseStatus(canary).phase);
    const held = releases.overlay(key, phase);
    const from = (held === undefined ? undefined : this.commits.find((one) => one.revision === held)?.apps[0]) ?? app;
    applied.begin(new Map([[key, { content: app.content, held }]]));
    const versions: ObjectVersion[] = [];
    let refused: string | undefined;
    for (const [index, part] of course.order.entries()) {
      const manifest = part === 'Deployment' ? from.target : from.configs.find(({ object }) => object.kind === part);
      if (!manifest) continue;
      if (course.refused === part && !this.stands(manifest.object)) refused = `${part}: refused`;
      else versions.push(...this.applyOne(manifest.object));
      const pauseMs = course.pausesMs[index] ?? 0;
      if (pauseMs > 0) await this.clock.sleep(pauseMs, new AbortController().signal);
      if (isOver()) return;
    }
    if (!this.cluster.peek('Canary', 'app') && phase === undefined) versions.push(...this.applyOne(app.canary.object));
    const synced: Synced = { content: app.content, held, versions, refused };
    applied.end(new Map([[key, synced]]));
    for (const one of applied.takeAwaited()) bus.tell('app-synced', { app: one });
    await this.adopt(app, releases, views);
  }

  private stands(object: KubeObject): boolean {
    const live = this.cluster.peek(object.kind, object.metadata.name);
    return live !== undefined && sameJson(applyOver(live, object), live);
  }

  private applyOne(object: KubeObject): readonly ObjectVersion[] {
    const ref = refOf(object);
    const live = this.cluster.peek(object.kind, object.metadata.name);
    if (live && this.stands(object)) return [];
    const { metadata } = this.cluster.put(live ? applyOver(live, object) : object, 'serin');
    return [{ ref, version: metadata.resourceVersion ?? '' }];
  }

  private async adopt(app: App, releases: Releases, views: Views): Promise<void> {
    const { canary } = this;
    const target = this.cluster.peek('Deployment', 'app');
    if (!canary || !target || releases.stableOf(key)) return;
    const { phase, lastPromotedSpec, trackedConfigs = {} } = parseStatus(canary);
    if (phase !== 'Initialized' && phase !== 'Succeeded') return;
    if (templateHash((target['spec'] as Json)['template']) !== lastPromotedSpec) return;
    for (const [config, checksum] of Object.entries(trackedConfigs))
      if ((await views.config(namespace, config as ConfigKey))?.checksum !== checksum) return;
    releases.adopt(canary, lastPromotedSpec, trackedConfigs, app.content);
  }

  private autoscale(object: KubeObject | undefined): void {
    const { load } = this;
    if (load === undefined || object?.kind !== 'Deployment') return;
    const { replicas = 1 } = object['spec'] as { replicas?: number };
    if (replicas === 0 || replicas === load) return;
    const { name } = object.metadata;
    this.clock.after(3_000, () => {
      const live = this.cluster.peek('Deployment', name);
      const spec = live?.['spec'] as Json | undefined;
      if (!live || spec?.['replicas'] === 0 || spec?.['replicas'] === this.load) return;
      this.cluster.put({ ...live, spec: { ...spec, replicas: this.load } }, 'autoscaler');
    });
  }

  private async answer({ url }: HttpRequest, stop: AbortSignal): Promise<HttpResponse> {
    const { host, pathname } = new URL(url);
    const answered = (status: number, body: string): HttpResponse => ({ status, headers: {}, body });
    if (host === 'hooks') return answered(this.closed.has(pathname.slice(1)) ? 500 : 200, '');
    this.onMeasured('asked');
    try {
      if (this.metricsLateMs > 0) await this.clock.sleep(this.metricsLateMs, stop);
      return this.measured(answered);
    } finally {
      this.onMeasured(stop.aborted ? 'given up' : 'answered');
    }
  }

  private measured(answered: (status: number, body: string) => HttpResponse): HttpResponse {
    if (this.metrics === 'unreachable') throw new Error('connection refused');
    if (this.metrics === 'silent') return answered(200, nothing.GET);
    if (this.metrics === 'good') this.passed += 1;
    return answered(200, value(this.metrics === 'good' ? 100 : 42));
  }
}

interface Agent {
  readonly ending: AbortController;
  readonly views: Views;
  readonly applied: AppliedApps;
  readonly releases: Releases;
  readonly bus: Bus;
  readonly loop: CanaryLoop;
  readonly phases: Map<string, Phase>;
  /** Rejects never: an agent that is killed meanwhile syncs nothing. */
  readonly loaded: Promise<void>;
}

/** The cluster, as one who reads Canaries in another way sees it. */
function misread(cluster: MemoryCluster, change: (canary: KubeObject) => KubeObject): MemoryCluster {
  const read = (object: KubeObject): KubeObject => (object.kind === 'Canary' ? change(object) : object);
  return {
    ...cluster,
    reflect(kind, options, signal) {
      const { project = (object: KubeObject) => object } = options;
      return cluster.reflect(kind, { ...options, project: (object) => project(read(object)) }, signal);
    },
    async get(...input) {
      const live = await cluster.get(...input);
      return live && read(live);
    },
  };
}

/** Git says nothing of the number of pods: that is the canary's. What others have added to the template stays. */
function applyOver(live: KubeObject, object: KubeObject): KubeObject {
  if (object.kind !== 'Deployment') return { ...live, ...object, metadata: { ...live.metadata } };
  const before = live['spec'] as Json;
  const template = (object['spec'] as Json)['template'] as Json;
  const { metadata } = before['template'] as Json;
  return { ...live, spec: { ...before, template: { ...template, metadata } } };
}

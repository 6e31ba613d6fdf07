import { beginsRelease } from '../../canary/decide.ts';
import { restMs } from '../../canary/cadence.ts';
import { isAtRest, isUnderAnalysis, isUnderWay } from '../../canary/phase.ts';
import type { CanarySpec, CanaryStatus, Decision } from '../../canary/types.ts';
import { AgentError, messageOf, stackOf } from '../../lib/errors.ts';
import { alwaysHeld, isLeaseLost } from '../../lib/fence.ts';
import { type AppKey, keyOf, partsOf, shownKey } from '../../lib/key.ts';
import { createKeyedQueue } from '../../lib/keyed-queue.ts';
import { perObject } from '../../lib/memo.ts';
import { type KubeObject, refOf } from '../../manifest/types.ts';
import type { ClusterKey } from '../views/cluster-key.ts';
import type { Deps } from '../deps.ts';
import type { Effects } from '../effects/execute.ts';
import { canaryManager } from '../effects/writes.ts';
import { createAbandonedRoutes } from './abandoned-routes.ts';
import { createLook, type Subject } from './look.ts';
import { emptyMemory, type Memory } from './memory.ts';
import { createTickRunner } from './run-tick.ts';
import type { JudgedReleases } from '../releases/releases.ts';
import { createCanaryView } from './canary-view.ts';
import { complaintMs, createComplaints } from './complaints.ts';
import { createConflicts } from './conflicts.ts';
import { createConsider } from './consider.ts';
import type { Outlets } from '../../outlets/outlet.ts';
import { createParsedCanaries, type ParsedCanary } from './parsed-canaries.ts';
import { createPerform, namesOf } from './perform.ts';
import { createStandStill } from './stand-still.ts';
import { createStartLimit } from './start-limit.ts';
import type { GitView } from '../views/git-view.ts';
import type { Views } from '../views/views.ts';
import type { Bus } from '../bus.ts';
import { createKeysFor, firstTickMs, mayWait } from './canary-index.ts';

export interface CanaryLoopOptions {
  readonly deps: Deps;
  readonly views: Views;
  readonly key: Pick<ClusterKey, 'statusOf'>;
  readonly effects: Effects;
  /** Told of what ticks come to. */
  readonly outlets: Pick<Outlets, 'tell'>;
  readonly releases: JudgedReleases;
  /** What Git says of replicas and workloads. */
  readonly git: GitView;
  readonly bus: Bus;
  readonly signal: AbortSignal;
}

export interface CanaryLoop {
  /** Looks at all canaries that are there, and from now on at each that changes. */
  start(): void;
  readonly size: number;
  stop(): Promise<void>;
}

const conflictRetryMs = 250;
const notReadyRetryMs = 500;
const stillRetryMs = 2_000;

/**
 * One tick: read the cached world, let `decide` ask what it must know, do what it says, write the status once.
 * Ticks of one canary never overlap; canaries run side by side.
 */
export function createCanaryLoop({
  deps,
  views,
  key: clusterKey,
  effects,
  outlets,
  releases,
  git,
  bus,
  signal,
}: CanaryLoopOptions): CanaryLoop {
  const { clock, cluster, fence = alwaysHeld, log, settings, telemetry } = deps;
  const memories = new Map<AppKey, Memory>();
  const keysFor = createKeysFor(views.canaries);
  const conflicts = createConflicts(views.canaries, keysFor);
  const decideSettings = {
    selectorLabels: settings.selectorLabels,
    includeLabelPrefix: settings.includeLabelPrefix,
    configTracking: settings.configTracking,
    meshProvider: settings.provider,
    ...(settings.inconclusive === undefined ? {} : { inconclusive: settings.inconclusive }),
  };

  const parsedCanaries = createParsedCanaries(settings, conflicts);
  /** What the ledger proves needs no analysis. */
  const asProven = (canary: KubeObject, spec: CanarySpec, status: CanaryStatus): CanarySpec =>
    isUnderWay(status.phase) && releases.proven(canary, status) ? withoutAnalysis(spec) : spec;
  const memoryOf = (key: AppKey): Memory => {
    const known = memories.get(key);
    if (known) return known;
    const fresh = emptyMemory();
    memories.set(key, fresh);
    return fresh;
  };
  const view = createCanaryView(views, cluster, signal);
  const { own } = views;
  const complaints = createComplaints(clock, effects, releases);

  const lookAt = createLook({
    views,
    settings,
    releases,
    keysFor,
    workloadsInGit: (namespace) => git.workloads(namespace),
  });
  const runTick = createTickRunner({ deps, views, outlets, look: lookAt, git, decideSettings, signal });

  const abandonedRoutes = createAbandonedRoutes({ look: lookAt, effects, nowMs: () => clock.now(), signal });
  const starts = createStartLimit({
    clock,
    log,
    deployments: views.deployments,
    wake: (key) => {
      memoryOf(key).quiet = false;
      queue.add(key);
    },
    onWaiting: (count) => telemetry.releasesWaiting.set(count),
    onLong: (key) => {
      const { namespace, name } = partsOf(key);
      const canary = views.canaries.get(namespace, name);
      const message = `The new revision of ${shownKey(key)} waits for its turn: the cluster does not keep pace with the releases that are under way`;
      if (canary) complaints.warn(canary, { namespace, name }, message);
    },
    signal,
  });
  /** False: its release waits, so that those under way are not late. */
  const mayBegin = async (key: AppKey, subject: Subject, memory: Memory): Promise<boolean> => {
    const { spec, status } = subject;
    if (!isAtRest(status.phase)) return true;
    const { seen } = await lookAt(subject, memory, clock.now());
    return !beginsRelease(spec, status, seen, decideSettings) || starts.mayBegin(key);
  };

  const perform = createPerform({ deps, effects, own, outlets, bus, starts, signal });
  const standStill = createStandStill({ key: clusterKey, own, parsedCanaries, runTick, perform, complaints, signal });

  /** When one that was not known is looked at first. False: it was known. */
  const begin = (
    key: AppKey,
    memory: Memory,
    { analysis: { intervalMs } }: ParsedCanary['spec'],
    status: CanaryStatus,
  ): boolean => {
    if (memory.dueAtMs > 0) return false;
    const nowMs = clock.now();
    memory.dueAtMs = firstTickMs(key, status, intervalMs, nowMs);
    // Its last look was another agent's.
    if (isUnderAnalysis(status.phase))
      memory.judged = { endedMs: clock.elapsed() + memory.dueAtMs - nowMs - intervalMs };
    return true;
  };

  const tick = async (key: AppKey): Promise<void> => {
    const memory = memoryOf(key);
    const lateMs = clock.now() - memory.dueAtMs;
    if (memory.dueAtMs > 0 && lateMs >= 0) telemetry.tickLateness.observe(lateMs / 1_000);
    if (memory.quiet) {
      // Every change of what it looks at breaks the quiet: looking again would find the same.
      memory.dueAtMs = clock.now() + memory.intervalMs;
      return queue.addAt(key, memory.dueAtMs);
    }
    // All that it reads, and what it decides, belongs to this holding of the lease.
    memory.epoch = fence.epoch();
    const canary = await view.current(key);
    if (!canary) {
      view.forget(key);
      memories.delete(key);
      outlets.tell({ kind: 'gone', app: key });
      parsedCanaries.forget(key);
      abandonedRoutes.forget(key);
      starts.forget(key);
      queue.forget(key);
      return;
    }
    await releases.resume(canary);
    let understood: ParsedCanary;
    try {
      understood = parsedCanaries.of(key, canary);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      // It stays where it is: nothing goes on with a Canary that cannot be understood.
      complaints.holds(canary, memory, `invalid canary spec: ${error.message}`);
      const isDone = await standStill(key, canary, memory);
      return queue.addAt(key, clock.now() + (isDone ? complaintMs : stillRetryMs));
    }
    abandonedRoutes.note(key, understood);
    const { router } = understood;
    const startedMs = clock.now();
    const status = clusterKey.statusOf(canary);
    const spec = asProven(canary, understood.spec, status);
    begin(key, memory, spec, status);
    starts.underWay(key, isUnderWay(status.phase) ? spec.analysis.intervalMs : undefined);
    const again = (atMs: number): void => {
      // A clock that was set back meanwhile must not make it wait for the hour to come again; one that its own servers kept is not late.
      const nowMs = clock.now();
      memory.dueAtMs = Math.min(Math.max(atMs, nowMs), nowMs + spec.analysis.intervalMs);
      queue.addAt(key, memory.dueAtMs);
    };
    // A canary under way is led to its end whatever Git does; a new release begins only when it is known what it is.
    if (!releases.isReady(key) && (status.phase === 'Waiting' || isAtRest(status.phase)) && mayWait(canary, status))
      return again(startedMs + notReadyRetryMs);
    const endLook = cluster.late(spec.namespace, namesOf(spec), Math.max(0, startedMs - memory.dueAtMs));
    try {
      if (!(await mayBegin(key, { spec, status, router, canary }, memory)))
        return again(startedMs + spec.analysis.intervalMs);
      memory.quiet = true;
      memory.intervalMs = spec.analysis.intervalMs;
      await abandonedRoutes.leave(key, { spec, status, router, canary }, memory);
      const reached = await runTick({ spec, status, router, canary }, memory);
      if (!reached) {
        // Woken for nothing, or by a timer that was a little early: the schedule stands.
        memory.quiet = false;
        return again(memory.dueAtMs);
      }
      const { decision } = reached;
      // Counted from the start: what a tick costs does not stretch the interval.
      again(startedMs + decision.nextTickMs);
      // A view that never gets what was applied tells of no change.
      if (!isQuiet(decision, status) || reached.tick.seen.isUnapplied) memory.quiet = false;
      await perform(key, canary, memory, reached);
      memory.complaint = '';
      memory.refusal = undefined;
      // Of a check that would be shorter than the interval, and one stall of a server would count twice.
      const leftMs = restMs(memory.judged, spec.analysis.intervalMs, clock.elapsed());
      if (decision.isJudged && leftMs !== undefined) again(clock.now() + leftMs);
    } catch (error) {
      memory.quiet = false;
      if (signal.aborted) return;
      if (!(error instanceof AgentError)) throw error;
      // Another replica looks at it.
      if (isLeaseLost(error)) return again(clock.now() + Math.min(spec.analysis.intervalMs, 10_000));
      const { reason } = error.details;
      // The view may still have a Canary that has gone, by our own hand.
      const isGone = canary.metadata.deletionTimestamp !== undefined && reason === 'NotFound';
      if (error.code === 'CLUSTER_CONFLICT' || reason === 'AlreadyExists' || isGone) {
        own.doubt(refOf(canary), canaryManager);
        again(clock.now() + conflictRetryMs);
      } else {
        complaints.refused(canary, spec, memory, error.message);
        again(clock.now() + Math.min(spec.analysis.intervalMs, 10_000));
      }
    } finally {
      endLook();
    }
  };

  const queue = createKeyedQueue<AppKey>({
    clock,
    // Most of a tick is waiting: metrics servers that hang must not make other canaries late.
    concurrency: 512,
    run: async (key) => {
      const memory = memoryOf(key);
      memory.isRunning = true;
      memory.changesMeanwhile = 0;
      try {
        await tick(key);
      } finally {
        memory.isRunning = false;
        starts.ended(key);
        if (memory.changesMeanwhile > 0) {
          const isOwnStatus = memory.changesMeanwhile === 1 && view.isAtOwnStatus(key);
          memory.hasUnseen ||= !isOwnStatus;
          consider.look(key);
        }
      }
    },
    onError: (key, error) => {
      if (signal.aborted) return;
      const fields = error instanceof AgentError ? { reason: error.message } : { error: stackOf(error) };
      log[error instanceof AgentError ? 'warn' : 'error'](
        { canary: key, ...fields },
        'a canary could not be looked at; it holds',
      );
      queue.addAt(key, clock.now() + 10_000);
      const canary = view.get(key);
      if (canary) complaints.holds(canary, memoryOf(key), `${key} cannot be looked at, it holds: ${messageOf(error)}`);
    },
  });

  const consider = createConsider({
    clock,
    log,
    view,
    gateHost: settings.gateHost,
    clusterKey,
    memories,
    memoryOf,
    parsedCanaries,
    conflicts,
    keysFor,
    asProven,
    look: lookAt,
    decideSettings,
    begin,
    add: (key) => queue.add(key),
    addAt: (key, atMs) => queue.addAt(key, atMs),
  });

  return {
    start() {
      bus.on('app-synced', ({ app }) => {
        memoryOf(app).quiet = false;
        queue.add(app);
      });
      views.onChange((...change) => consider.onChange(...change));
      for (const { metadata } of views.canaries.list()) consider.look(keyOf(metadata));
    },
    get size() {
      return memories.size;
    },
    stop: () => queue.stop(),
  };
}

const withoutAnalysis = perObject((spec: CanarySpec): CanarySpec => ({ ...spec, skipAnalysis: true }));

/** A canary at rest for which a tick found nothing to do: until something changes, the next one would find the same. Not while pods stay for a time. */
function isQuiet({ effects, afterwards, status: next }: Decision, { phase, analysis }: CanaryStatus): boolean {
  if (!isAtRest(phase) || analysis?.drainsSinceMs !== undefined) return false;
  return effects.length + afterwards.length === 0 && next === undefined;
}

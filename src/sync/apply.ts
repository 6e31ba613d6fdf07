import { withShared } from '../canary/shared-fields.ts';
import { type Cluster, serverReason } from '../cluster/cluster.ts';
import type { Clock } from '../lib/clock.ts';
import { addAll } from '../lib/add-all.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { isLeaseLost } from '../lib/fence.ts';
import type { Logger } from '../lib/log.ts';
import { identityKey, identityOf, nameOf } from '../manifest/identity.ts';
import { hintsOf } from '../manifest/hints.ts';
import { groupOf, type KubeObject, type Manifest, type Problem, refOf } from '../manifest/types.ts';
import { keptReplicas } from './annotations.ts';
import type { DriftWatch } from './drift-watch.ts';
import { createFairPlaces, type Lane, type Lanes } from './lanes.ts';
import { canaryManager, handoverOf, syncManager } from './drift.ts';
import type { ApplyAction } from './plan.ts';
import { sharedFields } from './render.ts';
import { applyWithStrategy, refusesRollingUpdate, strategyCommand } from './rollout-strategy.ts';
import { goesByItself } from './runs.ts';
import { leftBehind } from './sent-form.ts';
import { rivalIn } from './installation.ts';
import type { Writers } from './writers.ts';

export interface ApplyDeps {
  readonly cluster: Cluster;
  /** In whose name the objects of a file are written. */
  readonly writers: Writers;
  readonly clock: Clock;
  readonly log: Logger;
  readonly drift: DriftWatch;
  /** Called for each object that stands. `live`: as it is stored now. */
  readonly onApplied: (action: ApplyAction, live: KubeObject) => void;
  /** Asked before each object; once it is false, nothing more is applied. */
  readonly mayGoOn: () => Promise<boolean>;
  /** How long tenants wait for each other. Undefined: some seconds. */
  readonly patienceMs: number | undefined;
}

export interface Applied {
  readonly done: readonly ApplyAction[];
  /** What there was no time for: others wait. */
  readonly left: readonly ApplyAction[];
  readonly failed: readonly Problem[];
  /** Why an object of `failed` could not be applied, by identityKey. */
  readonly refused: ReadonlyMap<string, string>;
  /** What is for a controller that the cluster does not have, so nobody misses it. */
  readonly idle: readonly Problem[];
  /** Of all these, those that the server said no to: it did not make them. */
  readonly notMade: ReadonlySet<string>;
}

/** Field manager of the one write of replicas when a canary's target is created. */
const scaleManager = 'serin-scale';
const concurrency = 8;
/** Of these, so many are for the others, where there are several tenants: one may stand behind a webhook that does not answer. */
const keptFree = 2;
const usualPatienceMs = 4_000;
const establishedWaitMs = 15_000;
const pollMs = 100;
/** For objects whose namespace or kind came in the same sync and is not served at once. */
const repeatAfterMs: readonly number[] = [200, 500, 1_000, 2_000];

interface Failure {
  readonly action: ApplyAction;
  readonly error: unknown;
}

/**
 * Applies waves one after the other, of several tenants side by side. An object that is refused, or that alone gets no answer, does not stop the
 * others; a cluster that does not answer at all does, by throwing. Of several tenants whoever takes long is left with what is not done yet, so
 * that what the others say meanwhile is looked at.
 */
export async function applyLanes({ first, lanes }: Lanes, deps: ApplyDeps, signal: AbortSignal): Promise<Applied> {
  const done: ApplyAction[] = [];
  const left: ApplyAction[] = [];
  const failures: Failure[] = [];
  const places = createFairPlaces(concurrency);
  const mostOfOne = lanes.length > 1 ? concurrency - keptFree : concurrency;
  let endsAtMs = Infinity;
  const isOver = (): boolean => performance.now() >= endsAtMs;
  const run = async (area: string, actions: readonly ApplyAction[]): Promise<Failure[]> => {
    const failed: Failure[] = [];
    const isEnded = (rest: () => readonly ApplyAction[]): boolean => {
      if (!isOver()) return false;
      addAll(left, rest());
      return true;
    };
    await inParallel(actions, { most: mostOfOne, isEnded }, (action) =>
      places.run(area, async () => {
        if (!(await deps.mayGoOn())) return;
        try {
          const live = await applyOne(action, deps, signal);
          done.push(action);
          deps.onApplied(action, live);
        } catch (error) {
          if (signal.aborted || isLeaseLost(error) || (isUnreachable(error) && !(await answers(deps.cluster, signal))))
            throw error;
          failed.push({ action, error });
        }
      }),
    );
    return failed;
  };
  const runWaves = async (area: string, waves: Lane['waves']): Promise<void> => {
    let failed: Failure[] = [];
    for (const wave of waves) {
      failed.push(...(await run(area, wave)));
      if (!(await deps.mayGoOn())) break;
      if (!isOver()) await established(wave, deps, signal);
    }
    const bringsKinds = done.some(
      ({ object: { kind } }) => kind === 'Namespace' || kind === 'CustomResourceDefinition',
    );
    for (const waitMs of bringsKinds ? repeatAfterMs : []) {
      const early = failed.filter(({ error }) => isMissing(error));
      if (early.length === 0 || isOver()) break;
      await deps.clock.sleep(waitMs, signal);
      failed = failed.filter(({ error }) => !isMissing(error));
      const again = early.map(({ action }) => action);
      failed.push(...(await run(area, again)));
    }
    failures.push(...failed);
  };
  await runWaves('', first);
  if (lanes.length > 1) endsAtMs = performance.now() + (deps.patienceMs ?? usualPatienceMs);
  await allOf(lanes.map(({ area, waves }) => runWaves(area, waves)));
  const idle = failures.filter(isIdle);
  const broken = failures.filter((failure) => !idle.includes(failure));
  const refused = broken.map(({ action, error }) => [identityOf(action.object), told(action.manifest, error)] as const);
  return {
    done,
    left,
    failed: broken.map(({ action, error }) => failureOf(action.manifest, error, deps.writers)),
    refused: new Map(refused),
    idle: idle.map(({ action }) => idleAt(action.manifest)),
    notMade: new Set(failures.flatMap(({ action, error }) => (isNo(error) ? [identityOf(action.object)] : []))),
  };
}

/** Flux's own objects do something only with its controllers, which bring their definitions along. */
const isIdle = ({ action, error }: Failure): boolean =>
  isNoKind(error) && /(?:^|\.)toolkit\.fluxcd\.io$/.test(groupOf(action.object.apiVersion));

const isNoKind = (error: unknown): boolean => error instanceof AgentError && error.details['reason'] === 'NoKind';

function idleAt({ object, origin: { path, line } }: Manifest): Problem {
  const message = `${nameOf(refOf(object))} is for a controller of Flux that the cluster does not have: it is not applied`;
  return { severity: 'warning', path, line, message };
}

/** Gives the object as it is stored. */
async function applyOne(
  action: ApplyAction,
  { writers, clock, log, drift }: ApplyDeps,
  signal: AbortSignal,
): Promise<KubeObject> {
  const { object, shared, initialReplicas, hash } = action;
  const cluster = writers.of(action.manifest.origin.path);
  const ref = refOf(object);
  const last = drift.lastSent(identityKey(ref));
  // What was there before matters only where somebody else has a part of it, and not where that was so already.
  const isWithin = shared === 'nodes' || shared === 'weights';
  const isSettled = shared === 'nothing' || (!isWithin && last?.shared === shared);
  if (hintsOf(object).onlyIfAbsent) {
    // Others write it from then on: its drift is not looked for.
    const there = await cluster.get(ref, signal);
    return there ?? cluster.apply(object, { manager: syncManager, force: false }, signal);
  }
  return drift.write(ref, { hash, shared, goesByItself: goesByItself(object) }, async () => {
    const before = isSettled ? undefined : await cluster.get(ref, signal);
    const handover = before && handoverOf(before, shared, sharedFields[shared]);
    if (handover) await cluster.apply(handover.object, { manager: handover.manager, force: true }, signal);
    if (isWithin && before) return applyAround(action, before, cluster, signal);
    const live = await applyOrRecreate(action, { cluster, clock, log }, signal);
    if (action.endsKeptSize) {
      const patch = { metadata: { annotations: { [keptReplicas]: null } } };
      return cluster.mergePatch(ref, patch, { manager: scaleManager }, signal);
    }
    const replicas = (live['spec'] as { replicas?: number } | undefined)?.replicas;
    const isNew = isSettled ? last?.uid !== live.metadata.uid : before === undefined;
    if (!isNew || initialReplicas === undefined || replicas === initialReplicas) return live;
    return cluster.mergePatch(ref, { spec: { replicas: initialReplicas } }, { manager: scaleManager }, signal);
  });
}

/**
 * A node selector has one owner as a whole, and so have the rules of a route. The canary's mark in the one, which keeps the target at
 * zero, and its weights in the others are sent back as they are, and only to the version that they were read from: the canary may change
 * them at any moment.
 */
async function applyAround(
  action: ApplyAction,
  before: KubeObject,
  cluster: Cluster,
  signal: AbortSignal,
): Promise<KubeObject> {
  let live: KubeObject | undefined = before;
  for (let attempt = 1; ; attempt += 1) {
    const object = live ? withShared(live, action.object) : action.object;
    try {
      return await cluster.apply(object, { manager: syncManager, force: true }, signal);
    } catch (error) {
      if (!(error instanceof AgentError) || error.code !== 'CLUSTER_CONFLICT' || attempt === 3) throw error;
      live = await cluster.get(refOf(object), signal);
    }
  }
}

/** With these goes what cannot be had again. */
const neverRecreated = new Set(['PersistentVolumeClaim', 'PersistentVolume', 'Namespace', 'CustomResourceDefinition']);

/** An annotation may ask to make an object anew of which a field can only be set at creation: not where users would feel it. */
async function applyOrRecreate(
  action: ApplyAction,
  { cluster, clock, log }: Pick<ApplyDeps, 'cluster' | 'clock' | 'log'>,
  signal: AbortSignal,
): Promise<KubeObject> {
  const { object, isCanarys } = action;
  const ref = refOf(object);
  try {
    return await applyWhole(action, cluster, log, signal);
  } catch (error) {
    const mayRecreate = hintsOf(object).mayRecreate && !isCanarys && !neverRecreated.has(object.kind);
    if (!mayRecreate || !isImmutable(error)) throw error;
    const uid = (await cluster.get(ref, signal))?.metadata.uid;
    if (uid === undefined) throw error;
    const { kind, namespace, name } = { namespace: undefined, ...ref };
    log.warn({ kind, namespace, name }, `${nameOf(ref)} is deleted and made anew, as an annotation asks`);
    await cluster.remove(ref, { uid, propagation: 'Background' }, signal);
    const deadlineMs = clock.now() + establishedWaitMs;
    while ((await cluster.get(ref, signal))?.metadata.uid === uid) {
      if (clock.now() > deadlineMs) throw error;
      await clock.sleep(pollMs, signal);
    }
    return applyWhole(action, cluster, log, signal);
  }
}

/** Takes along what `stringData` of an earlier apply has left behind. */
async function applyWhole(
  action: ApplyAction,
  cluster: Cluster,
  log: Logger,
  signal: AbortSignal,
): Promise<KubeObject> {
  const { object } = action;
  const live = await applyWithStrategy(object, () => applyPolitely(action, cluster, log, signal), cluster, signal);
  const left = leftBehind(live);
  if (!left) return live;
  const all = { ...object, data: { ...left, ...(object['data'] as object | undefined) } };
  await cluster.apply(all, { manager: syncManager, force: true }, signal);
  const { kind, metadata } = object;
  const fields = { kind, namespace: metadata.namespace, name: metadata.name };
  log.info(
    fields,
    `${nameOf(refOf(object))}: keys that stringData has left behind are taken away (${Object.keys(left).length})`,
  );
  return cluster.apply(object, { manager: syncManager, force: true }, signal);
}

/** Asks first whether somebody else owns something of it, so that it can be said whose fields are taken over. */
async function applyPolitely(
  { object, isCanarys }: ApplyAction,
  cluster: Cluster,
  log: Logger,
  signal: AbortSignal,
): Promise<KubeObject> {
  try {
    return await cluster.apply(object, { manager: syncManager, force: false }, signal);
  } catch (error) {
    if (!(error instanceof AgentError) || error.code !== 'CLUSTER_CONFLICT') throw error;
    const conflict = /conflicts? with "(.*)/s.exec(error.message);
    if (isCanarys && conflict?.[0].includes(`"${canaryManager}`)) {
      throw new AgentError('CLUSTER_CONFLICT', `${error.message}: that belongs to its Canary and is left alone`, {
        cause: error,
      });
    }
    const rival = await rivalIn(error, cluster, signal);
    if (rival !== undefined)
      throw new AgentError('CLUSTER_CONFLICT', `${error.message}: it belongs to the Serin of namespace ${rival}`, {
        cause: error,
        details: { rival },
      });
    if (conflict) {
      const { kind, metadata } = object;
      const fields = { kind, namespace: metadata.namespace, name: metadata.name, conflict: conflict[0].slice(0, 500) };
      log.warn(
        fields,
        `${nameOf(refOf(object))}: fields that somebody else had set are taken over, because Git says otherwise`,
      );
    }
    return cluster.apply(object, { manager: syncManager, force: true }, signal);
  }
}

/** New kinds are not served at once: their objects come in later waves and would be refused. */
async function established(
  wave: readonly ApplyAction[],
  { cluster, clock }: ApplyDeps,
  signal: AbortSignal,
): Promise<void> {
  const definitions = wave.filter(({ object }) => object.kind === 'CustomResourceDefinition');
  const deadlineMs = clock.now() + establishedWaitMs;
  for (const { object } of definitions) {
    while (clock.now() < deadlineMs) {
      const live = await cluster.get(refOf(object), signal);
      if (live === undefined || isEstablished(live) || isRefusedName(live)) break;
      await clock.sleep(pollMs, signal);
    }
  }
}

function isEstablished(definition: KubeObject): boolean {
  const status = definition['status'] as { conditions?: { type: string; status: string }[] } | undefined;
  return (status?.conditions ?? []).some(
    (condition) => condition.type === 'Established' && condition.status === 'True',
  );
}

/** Another definition has its names: it is never established. */
function isRefusedName(definition: KubeObject): boolean {
  const status = definition['status'] as { conditions?: { type: string; status: string }[] } | undefined;
  return (status?.conditions ?? []).some(({ type, status: is }) => type === 'NamesAccepted' && is === 'False');
}

/**
 * Whether the cluster answers at all: then what got no answer is the fault of one object, as of one that a webhook keeps waiting or that is too
 * large to be taken.
 */
async function answers(cluster: Cluster, signal: AbortSignal): Promise<boolean> {
  try {
    await cluster.version(signal);
    return true;
  } catch {
    return false;
  }
}

const isUnreachable = (error: unknown): boolean =>
  error instanceof AgentError && error.code === 'CLUSTER_UNREACHABLE' && error.details['status'] === undefined;

const immutable = /immutable|may not change|forbidden: updates/i;
const isImmutable = (error: unknown): boolean =>
  error instanceof AgentError && error.details['status'] === 422 && immutable.test(serverReason(error));

/** An answer that nothing was done, and no fault of the server's own. */
const isNo = (error: unknown): boolean => {
  const status = error instanceof AgentError ? Number(error.details['status']) : Number.NaN;
  return status >= 400 && status < 500;
};

const isMissing = (error: unknown): boolean => error instanceof AgentError && error.details['status'] === 404;

/** An API server quotes what it refuses: of what is made with secrets only the kind of refusal is told. */
function told({ object, sealed }: Manifest, error: unknown): string {
  const status = error instanceof AgentError ? error.details['status'] : undefined;
  return sealed !== undefined && (status === 400 || status === 422)
    ? `${nameOf(refOf(object))}: the API server refuses it (${status}); its words are left out, because secrets take part in it`
    : messageOf(error);
}

export function failureOf(manifest: Manifest, error: unknown, writers: Writers): Problem {
  const { object, origin } = manifest;
  const message = told(manifest, error);
  const hint = error instanceof AgentError ? hintOf(error, object, writers, origin.path) : undefined;
  return { severity: 'error', path: origin.path, line: origin.line, message, ...(hint === undefined ? {} : { hint }) };
}

function hintOf(
  error: AgentError,
  object: KubeObject,
  writers: Pick<Writers, 'nameOf' | 'rightsOf'>,
  path: string,
): string | undefined {
  const { details } = error;
  const reason = serverReason(error);
  const { apiVersion, kind, metadata } = object;
  if (details['rival'] !== undefined)
    return `take it out of the repository of one of the two; where the other one is gone for good, delete its ConfigMap serin-inventory`;
  switch (details['status']) {
    case 403:
      if (/quota/i.test(reason)) return undefined;
      if (/cannot impersonate/.test(reason))
        return `let the agent impersonate ${writers.nameOf(path)}: "Tenants" in manifests/README.md shows the role`;
      return `grant ${writers.nameOf(path)} the right to ${writers.rightsOf(path)} ${kind} (${groupOf(apiVersion) || 'core'})`;
    case 404:
      return /namespaces? "/i.test(reason) ? `commit a Namespace ${metadata.namespace ?? ''}, or create it` : undefined;
    case 422:
      if (refusesRollingUpdate(error, object))
        return `another tool has set rollingUpdate, so no apply takes it away: ${strategyCommand(object)}`;
      return immutable.test(reason) ? recreationHint(object) : undefined;
    default:
      return undefined;
  }
}

/** What to do about a field that can only be set at creation. To delete the object is no advice where data or users go with it. */
function recreationHint({ kind, metadata: { name, namespace = 'default' } }: KubeObject): string {
  const fixed = 'a field of it can only be set at creation';
  switch (kind) {
    case 'PersistentVolumeClaim':
    case 'PersistentVolume':
      return `${fixed}, and its data would go with it: let Git say what it is, or move the data to one of another name`;
    case 'Namespace':
    case 'CustomResourceDefinition':
      return `${fixed}, and all that it holds would go with it: let Git say what it is`;
    case 'StatefulSet':
    case 'DaemonSet':
    case 'Deployment': {
      const deletion = `kubectl -n ${namespace} delete ${kind.toLowerCase()} ${name} --cascade=orphan`;
      return `${fixed}: ${deletion} leaves its pods running, and it is made anew from Git`;
    }
    default:
      return `${fixed}: delete the object in the cluster, and it is made anew from Git`;
  }
}

/** Ends when all work has ended, also where some of it throws; then nothing new is begun. `isEnded`: nor of the rest, which it gets. */
async function inParallel<T>(
  items: readonly T[],
  { most, isEnded }: { readonly most: number; readonly isEnded: (rest: () => readonly T[]) => boolean },
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    try {
      for (let item = items[next]; item !== undefined; item = items[next]) {
        if (isEnded(() => items.slice(next))) next = items.length;
        else {
          next += 1;
          await work(item);
        }
      }
    } catch (error) {
      next = items.length;
      throw error;
    }
  };
  await allOf(Array.from({ length: Math.min(most, items.length) }, worker));
}

/** Ends when all have ended; rejects where one does. */
async function allOf(all: readonly Promise<void>[]): Promise<void> {
  const ends = await Promise.allSettled(all);
  const broken = ends.find((end) => end.status === 'rejected');
  if (broken) throw broken.reason;
}

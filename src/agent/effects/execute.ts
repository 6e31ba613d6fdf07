import { callWebhook, webhookPayload } from '../../analysis/webhook.ts';
import { parseConfigKey } from '../../canary/configs.ts';
import { forEveryone, strategyOf } from '../../canary/strategy.ts';
import { targets } from '../../canary/targets/registry.ts';
import type { CanarySpec, CanaryStatus, Effect, Evidence, Seen, TrafficSplit } from '../../canary/types.ts';
import { AgentError, assertNever } from '../../lib/errors.ts';
import { type AppKey, keyOf } from '../../lib/key.ts';
import { alwaysHeld, type Epoch } from '../../lib/fence.ts';
import { type KubeObject, refOf } from '../../manifest/types.ts';
import { planBeforePods, planHome, planRestore, planRoutes } from '../../routers/reconcile.ts';
import type { LiveObjects, RouteContext, Router } from '../../routers/router.ts';
import { checkSources, copyConfig, isCopied, joinCopy, leaveCopy } from './copy-config.ts';
import type { ClusterKey } from '../views/cluster-key.ts';
import type { Deps } from '../deps.ts';
import type { Outlets } from '../../outlets/outlet.ts';
import { createTell, type Tell } from '../../outlets/tell.ts';
import type { JudgedReleases } from '../releases/releases.ts';
import { canaryManager, writeObject, writeStatus } from './writes.ts';

/** What stands around one tick: everything that effects need and `decide` must not know. */
export interface TickContext {
  readonly spec: CanarySpec;
  readonly status: CanaryStatus;
  readonly seen: Seen;
  readonly router: Router;
  readonly route: RouteContext;
  readonly liveRoutes: LiveObjects;
  /** The holding of the lease in which the tick began. */
  readonly epoch: Epoch;
}

export interface Effects {
  /** Rejects where one of these configs cannot be copied as it was judged; to be called before the first one is. */
  check(effects: readonly Effect[], context: TickContext, signal: AbortSignal): Promise<void>;
  run(effect: Effect, context: TickContext, signal: AbortSignal): Promise<void>;
  /** Writes down what a tick found out of a release. */
  note(app: AppKey, evidence: Evidence, epoch: Epoch): Promise<void>;
  /** Ends a tick, see `writeStatus`. */
  status(canary: KubeObject, status: CanaryStatus, epoch: Epoch, signal: AbortSignal): Promise<string | undefined>;
  readonly tell: Tell;
}

export interface EffectParts {
  readonly releases: JudgedReleases;
  /** For everything that is told to people and to the outside. */
  readonly outlets: Pick<Outlets, 'tell'>;
  /** What configs are known by. */
  readonly key: Pick<ClusterKey, 'checksumOf'>;
}

/** The users and cookies of the split that is written now, not of the one that stands. */
function forSplit(context: TickContext, { cookies, everyone }: Extract<Effect, { kind: 'set-route' }>): TickContext {
  const spec = everyone ? forEveryone(context.spec) : context.spec;
  return { ...context, route: { ...context.route, spec, ...(cookies ? { cookies } : {}) } };
}

/** Throws in Flagger's words where it cannot be read what routing objects were. */
function originals(...input: Parameters<typeof planRestore>): ReturnType<typeof planRestore> {
  try {
    return planRestore(...input);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    throw new AgentError(error.code, `failed to revert mesh: ${error.message}`, { cause: error });
  }
}

export function createEffects(deps: Deps, { releases, outlets, key }: EffectParts): Effects {
  const { cluster, clock, fence = alwaysHeld, http, log, settings } = deps;
  /** Whatever a tick writes, calls or tells because of what it decided. */
  const held = async <Result>(epoch: Epoch, write: () => Promise<Result>): Promise<Result> => {
    fence.assertHeld(epoch);
    return write();
  };
  const tell = createTell(outlets);

  const writeRoutes = async (
    context: TickContext,
    split: TrafficSplit | 'keep',
    signal: AbortSignal,
  ): Promise<void> => {
    let live = context.liveRoutes;
    for (let attempt = 0; ; attempt += 1) {
      try {
        for (const { object, over } of planRoutes(context.router, context.route, live, split))
          await writeObject(cluster, object, over, signal);
        return;
      } catch (error) {
        const stale =
          error instanceof AgentError &&
          (error.code === 'CLUSTER_CONFLICT' || error.details['reason'] === 'AlreadyExists');
        if (!stale || attempt >= 3) throw error;
        // The view was behind: traffic must not wait for the next tick.
        live = await Promise.all(context.router.refs(context.route).map((ref) => cluster.get(ref, signal)));
      }
    }
  };

  /**
   * A Canary that cannot be rendered any more, or of which the API server refuses what is rendered, must not keep its release from being
   * judged, and users from being taken home.
   */
  const repairRoutes = async (context: TickContext, signal: AbortSignal): Promise<void> => {
    try {
      await writeRoutes(context, 'keep', signal);
    } catch (error) {
      const isRouted = context.seen.split !== undefined;
      const isLasting =
        error instanceof AgentError && (error.code === 'CANARY_INVALID' || error.code === 'CLUSTER_REFUSED');
      if (!isRouted || !isLasting) throw error;
      tell(
        context.seen.canary,
        context.spec,
        { type: 'Warning', level: 'info', message: error.message },
        context.seen.releaseId,
      );
    }
  };

  /** Users go home on the routes as they stand where the API server takes no others. */
  const moveUsers = async (context: TickContext, split: TrafficSplit, signal: AbortSignal): Promise<void> => {
    try {
      await writeRoutes(context, split, signal);
    } catch (error) {
      const goHome = split.canaryWeight === 0 && !split.mirror;
      if (!goHome || !(error instanceof AgentError) || error.code !== 'CLUSTER_REFUSED') throw error;
      const live = await Promise.all(context.router.refs(context.route).map((ref) => cluster.get(ref, signal)));
      const planned = planHome(context.router, context.route, live);
      if (planned.length === 0) throw error;
      for (const { object, over } of planned) await writeObject(cluster, object, over, signal);
      tell(
        context.seen.canary,
        context.spec,
        { type: 'Warning', level: 'info', message: error.message },
        context.seen.releaseId,
      );
    }
  };

  const restoreRoutes = async ({ router, route, spec }: TickContext, signal: AbortSignal): Promise<void> => {
    // Asked of the server itself: nobody looks at these objects again after this.
    const live = await Promise.all(router.refs(route).map((ref) => cluster.get(ref, signal)));
    for (const { object, over } of originals(router, route, live)) {
      await writeObject(cluster, object, over, signal);
      log.info({ canary: `${spec.name}.${spec.namespace}` }, `${object.kind} ${object.metadata.name} restored`);
    }
  };

  const scale = async ({ target, targetKind }: CanarySpec, replicas: number, signal: AbortSignal): Promise<void> => {
    const patch = targets[targetKind].scaling?.patch(replicas);
    if (patch) await cluster.mergePatch(target, patch, { manager: canaryManager }, signal);
  };

  const run: Effects['run'] = async (effect, context, signal) => {
    const { spec, seen, status } = context;
    const name = `${spec.name}.${spec.namespace}`;
    switch (effect.kind) {
      case 'event':
        return tell(seen.canary, spec, effect.event, seen.releaseId);
      case 'log':
        return log.info({ canary: name }, effect.message);
      case 'alert': {
        const app = keyOf(spec);
        const commitUrl = seen.releaseId ? releases.commitUrl(app, status.phase, seen.releaseId) : undefined;
        return outlets.tell({
          ...effect,
          ...(commitUrl === undefined ? {} : { commitUrl }),
          kind: 'alerted',
          app,
          releaseId: seen.releaseId,
          canary: seen.canary,
          spec,
          status,
        });
      }
      case 'write': {
        const { object, over } = effect;
        await writeObject(cluster, object, over, signal);
        if (over === undefined)
          log.info({ canary: name }, `${object.kind} ${object.metadata.name}.${spec.namespace} created`);
        return;
      }
      case 'copy-config': {
        const { includeLabelPrefix } = settings;
        const { kind, name: copy } = parseConfigKey(effect.copy);
        if (!isCopied(effect, seen, includeLabelPrefix))
          await copyConfig(
            cluster,
            { ...effect, canary: seen.canary, checksumOf: key.checksumOf, includeLabelPrefix },
            signal,
          );
        return log.info({ canary: name }, `${kind} ${copy} synced`);
      }
      case 'join-copy':
        return joinCopy(cluster, { canary: seen.canary, copy: effect.copy }, signal);
      case 'leave-copy': {
        const { kind, name: copy } = parseConfigKey(effect.copy);
        if (await leaveCopy(cluster, { canary: seen.canary, copy: effect.copy }, signal))
          log.info({ canary: name }, `${kind} ${copy} removed: the primary refers to it no more`);
        return;
      }
      case 'remove-scaler': {
        const { metadata, kind } = effect.object;
        const { uid } = metadata;
        try {
          await cluster.remove(refOf(effect.object), uid === undefined ? {} : { uid }, signal);
        } catch (error) {
          // One that may not be taken away must not keep the release from going on.
          if (!(error instanceof AgentError) || error.code !== 'CLUSTER_REFUSED') throw error;
          return tell(seen.canary, spec, { type: 'Warning', level: 'info', message: error.message }, seen.releaseId);
        }
        return log.info({ canary: name }, `${kind} ${metadata.name} removed: the Canary refers to it no more`);
      }
      case 'scale-target':
        return scale(spec, effect.replicas, signal);
      case 'prepare-route': {
        for (const { object, over } of planBeforePods(context.router, context.route, context.liveRoutes))
          await writeObject(cluster, object, over, signal);
        return;
      }
      case 'reconcile-route':
        return repairRoutes(context, signal);
      case 'set-route':
        return moveUsers(forSplit(context, effect), effect.split, signal);
      case 'restore-route':
        return restoreRoutes(context, signal);
      case 'call-hook': {
        const answer = await callWebhook(
          effect.hook,
          webhookPayload(spec, effect.phase, status, effect.hook.metadata),
          { http, clock },
          signal,
        );
        const label = effect.hook.type === 'post-rollout' ? 'Post-rollout' : effect.hook.type;
        if (answer.kind === 'passed')
          tell(
            seen.canary,
            spec,
            {
              type: 'Normal',
              level: 'info',
              message: `${label} check ${effect.hook.name} passed`,
              phase: effect.phase,
            },
            seen.releaseId,
          );
        else
          tell(
            seen.canary,
            spec,
            {
              type: 'Warning',
              level: 'info',
              message: `${label} hook ${effect.hook.name} failed ${answer.reason}`,
              phase: effect.phase,
            },
            seen.releaseId,
          );
        return;
      }
      case 'begin-release': {
        const before = releases.failedBefore(keyOf(spec));
        await releases.begin(seen.canary, effect, seen.releaseId);
        const { templateHash: lastAppliedSpec, configs: trackedConfigs } = effect;
        const proven = releases.proven(seen.canary, { ...status, lastAppliedSpec, trackedConfigs });
        if (proven)
          tell(
            seen.canary,
            spec,
            {
              type: 'Normal',
              level: 'info',
              message: `What ${name} goes back to was promoted after its analysis at ${proven.at}, within the rollback window: it is promoted without another one`,
            },
            seen.releaseId,
          );
        if (before !== undefined)
          tell(
            seen.canary,
            spec,
            {
              type: 'Warning',
              level: 'info',
              message: before,
            },
            seen.releaseId,
          );
        return;
      }
      case 'withdraw-release':
        return releases.withdraw(seen.canary);
      case 'end-release':
        return releases.end(seen.canary, {
          verdict: effect.verdict,
          failedCheck: effect.failedCheck,
          strategy: strategyOf(spec),
          templateHash: status.lastAppliedSpec,
          configs: status.trackedConfigs ?? {},
        });
      default:
        return assertNever(effect);
    }
  };

  return {
    tell,
    run: (effect, context, signal) => held(context.epoch, () => run(effect, context, signal)),
    async note(app, evidence, epoch) {
      await held(epoch, () => releases.note(app, evidence));
    },
    status: (canary, next, epoch, signal) => held(epoch, () => writeStatus(cluster, canary, next, signal)),
    async check(effects, { seen }, signal) {
      const copied = effects.flatMap((effect) =>
        effect.kind === 'copy-config' && !isCopied(effect, seen, settings.includeLabelPrefix) ? [effect] : [],
      );
      if (copied.length > 1) await checkSources(cluster, seen.canary, copied, key.checksumOf, signal);
    },
  };
}

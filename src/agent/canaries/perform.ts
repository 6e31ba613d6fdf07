import { askedOf } from '../../canary/evidence.ts';
import { isUnderWay } from '../../canary/phase.ts';
import { parseStatus } from '../../canary/status.ts';
import { afterDecision, afterEffects, afterTick, beforeEffect } from '../../canary/tick-memory.ts';
import type { CanarySpec, Effect } from '../../canary/types.ts';
import { messageOf } from '../../lib/errors.ts';
import type { AppKey } from '../../lib/key.ts';
import { type KubeObject, refOf } from '../../manifest/types.ts';
import { lookedOf } from '../../outlets/happening.ts';
import type { Outlets } from '../../outlets/outlet.ts';
import type { Bus } from '../bus.ts';
import type { Deps } from '../deps.ts';
import type { Effects } from '../effects/execute.ts';
import { createInOrder } from '../effects/order.ts';
import { canaryManager } from '../effects/writes.ts';
import { noteManager } from '../releases/records.ts';
import type { Views } from '../views/views.ts';
import type { Memory } from './memory.ts';
import type { TickResult } from './run-tick.ts';
import type { StartLimit } from './start-limit.ts';

export interface PerformOptions {
  readonly deps: Pick<Deps, 'clock' | 'cluster' | 'log'>;
  readonly effects: Effects;
  readonly own: Views['own'];
  readonly outlets: Pick<Outlets, 'tell'>;
  readonly bus: Bus;
  readonly starts: StartLimit;
  readonly signal: AbortSignal;
}

/**
 * Does what a tick decided: its evidence into the record, its effects in order, the one status write, and then what may fail without harm.
 * What is written to the API server throws as it came, and the tick is done again.
 */
export type Perform = (key: AppKey, canary: KubeObject, memory: Memory, reached: TickResult) => Promise<void>;

/** Longer than any look is late. */
const homeFirstMs = 3_600_000;

export function createPerform({ deps, effects, own, outlets, bus, starts, signal }: PerformOptions): Perform {
  const { clock, cluster, log } = deps;
  const runAll = createInOrder({ clock, effects, signal });

  /** The version of the Canary that the status is written on: effects may have annotated it, and only its own spec and status decide. */
  const baseOf = (canary: KubeObject, notedBefore: string | undefined): KubeObject => {
    const noted = own.versionOf(refOf(canary), noteManager);
    if (noted === undefined || noted === notedBefore) return canary;
    return { ...canary, metadata: { ...canary.metadata, resourceVersion: noted } };
  };

  const tellOf = (key: AppKey, canary: KubeObject, memory: Memory, { decision, tick }: TickResult): void => {
    const { spec, seen } = tick;
    const next = decision.status ?? tick.status;
    outlets.tell(lookedOf(spec, next, seen, decision, (clock.now() - seen.nowMs) / 1000));
    const { notice = '' } = decision;
    if (notice !== '' && notice !== memory.notice)
      effects.tell(canary, spec, { type: 'Warning', level: 'info', message: notice }, seen.releaseId);
    memory.notice = notice;
    if (next.phase === memory.phase) return;
    memory.phase = next.phase;
    starts.underWay(key, isUnderWay(next.phase) ? spec.analysis.intervalMs : undefined);
    bus.tell('phase-changed', { app: key, status: next });
  };

  const afterwards = async ({ decision, tick }: TickResult): Promise<void> => {
    const { name, namespace } = tick.spec;
    for (const effect of decision.afterwards) {
      await effects.run(effect, tick, signal).catch((error: unknown) => {
        if (signal.aborted) return;
        log.warn({ canary: `${name}.${namespace}`, reason: messageOf(error) }, 'a step after the release failed');
      });
    }
  };

  const perform: Perform = async (key, canary, memory, reached) => {
    const { decision, tick, judging, isRepeated } = reached;
    const { spec, status } = tick;
    starts.writing(key);
    Object.assign(memory, afterDecision(memory, decision, clock.elapsed(), { judging, isRepeated }));
    const ref = refOf(canary);
    const notedBefore = own.versionOf(ref, noteManager);
    const news = isRepeated && decision.evidence ? askedOf(decision.evidence) : decision.evidence;
    if (news) await effects.note(key, news, tick.epoch);
    await runAll(decision.effects, tick, (effect) => Object.assign(memory, beforeEffect(memory, effect)));
    // Users are judged where they are led to now, not where they were.
    const endedMs = clock.elapsed();
    Object.assign(memory, afterEffects(memory, spec));
    // Plain checksums of Secrets are written over as soon as they are seen.
    if (decision.status || status !== parseStatus(canary)) {
      const next = decision.status ?? status;
      const written = await effects.status(baseOf(canary, notedBefore), next, tick.epoch, signal);
      own.noteVersion(ref, canaryManager, written);
    }
    starts.written(key);
    Object.assign(memory, afterTick(memory, decision, endedMs));
    tellOf(key, canary, memory, reached);
    await afterwards(reached);
  };

  // Users who leave a canary wait for none that is led on where the API server is slow.
  return async (key, canary, memory, reached) => {
    const { spec } = reached.tick;
    const isUrgent = reached.decision.effects.some(leadsHome);
    const end = isUrgent ? cluster.late(spec.namespace, namesOf(spec), homeFirstMs) : undefined;
    try {
      await perform(key, canary, memory, reached);
    } finally {
      end?.();
    }
  };
}

/** Names of what a canary writes: its own, its target's and its Services'; others are like the first two but for an ending. */
export const namesOf = ({ name, target, service }: CanarySpec): readonly string[] => [name, target.name, service.name];

const leadsHome = (effect: Effect): boolean =>
  effect.kind === 'set-route' && effect.split.canaryWeight === 0 && !effect.split.mirror;

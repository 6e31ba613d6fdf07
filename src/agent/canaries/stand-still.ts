import { AgentError } from '../../lib/errors.ts';
import { isLeaseLost } from '../../lib/fence.ts';
import type { AppKey } from '../../lib/key.ts';
import { type KubeObject, refOf } from '../../manifest/types.ts';
import { canaryManager } from '../effects/writes.ts';
import type { ClusterKey } from '../views/cluster-key.ts';
import type { Views } from '../views/views.ts';
import type { Complaints } from './complaints.ts';
import type { Memory } from './memory.ts';
import type { ParsedCanaries } from './parsed-canaries.ts';
import type { Perform } from './perform.ts';
import type { RunTick } from './run-tick.ts';

export interface StandStillOptions {
  readonly key: Pick<ClusterKey, 'statusOf'>;
  readonly own: Views['own'];
  readonly parsedCanaries: Pick<ParsedCanaries, 'still'>;
  readonly runTick: RunTick;
  readonly perform: Perform;
  readonly complaints: Pick<Complaints, 'warn'>;
  readonly signal: AbortSignal;
}

/** Leads the users of a Canary that cannot be understood away from what nobody judges. False: they could not be led yet. */
export type StandStill = (key: AppKey, canary: KubeObject, memory: Memory) => Promise<boolean>;

export function createStandStill(options: StandStillOptions): StandStill {
  const { key: clusterKey, own, parsedCanaries, runTick, perform, complaints, signal } = options;
  return async (key, canary, memory) => {
    const status = clusterKey.statusOf(canary);
    // One that was never looked at has led nobody anywhere.
    if (status.phase === '') return true;
    const understood = parsedCanaries.still(key, canary);
    if (!understood) return true;
    try {
      // Why it stands still has been said.
      memory.suspensionTold = true;
      const reached = await runTick({ ...understood, status, canary }, memory);
      if (reached) await perform(key, canary, memory, reached);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      if (!(error instanceof AgentError)) throw error;
      if (isLeaseLost(error)) return false;
      if (error.code === 'CLUSTER_CONFLICT') own.doubt(refOf(canary), canaryManager);
      else complaints.warn(canary, understood.spec, error.message);
      return false;
    } finally {
      memory.suspensionTold = false;
    }
  };
}

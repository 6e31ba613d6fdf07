import { setGate } from '../../agent/canaries/gates.ts';
import { canaryRef } from '../../canary/owner.ts';
import { gatesOf } from '../../canary/gates.ts';
import { parseStatus } from '../../canary/status.ts';
import { openCluster } from '../../cluster/client.ts';
import { systemClock } from '../../lib/clock.ts';
import { namespacedName } from '../../lib/key.ts';
import { silentLogger } from '../../lib/log.ts';
import { clusterSource } from '../cluster-source.ts';
import { type CommandContext, exitCodes } from '../context.ts';

export interface GateOptions {
  readonly action: 'open' | 'close' | 'show';
  /** Of the Canary. */
  readonly name: string;
  readonly namespace: string;
  /** The rollback switch instead of the approval gate. */
  readonly rollback?: boolean;
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** `serin gate`: writes the annotation that the agent looks at. Who may, the cluster's own access control decides. */
export async function gate(context: CommandContext, options: GateOptions): Promise<number> {
  const { action, name, namespace, rollback = false } = options;
  const { kubeconfig = '', context: named = '' } = options;
  const source = clusterSource({ kubeconfig, context: named }, context.environment);
  const cluster = await openCluster(source, { clock: systemClock, log: silentLogger });
  const which = rollback ? 'rollback' : 'gate';
  try {
    const canary = await cluster.get(canaryRef({ namespace, name }), context.signal);
    if (!canary) {
      context.stderr.write(`serin: there is no Canary ${namespacedName({ namespace, name })}\n`);
      return exitCodes.failed;
    }
    if (action === 'show') {
      const { gate: approval, rollback: switched } = gatesOf(canary);
      context.stdout.write(`${name}.${namespace} ${parseStatus(canary).phase} gate ${approval} rollback ${switched}\n`);
      return exitCodes.done;
    }
    await setGate(cluster, { gate: which, namespace, name, open: action === 'open' }, context.signal);
    context.stdout.write(`${name}.${namespace} ${which} ${action === 'open' ? 'opened' : 'closed'}\n`);
    return exitCodes.done;
  } finally {
    await cluster.close();
  }
}

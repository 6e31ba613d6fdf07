import { openCluster } from '../../cluster/client.ts';
import { systemClock } from '../../lib/clock.ts';
import { namespacedName } from '../../lib/key.ts';
import { silentLogger } from '../../lib/log.ts';
import { clusterSource } from '../cluster-source.ts';
import { type CommandContext, exitCodes } from '../context.ts';
import { readDeployKey } from '../deploy-key.ts';

export interface IdentityOptions {
  /** Namespace of the agent. */
  readonly agentNamespace: string;
  /** Name of the Secret with the key. */
  readonly gitSshSecret: string;
  readonly json?: boolean;
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** `serin identity`: the public half of the key by which the agent signs in to Git. Reads the Secret with the rights of whoever asks. */
export async function identity(context: CommandContext, options: IdentityOptions): Promise<number> {
  const { agentNamespace: namespace, gitSshSecret: name, json = false } = options;
  const { kubeconfig = '', context: named = '' } = options;
  const source = clusterSource({ kubeconfig, context: named }, context.environment);
  const cluster = await openCluster(source, { clock: systemClock, log: silentLogger });
  try {
    const key = await readDeployKey(cluster, { namespace, name }, context.signal);
    if (!key) {
      context.stderr.write(
        `serin: there is no key in the Secret ${namespacedName({ namespace, name })}: the agent makes it when it first speaks to Git over SSH; --agent-namespace and --git-ssh-secret name another one\n`,
      );
      return exitCodes.failed;
    }
    const { publicKey, fingerprint } = key;
    context.stdout.write(`${json ? JSON.stringify({ publicKey, fingerprint, namespace, secret: name }) : publicKey}\n`);
    return exitCodes.done;
  } finally {
    await cluster.close();
  }
}

import { openCluster } from '../../cluster/client.ts';
import { systemClock } from '../../lib/clock.ts';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { at, listOf, textOf } from '../../lib/json.ts';
import { silentLogger } from '../../lib/log.ts';
import { version } from '../../lib/version.ts';
import { clusterSource } from '../cluster-source.ts';
import { type CommandContext, exitCodes } from '../context.ts';

export interface VersionOptions {
  readonly client?: boolean;
  readonly json?: boolean;
  readonly agentNamespace?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
}

interface Told {
  readonly client: string;
  readonly node: string;
  readonly server: string | null;
  /** Images of the Deployments of the agent's namespace that are named after it. */
  readonly agents: readonly string[];
}

/** `serin version`. A cluster that does not answer is no fault: its version is not known then. */
export async function versions(context: CommandContext, options: VersionOptions): Promise<number> {
  const { output, stdout, stderr } = context;
  let told: Told = { client: version, node: process.versions.node, server: null, agents: [] };
  if (!options.client)
    try {
      told = { ...told, ...(await ofCluster(context, options)) };
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (!options.json) stderr.write(`serin: the cluster is not asked: ${messageOf(error)}\n`);
    }
  if (options.json) stdout.write(`${JSON.stringify(told)}\n`);
  else {
    output.line(`serin ${told.client} (Node ${told.node})`);
    if (told.server !== null) output.line(`cluster ${told.server}`);
    for (const agent of told.agents) output.line(`agent ${agent}`);
  }
  return exitCodes.done;
}

async function ofCluster(context: CommandContext, options: VersionOptions): Promise<Pick<Told, 'server' | 'agents'>> {
  const { kubeconfig = '', context: named = '', agentNamespace = 'serin' } = options;
  const source = clusterSource({ kubeconfig, context: named }, context.environment);
  const cluster = await openCluster(source, { clock: systemClock, log: silentLogger });
  try {
    const server = await cluster.version(context.signal);
    const found = await cluster
      .list({ apiVersion: 'apps/v1', kind: 'Deployment' }, { namespace: agentNamespace }, context.signal)
      .catch(() => []);
    const images = found.flatMap((deployment) =>
      listOf(at(deployment['spec'], 'template', 'spec', 'containers')).flatMap(({ name, image }) =>
        name === 'serin' ? (textOf(image) ?? []) : [],
      ),
    );
    return { server, agents: images };
  } finally {
    await cluster.close();
  }
}

import type { ClusterClient } from '../../cluster/client.ts';
import { AgentError } from '../../lib/errors.ts';
import { at, textOf } from '../../lib/json.ts';
import { gitIn } from '../checkout/program.ts';
import type { CommandContext } from '../context.ts';

/** Who acts, as the cluster knows him; where it does not say, as the machine does. */
export async function callerOf(cluster: ClusterClient, { environment, signal }: CommandContext): Promise<string> {
  const asked = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview', metadata: { name: '' } };
  try {
    const told = await cluster.create(asked, { manager: 'serin-act' }, signal);
    const name = textOf(at(told['status'], 'userInfo', 'username'));
    if (name !== undefined && name !== '') return name;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
  }
  const { code, out } = await gitIn(process.cwd(), environment, signal)
    .run(['config', 'user.name'])
    .catch(() => ({ code: 1, out: Buffer.alloc(0) }));
  const name = out.toString('utf8').trim();
  if (code === 0 && name !== '') return name;
  return environment['USER'] || environment['LOGNAME'] || environment['USERNAME'] || 'somebody';
}

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type Kubectl, kubectlAs, until } from './command.ts';

const manifests = join(import.meta.dirname, '../../manifests');
/** Everything of the installation but the agent's own pod: the tests run it as a process. */
const files = [
  'crds/canaries.flagger.app.yaml',
  'crds/metrictemplates.flagger.app.yaml',
  'crds/alertproviders.flagger.app.yaml',
  'namespace.yaml',
  'service-account.yaml',
  'rbac.yaml',
].flatMap((name) => ['-f', join(manifests, name)]);

export interface Installation {
  /** kubectl with the rights of the service account and no others. */
  readonly asAgent: Kubectl;
  readonly agentKubeconfigPath: string;
  remove(): Promise<void>;
}

/** Installs `manifests/` as a user would and writes a kubeconfig of the service account `serin`. */
export async function install(admin: Kubectl, adminKubeconfigPath: string, folder: string): Promise<Installation> {
  const remove = async (): Promise<void> => {
    await admin(['delete', '--ignore-not-found', '--timeout=60s', ...files]);
  };
  // What an interrupted run has left would be taken for this one's.
  await admin(['delete', 'namespace', 'serin', '--ignore-not-found', '--timeout=60s']);
  await admin(['apply', '--server-side', ...files]);
  await admin(['wait', '--for=condition=Established', '--timeout=30s', 'crd/canaries.flagger.app']);
  const token = await until('the service account has a token', 20_000, () =>
    admin(['--namespace=serin', 'create', 'token', 'serin', '--duration=1h']),
  );
  const path = join(folder, 'agent.kubeconfig');
  await writeFile(path, await agentKubeconfig(adminKubeconfigPath, token.trim()), { mode: 0o600 });
  return { asAgent: kubectlAs(path, folder), agentKubeconfigPath: path, remove };
}

/** The administrator's cluster, with nothing but a token to enter it. */
export async function agentKubeconfig(adminKubeconfigPath: string, token: string): Promise<string> {
  const admin = parse(await readFile(adminKubeconfigPath, 'utf8')) as { clusters: { cluster: object }[] };
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'cluster', cluster: admin.clusters[0]?.cluster }],
    users: [{ name: 'serin', user: { token } }],
    contexts: [{ name: 'serin', context: { cluster: 'cluster', user: 'serin' } }],
    'current-context': 'serin',
  });
}

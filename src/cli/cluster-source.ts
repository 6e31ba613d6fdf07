import { existsSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { delimiter, join } from 'node:path';
import type { ClusterSource } from '../cluster/source.ts';
import type { Settings } from '../config/settings.ts';
import { AgentError } from '../lib/errors.ts';

/**
 * As kubectl finds it: the flag, KUBECONFIG (of several files those that exist), the home folder, the pod's service account. A context
 * that is named holds for all of them. Throws CONFIG_INVALID where there is none.
 */
export function clusterSource(
  { kubeconfig, context: named }: Pick<Settings, 'kubeconfig' | 'context'>,
  environment: Readonly<Record<string, string | undefined>>,
): ClusterSource {
  const context = named === '' ? {} : { context: named };
  if (kubeconfig !== '') return { kind: 'file', path: kubeconfig, ...context };
  const files = (environment['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  const found = files.length === 1 ? files : files.filter((path) => existsSync(path));
  const [only] = found;
  if (only !== undefined)
    return found.length === 1 ? { kind: 'file', path: only, ...context } : { kind: 'files', paths: found, ...context };
  if (files.length > 0) throw nothingFound(`none of the files in KUBECONFIG is there (${files.join(', ')})`);
  const inHome = join(environment['HOME'] ?? '', '.kube', 'config');
  if (environment['HOME'] && existsSync(inHome)) return { kind: 'file', path: inHome, ...context };
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '' } = environment;
  if (host === '' || port === '')
    throw nothingFound(`there is neither ${inHome} nor the service account of a pod, and KUBECONFIG is not set`);
  if (named !== '') throw nothingFound(`--context ${named} needs a kubeconfig, and there is only the service account`);
  return { kind: 'service-account', server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}` };
}

function nothingFound(why: string): AgentError {
  return new AgentError('CONFIG_INVALID', `no cluster: ${why}; name a kubeconfig with --kubeconfig`);
}

import type { Backend } from '../types.ts';
import type { ServiceTargets } from './endpoints.ts';
import type { Kubelet } from './kubelet.ts';

export interface Names {
  readonly resolve: (host: string, port: number, from?: string) => Backend | undefined;
  readonly podBackends: (namespace: string, service: string, port: number) => readonly Backend[];
}

/** The cluster's DNS and load balancing in one. */
export function createNames(table: ReadonlyMap<string, ServiceTargets>, kubelet: Kubelet): Names {
  const turns = new Map<string, number>();

  const backendsOf = (key: string, port: number): readonly Backend[] => {
    const [namespace = ''] = key.split('/');
    const targets = table.get(key)?.ports.find((one) => one.port === port)?.targets ?? [];
    return targets.flatMap((target) => kubelet.backend(namespace, target.name, target.port) ?? []);
  };
  const serviceAt = (host: string, from: string): string | undefined => {
    if (/^[\d.]+$/.test(host)) return [...table].find(([, { clusterIp }]) => clusterIp === host)?.[0];
    const [service = '', namespace = from, ...rest] = host.replace(/\.$/, '').toLowerCase().split('.');
    const zone = rest.join('.');
    return ['', 'svc', 'svc.cluster.local'].includes(zone) ? `${namespace}/${service}` : undefined;
  };
  return {
    resolve(host, port, from = 'default') {
      const pod = /^[\d.]+$/.test(host) ? kubelet.podByIp(host) : undefined;
      if (pod) return kubelet.backend(pod.namespace, pod.name, port);
      const key = serviceAt(host, from);
      const backends = key === undefined ? [] : backendsOf(key, port);
      const turn = turns.get(`${key}:${port}`) ?? 0;
      turns.set(`${key}:${port}`, turn + 1);
      return backends[turn % backends.length];
    },
    podBackends: (namespace, service, port) => backendsOf(`${namespace}/${service}`, port),
  };
}

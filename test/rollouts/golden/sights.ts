import { at } from '../../../src/lib/json.ts';
import type { ModelCluster } from '../../helpers/model-cluster.ts';

const daemonSetLook = /^daemonset (\S+): desired /;
const configLook = /^(\S+) has keys /;

/** Some of what the recordings list as done was only looked at. */
export const isSight = (what: string): boolean => daemonSetLook.test(what) || configLook.test(what);

/** The same look at our cluster, in the same words. */
export function sightOf(world: ModelCluster, what: string): string {
  const [, daemonSet = ''] = daemonSetLook.exec(what) ?? [];
  if (daemonSet) {
    const live = world.deployment(daemonSet);
    if (live?.kind !== 'DaemonSet') return `daemonset ${daemonSet}: none`;
    const nodes = at(live, 'spec', 'template', 'spec', 'nodeSelector') ?? {};
    const desired = at(live, 'status', 'desiredNumberScheduled');
    return `daemonset ${daemonSet}: desired ${String(desired)} nodeSelector ${JSON.stringify(nodes)}`;
  }
  const [, config = ''] = configLook.exec(what) ?? [];
  const live = world.objects.get(`ConfigMap/${config}`);
  const keysOf = (field: string): string => Object.keys(live?.[field] ?? {}).join(',');
  return `${config} has keys data=${keysOf('data')} binaryData=${keysOf('binaryData')}`;
}

import type { Cluster } from '../../cluster/cluster.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { nameOf } from '../../manifest/identity.ts';
import {
  inventoryLabel,
  inventorySelector,
  parseInventory,
  sourceInventoryLabel,
  sourceLabel,
} from '../../sync/inventory.ts';
import { isFromGit } from '../../sync/installation.ts';
import { defaultSource } from '../deps.ts';

const shownObjects = 5;

/**
 * Says what is left of sources that the settings do not name any more: what they applied stays as it is, and only a person lets it go. Never
 * throws.
 */
export async function tellFormerSources(
  { cluster, log, namespace }: { readonly cluster: Cluster; readonly log: Logger; readonly namespace: string },
  sources: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  try {
    const kind = { apiVersion: 'v1', kind: 'ConfigMap' };
    const found = await cluster.list(kind, { namespace, labelSelector: sourceInventoryLabel }, signal);
    const names = new Set(found.flatMap(({ metadata }) => metadata.labels?.[sourceInventoryLabel] ?? []));
    const former = [defaultSource, ...names].filter((name) => !sources.includes(name));
    for (const name of former) {
      const suffix = name === defaultSource ? undefined : name;
      const shards = await cluster.list(kind, { namespace, labelSelector: inventorySelector(suffix) }, signal);
      const { entries } = parseInventory(shards.filter((shard) => !isFromGit(shard)));
      if (entries.size === 0) continue;
      const objects = [...entries.values()].slice(0, shownObjects).map(({ ref }) => nameOf(ref));
      const more = entries.size > shownObjects ? `, and ${entries.size - shownObjects} more` : '';
      const label = suffix === undefined ? `${inventoryLabel}=true` : `${sourceLabel}=${name}`;
      log.warn(
        { source: name, objects: entries.size },
        `The settings do not name the source ${name} any more: nothing that it applied is deleted (${objects.join(', ')}${more}). Name it again, or delete yourself what is to go, then let the agent forget it: kubectl -n ${namespace} delete configmap -l ${label}`,
      );
    }
  } catch (error) {
    if (!signal.aborted) log.debug({ reason: messageOf(error) }, 'what is left of former sources is not known');
  }
}

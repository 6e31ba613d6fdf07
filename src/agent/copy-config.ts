import { configChecksum, mustBeReplaced, parseConfigKey, renderConfigCopy } from '../canary/configs.ts';
import type { ConfigKey, Seen } from '../canary/types.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { AgentError } from '../lib/errors.ts';
import { type KubeObject, refOf } from '../manifest/types.ts';
import { writeObject } from './writes.ts';

export interface CopyConfigInput {
  readonly canary: KubeObject;
  readonly key: ConfigKey;
  /** Of what was judged. */
  readonly checksum: string;
  readonly includeLabelPrefix: readonly string[];
}

/** Brings `<name>-primary` to what was judged. Throws CLUSTER_CONFLICT where that is there no more. Gives the copy. */
export async function copyConfig(
  cluster: Cluster,
  { canary, key, checksum, includeLabelPrefix }: CopyConfigInput,
  signal: AbortSignal,
): Promise<KubeObject> {
  const { kind, name } = parseConfigKey(key);
  const { namespace = '' } = canary.metadata;
  const source = await cluster.get({ apiVersion: 'v1', kind, namespace, name }, signal);
  if (!source) throw new AgentError('CLUSTER_REFUSED', `${kind} ${namespace}/${name} is gone`);
  // Only what was judged may be promoted: a change that came in between starts the analysis anew.
  if (configChecksum(source) !== checksum)
    throw new AgentError('CLUSTER_CONFLICT', `${kind} ${namespace}/${name} changed meanwhile`);
  const live = await cluster.get({ apiVersion: 'v1', kind, namespace, name: `${name}-primary` }, signal);
  const copy = renderConfigCopy(source, { canary, live, includeLabelPrefix });
  if (!live || !mustBeReplaced(live, copy)) {
    await writeObject(cluster, copy, live, signal);
    return copy;
  }
  // Pods that run keep what they have; those that start in this moment wait for it.
  const { uid } = live.metadata;
  await cluster.remove(refOf(live), uid === undefined ? {} : { uid }, signal);
  const { labels, ownerReferences } = copy.metadata;
  const { immutable: _immutable, ...content } = copy;
  const metadata = { name: copy.metadata.name, namespace, ...(labels ? { labels } : {}) };
  const fresh = { ...content, metadata: ownerReferences ? { ...metadata, ownerReferences } : metadata } as KubeObject;
  await writeObject(cluster, fresh, undefined, signal);
  return fresh;
}

/**
 * Whether the copy stands already as it was judged, so that nothing has to be asked or written: an image changes far more often than
 * its configs. Labels are not known here, so where they are copied too, it is looked at.
 */
export function isCopied(
  { key, checksum }: Pick<CopyConfigInput, 'key' | 'checksum'>,
  { canary, configs }: Pick<Seen, 'canary' | 'configs'>,
  includeLabelPrefix: readonly string[],
): boolean {
  const copy = configs.get(`${key}-primary` as ConfigKey);
  const isOwned = copy?.owners?.includes(canary.metadata.uid ?? '') ?? false;
  return includeLabelPrefix.length === 0 && isOwned && copy?.checksum === checksum;
}

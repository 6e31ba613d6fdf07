import { flaggerCopy } from '../../canary/config-copies.ts';
import { mustBeReplaced, parseConfigKey, renderConfigCopy } from '../../canary/configs.ts';
import { isCanaryRef, ownerOf } from '../../canary/owner.ts';
import type { ConfigKey, Seen } from '../../canary/types.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { AgentError } from '../../lib/errors.ts';
import { namespacedName } from '../../lib/key.ts';
import { type KubeObject, type ObjectRef, refOf } from '../../manifest/types.ts';
import { writeObject } from './writes.ts';

export interface CopyConfigInput {
  readonly canary: KubeObject;
  readonly key: ConfigKey;
  /** Absent: Flagger's name. */
  readonly copy?: ConfigKey;
  /** Of what was judged. */
  readonly checksum: string;
  readonly checksumOf: (object: KubeObject) => string;
  readonly includeLabelPrefix: readonly string[];
}

/**
 * Throws CLUSTER_CONFLICT where any of these configs is not what was judged any more: asked of all before the first copy is written, so that
 * a primary is not left with some of them.
 */
export async function checkSources(
  cluster: Cluster,
  canary: KubeObject,
  configs: readonly Pick<CopyConfigInput, 'key' | 'checksum'>[],
  checksumOf: CopyConfigInput['checksumOf'],
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(configs.map((config) => judgedSource(cluster, { canary, ...config, checksumOf }, signal)));
}

async function judgedSource(
  cluster: Cluster,
  { canary, key, checksum, checksumOf }: Pick<CopyConfigInput, 'canary' | 'key' | 'checksum' | 'checksumOf'>,
  signal: AbortSignal,
): Promise<KubeObject> {
  const { kind, name } = parseConfigKey(key);
  const { namespace = '' } = canary.metadata;
  const source = await cluster.get({ apiVersion: 'v1', kind, namespace, name }, signal);
  if (!source) throw new AgentError('CLUSTER_REFUSED', `${kind} ${namespacedName({ namespace, name })} is gone`);
  // Only what was judged may be promoted: a change that came in between starts the analysis anew.
  if (checksumOf(source) !== checksum)
    throw new AgentError('CLUSTER_CONFLICT', `${kind} ${namespacedName({ namespace, name })} changed meanwhile`);
  return source;
}

/**
 * Brings the copy to what was judged. Throws CLUSTER_CONFLICT where that is there no more, or the copy is another Canary's or nobody's by
 * now. Gives the copy.
 */
export async function copyConfig(
  cluster: Cluster,
  { canary, key, copy: copyKey = flaggerCopy(key), checksum, checksumOf, includeLabelPrefix }: CopyConfigInput,
  signal: AbortSignal,
): Promise<KubeObject> {
  const source = await judgedSource(cluster, { canary, key, checksum, checksumOf }, signal);
  const { namespace = '' } = canary.metadata;
  const ref: ObjectRef = { apiVersion: 'v1', ...parseConfigKey(copyKey), namespace };
  const live = await cluster.get(ref, signal);
  if (live && !isOnlyOwn(live, canary)) throw taken(ref);
  const copy = renderConfigCopy(source, { canary, name: ref.name, live, includeLabelPrefix });
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
  { key, copy: copyKey = flaggerCopy(key), checksum }: Pick<CopyConfigInput, 'key' | 'copy' | 'checksum'>,
  { canary, configs }: Pick<Seen, 'canary' | 'configs'>,
  includeLabelPrefix: readonly string[],
): boolean {
  const copy = configs.get(copyKey);
  const isOwned = copy?.owners?.includes(canary.metadata.uid ?? '') ?? false;
  return includeLabelPrefix.length === 0 && isOwned && copy?.checksum === checksum;
}

/** Makes the Canary one more owner of a copy; does nothing where it is one already, or where it is no Canary's. */
export async function joinCopy(
  cluster: Cluster,
  { canary, copy }: Pick<Required<CopyConfigInput>, 'canary' | 'copy'>,
  signal: AbortSignal,
): Promise<void> {
  const live = await cluster.get(copyRef(copy, canary), signal);
  const owners = live?.metadata.ownerReferences ?? [];
  if (!live || !owners.some(isCanaryRef) || owners.some(({ uid }) => uid === canary.metadata.uid)) return;
  const ownerReferences = [...owners, { ...ownerOf(canary), controller: false }];
  await writeObject(cluster, { ...live, metadata: { ...live.metadata, ownerReferences } }, live, signal);
}

/** The Canary owns this copy no longer. Removes it, and gives true, where nobody else does. */
export async function leaveCopy(
  cluster: Cluster,
  { canary, copy }: Pick<Required<CopyConfigInput>, 'canary' | 'copy'>,
  signal: AbortSignal,
): Promise<boolean> {
  const live = await cluster.get(copyRef(copy, canary), signal);
  const owners = live?.metadata.ownerReferences ?? [];
  if (!live || !owners.some(({ uid }) => uid === canary.metadata.uid)) return false;
  const others = owners.filter(({ uid }) => uid !== canary.metadata.uid);
  if (others.length === 0) {
    const { uid } = live.metadata;
    await cluster.remove(refOf(live), uid === undefined ? {} : { uid }, signal);
    return true;
  }
  // One of the others controls it from now on.
  const isControlled = others.some(({ controller }) => controller === true);
  const heir = others.find(isCanaryRef);
  const ownerReferences = others.map((other) =>
    other === heir && !isControlled ? { ...other, controller: true } : other,
  );
  await writeObject(cluster, { ...live, metadata: { ...live.metadata, ownerReferences } }, live, signal);
  return false;
}

function copyRef(copy: ConfigKey, { metadata }: KubeObject): ObjectRef {
  return { apiVersion: 'v1', ...parseConfigKey(copy), namespace: metadata.namespace ?? '' };
}

function isOnlyOwn({ metadata }: KubeObject, canary: KubeObject): boolean {
  const owners = metadata.ownerReferences ?? [];
  const isOwn = ({ uid }: { readonly uid: string }): boolean => uid === canary.metadata.uid;
  return owners.some(isOwn) && owners.filter(isCanaryRef).every(isOwn);
}

function taken({ kind, namespace, name }: ObjectRef): AgentError {
  const message = `${kind} ${namespacedName({ namespace, name })} is not this Canary's copy: delete or rename it, or release its owner first`;
  return new AgentError('CLUSTER_CONFLICT', message);
}

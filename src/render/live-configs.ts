import { messageOf } from '../lib/errors.ts';
import { namespacedName } from '../lib/key.ts';
import { answered, type Steps } from '../lib/turns.ts';
import type { LoadSettings } from '../manifest/load.ts';
import { ownRefusal } from '../manifest/own-objects.ts';
import type { KubeObject } from '../manifest/types.ts';

/** Names a ConfigMap or Secret of the cluster. */
export interface ConfigRef {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly namespace: string;
  readonly name: string;
}

/** ConfigMaps and Secrets of the cluster that renderings are made with. */
export interface LiveConfigs {
  /** Undefined: there is none. Rejects where that cannot be known now. What was asked for is rendered anew when it changes. */
  read(ref: ConfigRef): Promise<KubeObject | undefined>;
}

/** The texts of a ConfigMap or Secret, by key. */
export function textsOf(object: KubeObject): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  const isSecret = object.kind === 'Secret';
  for (const [field, isEncoded] of [
    ['data', isSecret],
    ['stringData', false],
  ] as const) {
    const data = object[field];
    if (typeof data !== 'object' || data === null) continue;
    for (const [key, value] of Object.entries(data))
      if (typeof value === 'string') texts.set(key, isEncoded ? Buffer.from(value, 'base64').toString('utf8') : value);
  }
  return texts;
}

/** Why what stands at a path may not be made with a ConfigMap or Secret of the cluster. Undefined: it may. */
export function readingRefused(
  { kind, namespace, name }: ConfigRef,
  path: string,
  { tenancy }: Pick<LoadSettings, 'tenancy'>,
): string | undefined {
  const refusal = tenancy?.refusal({ apiVersion: 'v1', kind, metadata: { name, namespace } }, path);
  return refusal && `the ${kind} ${namespacedName({ namespace, name })} is not for whoever writes ${path}`;
}

/** What the cluster has. Undefined: nothing; a text says why it is not asked, or cannot be. `path`: where it is named. */
export function* liveConfig(
  { kind, namespace, name }: ConfigRef,
  path: string,
  {
    live,
    settings,
    missed,
  }: {
    readonly live: LiveConfigs | undefined;
    readonly settings: LoadSettings;
    /** Called where a cluster would know. Absent: nobody asks. */
    readonly missed?: () => unknown;
  },
): Steps<KubeObject | undefined | string> {
  const ref = { kind, namespace, name };
  const isOwn = settings.own && ownRefusal({ apiVersion: 'v1', kind, metadata: { name, namespace } }, settings.own);
  if (isOwn) return "which is not in Git, and in the cluster the agent's own: put it into another namespace";
  const refused = readingRefused(ref, path, settings);
  if (refused !== undefined) return `which is not in Git, and in the cluster belongs to another tenant`;
  if (!live) missed?.();
  if (!live) return 'which is not in Git, and no cluster is asked here';
  try {
    return yield* answered(live.read(ref));
  } catch (error) {
    return `which is not in Git, and cannot be read in the cluster (${messageOf(error).split('\n', 1)[0]?.slice(0, 200) ?? ''})`;
  }
}

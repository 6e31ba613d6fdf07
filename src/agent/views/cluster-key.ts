import { randomBytes } from 'node:crypto';
import { configChecksum } from '../../canary/configs.ts';
import { checksumOf, withoutPlain } from '../../canary/secret-checksums.ts';
import { parseStatus } from '../../canary/status.ts';
import type { CanaryStatus } from '../../canary/types.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { backoffMs } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { namespacedName } from '../../lib/key.ts';
import { createKeyedDigest, type KeyedDigest } from '../../lib/keyed-digest.ts';
import type { Logger } from '../../lib/log.ts';
import { perObject } from '../../lib/memo.ts';
import type { KubeObject, ObjectRef } from '../../manifest/types.ts';
import { readSecret } from './secrets.ts';

/** Secret of the agent's namespace, and its key. Made at the first start; whoever has it can guess Secrets from their checksums. */
const keySecret = 'serin-key';
const keyField = 'hmac';

const manager = 'serin-key';
const backoff = { baseMs: 1_000, capMs: 30_000 };
const fewestLetters = 32;

/** What the checksums of Secrets are made with, in status, ledgers and whatever else others read. */
export interface ClusterKey {
  /** Resolves when it is known, or when the agent stops. */
  readonly known: Promise<void>;
  /** Why it is not known; undefined when it is, or is being read. */
  readonly trouble: string | undefined;
  /** Of a ConfigMap or Secret. Throws CLUSTER_UNREACHABLE of a Secret while the key is not known. */
  checksumOf(object: KubeObject): string;
  /** What is mixed into hashes of what is made with secrets. Rejects where the agent stops before the key is known. */
  salt(): Promise<string>;
  /** A Canary's status without plain checksums of Secrets, which Flagger and former agents wrote; parseStatus' own where it has none. */
  statusOf(canary: KubeObject): CanaryStatus;
}

export interface ClusterKeyOptions {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly log: Logger;
  readonly namespace: string;
}

/** Once it is `begun`, reads the key, or makes it, and tries until it has it. Until then only what has to do with Secrets waits. */
export function openClusterKey(
  options: ClusterKeyOptions,
  signal: AbortSignal,
  begun: Promise<void> = Promise.resolve(),
): ClusterKey {
  const { clock, log, namespace } = options;
  let keyed: ReturnType<typeof keyedBy> | undefined;
  let salt: string | undefined;
  let trouble: string | undefined;
  const open = async (): Promise<void> => {
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        const digest = createKeyedDigest(await readOrMake(options, signal));
        salt = ['first', 'second'].map((half) => digest.of('contents', half)).join(' ');
        keyed = keyedBy(digest);
        trouble = undefined;
        return;
      } catch (error) {
        if (signal.aborted) return;
        const said = `the key for checksums of Secrets (Secret ${namespacedName({ namespace, name: keySecret })}) cannot be had: ${messageOf(error)}`;
        if (said !== trouble) log.error({}, `${said}; canaries with Secrets wait for it`);
        trouble = said;
        await clock.sleep(backoffMs(attempt, backoff, 1), signal).catch(() => undefined);
      }
    }
  };
  const known = begun.then(open);
  return {
    get trouble() {
      return trouble;
    },
    known,
    async salt() {
      await known;
      if (salt === undefined) throw new AgentError('CLUSTER_UNREACHABLE', trouble ?? 'the agent stops');
      return salt;
    },
    checksumOf(object) {
      if (object.kind !== 'Secret') return configChecksum(object);
      if (keyed === undefined)
        throw new AgentError('CLUSTER_UNREACHABLE', trouble ?? 'the key for checksums of Secrets is not read yet');
      return keyed.checksumOf(object);
    },
    statusOf: (canary) => (keyed ? keyed.statusOf(canary) : parseStatus(canary)),
  };
}

export function keyedBy(digest: KeyedDigest): Pick<ClusterKey, 'checksumOf' | 'statusOf'> {
  return {
    checksumOf: (object) => checksumOf(object, digest),
    statusOf: perObject((canary: KubeObject): CanaryStatus => {
      const status = parseStatus(canary);
      if (status.trackedConfigs === undefined) return status;
      const trackedConfigs = withoutPlain(status.trackedConfigs, canary.metadata.namespace ?? '', digest);
      return trackedConfigs === status.trackedConfigs ? status : { ...status, trackedConfigs };
    }),
  };
}

async function readOrMake({ cluster, namespace }: ClusterKeyOptions, signal: AbortSignal): Promise<string> {
  const found = await readSecret(cluster, namespace, keySecret, signal);
  if (found) return keyIn(found);
  const hmac = randomBytes(32).toString('hex');
  const secret: KubeObject = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: keySecret, namespace },
    type: 'Opaque',
    data: { [keyField]: Buffer.from(hmac).toString('base64') },
    immutable: true,
  };
  try {
    await makeOwnSecret(cluster, secret, signal);
    return hmac;
  } catch (error) {
    if (!(error instanceof AgentError) || error.details['reason'] !== 'AlreadyExists') throw error;
    // Another agent was faster.
    return keyIn((await readSecret(cluster, namespace, keySecret, signal)) ?? {});
  }
}

/** Makes a Secret of the agent's own namespace, and this where it is not there. */
export async function makeOwnSecret(
  cluster: Pick<Cluster, 'create' | 'apply'>,
  secret: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  try {
    await cluster.create(secret, { manager }, signal);
  } catch (error) {
    if (!(error instanceof AgentError) || error.details['status'] !== 404) throw error;
    // Started outside of an installation: the agent's own namespace is not there yet.
    const ref: ObjectRef = { apiVersion: 'v1', kind: 'Namespace', name: secret.metadata.namespace ?? '' };
    await cluster.apply(
      { apiVersion: ref.apiVersion, kind: ref.kind, metadata: { name: ref.name } },
      { manager, force: true },
      signal,
    );
    await cluster.create(secret, { manager }, signal);
  }
}

function keyIn(data: Readonly<Record<string, string>>): string {
  const key = data[keyField]?.trim() ?? '';
  if (key.length >= fewestLetters) return key;
  throw new AgentError(
    'CLUSTER_REFUSED',
    `its key ${keyField} is missing or shorter than ${fewestLetters} letters; delete the Secret, and a new one is made`,
  );
}

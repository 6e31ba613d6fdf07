import { makeOwnSecret } from '../agent/views/cluster-key.ts';
import type { Cluster } from '../cluster/cluster.ts';
import { makeSshKey, readSshKey, type SshKey } from '../git/ssh/key.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { namespacedName } from '../lib/key.ts';
import type { KubeObject, ObjectRef } from '../manifest/types.ts';

/** Where a deploy key is kept: the private half in `identity`, as with Flux, the public one beside it. */
export interface KeySecret {
  readonly namespace: string;
  readonly name: string;
}

const privateField = 'identity';
const publicField = 'identity.pub';
const manager = 'serin-git-deploy';
/** Two agents that start at once; a third attempt reads what one of them has made. */
const ATTEMPTS = 3;

const refOf = ({ namespace, name }: KeySecret): ObjectRef => ({ apiVersion: 'v1', kind: 'Secret', namespace, name });

/** The key in the Secret. Undefined: there is no Secret, or none in it yet. Throws CONFIG_INVALID where it is of no use, without telling it. */
export async function readDeployKey(
  cluster: Pick<Cluster, 'get'>,
  secret: KeySecret,
  signal: AbortSignal,
): Promise<SshKey | undefined> {
  const found = await cluster.get(refOf(secret), signal);
  return found && keyIn(found, secret);
}

/** The key in the Secret, which is made where it is missing. A key that somebody has put there is used as it is. */
export async function readOrMakeDeployKey(
  cluster: Pick<Cluster, 'get' | 'create' | 'apply' | 'mergePatch'>,
  secret: KeySecret,
  signal: AbortSignal,
): Promise<SshKey> {
  for (let attempt = 1; ; attempt += 1) {
    const found = await cluster.get(refOf(secret), signal);
    const there = found && (await keyIn(found, secret));
    if (there) return there;
    try {
      const key = await makeSshKey('serin');
      await keep(cluster, secret, key, found, signal);
      return key;
    } catch (error) {
      // Another agent was faster: its key counts.
      const isRaced =
        error instanceof AgentError &&
        (error.code === 'CLUSTER_CONFLICT' || error.details['reason'] === 'AlreadyExists');
      if (!isRaced || attempt === ATTEMPTS) throw error;
    }
  }
}

async function keyIn(found: KubeObject, { namespace, name }: KeySecret): Promise<SshKey | undefined> {
  const data = found['data'] as Readonly<Record<string, string>> | undefined;
  const text = Buffer.from(data?.[privateField] ?? '', 'base64').toString('utf8');
  if (text.trim() === '') return undefined;
  try {
    return await readSshKey(text);
  } catch (error) {
    throw new AgentError(
      'CONFIG_INVALID',
      `Secret ${namespacedName({ namespace, name })}: ${privateField}: ${messageOf(error)}; take ${privateField} out of it, and a new key is made`,
    );
  }
}

async function keep(
  cluster: Pick<Cluster, 'create' | 'apply' | 'mergePatch'>,
  secret: KeySecret,
  key: SshKey,
  found: KubeObject | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name } = secret;
  const data = { [privateField]: base64(key.privateKey), [publicField]: base64(`${key.publicKey}\n`) };
  try {
    if (found) {
      const { resourceVersion } = found.metadata;
      await cluster.mergePatch(
        refOf(secret),
        { data, ...(resourceVersion === undefined ? {} : { metadata: { resourceVersion } }) },
        { manager },
        signal,
      );
    } else {
      const object: KubeObject = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { namespace, name },
        type: 'Opaque',
        data,
      };
      await makeOwnSecret(cluster, object, signal);
    }
  } catch (error) {
    if (!(error instanceof AgentError) || error.details['status'] !== 403) throw error;
    throw new AgentError(
      'CLUSTER_REFUSED',
      `a key for Git cannot be kept in the Secret ${namespacedName({ namespace, name })}: ${error.message}; give the agent create and patch of secrets there, or make the Secret: kubectl -n ${namespace} create secret generic ${name} --from-file=${privateField}=FILE`,
    );
  }
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

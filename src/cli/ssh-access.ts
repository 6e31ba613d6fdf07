import { readFile } from 'node:fs/promises';
import type { Cluster } from '../cluster/cluster.ts';
import type { Settings } from '../config/settings.ts';
import { isSshUrl } from '../git/ssh/address.ts';
import { readSshKey } from '../git/ssh/key.ts';
import type { RepoOptions } from '../git/open-repo.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { readOrMakeDeployKey } from './deploy-key.ts';

/** A connection to Git does not wait longer than this for the Secret with its key. */
const SECRET_TIMEOUT_MS = 20_000;

/**
 * How `serin run` signs in over SSH: with the key in a file, else with that in a Secret of the agent's own namespace, which is made at the first start.
 * Its public half is logged once, and again when it is another one. Nothing where the URL is none of SSH.
 */
export function sshAccess(
  raw: Settings,
  cluster: Pick<Cluster, 'get' | 'create' | 'apply' | 'mergePatch'>,
  log: Logger,
): Pick<RepoOptions, 'ssh'> {
  if (!isSshUrl(raw['git-url'])) return {};
  const secret = { namespace: raw['agent-namespace'], name: raw['git-ssh-secret'] };
  let last: { readonly privateKey: string; readonly publicKey: string } | undefined;
  const told = (key: { readonly privateKey: string; readonly publicKey: string }): string => {
    if (key.publicKey !== last?.publicKey)
      log.info({}, `identity.pub ${key.publicKey} (let it write to the repository: a deploy key with write access)`);
    last = key;
    return key.privateKey;
  };
  const fromSecret = async (): Promise<string> => {
    try {
      return told(await readOrMakeDeployKey(cluster, secret, AbortSignal.timeout(SECRET_TIMEOUT_MS)));
    } catch (error) {
      // A cluster that does not answer is no reason to lose Git, too.
      if (last && error instanceof AgentError && error.code === 'CLUSTER_UNREACHABLE') return last.privateKey;
      throw error;
    }
  };
  const fromFile = async (): Promise<string> => {
    const path = raw['git-ssh-key-file'];
    const text = await readFile(path, 'utf8').catch((error: unknown) => {
      throw new AgentError('CONFIG_INVALID', `--git-ssh-key-file: ${messageOf(error)}`);
    });
    const key = await readSshKey(text).catch((error: unknown) => {
      throw new AgentError('CONFIG_INVALID', `--git-ssh-key-file: ${path}: ${messageOf(error)}`);
    });
    return told(key);
  };
  return {
    ssh: {
      username: raw['git-username'],
      identity: raw['git-ssh-key-file'] === '' ? fromSecret : fromFile,
      knownHosts: async () => `${raw['git-known-hosts']}\n${await readKnownHosts(raw['git-known-hosts-file'])}`,
    },
  };
}

/** A file that is not there yet knows no host: then only those are trusted that are built in. */
async function readKnownHosts(path: string): Promise<string> {
  if (path === '') return '';
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
    throw new AgentError('GIT_AUTH', `--git-known-hosts-file: ${messageOf(error)}`, { details: { phase: 'connect' } });
  }
}

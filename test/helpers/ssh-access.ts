import type { SshAccess } from '../../src/git/ssh/connection.ts';
import type { SshKey } from '../../src/git/ssh/key.ts';

/** Signs in with a key, and trusts the lines of known_hosts. */
export const accessWith = (key: SshKey, knownHosts: string): Omit<SshAccess, 'connectTimeoutMs'> => ({
  identity: () => Promise.resolve(key.privateKey),
  knownHosts: () => Promise.resolve(knownHosts),
  username: 'git',
});

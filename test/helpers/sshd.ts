import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { makeSshKey, type SshKey } from '../../src/git/ssh/key.ts';
import { freePort, listens } from './listener.ts';

/** OpenSSH's server on loopback, with a host key of its own; whoever has one of the keys may run commands as this user. */
export interface Sshd {
  readonly port: number;
  readonly username: string;
  readonly hostKey: SshKey;
  /** A line of known_hosts that trusts it. */
  readonly knownHosts: string;
  /** Of a repository, by its path on this machine. */
  repoUrl(path: string): string;
  /** What it has told of what happened, so far. */
  log(): string;
  stop(): Promise<void>;
}

export interface SshdOptions {
  /** For its files; made by the caller and removed by it. */
  readonly dir: string;
  /** Public keys that are let in. */
  readonly authorized: readonly string[];
  /** False: the server drops what the client says of Git's protocol, as sshd does by default. */
  readonly takesProtocol?: boolean;
  readonly config?: readonly string[];
}

const places = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/sbin/sshd', '/opt/homebrew/sbin/sshd'];

/** Undefined: this machine has none. */
export const sshdPath = places.find((path) => existsSync(path));

export async function startSshd({ dir, authorized, takesProtocol = true, config = [] }: SshdOptions): Promise<Sshd> {
  if (sshdPath === undefined) throw new Error('there is no sshd here');
  const hostKey = await makeSshKey('host');
  const keyFile = join(dir, 'host_key');
  await writeFile(keyFile, hostKey.privateKey, { mode: 0o600 });
  await writeFile(join(dir, 'authorized_keys'), authorized.map((key) => `${key}\n`).join(''), { mode: 0o600 });
  const username = userInfo().username;
  // Where it is begun as root, it wants an empty folder for its unprivileged half.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const port = await freePort();
  await writeFile(
    join(dir, 'sshd_config'),
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${keyFile}`,
      `AuthorizedKeysFile ${join(dir, 'authorized_keys')}`,
      'PidFile none',
      'UsePAM no',
      'UseDNS no',
      'StrictModes no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin prohibit-password',
      'PrintMotd no',
      // A shell that is no first one reads no start-up files of whoever runs the tests.
      'SetEnv SHLVL=9',
      ...(takesProtocol ? ['AcceptEnv GIT_PROTOCOL'] : []),
      ...config,
      '',
    ].join('\n'),
  );
  const child = spawn(sshdPath, ['-D', '-e', '-f', join(dir, 'sshd_config')], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (log += chunk));
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await listens({ name: 'sshd', port, exitCode: () => child.exitCode, log: () => log });
  return {
    port,
    username,
    hostKey,
    knownHosts: `[127.0.0.1]:${port} ${hostKey.publicKey}\n`,
    repoUrl: (path) => `ssh://${username}@127.0.0.1:${port}${path}`,
    log: () => log,
    async stop() {
      child.kill('SIGTERM');
      await gone;
    },
  };
}

/** What ssh-keygen makes of a private key: its public half. */
export const publicHalfByOpenSsh = (file: string): string =>
  execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' }).trim();

import { connect, type Socket } from 'node:net';
import type { Client, ClientChannel } from 'ssh2';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { createLimit } from '../../lib/limit.ts';
import { hostFailure } from '../transport-failures.ts';
import { hostName, type SshAddress } from './address.ts';
import { readSshKey, type SshKey } from './key.ts';
import { fingerprintOf, type HostTrust, trustOf, typeOf } from './known-hosts.ts';

export interface SshAccess {
  /** The private key; asked for before each connection. */
  readonly identity: () => Promise<string>;
  /** Lines of known_hosts; asked for before each connection. */
  readonly knownHosts: () => Promise<string>;
  /** Where the URL names no user. */
  readonly username: string;
  readonly connectTimeoutMs: number;
}

/** One authenticated connection to a host of which the key is known. */
export interface SshConnection {
  /** False: it has ended, is to end, or is old. */
  readonly isUsable: boolean;
  /**
   * Runs a command, few at a time, and gives its channel, and whether the connection still stands; `use` resolves when nothing more is
   * wanted of it. Rejects with GIT_UNREACHABLE of the phase `connect` where the command cannot be begun.
   */
  run<T>(
    command: string,
    version: 0 | 2,
    use: (channel: ClientChannel, isAlive: () => boolean) => Promise<T>,
  ): Promise<T>;
  /** Begins no more commands, and ends when the last one has. */
  retire(): void;
  close(): void;
}

/** Servers allow ten channels on a connection, unless they are told otherwise. */
const COMMANDS_AT_ONCE = 4;
/** Then a key or a line of known_hosts that was taken away counts. */
const LONGEST_LIFE_MS = 600_000;
const KEEPALIVE_MS = 15_000;
const KEEPALIVES_MISSED = 3;
const BEGIN_TIMEOUT_MS = 20_000;
/** A channel that the server does not close takes its connection along. */
const CLOSE_TIMEOUT_MS = 3_000;

/** Types of host keys, and by which algorithms they are proven. SHA-1 is not among them. */
const ALGORITHMS: ReadonlyMap<string, readonly string[]> = new Map([
  ['ssh-ed25519', ['ssh-ed25519']],
  ['ecdsa-sha2-nistp256', ['ecdsa-sha2-nistp256']],
  ['ecdsa-sha2-nistp384', ['ecdsa-sha2-nistp384']],
  ['ecdsa-sha2-nistp521', ['ecdsa-sha2-nistp521']],
  ['ssh-rsa', ['rsa-sha2-512', 'rsa-sha2-256']],
]);

/** Rejects with GIT_UNREACHABLE, GIT_AUTH (host key, own key), GIT_PROTOCOL or CONFIG_INVALID. Ends with the signal, too. */
export async function openSshConnection(
  address: SshAddress,
  access: SshAccess,
  signal: AbortSignal,
): Promise<SshConnection> {
  const key = await access
    .identity()
    .then(readSshKey)
    .catch((cause: unknown) => {
      throw new AgentError('GIT_AUTH', `the private key for SSH cannot be used: ${messageOf(cause)}`, {
        details: { phase: 'connect' },
      });
    });
  const trust = trustOf(address, await access.knownHosts());
  const { Client } = (await import('ssh2')).default;
  const socket = await openSocket(address, access.connectTimeoutMs, signal);
  const client = new Client();
  // What comes after the handshake has its own listener below; a late error must not end the process.
  client.on('error', () => undefined);
  await signIn(client, socket, { address, access, key, trust, signal });
  return connectionOf(client, socket, address.host);
}

async function openSocket({ host, port }: SshAddress, timeoutMs: number, signal: AbortSignal): Promise<Socket> {
  signal.throwIfAborted();
  const socket = connect({ host, port });
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.destroy();
      reject(signal.aborted ? (signal.reason as Error) : hostFailure(host, cause, timeoutMs, 'connect'));
    };
    const abort = (): void => fail(signal.reason);
    const late = Object.assign(new Error('no connection in time'), { code: 'UND_ERR_CONNECT_TIMEOUT' });
    const timer = setTimeout(() => fail(late), timeoutMs);
    signal.addEventListener('abort', abort, { once: true });
    socket.once('error', fail);
    socket.once('connect', () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.off('error', fail);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

interface SignIn {
  readonly address: SshAddress;
  readonly access: SshAccess;
  readonly key: SshKey;
  readonly trust: HostTrust;
  readonly signal: AbortSignal;
}

function signIn(client: Client, socket: Socket, { address, access, key, trust, signal }: SignIn): Promise<void> {
  const { host } = address;
  const username = address.username ?? access.username;
  let distrust: AgentError | undefined;
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      if (error === undefined) return resolve();
      client.destroy();
      socket.destroy();
      reject(error as Error);
    };
    const abort = (): void => settle(signal.reason);
    const tooLate = (): void =>
      settle(
        unreachable(host, `it did not greet and sign in over SSH within ${(2 * access.connectTimeoutMs) / 1000} s`),
      );
    const timer = setTimeout(tooLate, 2 * access.connectTimeoutMs);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    client.once('ready', () => settle());
    client.once('error', (error: Error & { level?: string }) =>
      settle(distrust ?? signInFailure(error, { address, key, username })),
    );
    client.once('close', () => settle(distrust ?? unreachable(host, 'the connection was closed while signing in')));
    client.connect({
      sock: socket,
      username,
      // This key and nothing else: no password, no agent.
      privateKey: key.privateKey,
      authHandler: ['publickey'],
      hostVerifier: (blob: Buffer) => {
        distrust = distrustOf(address, blob, trust);
        return distrust === undefined;
      },
      algorithms: { serverHostKey: hostKeyAlgorithms(trust) as never },
      readyTimeout: 0,
      keepaliveInterval: KEEPALIVE_MS,
      keepaliveCountMax: KEEPALIVES_MISSED,
    });
  });
}

/** Keys that are known first, so that a host with several shows one of them. */
function hostKeyAlgorithms({ keys }: HostTrust): string[] {
  const known = new Set(keys.map(({ type }) => type));
  const types = [...ALGORITHMS.keys()];
  const order = [...types.filter((type) => known.has(type)), ...types.filter((type) => !known.has(type))];
  return order.flatMap((type) => ALGORITHMS.get(type) ?? []);
}

function distrustOf(address: SshAddress, blob: Buffer, trust: HostTrust): AgentError | undefined {
  const verdict = trust.judge(blob);
  if (verdict.kind === 'known') return undefined;
  const name = hostName(address);
  const shown = `${typeOf(blob) ?? 'a key'} ${fingerprintOf(blob)}`;
  const scan = `ssh-keyscan ${address.port === 22 ? '' : `-p ${address.port} `}${address.host}`;
  if (verdict.kind === 'unknown')
    return untrusted(
      `${name}: the host key of this Git server is not known: ${shown}; nothing was sent. Compare it with what its operator publishes, then give it by --git-known-hosts-file (${scan} writes such lines)`,
    );
  if (verdict.kind === 'revoked')
    return untrusted(`${name}: the host key of this Git server is revoked in known_hosts: ${shown}; nothing was sent`);
  return untrusted(
    `${name}: the host key of this Git server HAS CHANGED, or somebody stands between: it is now ${shown}, and known is ${verdict.trusted.join(', ')}; nothing was sent. If its operator says that it was replaced, give the new one by --git-known-hosts-file (${scan} writes such lines)`,
  );
}

const untrusted = (message: string): AgentError =>
  new AgentError('GIT_AUTH', message, { details: { phase: 'connect', host: 'untrusted' } });

function signInFailure(
  error: Error & { level?: string },
  { address, key, username }: { address: SshAddress; key: SshKey; username: string },
): AgentError {
  if (error.level === 'client-authentication')
    return new AgentError(
      'GIT_AUTH',
      `${hostName(address)}: the Git server does not let ${username} in with the key ${key.fingerprint}; add its public half to the repository as a deploy key that may write: ${key.publicKey}`,
      { details: { phase: 'connect' } },
    );
  if (error.level === 'handshake' || error.level === 'protocol')
    return new AgentError('GIT_PROTOCOL', `${hostName(address)}: no SSH connection: ${error.message.slice(0, 200)}`, {
      details: { phase: 'connect' },
    });
  return hostFailure(address.host, error, 0, 'connect');
}

function unreachable(host: string, reason: string): AgentError {
  return new AgentError('GIT_UNREACHABLE', `${host}: ${reason}`, { details: { phase: 'connect' } });
}

function connectionOf(client: Client, socket: Socket, host: string): SshConnection {
  const limit = createLimit(COMMANDS_AT_ONCE);
  const endMs = performance.now() + LONGEST_LIFE_MS;
  let state: 'open' | 'retired' | 'ended' = 'open';
  let failure: string | undefined;
  let commands = 0;
  const end = (): void => {
    state = 'ended';
    client.end();
    // What the server does with it is its own affair.
    socket.destroySoon();
  };
  client.on('error', (error: Error) => {
    failure ??= error.message.slice(0, 200);
    end();
  });
  client.on('close', () => {
    if (state !== 'ended') failure ??= 'the connection was closed';
    state = 'ended';
    for (const refuse of asked) refuse(new Error(failure ?? 'the connection was closed'));
  });
  /** Of channels that were asked for: they are forgotten where the connection goes. */
  const asked = new Set<(error: Error) => void>();
  const begin = (command: string, version: 0 | 2): Promise<ClientChannel> =>
    new Promise((resolve, reject) => {
      const refuse = (error: Error): void => {
        asked.delete(refuse);
        clearTimeout(timer);
        // Of no more use, whatever the reason: too many sessions, or half dead.
        if (state === 'open') state = 'retired';
        reject(unreachable(host, `the Git server begins no command over SSH: ${error.message.slice(0, 200)}`));
      };
      const timer = setTimeout(() => refuse(new Error('it does not answer')), BEGIN_TIMEOUT_MS);
      asked.add(refuse);
      if (state === 'ended') return refuse(new Error(failure ?? 'the connection was closed'));
      const env = version === 2 ? { GIT_PROTOCOL: 'version=2' } : {};
      try {
        client.exec(command, { env }, (error, channel) => {
          if (error) return refuse(error);
          clearTimeout(timer);
          // Too late for whoever asked.
          if (!asked.delete(refuse)) channel.close();
          resolve(channel);
        });
      } catch (error) {
        refuse(error instanceof Error ? error : new Error(String(error)));
      }
    });
  const isAlive = (): boolean => state !== 'ended' && !socket.destroyed && !socket.readableEnded;
  return {
    get isUsable() {
      return state === 'open' && performance.now() < endMs;
    },
    run(command, version, use) {
      commands += 1;
      return new Promise((resolve, reject) => {
        void limit(async () => {
          try {
            const channel = await begin(command, version);
            const closed = new Promise<void>((done) => channel.once('close', () => done()));
            await use(channel, isAlive).then(resolve, (error: unknown) => {
              if (state === 'open') state = 'retired';
              reject(error as Error);
            });
            channel.resume();
            channel.stderr.resume();
            if (await isLate(closed)) {
              channel.close();
              if (state === 'open') state = 'retired';
            }
          } catch (error) {
            reject(error as Error);
          } finally {
            commands -= 1;
            if (state === 'retired' && commands === 0) end();
          }
        });
      });
    },
    retire() {
      if (state === 'open') state = 'retired';
      if (commands === 0) end();
    },
    close: end,
  };
}

async function isLate(closed: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(true), CLOSE_TIMEOUT_MS);
  });
  try {
    return await Promise.race([closed.then(() => false), late]);
  } finally {
    clearTimeout(timer);
  }
}

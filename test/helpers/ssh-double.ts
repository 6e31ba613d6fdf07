import { spawn } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import ssh2, { type Connection, type ServerChannel } from 'ssh2';
import { makeSshKey, type SshKey } from '../../src/git/ssh/key.ts';

/** An SSH server in this process that runs the real git services, or does on order what servers do at their worst. */
export interface SshDouble {
  readonly port: number;
  readonly hostKey: SshKey;
  readonly knownHosts: string;
  repoUrl(path: string): string;
  /** Commands that were asked for, and connections that were made. */
  readonly commands: readonly string[];
  readonly connections: { readonly made: number; readonly open: number };
  /** Ends all connections, as a restart of the server does. */
  drop(): void;
  stop(): Promise<void>;
}

export interface SshDoubleOptions {
  /** Public keys that are let in; absent: all. */
  readonly authorized?: readonly string[];
  readonly hostKey?: SshKey;
  /** 0 or absent: any free port. */
  readonly port?: number;
  /** False: what the client says of Git's protocol is dropped. */
  readonly takesProtocol?: boolean;
  /** In the place of git. True: it was handled. */
  readonly command?: (command: string, channel: ServerChannel) => boolean;
  /** Git does the work of a push, and the connection ends in the place of its report. */
  readonly losesReports?: () => boolean;
  /** Instead of an answer to the request for a channel. */
  readonly refusesChannels?: () => boolean;
}

const { Server, utils } = ssh2;

export async function startSshDouble(options: SshDoubleOptions = {}): Promise<SshDouble> {
  const hostKey = options.hostKey ?? (await makeSshKey('host'));
  const commands: string[] = [];
  const open = new Set<Connection>();
  let made = 0;
  const server = new Server({ hostKeys: [hostKey.privateKey] }, (connection) => {
    made += 1;
    open.add(connection);
    connection.on('close', () => open.delete(connection)).on('error', () => undefined);
    connection.on('authentication', (attempt) => {
      if (attempt.method !== 'publickey') return attempt.reject(['publickey']);
      const isKnown = options.authorized?.some((line) => {
        const key = utils.parseKey(line);
        return !(key instanceof Error) && attempt.key.data.equals((Array.isArray(key) ? key[0] : key)!.getPublicSSH());
      });
      if (isKnown === false) return attempt.reject(['publickey']);
      attempt.accept();
    });
    connection.on('session', (accept, reject) => {
      if (options.refusesChannels?.() === true) return reject();
      const session = accept();
      let protocol = '';
      session.on('env', (acceptEnv, _reject, { key, val }) => {
        if (options.takesProtocol !== false && key === 'GIT_PROTOCOL') protocol = val;
        acceptEnv?.();
      });
      session.on('exec', (acceptExec, _reject, { command }) => {
        commands.push(command);
        const channel = acceptExec();
        channel.on('error', () => undefined);
        if (options.command?.(command, channel) === true) return;
        const isLost = command.startsWith('git-receive-pack') && options.losesReports?.() === true;
        runGitService(command, protocol, channel, isLost ? () => void connection.end() : undefined);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    hostKey,
    knownHosts: `[127.0.0.1]:${port} ${hostKey.publicKey}\n`,
    repoUrl: (path) => `ssh://git@127.0.0.1:${port}${path}`,
    commands,
    connections: {
      get made() {
        return made;
      },
      get open() {
        return open.size;
      },
    },
    drop() {
      for (const connection of open) connection.end();
    },
    async stop() {
      for (const connection of open) connection.end();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function runGitService(command: string, protocol: string, channel: ServerChannel, lose?: () => void): void {
  const env = { PATH: process.env['PATH'], GIT_PROTOCOL: protocol, LC_ALL: 'C' };
  const child = spawn('sh', ['-c', command], { env });
  child.stdin.on('error', () => undefined);
  channel.pipe(child.stdin);
  let isAdvert = true;
  if (!lose) child.stdout.pipe(channel, { end: false });
  else
    child.stdout.on('data', (chunk: Buffer) => {
      if (isAdvert) channel.write(chunk);
      isAdvert &&= chunk.toString('latin1').slice(-4) !== '0000';
    });
  child.stderr.pipe(channel.stderr, { end: false });
  channel.on('close', () => child.kill());
  child.on('close', (code) => {
    if (lose) return lose();
    channel.exit(code ?? 1);
    channel.end();
  });
}

import { randomBytes } from 'node:crypto';
import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeSshKey, type SshKey } from '../../../src/git/ssh/key.ts';
import { openRepo } from '../../../src/git/open-repo.ts';
import { AgentError } from '../../../src/lib/errors.ts';
import { commitWithGit, runGit } from '../../../src/sandbox/git-command.ts';
import { never } from '../../helpers/git-fixture.ts';
import { accessWith } from '../../helpers/ssh-access.ts';
import { startSshDouble } from '../../helpers/ssh-double.ts';
import { removeDir, tempDir } from '../../helpers/temp-repo.ts';

describe('a host that speaks no SSH, or breaks it', () => {
  let root: string;
  let key: SshKey;
  let ends: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    root = await tempDir();
    key = await makeSshKey('serin');
  });
  afterEach(async () => {
    for (const end of ends.reverse()) await end();
    ends = [];
    await removeDir(root);
  });

  const listen = async (serve: (socket: Socket) => void): Promise<number> => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      serve(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    ends.push(() => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(resolve));
    });
    return (server.address() as AddressInfo).port;
  };
  /** What a poll fails with; it may take no longer than its deadline, and closing no time at all. */
  const pollOf = async (port: number, knownHosts: string, path = '/x.git'): Promise<unknown> => {
    const repo = await openRepo({
      url: `ssh://git@127.0.0.1:${port}${path}`,
      branch: 'main',
      dir: join(root, `mirror-${port}`),
      ssh: accessWith(key, knownHosts),
      limits: { pollTimeoutMs: 1_500, connectTimeoutMs: 1_000 },
    });
    const begun = performance.now();
    const result = await repo.poll(never).catch((error: unknown) => error);
    expect(performance.now() - begun).toBeLessThan(6_000);
    const closing = performance.now();
    await repo.close();
    expect(performance.now() - closing).toBeLessThan(2_000);
    return result;
  };

  it.each<[string, (socket: Socket) => void]>([
    ['says nothing', () => undefined],
    ['says nothing that is SSH', (socket) => socket.write('220 mail.example.com ESMTP\r\n')],
    ['greets without an end', (socket) => pour(socket, () => Buffer.alloc(65_536, 'x'))],
    ['greets in lines without an end', (socket) => pour(socket, () => Buffer.from('hello\r\n'.repeat(5_000)))],
    ['speaks the first SSH', (socket) => socket.write('SSH-1.5-old\r\n')],
    ['goes on with noise', (socket) => pour(socket, () => randomBytes(4_096), 'SSH-2.0-noise\r\n')],
    ['names a packet of 4 GiB', (socket) => pour(socket, () => Buffer.alloc(4_096, 0xff), 'SSH-2.0-big\r\n')],
    ['hangs up', (socket) => socket.end('SSH-2.0-gone\r\n')],
  ])('is told as such where it %s', async (_, serve) => {
    const error = await pollOf(await listen(serve), '');
    expect(error).toBeInstanceOf(AgentError);
    expect(error).toMatchObject({ code: expect.stringMatching(/^GIT_(UNREACHABLE|PROTOCOL)$/) as unknown });
    expect((error as Error).message).toContain('127.0.0.1');
    expect((error as Error).message.length).toBeLessThan(400);
  });

  it('ends no process, wherever its bytes are damaged', async () => {
    const path = join(root, 'config.git');
    await runGit(['init', '--quiet', '--bare', '--initial-branch=main', path]);
    const tip = await commitWithGit(path, { files: { 'a.yaml': 'a: 1\n' }, message: 'initial commit' });
    const server = await startSshDouble();
    ends.push(() => server.stop());
    for (const at of [3, 300, 1_300, 1_700, 2_100]) {
      const port = await listen((socket) => {
        const behind = connect(server.port, '127.0.0.1');
        let passed = 0;
        behind.on('error', () => undefined).on('close', () => socket.destroy());
        socket.on('close', () => behind.destroy());
        socket.pipe(behind);
        behind.on('data', (chunk: Buffer) => {
          const broken = Buffer.from(chunk);
          const index = at - passed;
          if (index >= 0 && index < broken.length) broken[index] = (broken[index] ?? 0) ^ 0x55;
          passed += chunk.length;
          socket.write(broken);
        });
      });
      const result = await pollOf(port, `[127.0.0.1]:${port} ${server.hostKey.publicKey}\n`, path);
      if (result !== tip) expect(result, `byte ${at}`).toBeInstanceOf(AgentError);
    }
  });
});

/** Writes without an end, as fast as it is read. */
function pour(socket: Socket, more: () => Buffer, first = ''): void {
  socket.write(first);
  const go = (): void => {
    while (!socket.destroyed && socket.write(more()));
  };
  socket.on('drain', go);
  go();
}

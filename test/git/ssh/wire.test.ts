import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeSshKey, type SshKey } from '../../../src/git/ssh/key.ts';
import { openRepo, type RepoOptions } from '../../../src/git/open-repo.ts';
import { commitWithGit, runGit } from '../../../src/sandbox/git-command.ts';
import { eventually } from '../../helpers/eventually.ts';
import { aPush, fetchTip, never, type OpenRepo } from '../../helpers/git-fixture.ts';
import { accessWith } from '../../helpers/ssh-access.ts';
import { type SshDouble, type SshDoubleOptions, startSshDouble } from '../../helpers/ssh-double.ts';
import { removeDir, revParse, tempDir } from '../../helpers/temp-repo.ts';

describe('Git over SSH', () => {
  let root: string;
  let path: string;
  let key: SshKey;
  let ends: (() => Promise<void>)[] = [];

  beforeEach(async () => {
    root = await tempDir();
    path = join(root, 'config.git');
    key = await makeSshKey('serin');
    await runGit(['init', '--quiet', '--bare', '--initial-branch=main', path]);
    await commitWithGit(path, { files: { 'a.yaml': 'a: 1\n' }, message: 'initial commit' });
  });
  afterEach(async () => {
    for (const end of ends.reverse()) await end();
    ends = [];
    await removeDir(root);
  });

  const serve = async (options: SshDoubleOptions = {}): Promise<SshDouble> => {
    const server = await startSshDouble(options);
    ends.push(() => server.stop());
    return server;
  };
  const open = async (server: SshDouble, options: Partial<RepoOptions> & { path?: string } = {}): Promise<OpenRepo> => {
    const repo = await openRepo({
      url: server.repoUrl(options.path ?? path),
      branch: 'main',
      dir: join(root, `mirror-${ends.length}`),
      ssh: accessWith(key, server.knownHosts),
      ...options,
    });
    ends.push(() => repo.close());
    return repo;
  };
  const failure = (work: Promise<unknown>): Promise<Error> =>
    work.then(
      () => new Error('it did not fail'),
      (error: unknown) => error as Error,
    );

  it('asks again and again on one connection, with one command each time', async () => {
    const server = await serve({ authorized: [key.publicKey] });
    const repo = await open(server);
    const tip = await fetchTip(repo);
    expect(tip).toBe(await revParse(path, 'main'));
    const before = server.commands.length;
    for (let poll = 0; poll < 3; poll += 1) expect(await repo.poll(never)).toBe(tip);
    expect(server.commands.length - before).toBe(3);
    expect(server.connections.made).toBe(1);
    await repo.close();
    await eventually('the connection has ended', () => server.connections.open === 0);
  });

  it('reads and writes where the server knows only the former protocol, also a repository without a commit', async () => {
    const server = await serve({ takesProtocol: false });
    const empty = join(root, 'empty.git');
    await runGit(['init', '--quiet', '--bare', '--initial-branch=main', empty]);
    expect(await (await open(server, { path: empty })).poll(never)).toBeUndefined();
    const repo = await open(server);
    const tip = await fetchTip(repo);
    expect(await repo.push(aPush(tip), never)).toMatchObject({ kind: 'landed' });
    expect(await repo.isAncestor(tip, await fetchTip(repo), never)).toBe(true);
  });

  it('quotes the path, so that the shell at the other end reads nothing into it', async () => {
    const server = await serve();
    const odd = join(root, "it's $(touch pwned) `touch pwned` !x.git");
    await mkdir(odd);
    await runGit(['clone', '--quiet', '--bare', path, odd]);
    const repo = await open(server, { url: `git@[127.0.0.1:${server.port}]:${odd}` });
    expect(await repo.poll(never)).toBe(await revParse(path, 'main'));
  });

  it('says of a host that nobody knows its fingerprint and what to do, and sends it nothing', async () => {
    const server = await serve();
    const repo = await open(server, { ssh: accessWith(key, '') });
    const error = await failure(repo.poll(never));
    expect(error).toMatchObject({ code: 'GIT_AUTH' });
    expect(error.message).toContain(`[127.0.0.1]:${server.port}: the host key of this Git server is not known`);
    expect(error.message).toContain(`ssh-ed25519 ${server.hostKey.fingerprint}`);
    expect(error.message).toMatch(/--git-known-hosts-file \(ssh-keyscan -p \d+ 127\.0\.0\.1/);
    expect(server.commands).toEqual([]);
  });

  it('says of a host key that has changed both fingerprints, also to a push, and goes on when it is trusted', async () => {
    const former = await makeSshKey('former');
    const server = await serve();
    let knownHosts = `[127.0.0.1]:${server.port} ${former.publicKey}\n`;
    const repo = await open(server, {
      ssh: { ...accessWith(key, ''), knownHosts: () => Promise.resolve(knownHosts) },
    });
    const error = await failure(repo.poll(never));
    expect(error).toMatchObject({ code: 'GIT_AUTH' });
    expect(error.message).toMatch(/HAS CHANGED/);
    expect(error.message).toContain(server.hostKey.fingerprint);
    expect(error.message).toContain(former.fingerprint);
    expect(server.commands).toEqual([]);
    knownHosts = `${server.knownHosts}@revoked * ${server.hostKey.publicKey}`;
    expect((await failure(repo.poll(never))).message).toMatch(/revoked/);
    knownHosts = server.knownHosts;
    const tip = await fetchTip(repo);
    knownHosts = '';
    server.drop();
    await eventually('the connection has ended', () => server.connections.open === 0);
    expect(await failure(repo.push(aPush(tip), never))).toMatchObject({ code: 'GIT_AUTH' });
  });

  it('asks a host with several keys for the one that is known', async () => {
    const server = await serve();
    const rsa = `[127.0.0.1]:${server.port} ssh-rsa ${Buffer.concat([Buffer.from([0, 0, 0, 7]), Buffer.from('ssh-rsa'), Buffer.alloc(64)]).toString('base64')}\n`;
    expect(await (await open(server, { ssh: accessWith(key, rsa + server.knownHosts) })).poll(never)).toBeDefined();
  });

  it('tells whoever must let it in the public half of its key, and nobody the private one', async () => {
    const server = await serve({ authorized: [(await makeSshKey('other')).publicKey] });
    const error = await failure((await open(server)).poll(never));
    expect(error).toMatchObject({ code: 'GIT_AUTH' });
    expect(error.message).toContain(key.publicKey);
    const secret = key.privateKey.split('\n')[2] ?? '';
    expect(secret.length).toBeGreaterThan(20);
    expect(JSON.stringify([error.message, error.stack, (error as { details?: unknown }).details])).not.toContain(
      secret,
    );
  });

  it('says when its key cannot be used, and tries again with the next one', async () => {
    const server = await serve();
    let text = 'topsecret, and no key';
    const ssh = { ...accessWith(key, server.knownHosts), identity: () => Promise.resolve(text) };
    const repo = await open(server, { ssh });
    const error = await failure(repo.poll(never));
    expect(error).toMatchObject({ code: 'GIT_AUTH' });
    expect(error.message).not.toContain('topsecret');
    text = key.privateKey;
    expect(await repo.poll(never)).toBeDefined();
  });

  it('names a repository that is not there, and a server that is none of Git', async () => {
    const server = await serve();
    const missing = await failure((await open(server, { path: join(root, 'nothing.git') })).poll(never));
    expect(missing).toMatchObject({ code: 'GIT_NOT_FOUND' });
    const shell = await serve({
      command: (_, channel) => {
        channel.write('Welcome to the shell of git.example.com\n');
        return true;
      },
    });
    const error = await failure((await open(shell)).poll(never));
    expect(error).toMatchObject({ code: 'GIT_PROTOCOL' });
    expect(error.message).toMatch(/not a Git server .*Welcome/);
  });

  it('tells a key that may only read from a server that is busy', async () => {
    let said = 'ERROR: The key you are authenticating with has been marked as read only.';
    const server = await serve({
      command: (command, channel) => {
        if (!command.startsWith('git-receive-pack')) return false;
        channel.stderr.write(said);
        channel.exit(1);
        channel.end();
        return true;
      },
    });
    const repo = await open(server);
    const tip = await fetchTip(repo);
    const refused = await repo.push(aPush(tip), never);
    expect(refused).toMatchObject({ kind: 'refused' });
    expect(refused.kind === 'refused' && refused.reason).toContain('read only');
    said = 'fatal: the moon is full';
    expect(await failure(repo.push(aPush(tip), never))).toMatchObject({ code: 'GIT_UNREACHABLE' });
    expect(await revParse(path, 'main')).toBe(tip);
  });

  it('looks at what stands when the answer to a push is lost', async () => {
    let isLosing = true;
    const server = await serve({ losesReports: () => isLosing });
    const repo = await open(server);
    const tip = await fetchTip(repo);
    expect(await repo.push(aPush(tip), never)).toMatchObject({ kind: 'landed' });
    expect(await revParse(path, 'main')).not.toBe(tip);
    isLosing = false;
    expect(await repo.push(aPush(tip), never)).toMatchObject({ kind: 'landed' });
  });

  it('goes on after a restart of the server, and where it takes no more channels', async () => {
    let isFull = false;
    const server = await serve({ refusesChannels: () => isFull });
    const repo = await open(server);
    await fetchTip(repo);
    server.drop();
    await eventually('the connection has ended', () => server.connections.open === 0);
    expect(await repo.poll(never)).toBeDefined();
    expect(server.connections.made).toBe(2);
    isFull = true;
    const error = await failure(repo.poll(never));
    expect(error).toMatchObject({ code: 'GIT_UNREACHABLE' });
    expect(error.message).toMatch(/begins no command over SSH/);
    isFull = false;
    expect(await repo.poll(never)).toBeDefined();
  });

  it('waits no longer than it may for a server that is silent, and ends at once at the signal', async () => {
    const server = await serve({ command: () => true });
    const repo = await open(server, { limits: { pollTimeoutMs: 300 } });
    const begun = performance.now();
    const error = await failure(repo.poll(never));
    expect(error).toMatchObject({ code: 'GIT_UNREACHABLE' });
    expect(error.message).toMatch(/no complete answer within 0.3 s/);
    const stop = new AbortController();
    const stopped = failure((await open(server)).poll(stop.signal));
    setTimeout(() => stop.abort(new Error('stopping')), 100);
    expect((await stopped).message).toBe('stopping');
    expect(performance.now() - begun).toBeLessThan(5_000);
  });

  it('takes no more than it may of an answer, nor of what is said beside it', async () => {
    for (const where of ['answer', 'words'] as const) {
      let sent = 0;
      const server = await serve({
        command: (command, channel) => {
          if (!command.startsWith('git-upload-pack')) return false;
          const chunk = where === 'words' ? Buffer.alloc(32_768, 'x') : Buffer.from(`fff0${'x'.repeat(65_516)}`);
          const out = where === 'words' ? channel.stderr : channel;
          const more = (): void => {
            if (channel.destroyed || sent > 200_000_000) return;
            sent += chunk.length;
            out.write(chunk, more);
          };
          more();
          return true;
        },
      });
      const error = await failure((await open(server)).poll(never));
      expect(error, where).toMatchObject({ code: 'GIT_TOO_LARGE' });
      expect(sent).toBeLessThan(64 * 1024 * 1024);
    }
  });

  it('says what is wrong with a host that is not there, or speaks something else', async () => {
    const server = await serve();
    const { port } = server;
    await server.stop();
    ends = ends.filter((end) => end !== ends[0]);
    const gone = await failure((await open(server)).poll(never));
    expect(gone).toMatchObject({ code: 'GIT_UNREACHABLE', message: '127.0.0.1: connection refused' });
    const { createServer } = await import('node:http');
    const web = createServer((_, response) => response.end());
    await new Promise<void>((resolve) => web.listen(port, '127.0.0.1', () => resolve()));
    ends.push(() => new Promise((resolve) => web.close(() => resolve())));
    const other = await failure((await open(server)).poll(never));
    expect(other).toMatchObject({ code: expect.stringMatching(/^GIT_/) as unknown });
    expect(other.message).toMatch(/127\.0\.0\.1/);
  });
});

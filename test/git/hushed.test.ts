import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import type { GitAuth } from '../../src/git/credentials.ts';
import { openRepo } from '../../src/git/open-repo.ts';
import { asRevision } from '../../src/git/repo.ts';
import { never } from '../helpers/git-fixture.ts';
import { withTempDir } from '../helpers/temp-repo.ts';

const token = 'ghx_Tr0ub4dor&3+/x';
const basic = Buffer.from(`git:${token}`).toString('base64');

it.each([
  ['a password of the URL', undefined],
  ['a token', { kind: 'bearer', token }],
  ['a user and a password', { kind: 'basic', username: 'git', password: token }],
  ['a token of a file', 'file'],
] as const)('a server that tells what it was sent tells nobody %s', (_, kind) =>
  withTempDir(async (dir) => {
    const path = join(dir, 'token');
    await writeFile(path, `${token}\n`);
    const auth: GitAuth | undefined = kind === 'file' ? { kind: 'token-file', path } : kind;
    let status = 403;
    let says = '';
    const server = createServer((request, response) => {
      const { authorization = '' } = request.headers;
      const echoes = [authorization, token, encodeURIComponent(token), JSON.stringify({ token }), `x-token: ${basic}`];
      response.writeHead(status, { 'content-type': 'text/plain' }).end(`${says} ${echoes.join(' ')}`);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const user = kind === undefined ? `git:${encodeURIComponent(token)}@` : '';
    const repo = await openRepo({
      url: `http://${user}${host}/x.git`,
      branch: 'main',
      dir: join(dir, 'm'),
      ...(auth ? { auth } : {}),
    });
    try {
      for (const code of [200, 400, 401, 403, 404, 500, 502])
        for (const text of ['', 'the credentials are wrong:', '<html>']) {
          [status, says] = [code, text];
          const asked = [
            () => repo.poll(never),
            () => repo.fetch(asRevision('a'.repeat(40)), never),
            () => repo.push({ expected: asRevision('a'.repeat(40)), commits: [], tags: [] }, never),
          ];
          for (const ask of asked) {
            const said = await ask().then(
              (result) => JSON.stringify(result ?? ''),
              (error: unknown) =>
                `${String(error)} ${JSON.stringify(error)} ${error instanceof Error ? (error.stack ?? '') : ''}`,
            );
            for (const secret of [
              token,
              encodeURIComponent(token),
              ...(kind === 'file' || kind?.kind !== 'bearer' ? [basic] : []),
            ])
              expect(said).not.toContain(secret);
          }
        }
    } finally {
      await repo.close();
      await new Promise((done) => server.close(done));
    }
  }),
);

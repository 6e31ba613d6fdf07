import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { deadUrl } from '../helpers/http-server.ts';
import { removeDir, tempDir } from '../helpers/temp-repo.ts';
import { appFiles } from './apps.ts';
import { object } from './look.ts';
import { onStage, patient } from './stage.ts';

it(
  'serin run answers for gates over HTTP and lets only those with a token change them [R100] [R106]',
  patient,
  async () => {
    await onStage({ files: appFiles(), started: false }, async (stage) => {
      const dir = await tempDir();
      const stop = new AbortController();
      const url = await deadUrl();
      await writeFile(join(dir, 'kubeconfig'), stage.sandbox.kubeconfig);
      await writeFile(join(dir, 'tokens'), '# the release team\nt-1 test\nt-2 other\n');
      const flags = {
        'git-url': stage.git.repoUrl('config'),
        'git-path': 'apps',
        kubeconfig: join(dir, 'kubeconfig'),
        'http-proxy': stage.sandbox.proxyUrl,
        'gate-port': new URL(url).port,
        'gate-token-file': join(dir, 'tokens'),
        'log-level': 'error',
        port: '0',
      };
      const silent = { write: () => true };
      const running = runCommandLine({
        argv: ['run', ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])],
        environment: {},
        stdout: silent,
        stderr: silent,
        signal: stop.signal,
      });
      const post = async (path: string, token?: string, metadata?: object): Promise<string> => {
        const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
        const body = JSON.stringify({ name: 'podinfo', namespace: 'test', phase: 'Waiting', checksum: 'x', metadata });
        const response = await fetch(`${url}${path}`, { method: 'POST', headers, body }).catch(() => undefined);
        return response === undefined ? 'nobody' : `${response.status} ${await response.text()}`;
      };
      try {
        const check = (): Promise<string> => post('/gate/check');
        await stage.until(
          'an approval of what is looked after',
          async () => (await post('/gate/approve')) === '200 OK',
        );
        expect(await check()).toBe('403 Forbidden');
        expect(await post('/gate/open')).toBe('401 ');
        expect(await post('/gate/open', 't-2')).toBe('403 Forbidden');
        expect(await post('/gate/open', 't-1', { cmd: 'id' })).toBe('400 this agent runs no commands');
        expect(await check()).toBe('403 Forbidden');
        expect(await post('/gate/open', 't-1')).toBe('202 ');
        await stage.until('the gate', async () => (await check()) === '200 Approved');
        expect(object(stage, 'Canary', 'podinfo')?.metadata.annotations?.['serin.dev/gate']).toBe('open');
        // A token is taken back without a restart.
        await writeFile(join(dir, 'tokens'), 't-2 other\n');
        expect(await post('/gate/close', 't-1')).toBe('401 ');
      } finally {
        stop.abort(new Error('the test is over'));
        expect(await running).toBe(0);
        await removeDir(dir);
      }
    });
  },
);

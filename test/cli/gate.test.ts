import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/cli/context.ts';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { installCrds, startSandbox } from '../../src/sandbox/sandbox.ts';
import type { Sandbox } from '../../src/sandbox/types.ts';
import { removeDir, tempDir } from '../helpers/temp-repo.ts';

let sandbox: Sandbox;
let dir: string;
beforeEach(async () => {
  sandbox = await startSandbox();
  dir = await tempDir();
  await writeFile(join(dir, 'kubeconfig'), sandbox.kubeconfig);
  const definition = new URL('../../manifests/crds/canaries.flagger.app.yaml', import.meta.url);
  await installCrds(sandbox.apiUrl, await readFile(definition, 'utf8'));
  await fetch(`${sandbox.apiUrl}/apis/flagger.app/v1beta1/namespaces/default/canaries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      apiVersion: 'flagger.app/v1beta1',
      kind: 'Canary',
      metadata: { name: 'app', namespace: 'default', annotations: { keep: 'me' } },
      spec: {
        targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
        service: { port: 80 },
        analysis: { interval: '10s', threshold: 1, stepWeight: 10 },
      },
    }),
  });
});
afterEach(async () => {
  await sandbox.stop();
  await removeDir(dir);
});

async function gate(...argv: readonly string[]): Promise<{ code: number; out: string; errors: string }> {
  const [out, errors]: [string[], string[]] = [[], []];
  const code = await runCommandLine({
    argv: ['gate', ...argv],
    environment: {},
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => errors.push(text) },
    signal: new AbortController().signal,
  });
  return { code, out: out.join(''), errors: errors.join('') };
}

describe('serin gate', () => {
  const where = (): string[] => ['-n', 'default', '--kubeconfig', join(dir, 'kubeconfig')];
  const canary = () => sandbox.store.get('flagger.app/v1beta1', 'Canary', 'default', 'app');

  it('opens, shows and closes gates where everybody can see them', async () => {
    expect(await gate('open', 'app', ...where())).toEqual({ code: 0, out: 'app.default gate opened\n', errors: '' });
    await gate('open', 'app', '--rollback', ...where());
    expect(canary()?.metadata.annotations).toEqual({
      keep: 'me',
      'serin.dev/gate': 'open',
      'serin.dev/rollback': 'open',
    });
    expect((await gate('show', 'app', ...where())).out).toMatch(/^app\.default .*gate open rollback open\n$/);
    expect((await gate('close', 'app', ...where())).out).toBe('app.default gate closed\n');
    expect(canary()?.metadata.annotations?.['serin.dev/gate']).toBe('closed');
    expect((await gate('show', 'app', ...where())).out).toMatch(/gate closed rollback open\n$/);
    const metadata = canary()?.metadata as { managedFields?: { manager: string }[] } | undefined;
    const managers = metadata?.managedFields ?? [];
    expect(managers.map(({ manager }) => manager)).toContain('serin-gate');
  });

  it('says what is wrong', async () => {
    const missing = await gate('open', 'nobody', ...where());
    expect(missing).toMatchObject({ code: exitCodes.failed, errors: 'serin: there is no Canary default/nobody\n' });
    expect(await gate('open', 'app')).toMatchObject({
      code: exitCodes.usage,
      errors: expect.stringContaining('--namespace'),
    });
    expect((await gate('ajar', 'app', ...where())).code).toBe(exitCodes.usage);
  });
});

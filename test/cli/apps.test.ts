import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readRequest } from '../../src/canary/requests.ts';
import { exitCodes } from '../../src/cli/context.ts';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { type GitServer, startGitServer } from '../../src/sandbox/git-server.ts';
import { installCrds, startSandbox } from '../../src/sandbox/sandbox.ts';
import type { Sandbox } from '../../src/sandbox/types.ts';
import { removeDir, runGit, tempDir } from '../helpers/temp-repo.ts';

let sandbox: Sandbox;
let dir: string;
let git: GitServer;
beforeAll(async () => {
  sandbox = await startSandbox();
  dir = await tempDir();
  await writeFile(join(dir, 'kubeconfig'), sandbox.kubeconfig);
  for (const kind of ['canaries', 'metrictemplates', 'alertproviders']) {
    const definition = new URL(`../../manifests/crds/${kind}.flagger.app.yaml`, import.meta.url);
    await installCrds(sandbox.apiUrl, await readFile(definition, 'utf8'));
  }
  await runGit(['init', '-q', '--bare', '-b', 'main', join(dir, 'config.git')]);
  await runGit(['clone', '-q', join(dir, 'config.git'), join(dir, 'work')]);
  await runGit([
    '-C',
    join(dir, 'work'),
    '-c',
    'user.name=jane',
    '-c',
    'user.email=j@example.test',
    'commit',
    '-q',
    '--allow-empty',
    '-m',
    told,
  ]);
  await runGit(['-C', join(dir, 'work'), 'push', '-q', 'origin', 'HEAD:main']);
  git = await startGitServer({ root: dir });
  await writeFile(join(dir, 'serin.yaml'), `git-url: ${git.repoUrl('config')}\ngit-branch: main\n`);
});
afterAll(async () => {
  await git.stop();
  await sandbox.stop();
  await removeDir(dir);
});
afterEach(async () => {
  for (const name of ['cart', 'mail'])
    await fetch(`${sandbox.apiUrl}/apis/flagger.app/v1beta1/namespaces/default/canaries/${name}`, { method: 'DELETE' });
});

const id = '0123456789abcdef0123';
const revision = 'c'.repeat(40);
const told = `promote default/cart 2

Judged at ${revision.slice(0, 12)}.

  time      weight  result  check  value
  12:00:00  10%     passed  rate   success rate 100.00% >= 99%

Release: default/cart/7
Release-Id: ${id}
Verdict: promoted
Images: app=cart:2
Previous-Images: app=cart:1
Revision: ${revision}
Asked: held by jane: logs
`;

interface Given {
  readonly name?: string;
  readonly phase: string;
  readonly weight?: number;
  readonly outcome?: object;
  readonly webhooks?: readonly object[];
}

async function given({ name = 'cart', phase, weight = 0, outcome, webhooks = [] }: Given): Promise<void> {
  const release = { release: id, revision, since: '2026-11-30T12:00:00Z', images: { app: 'cart:2' } };
  const metadata = {
    name,
    namespace: 'default',
    annotations: { 'serin.dev/release': JSON.stringify({ ...release, ...(outcome ? { outcome } : {}) }) },
  };
  const spec = {
    provider: 'traefik',
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
    service: { port: 80 },
    analysis: {
      interval: '10s',
      threshold: 3,
      stepWeights: [10, 50],
      webhooks,
      metrics: [{ name: 'request-success-rate', interval: '1m', thresholdRange: { min: 99 } }],
    },
  };
  const status = { phase, canaryWeight: weight, failedChecks: 0, iterations: 0, lastAppliedSpec: '5d5f' };
  const url = `${sandbox.apiUrl}/apis/flagger.app/v1beta1/namespaces/default/canaries`;
  const headers = { 'content-type': 'application/json' };
  const body = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', metadata, spec };
  await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const patched = await fetch(`${url}/${name}/status`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/merge-patch+json' },
    body: JSON.stringify({ status }),
  });
  expect(patched.status).toBe(200);
}

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

async function serin(...argv: readonly string[]): Promise<Ran> {
  const [out, errors]: [string[], string[]] = [[], []];
  const code = await runCommandLine({
    argv,
    environment: { PATH: process.env['PATH'], KUBECONFIG: join(dir, 'kubeconfig'), USER: 'jane', HOME: dir },
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => errors.push(text) },
    signal: AbortSignal.timeout(20_000),
  });
  return { code, out: out.join(''), errors: errors.join('') };
}

const withGit = (): readonly string[] => ['--config', join(dir, 'serin.yaml')];
const membersOf = (out: string): readonly string[] => Object.keys(JSON.parse(out) as object);
const annotation = (name: string): string =>
  sandbox.store.get('flagger.app/v1beta1', 'Canary', 'default', 'cart')?.metadata.annotations?.[name] ?? '';
const gate = { name: 'boss', type: 'confirm-promotion', url: 'http://gate.default/check' };

describe('serin status', () => {
  it('tells what needs a person first, in one line with what to type next', async () => {
    await given({ phase: 'Succeeded', name: 'mail' });
    await given({ phase: 'WaitingPromotion', weight: 50, webhooks: [gate] });
    const { code, out, errors } = await serin('status');
    expect({ code, errors }).toEqual({ code: exitCodes.found, errors: '' });
    const lines = out.split('\n');
    expect(lines[1]).toMatch(
      /^default\/cart +WaitingPromotion +50% +\S+ +waits for approval \(confirm-promotion boss\)$/,
    );
    expect(lines[2]).toBe(
      '  next: serin approve default/cart   or   serin rollback default/cart   or   serin explain default/cart',
    );
    expect(lines[3]).toMatch(/^default\/mail +Succeeded/);
  });

  it('prints documented JSON, and ends with 0 where nobody is needed and with 2 where there is no such app', async () => {
    await given({ phase: 'Progressing', weight: 10 });
    const { code, out } = await serin('status', 'cart', '--json');
    expect(code).toBe(exitCodes.done);
    const { apps } = JSON.parse(out) as { apps: object[] };
    expect(apps).toMatchObject([{ namespace: 'default', name: 'cart', group: 'moving', weight: 10, requestFor: id }]);
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
    const row = readme.split('\n').find((line) => line.startsWith('| `status --json`')) ?? '';
    expect(Object.keys(apps[0] ?? {}).filter((name) => !row.includes(`\`${name}\``))).toEqual([]);
    expect(await serin('status', 'cartt')).toMatchObject({
      code: exitCodes.usage,
      errors: 'serin: there is no Canary cartt; did you mean cart?\n',
    });
  });

  it('goes on in a pipe with a line a change', async () => {
    await given({ phase: 'Progressing', weight: 10 });
    const stop = new AbortController();
    const lines: string[] = [];
    const watched = runCommandLine({
      argv: ['status', '-w', '-n', 'default'],
      environment: { KUBECONFIG: join(dir, 'kubeconfig') },
      stdout: {
        write: (text) => {
          lines.push(text);
          if (lines.length === 1) void given({ phase: 'Progressing', weight: 50 });
          else stop.abort();
        },
      },
      stderr: { write: () => undefined },
      signal: stop.signal,
    });
    expect(await watched).toBe(exitCodes.done);
    expect(lines.map((line) => line.replace(/^\S+ /, ''))).toEqual([
      'default/cart Progressing 10% 10% of 50%, waits for the next look\n',
      'default/cart Progressing 50% 50% of 50%, waits for the next look\n',
    ]);
  });

  it('says that no cluster answers with exit code 1, and that there is none with 2', async () => {
    expect((await serin('status', '--kubeconfig', join(dir, 'none'))).code).toBeGreaterThan(0);
    const down = sandbox.kubeconfig.replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1');
    await writeFile(join(dir, 'down'), down);
    expect((await serin('version', '--kubeconfig', join(dir, 'down'))).code).toBe(exitCodes.done);
  });
});

describe('serin explain', () => {
  it('says why, what moves it, and what each check has to be', async () => {
    await given({ phase: 'Progressing', weight: 10 });
    const { code, out } = await serin('explain', 'cart');
    expect(code).toBe(exitCodes.done);
    expect(out).toMatch(/if all checks pass at the next look/);
    expect(out).toMatch(/then 50% of users get the new version/);
    expect(out).toMatch(/has to be >= 99%/);
    expect(membersOf((await serin('explain', 'cart', '--json')).out)).toEqual([
      'status',
      'why',
      'moves',
      'checks',
      'looks',
      'events',
      'unknown',
    ]);
  });
});

describe('what a person asks', () => {
  it.each(['hold', 'promote', 'rollback'])('serin %s writes for this release, with name and reason', async (name) => {
    await given({ phase: 'Progressing', weight: 10 });
    const { code, out } = await serin(name, 'cart', '-m', 'logs', '--by', 'jane', '--json');
    expect(code).toBe(exitCodes.done);
    expect(membersOf(out)).toEqual(['app', 'act', 'by', 'said', 'annotations']);
    const key = `serin.dev/${name === 'rollback' ? 'abort' : name}`;
    expect(readRequest(annotation(key))).toMatchObject({ release: id, by: 'jane', reason: 'logs' });
  });

  it('serin approve names the gate, and resume ends a hold', async () => {
    await given({ phase: 'WaitingPromotion', weight: 50, webhooks: [gate] });
    expect((await serin('approve', 'cart', '--by', 'jane')).code).toBe(exitCodes.done);
    expect(readRequest(annotation('serin.dev/approve'))).toMatchObject({ gate: 'confirm-promotion', release: id });
    expect((await serin('resume', 'cart')).code).toBe(exitCodes.found);
    await serin('hold', 'cart');
    expect((await serin('resume', 'cart', '--json')).code).toBe(exitCodes.done);
    expect(readRequest(annotation('serin.dev/hold'))).toMatchObject({ isOver: true });
  });

  it('is refused with 3 where it is not to be had, and nothing is written by --dry-run', async () => {
    await given({ phase: 'Succeeded' });
    for (const name of ['approve', 'hold', 'resume', 'promote'])
      expect(await serin(name, 'cart', '-m', 'x')).toMatchObject({ code: exitCodes.found, out: '' });
    await given({ phase: 'Progressing', weight: 10 });
    expect(await serin('promote', 'cart')).toMatchObject({
      code: exitCodes.found,
      errors: expect.stringContaining('say why'),
    });
    expect((await serin('hold', 'cart', '--dry-run')).out).toContain('would be written');
    expect(annotation('serin.dev/hold')).toBe('');
  });

  it('serin retry is refused with 2 where Git has no such app', async () => {
    expect(await serin('retry', 'nobody', '--json', ...withGit())).toMatchObject({ code: exitCodes.usage });
  });
});

describe('serin wait', () => {
  it('ends with 0, 3 and 4 by what the cluster tells', async () => {
    await given({ phase: 'Succeeded', outcome: { verdict: 'promoted', at: '2026-11-30T12:10:00Z' } });
    const reached = await serin('wait', 'cart', '--revision', revision, '--json', ...withGit());
    expect(reached.code).toBe(exitCodes.done);
    expect(JSON.parse(reached.out)).toMatchObject({
      app: 'default/cart',
      result: 'reached',
      verdict: 'promoted',
      revision,
    });
    await given({ phase: 'Failed', name: 'mail', outcome: { verdict: 'rolled-back', failedCheck: 'rate: 53% < 99%' } });
    const failed = await serin('wait', 'mail');
    expect(failed).toMatchObject({
      code: exitCodes.found,
      out: expect.stringContaining('rolled-back: rate: 53% < 99%'),
    });
    const late = await serin('wait', 'mail', '--revision', 'abcdef0', '--timeout', '1s', '--json', ...withGit());
    expect({ code: late.code, ...(JSON.parse(late.out) as object) }).toMatchObject({
      code: exitCodes.late,
      result: 'late',
    });
  });

  it('refuses what is no commit, no time and no end, with 2', async () => {
    for (const words of [
      ['--revision', 'main'],
      ['--timeout', 'soon'],
      ['--for', 'ever'],
    ])
      expect((await serin('wait', 'cart', ...words)).code).toBe(exitCodes.usage);
  });
});

describe('serin history', () => {
  it('tells what the commits tell', async () => {
    const { code, out } = await serin('history', 'cart', '--json', ...withGit());
    expect(code).toBe(exitCodes.done);
    expect(membersOf(out)).toEqual(['branch', 'revision', 'entries']);
    expect((JSON.parse(out) as { entries: unknown }).entries).toMatchObject([
      {
        namespace: 'default',
        name: 'cart',
        verdict: 'promoted',
        number: 7,
        releaseId: id,
        revision,
        changed: { images: [{ container: 'app', from: 'cart:1', to: 'cart:2' }] },
        asked: ['held by jane: logs'],
      },
    ]);
    expect((await serin('history', '--evidence', ...withGit())).out).toContain('success rate 100.00% >= 99%');
    expect((await serin('history', '--limit', '0', ...withGit())).code).toBe(exitCodes.usage);
  });
});

describe('serin doctor', () => {
  it('says what works, and what to do where something does not', async () => {
    await given({ phase: 'WaitingPromotion', weight: 50, webhooks: [gate] });
    const { code, out } = await serin('doctor', '--json', ...withGit());
    expect(code).toBe(exitCodes.found);
    const { checks } = JSON.parse(out) as { checks: { what: string; state: string; remedy?: string }[] };
    const states = (what: string) => checks.filter((check) => check.what === what).map(({ state }) => state);
    expect(states('cluster')).toEqual(['works']);
    expect(states('definitions')).toEqual(['works', 'works', 'works']);
    expect(states('canaries')).toEqual(['fails']);
    // The sandbox of this test knows no Traefik.
    expect(states('providers')).toEqual(['fails']);
    expect(checks.filter(({ state, remedy }) => state !== 'works' && (remedy ?? '') === '')).toEqual([]);
  });

  it('goes on where there is no cluster', async () => {
    await writeFile(join(dir, 'down'), sandbox.kubeconfig.replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1'));
    const { code, out } = await serin('doctor', '-n', 'default', '--kubeconfig', join(dir, 'down'), ...withGit());
    expect(code).toBe(exitCodes.found);
    expect(out).toMatch(/FAILS +cluster/);
    expect(out).toMatch(/works +git/);
  });
});

describe('serin version and completion', () => {
  it('print what they are asked for', async () => {
    expect(membersOf((await serin('version', '--json')).out)).toEqual(['client', 'node', 'server', 'agents']);
    expect((await serin('version', '--client')).out).toMatch(/^serin \d+\.\d+\.\d+ \(Node [\d.]+\)\n$/);
    expect((await serin('completion', 'tcsh')).code).toBe(exitCodes.usage);
    for (const shell of ['zsh', 'fish']) expect((await serin('completion', shell)).out).toContain('serin');
  });

  it('complete commands and options in a bash', async () => {
    const { out } = await serin('completion', 'bash');
    const complete = (...words: readonly string[]): readonly string[] =>
      execFileSync(
        'bash',
        [
          '-c',
          `${out}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _serin; printf '%s\\n' "\${COMPREPLY[@]}"`,
          '-',
          ...words,
        ],
        {
          encoding: 'utf8',
        },
      )
        .trim()
        .split('\n');
    expect(complete('serin', 'sta')).toEqual(['status']);
    expect(complete('serin', 'images', 'rel')).toEqual(['release']);
    expect(complete('serin', 'wait', 'cart', '--time')).toEqual(['--timeout']);
    expect(complete('kubectl-serin', 'images', 'release', '--retr')).toEqual(['--retry']);
  });
});

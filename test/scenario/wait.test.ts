import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';
import { appFiles, appPath, hostOf, toTag } from './apps.ts';
import { canary, object } from './look.ts';
import { adopted, outcome } from './outcomes.ts';
import { onStage, patient, type Stage } from './stage.ts';

interface Said {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

const person = {
  GIT_AUTHOR_NAME: 'jane',
  GIT_AUTHOR_EMAIL: 'jane@example.test',
  GIT_COMMITTER_NAME: 'jane',
  GIT_COMMITTER_EMAIL: 'jane@example.test',
};
const ofGit: ReadonlySet<string> = new Set(['history', 'wait', 'retry', 'rollback']);

/** As a job of CI calls it: with a kubeconfig and the agent's settings file, from anywhere. */
async function withJob(stage: Stage, use: (serin: (...words: readonly string[]) => Promise<Said>) => Promise<void>) {
  const dir = await mkdtemp(join(tmpdir(), 'serin-job-'));
  try {
    const [kubeconfig, config] = [join(dir, 'kubeconfig'), join(dir, 'serin.yaml')];
    await writeFile(kubeconfig, stage.sandbox.kubeconfig);
    await writeFile(config, `git-url: ${stage.git.repoUrl('config')}\ngit-branch: main\ngit-path: apps\n`);
    await use(async (name, ...words) => {
      const [out, errors]: [string[], string[]] = [[], []];
      const code = await runCommandLine({
        argv: [name ?? '', ...words, ...(ofGit.has(name ?? '') ? ['--config', config] : [])],
        environment: { ...process.env, ...person, KUBECONFIG: kubeconfig },
        stdout: { write: (text) => out.push(text) },
        stderr: { write: (text) => errors.push(text) },
        signal: AbortSignal.timeout(60_000),
      });
      return { code, out: out.join(''), errors: errors.join('') };
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

describe('serin wait in a job of CI', patient, () => {
  it('ends with 0 after a good push, with 3 after a bad one, and with 4 where nothing comes of it', async () => {
    await onStage({ files: appFiles(), hosts: [hostOf()] }, (stage) =>
      withJob(stage, async (serin) => {
        await adopted(stage);
        const good = await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
        const waited = await serin('wait', 'test/podinfo', '--revision', good, '--timeout', '60s', '--json');
        expect({ code: waited.code, errors: waited.errors }).toEqual({ code: 0, errors: '' });
        expect(JSON.parse(waited.out)).toMatchObject({
          app: 'test/podinfo',
          result: 'reached',
          verdict: 'promoted',
          revision: good,
        });
        await outcome(stage, 1);

        const bad = await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
        const failed = await serin('wait', 'podinfo', '--revision', bad.slice(0, 12), '--timeout', '60s');
        expect(failed.code).toBe(3);
        expect(failed.out).toMatch(/test\/podinfo rolled-back: .*success rate .* < 99%\n$/);
        // However much later somebody asks: Git tells it.
        await outcome(stage, 2);
        expect((await serin('wait', 'podinfo', '--revision', bad, '--for', 'ended', '--timeout', '20s')).code).toBe(0);
        expect((await serin('wait', 'podinfo', '--revision', good, '--timeout', '20s')).code).toBe(0);

        const other = await stage.push('a word', { 'README.md': 'hello\n' });
        const late = await serin('wait', 'podinfo', '--revision', other, '--timeout', '2s');
        expect(late.code).toBe(4);
        expect(late.errors).toMatch(/does the commit change the app\?/);

        const { out } = await serin('history', 'test/podinfo', '--json');
        const { entries } = JSON.parse(out) as { entries: { verdict: string; revision?: string; tag?: string }[] };
        expect(entries.map(({ verdict }) => verdict)).toEqual(['rolled-back', 'promoted', 'adopted']);
        expect(entries[1]).toMatchObject({ revision: good, tag: 'releases/test/podinfo/1' });
      }),
    );
  });
});

describe('a person who holds, aborts and takes back', patient, () => {
  it('is obeyed by the agent, and named in Git', async () => {
    await onStage({ files: appFiles(), hosts: [hostOf()] }, (stage) =>
      withJob(stage, async (serin) => {
        await adopted(stage);
        await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
        await stage.until('users on the canary', () => canary(stage).weight > 0, 20_000);
        expect((await serin('hold', 'podinfo', '-m', 'logs', '--by', 'jane')).code).toBe(0);
        await stage.said(/^Hold podinfo\.test at weight \d+, asked for by jane: logs/);
        const { weight: held } = canary(stage);
        await stage.restsFor(30_000);
        expect(canary(stage).weight).toBe(held);
        const shown = await serin('status', '-n', 'test');
        expect(shown.code).toBe(3);
        expect(shown.out).toMatch(/held at \d+% by jane: logs/);
        expect(shown.out).toContain('serin resume test/podinfo');
        expect(JSON.stringify(object(stage, 'Canary', 'podinfo')?.['status'])).toContain('OnHold');
        expect((await serin('rollback', 'podinfo', '-m', 'bad logs', '--by', 'jane')).code).toBe(0);
        const { subject, trailers } = await outcome(stage, 1);
        expect(subject).toBe('rollback test/podinfo 3.1.1: rollback asked for by jane: bad logs');
        expect(trailers['Failed-Check']).toBe('abort: rollback asked for by jane: bad logs');
        expect(await stage.file(appPath())).toContain('podinfo:3.1.0');

        // What failed is tried again, the rest is skipped, and what was promoted so is taken back.
        expect((await serin('retry', 'podinfo', '-m', 'logs were fine')).code).toBe(0);
        await stage.until('it is judged again', () => canary(stage).phase === 'Progressing', 20_000);
        expect((await serin('promote', 'podinfo', '-m', 'hotfix', '--by', 'jane')).code).toBe(0);
        expect((await outcome(stage, 2)).trailers['Verdict']).toBe('promoted');
        expect(await stage.run('log', '-1', '--grep=^Verdict: promoted', '--format=%B')).toContain(
          'Promoted before the end of its analysis by jane: hotfix.',
        );
        expect((await serin('rollback', 'podinfo', '-m', 'customers')).code).toBe(0);
        expect(await stage.file(appPath())).toContain('podinfo:3.1.0');
      }),
    );
  });
});

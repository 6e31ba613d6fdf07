import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runFaults } from '../../src/cli/sandbox/fault-course.ts';
import { changesOf, type FaultKind, faultKinds, faultsAt, parseFault } from '../../src/cli/sandbox/fault-windows.ts';
import { type Ground, layGround } from '../../src/cli/sandbox/ground.ts';
import { seedRepository } from '../../src/cli/sandbox/seed.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { eventually } from '../helpers/eventually.ts';
import { manualClock } from '../helpers/manual-clock.ts';
import { runGit, withTempDir } from '../helpers/temp-repo.ts';

describe('an ordered fault', () => {
  it.each([
    ['git-down', { kind: 'git-down', fromMs: 0 }],
    ['api-429@30s..1m', { kind: 'api-429', fromMs: 30_000, untilMs: 60_000 }],
    ['metrics-down@1m30s..', { kind: 'metrics-down', fromMs: 90_000 }],
    ['git-slow@0s..500ms', { kind: 'git-slow', fromMs: 0, untilMs: 500 }],
  ])('is written %s', (text, window) => {
    expect(parseFault(text)).toEqual(window);
  });

  it.each([
    ['git-dwn', /"git-dwn" is no fault; known are git-down, /],
    ['', /"" is no fault/],
    ['toString', /"toString" is no fault/],
    ['git-down@30s', /write git-down@FROM\.\.UNTIL/],
    ['git-down@', /write git-down@FROM\.\.UNTIL/],
    ['git-down@30s..1m..2m', /write git-down@FROM\.\.UNTIL/],
    ['git-down@30..60', /"30" is no duration/],
    ['git-down@-1s..2s', /"-1s" is no duration/],
    ['git-down@1m..30s', /it ends before it begins/],
    ['git-down@30s..30s', /it ends before it begins/],
  ])('that is written %j is refused', (text, why) => {
    expect(() => parseFault(text)).toThrow(why);
  });

  it('is there in its windows and between them not', () => {
    const windows = ['git-down@1s..2s', 'git-down@4s..', 'api-429@1s..5s'].map(parseFault);
    const at = (ms: number): FaultKind[] => [...faultsAt(windows, ms)];
    expect(changesOf(windows)).toEqual([1_000, 2_000, 4_000, 5_000]);
    expect([at(0), at(1_000), at(2_000), at(4_500), at(9_000)]).toEqual([
      [],
      ['git-down', 'api-429'],
      ['api-429'],
      ['git-down', 'api-429'],
      ['git-down'],
    ]);
  });
});

const speed = 4;

/** What somebody outside sees of each fault: resolves to true where it is there. */
const seen: Readonly<Record<FaultKind, (ground: Ground, clone: string) => Promise<boolean>>> = {
  'git-down': (ground) => fails(() => runGit(['ls-remote', ground.gitServer.repoUrl('config')]), /connect/),
  'git-slow': (ground) => isSlow(() => runGit(['ls-remote', ground.gitServer.repoUrl('config')]), 5_000 / speed),
  'git-push-refused': (_, clone) => fails(() => push(clone), /protected/),
  'git-unauthorized': (ground) =>
    fails(() => runGit(['ls-remote', ground.gitServer.repoUrl('config')]), /username|401/i),
  'api-down': ({ sandbox }) => fails(() => fetch(`${sandbox.apiUrl}/version`), /fetch failed/),
  'api-slow': ({ sandbox }) => isSlow(() => fetch(`${sandbox.apiUrl}/version`), 2_000 / speed),
  'api-429': async ({ sandbox }) => {
    const { status, headers } = await fetch(`${sandbox.apiUrl}/version`);
    return status === 429 && headers.get('retry-after') === '1';
  },
  'api-watches-cut': async ({ sandbox }) => {
    const response = await fetch(`${sandbox.apiUrl}/api/v1/namespaces?watch=true&timeoutSeconds=1`);
    return fails(() => response.text(), /terminated/);
  },
  'metrics-down': ({ sandbox }) => fails(() => fetch(`${sandbox.prometheusUrl}/-/ready`), /fetch failed/),
};

async function fails(run: () => Promise<unknown>, how: RegExp): Promise<boolean> {
  try {
    await run();
    return false;
  } catch (error) {
    expect(String(error)).toMatch(how);
    return true;
  }
}

/** Never quicker than so. A busy machine may make one call slow, and not each of them. */
async function isSlow(run: () => Promise<unknown>, ms: number): Promise<boolean> {
  for (let tries = 0; tries < 3; tries += 1) {
    const startedMs = performance.now();
    await run();
    if (performance.now() - startedMs < ms) return false;
  }
  return true;
}

async function push(clone: string): Promise<void> {
  const git = ['-C', clone, '-c', 'user.name=Ada', '-c', 'user.email=ada@example.test'];
  await runGit([...git, 'commit', '--quiet', '--allow-empty', '-m', 'by hand']);
  await runGit([...git, 'push', '--quiet', 'origin', 'HEAD:main']);
}

describe.concurrent('a sandbox', () => {
  it.each(Object.keys(faultKinds) as FaultKind[])('has %s as long as it is ordered', (kind) =>
    withTempDir(async (dir) => {
      const ground = await layGround(join(dir, 'ground'), { clock: systemClock, podStartMs: 10, definitions: [] });
      const clock = manualClock();
      const told: string[] = [];
      const bare = await ground.gitServer.createRepo('config');
      await seedRepository(bare, undefined);
      const clone = join(dir, 'clone');
      await runGit(['clone', '--quiet', ground.gitServer.repoUrl('config'), clone]);
      const windows = [{ kind, fromMs: 1_000, untilMs: 3_000 }];
      const end = runFaults(windows, ground, bare, clock, speed, (text) => void told.push(text));
      try {
        expect(await seen[kind](ground, clone)).toBe(false);
        clock.advance(1_000);
        await eventually('it begins', () => told.length === 1);
        if (kind === 'api-watches-cut') setTimeout(() => clock.advance(1_000), 200);
        expect(await seen[kind](ground, clone)).toBe(true);
        clock.advance(2_000);
        await eventually('it ends', () => told.length === 2);
        expect(told).toEqual([`fault ${kind} begins: ${faultKinds[kind]}`, `fault ${kind} ends`]);
        expect(await seen[kind](ground, clone)).toBe(false);
      } finally {
        await end();
        await ground.stop();
      }
    }),
  );
});

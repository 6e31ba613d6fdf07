import { describe, expect, it } from 'vitest';
import { asRevision, type GitRepo, type PushResult } from '../../src/git/repo.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { holdsRelease, parseLedger } from '../../src/release/ledger.ts';
import type { Outcome } from '../../src/release/types.ts';
import { createOutcomeWriter } from '../../src/release/writer.ts';
import { eventually } from '../helpers/eventually.ts';
import { commitFiles, fsck, lines, revParse, runGit, show, subjects } from '../helpers/temp-repo.ts';
import { type AppShape, appTree, deploymentText } from './a-config-repo.ts';
import { settings, shortWhile, type Stage, withWriters } from './a-writer.ts';
import { outcomeOf } from './an-outcome.ts';

const names = ['a', 'b', 'c', 'd', 'e', 'f'];
const shapes = (version: string): AppShape[] =>
  names.map((name) => ({ name, image: `${name}:${version}`, config: { v: version } }));
/** Every second app is rolled back. */
const verdictOf = (index: number): Outcome['verdict'] => (index % 2 === 0 ? 'promoted' : 'rolled-back');

async function releaseAll(stage: Stage): Promise<Outcome[]> {
  const base = await stage.commit(appTree(...shapes('1.0.0')), 'v1');
  const judged = await stage.commit(appTree(...shapes('2.0.0')), 'v2');
  const files = appTree(...shapes('2.0.0'));
  return names.map((name, index) => outcomeOf(name, verdictOf(index), { revision: judged, files }, base));
}

async function expectAllOnce(stage: Stage, outcomes: readonly Outcome[]): Promise<void> {
  const log = await runGit([
    '-C',
    stage.path,
    'log',
    '--format=%(trailers:key=Release-Id,valueonly,separator=%x2C)',
    'main',
  ]);
  expect(lines(log).toSorted()).toEqual(outcomes.map(({ releaseId }) => releaseId).toSorted());
  expect(lines(await runGit(['-C', stage.path, 'log', '--merges', '--format=%h', 'main']))).toEqual([]);
  for (const [index, outcome] of outcomes.entries()) {
    const { name } = outcome.app;
    const path = `.releases/test/${name}.yaml`;
    expect(holdsRelease(parseLedger(path, await show(stage.path, 'main', path)), outcome.releaseId)).toBe(true);
    const version = verdictOf(index) === 'promoted' ? '2.0.0' : '1.0.0';
    const [shape] = shapes(version).slice(index);
    if (shape) expect(await show(stage.path, 'main', `${name}/deployment.yaml`)).toBe(deploymentText(shape));
  }
  const tags = names.filter((_, index) => verdictOf(index) === 'promoted').map((name) => `releases/test/${name}/1`);
  expect(lines(await runGit(['-C', stage.path, 'tag', '--list']))).toEqual(tags);
  await fsck(stage.path);
}

it('every outcome lands once and no foreign commit is lost, whoever pushes at the same time', async () => {
  await withWriters(async (stage) => {
    const outcomes = await releaseAll(stage);
    const { writer, idle } = await stage.start();
    // Two more agents with the same outcomes, as after a lost lease.
    const rival = await stage.start({}, 'rival');
    let pushing = true;
    let foreign = 0;
    const pusher = async (who: string): Promise<void> => {
      for (let round = 0; pushing && round < 12; round += 1) {
        const tip = await revParse(stage.path, 'main');
        const pushed = await commitFiles(stage.path, {
          files: { [`foreign/${who}-${round}.txt`]: tip },
          message: `foreign ${who}`,
        }).then(
          () => true,
          // Lost a race against somebody else.
          () => false,
        );
        if (pushed) foreign += 1;
        await shortWhile(20);
      }
    };
    const pushers = ['x', 'y', 'z'].map(pusher);
    for (const outcome of outcomes) {
      writer.submit(outcome);
      rival.writer.submit(outcome);
      await shortWhile(30);
    }
    await Promise.all([idle(), rival.idle()]);
    pushing = false;
    await Promise.all(pushers);
    await expectAllOnce(stage, outcomes);
    expect((await subjects(stage.path)).filter((subject) => subject.startsWith('foreign'))).toHaveLength(foreign);
  });
});

it('a writer that is killed at any moment and started again writes the same', async () => {
  await withWriters(async (stage) => {
    const outcomes = await releaseAll(stage);
    for (let life = 0; life < 8; life += 1) {
      const { writer, stop } = await stage.start({}, `mirror-${life % 2}`);
      for (const outcome of outcomes) writer.submit(outcome);
      if (life % 3 === 1) stage.server.faults.inject({ kind: 'drop-response' }, { only: 'push', times: 1 });
      await shortWhile(20 + life * 12);
      await stop();
    }
    stage.server.faults.clear();
    const { writer, idle } = await stage.start({}, 'last');
    for (const outcome of outcomes) writer.submit(outcome);
    await idle();
    await expectAllOnce(stage, outcomes);
  });
});

/** The same repository with another way to push. */
const pushingBy = (repo: GitRepo, push: GitRepo['push']): GitRepo =>
  new Proxy(repo, {
    get: (target, name) => {
      const member: unknown = name === 'push' ? push : Reflect.get(target, name, target);
      return typeof member === 'function' ? (member.bind(target) as unknown) : member;
    },
  });

describe('between lost races', () => {
  /** How long a writer paused each time until enough was seen. The first pause gathers outcomes that come together. */
  const pausesOf = async (stage: Stage, repo: GitRepo, isEnough: () => boolean): Promise<readonly number[]> => {
    const base = asRevision(await stage.tip());
    const pauses: number[] = [];
    const sleep: Clock['sleep'] = (ms, signal) => {
      pauses.push(ms);
      return systemClock.sleep(ms, signal);
    };
    const writer = createOutcomeWriter({ repo, clock: { ...systemClock, sleep }, log: silentLogger, settings });
    const ending = new AbortController();
    const running = writer.run(ending.signal);
    writer.submit(outcomeOf('a', 'promoted', { revision: base, files: appTree(...shapes('1.0.0')) }, base));
    try {
      await eventually('enough was seen', isEnough, 20_000);
    } finally {
      ending.abort(new Error('stopped'));
      await running;
    }
    return pauses.slice(1);
  };

  it('no time passes while the tip moves: each is built at once on the tip that was named', () =>
    withWriters(async (stage) => {
      await stage.commit(appTree(...shapes('1.0.0')), 'v1');
      const repo = await stage.open();
      const kinds: string[] = [];
      const counted = pushingBy(repo, async (request, signal) => {
        const others = kinds.length;
        if (others < 6) await commitFiles(stage.path, { files: { 'foreign.txt': `${others}` }, message: 'foreign' });
        const result = await repo.push(request, signal);
        kinds.push(result.kind);
        return result;
      });
      expect(await pausesOf(stage, counted, () => kinds.includes('landed'))).toEqual([]);
      expect(kinds).toEqual([...Array.from({ length: 6 }, () => 'raced'), 'landed']);
    }));

  it('there are pauses while nothing moves, whatever tip the server names', () =>
    withWriters(async (stage) => {
      await stage.commit(appTree(...shapes('1.0.0')), 'v1');
      let pushes = 0;
      const lying = pushingBy(await stage.open(), () => {
        pushes += 1;
        const tip = asRevision(pushes.toString(16).padStart(40, '0'));
        return Promise.resolve<PushResult>({ kind: 'raced', reason: `is at ${tip}`, tip });
      });
      const pauses = await pausesOf(stage, lying, () => pushes >= 6);
      expect(pauses.length).toBeGreaterThanOrEqual(pushes - 2);
      expect(Math.min(...pauses)).toBeGreaterThan(0);
    }));
});

import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/lib/json.ts';
import { canaryManager } from '../../../src/agent/effects/writes.ts';
import { AgentError } from '../../../src/lib/errors.ts';
import { aCanarySpec } from '../../helpers/a-canary-spec.ts';
import { holdAtRest } from '../../model/loop/watch.ts';
import { imageOf } from '../../model/loop/pods.ts';
import { allAtOnce, type Course, Stage, type StageOptions } from '../../model/loop/stage.ts';

const primaryImage = (stage: Stage): string | undefined => imageOf(stage.cluster.peek('Deployment', 'app-primary'));

async function until(stage: Stage, isThere: () => boolean): Promise<void> {
  for (let s = 0; !isThere(); s += 1) {
    if (s > 3_000) expect.fail(`it is ${stage.status.phase}, after ${stage.told.slice(-3).join(', ')}`);
    await stage.run(100);
  }
}

/** Version 1 could not be promoted: the primary has it, Git has taken it back, and the way back to version 0 is under way. */
async function onTheWayBack(analysis: Json = {}, options: Pick<StageOptions, 'faulty'> = {}): Promise<Stage> {
  const stage = new Stage({
    ...options,
    replicas: 1,
    podStartMs: 500,
    spec: aCanarySpec({ threshold: 1, stepWeight: 20, maxWeight: 60, ...analysis }),
  });
  stage.push({});
  stage.start();
  await stage.run(60_000);
  stage.push({ version: 1 });
  stage.wakeSync();
  await until(stage, () => stage.status.phase === 'Promoting');
  stage.pods.down('app-primary', true);
  stage.closed.add('gate');
  await until(stage, () => stage.outcomes.length === 2);
  stage.pods.down('app-primary', false);
  await until(stage, () => ['Progressing', 'Waiting'].includes(stage.status.phase));
  await stage.run(2_000);
  expect([primaryImage(stage), stage.tip.says.version, stage.outcomes.at(-1)?.verdict]).toEqual([
    'app:1',
    0,
    'rolled-back',
  ]);
  return stage;
}

describe('a version that could not be promoted and is pushed again', () => {
  const gate = { webhooks: [{ name: 'gate', type: 'confirm-rollout', url: 'http://hooks/gate' }] };
  const agentsEnd = async (stage: Stage): Promise<void> => {
    stage.kill();
    stage.start();
  };
  const waysBackFail = async (stage: Stage): Promise<void> => {
    stage.metrics = 'bad';
    await until(stage, () => stage.status.phase === 'Failed');
    stage.metrics = 'good';
  };
  const nothing = async (): Promise<void> => undefined;
  it.each<[string, Json, (stage: Stage) => Promise<void>]>([
    ['while the version before is judged', {}, nothing],
    ['where that one waits to be let in', gate, nothing],
    ['after that one has failed too', {}, waysBackFail],
    ['after the agent has started anew', {}, agentsEnd],
  ])('is judged as any other, although the primary runs it, %s', async (_when, analysis, before) => {
    const stage = await onTheWayBack(analysis);
    await before(stage);
    stage.push({ version: 1 });
    stage.wakeSync();
    await stage.run(5_000);
    stage.closed.clear();
    await stage.run(300_000);
    expect(stage.outcomes.map(({ verdict }) => verdict)).toEqual(['adopted', 'rolled-back', 'promoted']);
    expect([primaryImage(stage), stage.status.phase]).toEqual(['app:1', 'Succeeded']);
    holdAtRest(stage);
  });

  it.each<[string, Course]>([
    ['its Deployment long before the rest', { order: ['Deployment', 'ConfigMap', 'Secret'], pausesMs: [25_000, 0, 0] }],
    ['its Deployment long after the rest', { order: ['ConfigMap', 'Secret', 'Deployment'], pausesMs: [0, 25_000, 0] }],
    ['each of it apart', { order: ['Secret', 'Deployment', 'ConfigMap'], pausesMs: [2_000, 12_000, 2_000] }],
  ])('is judged also where it is applied bit by bit, %s', async (_how, course) => {
    // Right after another version was rejected, and when all is at rest.
    for (const laterMs of [600, 3_000, 40_000]) {
      const stage = await onTheWayBack();
      stage.pods.health('app:2', 'broken');
      stage.push({ version: 2, text: 1 });
      stage.wakeSync();
      await until(stage, () => stage.outcomes.length === 3);
      await stage.run(laterMs);
      stage.goes(course);
      stage.push({ version: 1, text: 0 });
      stage.wakeSync();
      await stage.run(400_000);
      const verdicts = stage.outcomes.map(({ verdict }) => verdict);
      expect(verdicts, `${laterMs} ms later`).toEqual(['adopted', 'rolled-back', 'rolled-back', 'promoted']);
      holdAtRest(stage);
    }
  });

  it('is judged where another version has failed meanwhile', async () => {
    const stage = await onTheWayBack();
    stage.pods.health('app:2', 'broken');
    stage.push({ version: 2 });
    stage.wakeSync();
    await until(stage, () => stage.outcomes.length === 3);
    await stage.run(5_000);
    expect(stage.tip.says.version).toBe(0);
    stage.push({ version: 1 });
    stage.wakeSync();
    await stage.run(300_000);
    expect(stage.outcomes.map(({ verdict }) => verdict)).toEqual(['adopted', 'rolled-back', 'rolled-back', 'promoted']);
    holdAtRest(stage);
  });

  it('is the one that Git is told of where its sync goes by while the way back begins', async () => {
    let pushOnce: (() => Promise<void>) | undefined;
    const faulty: StageOptions['faulty'] = {
      effects: (effects) => ({
        ...effects,
        run: async (effect, ...rest) => {
          if (effect.kind === 'begin-release') await pushOnce?.();
          await effects.run(effect, ...rest);
        },
      }),
    };
    const stage = await onTheWayBack({}, { faulty });
    stage.push({ version: 0, text: 1 });
    stage.wakeSync();
    pushOnce = async () => {
      pushOnce = undefined;
      stage.push({ version: 1, text: 0 });
      stage.wakeSync();
      await stage.clock.settle();
    };
    await stage.run(400_000);
    expect(pushOnce).toBeUndefined();
    expect(stage.outcomes.map(({ verdict }) => verdict)).toEqual(['adopted', 'rolled-back', 'promoted']);
    holdAtRest(stage);
  });

  it('is judged also where the status that is to name it does not reach the cluster', async () => {
    const stage = await onTheWayBack();
    let lost = 0;
    stage.cluster.onRequest = (ref, manager) => {
      const isBegun = stage.told.at(-1)?.startsWith('New revision detected!');
      if (lost > 0 || !isBegun || ref.kind !== 'Canary' || manager !== canaryManager) return;
      lost += 1;
      throw new AgentError('CLUSTER_UNREACHABLE', 'the API server is away');
    };
    stage.push({ version: 1 });
    stage.wakeSync();
    await stage.run(300_000);
    expect(lost).toBe(1);
    expect(stage.outcomes.map(({ verdict }) => verdict)).toEqual(['adopted', 'rolled-back', 'promoted']);
    expect([primaryImage(stage), stage.status.phase]).toEqual(['app:1', 'Succeeded']);
    holdAtRest(stage);
  });

  it('is still nothing to judge where Git goes back to what was promoted', async () => {
    const stage = await onTheWayBack();
    await stage.run(300_000);
    expect(primaryImage(stage)).toBe('app:0');
    holdAtRest(stage);
  });
});

describe('a version that was taken back amid its release and is pushed again', () => {
  const released = async (): Promise<Stage> => {
    const stage = new Stage({
      replicas: 1,
      podStartMs: 500,
      spec: aCanarySpec({ threshold: 1, stepWeight: 20, maxWeight: 60 }),
    });
    stage.push({});
    stage.start();
    await stage.run(60_000);
    stage.push({ version: 1 });
    stage.wakeSync();
    await until(stage, () => stage.status.canaryWeight > 0);
    return stage;
  };
  const pushed = (stage: Stage, version: number): void => {
    stage.push({ version });
    stage.wakeSync();
  };
  it.each<[string, (stage: Stage) => Promise<void>]>([
    ['while the agent runs', async (stage) => pushed(stage, 1)],
    [
      'while the agent is away',
      async (stage) => {
        stage.kill();
        stage.push({ version: 1 });
        stage.start();
      },
    ],
    [
      'while another agent is slow to apply it and ends',
      async (stage) => {
        stage.goes({ order: ['ConfigMap', 'Deployment', 'Secret'], pausesMs: [25_000, 0, 0] });
        pushed(stage, 1);
        await stage.run(3_000);
        stage.kill();
        stage.start();
      },
    ],
    [
      'after other commits, and agents that ended in between',
      async (stage) => {
        stage.push({});
        stage.kill();
        stage.start();
        await stage.run(20_000);
        stage.kill();
        stage.push({ version: 1 });
        stage.push({});
        stage.start();
      },
    ],
  ])('is another release with an outcome of its own, %s', async (_when, again) => {
    const stage = await released();
    pushed(stage, 0);
    await until(stage, () => stage.status.phase === 'Initialized');
    await stage.run(5_000);
    await again(stage);
    await stage.run(200_000);
    expect(stage.outcomes.map(({ verdict }) => verdict)).toEqual(['adopted', 'withdrawn', 'promoted']);
    const [, before, after] = stage.outcomes;
    expect(after?.releaseId).not.toBe(before?.releaseId);
    expect(after?.base).not.toBe(before?.base);
    holdAtRest(stage);
  });
});

describe('a rejected version that is pushed again', () => {
  const away = (): never => {
    throw new AgentError('CLUSTER_UNREACHABLE', 'the API server is away');
  };
  it.each<[string, (stage: Stage) => Promise<void>]>([
    ['does not reach the cluster', async (stage) => stage.run(5_000)],
    [
      'does not reach the cluster before the agent ends',
      async (stage) => {
        await stage.run(100);
        stage.kill();
        await stage.run(20_000);
        stage.start();
      },
    ],
  ])('has its outcome also where the status that is to name it %s', async (_how, then) => {
    const stage = new Stage({
      replicas: 1,
      podStartMs: 500,
      spec: aCanarySpec({ threshold: 1, iterations: 2 }),
    });
    stage.push({});
    stage.start();
    await stage.run(60_000);
    stage.pods.health('app:1', 'broken');
    stage.push({ version: 1 });
    stage.wakeSync();
    await until(stage, () => stage.outcomes.length === 2);
    // The API server refuses the revert, so the target stays what was rejected.
    stage.goes({ ...allAtOnce, refused: 'Deployment' });
    await stage.run(5_000);
    expect([stage.status.phase, stage.tip.says.version]).toEqual(['Failed', 0]);
    stage.goes(allAtOnce);
    stage.push({ version: 1 });
    stage.pods.health('app:1', 'good');
    let isLost = false;
    stage.cluster.onRequest = (ref, manager) => {
      const isBegun = stage.told.at(-1) === 'New revision detected! Scaling up app.demo';
      if (isLost || !isBegun || ref.kind !== 'Canary' || manager !== canaryManager) return;
      isLost = true;
      away();
    };
    stage.wakeSync();
    await until(stage, () => isLost);
    await then(stage);
    await stage.run(300_000);
    expect(stage.outcomes.map(({ verdict }) => verdict)).toEqual(['adopted', 'rolled-back', 'promoted']);
    holdAtRest(stage);
  });
});

describe('a version that was stable before, and is pushed while the promotion of another is not in Git yet', () => {
  const back = (stage: Stage): void => void stage.push({ version: 0 });
  it.each<[string, (stage: Stage) => Promise<void>]>([
    [
      'before the agent ends',
      async (stage) => {
        back(stage);
        stage.wakeSync();
        await stage.run(500);
      },
    ],
    [
      'while it is away',
      async (stage) => {
        stage.kill();
        back(stage);
      },
    ],
    [
      'followed by a commit about others',
      async (stage) => {
        back(stage);
        stage.push({});
      },
    ],
  ])('is a release of its own after a start, %s', async (_when, happens) => {
    const stage = new Stage({
      replicas: 1,
      podStartMs: 500,
      spec: aCanarySpec({ threshold: 1, iterations: 2 }),
    });
    stage.push({});
    stage.start();
    await stage.run(60_000);
    stage.push({ version: 1 });
    stage.wakeSync();
    await until(stage, () => stage.status.phase === 'Promoting');
    stage.silenceGit(true);
    await until(stage, () => stage.outcomes.at(-1)?.verdict === 'promoted');
    await happens(stage);
    stage.kill();
    stage.start();
    await stage.run(1_000);
    stage.silenceGit(false);
    await stage.run(200_000);
    expect(stage.outcomes.map(({ verdict }) => verdict)).toEqual(['adopted', 'promoted', 'promoted']);
    expect(new Set(stage.outcomes.map(({ releaseId }) => releaseId)).size).toBe(3);
    expect(primaryImage(stage)).toBe('app:0');
    holdAtRest(stage);
  });
});

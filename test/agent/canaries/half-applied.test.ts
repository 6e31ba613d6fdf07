import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/lib/json.ts';
import { aCanarySpec } from '../../helpers/a-canary-spec.ts';
import { imageOf } from '../../model/loop/pods.ts';
import { allAtOnce, intervalMs, type Course, type Part, Stage } from '../../model/loop/stage.ts';

const spec: Json = aCanarySpec({ threshold: 2, stepWeight: 20, maxWeight: 60 });

/** An app at rest, and its agent. */
async function atRest(): Promise<Stage> {
  const stage = new Stage({ spec, replicas: 2 });
  stage.foreignSecret(0);
  stage.push({});
  stage.start();
  await stage.run(40_000);
  expect(stage.status.phase).toBe('Initialized');
  expect(stage.outcomes.map(({ verdict }) => verdict)).toEqual(['adopted']);
  return stage;
}

const begun = ({ told }: Stage): number => told.filter((text) => text.startsWith('New revision detected!')).length;

/** The one outcome of what was pushed, and that it is of what runs. */
function expectOneOutcome(stage: Stage): void {
  const { outcomes, tip, cluster } = stage;
  expect(outcomes.slice(1).map(({ verdict }) => verdict)).toEqual(['promoted']);
  expect(stage.status.phase).toBe('Succeeded');
  const { state } = outcomes[1] ?? {};
  expect(state).toMatchObject({
    content: tip.apps[0]?.content,
    images: { app: imageOf(cluster.peek('Deployment', 'app-primary')) },
    templateHash: stage.status.lastPromotedSpec,
    configs: stage.status.trackedConfigs,
  });
  for (const [kind, name] of [
    ['ConfigMap', 'config'],
    ['Secret', 'secret'],
    ['Secret', 'foreign'],
  ] as const)
    expect(cluster.peek(kind, `${name}-primary`)?.['data'], name).toEqual(cluster.peek(kind, name)?.['data']);
  expect(stage.routes).toEqual({ weight: 0, isMirrored: false });
}

const parts: readonly Part[] = ['ConfigMap', 'Secret', 'Deployment'];
const orders = parts.flatMap((first) =>
  parts
    .filter((part) => part !== first)
    .map((second): readonly Part[] => [first, second, ...parts.filter((part) => part !== first && part !== second)]),
);
/** None, less than a look, and several looks long. */
const pauses = [0, 3_000, 35_000];
const courses: readonly Course[] = orders.flatMap((order) =>
  pauses.flatMap((one) => pauses.map((other) => ({ order, pausesMs: [one, other, one] }))),
);

describe('a commit that changes an image, a ConfigMap and a Secret together', () => {
  it.each(orders.map((order) => [order.join(', '), order] as const))(
    'has one release and one outcome, whatever the pauses: %s',
    async (_name, order) => {
      for (const course of courses.filter((one) => one.order === order)) {
        const stage = await atRest();
        stage.goes(course);
        stage.push({ version: 1, text: 1, password: 1 });
        stage.wakeSync();
        await stage.run(300_000);
        expectOneOutcome(stage);
        expect(begun(stage), JSON.stringify(course)).toBe(1);
      }
    },
  );

  it.each(orders.map((order) => [order.join(', '), order] as const))(
    'also where another release is under way, and no user is on the canary while a part is missing: %s',
    async (_name, order) => {
      for (const course of courses.filter((one) => one.order === order)) {
        const stage = await atRest();
        stage.push({ version: 1 });
        stage.wakeSync();
        for (let s = 0; stage.routes.weight < 20 && s < 60; s += 1) await stage.run(1_000);
        expect(stage.routes.weight).toBe(20);
        stage.goes(course);
        stage.push({ version: 2, text: 1, password: 1 });
        stage.wakeSync();
        const [first = 0, second = 0] = course.pausesMs;
        await stage.clock.run(100);
        if (first + second > 1_000) expect(stage.routes.weight, JSON.stringify(course)).toBe(0);
        await stage.run(300_000);
        expectOneOutcome(stage);
        expect(begun(stage), JSON.stringify(course)).toBe(2);
        expect(stage.outcomes[1]?.supersedes).toHaveLength(1);
      }
    },
  );

  it('also where the agent dies after any part, and another one goes on', async () => {
    for (const order of orders)
      for (const diesAfterMs of [0, 15_000, 45_000, 60_000, 75_000]) {
        const stage = await atRest();
        stage.goes({ order, pausesMs: [20_000, 20_000, 0] });
        stage.push({ version: 1, text: 1, password: 1 });
        stage.wakeSync();
        await stage.run(diesAfterMs);
        stage.kill();
        await stage.run(25_000);
        stage.goes({ order, pausesMs: [5_000, 5_000, 0] });
        stage.start();
        await stage.run(300_000);
        expectOneOutcome(stage);
        expect(begun(stage), `${order.join()} ${diesAfterMs}`).toBe(1);
      }
  });

  it.each(parts)('waits while its %s is refused, and is one release once it is not', async (refused) => {
    for (const order of orders) {
      const stage = await atRest();
      stage.goes({ order, pausesMs: [0, 0, 0], refused });
      stage.push({ version: 1, text: 1, password: 1 });
      stage.wakeSync();
      await stage.run(120_000);
      expect([begun(stage), stage.status.phase]).toEqual([0, 'Initialized']);
      stage.goes(allAtOnce);
      stage.wakeSync();
      await stage.run(300_000);
      expectOneOutcome(stage);
      expect(begun(stage)).toBe(1);
    }
  });

  it('is none where it was taken back before all of it was applied', async () => {
    for (const course of courses.filter(({ pausesMs }) => pausesMs.every((ms) => ms > 0))) {
      const stage = await atRest();
      stage.goes(course);
      stage.push({ version: 1, text: 1, password: 1 });
      stage.wakeSync();
      await stage.run(2_000);
      stage.push({ version: 0, text: 0, password: 0 });
      stage.wakeSync();
      await stage.run(300_000);
      expect([begun(stage), stage.status.phase, stage.outcomes.length]).toEqual([0, 'Initialized', 1]);
    }
  });
});

describe('what changes behind the back of Git amid a release', () => {
  type Change = (stage: Stage, round: number) => void;
  const changes: readonly (readonly [string, Change])[] = [
    [
      'a restart of the pods by hand',
      (stage, round) =>
        stage.edit('Deployment', 'app', (object) => {
          const before = object['spec'] as Json;
          const template = before['template'] as { metadata: Json };
          const annotations = { 'kubectl.kubernetes.io/restartedAt': `${round}` };
          return {
            ...object,
            spec: { ...before, template: { ...template, metadata: { ...template.metadata, annotations } } },
          };
        }),
    ],
    ['a Secret that an operator renews', (stage, round) => stage.foreignSecret(round + 1)],
    [
      'a Secret that is deleted and made again',
      (stage, round) => {
        stage.cluster.drop({ apiVersion: 'v1', kind: 'Secret', namespace: 'demo', name: 'foreign' });
        stage.foreignSecret(round + 1);
      },
    ],
  ];

  it.each(changes)('restarts the analysis, once each, and the release has one outcome: %s', async (_name, change) => {
    for (const atMs of [5_000, 15_000, 25_000, 35_000, 45_000, 55_000, 65_000])
      for (const rounds of [1, 3])
        for (const dies of [false, true]) {
          const stage = await atRest();
          stage.push({ version: 1, text: 1 });
          stage.wakeSync();
          await stage.run(atMs);
          let isLate = false;
          for (let round = 0; round < rounds; round += 1) {
            isLate ||= ['Promoting', 'Finalising', 'Succeeded'].includes(stage.status.phase);
            change(stage, round);
            await stage.run(intervalMs / 2);
            if (dies) {
              stage.kill();
              stage.start();
            }
            await stage.run(2 * intervalMs);
          }
          await stage.run(300_000);
          // What changes once it is promoted is judged as well, but is no commit's.
          if (isLate) expect(stage.outcomes.slice(1).map(({ verdict }) => verdict)).toEqual(['promoted']);
          else expectOneOutcome(stage);
          expect(stage.status.phase).toBe('Succeeded');
          expect(begun(stage), `${atMs} ${rounds} ${dies}`).toBeLessThanOrEqual(1 + rounds);
        }
  });

  it('is judged: one that fails is rolled back as what ran, and Git takes the commit back', async () => {
    const stage = await atRest();
    stage.push({ version: 1 });
    stage.wakeSync();
    await stage.run(35_000);
    expect(stage.routes.weight).toBeGreaterThan(0);
    stage.foreignSecret(1);
    stage.metrics = 'bad';
    await stage.run(120_000);
    const { lastAppliedSpec, trackedConfigs } = stage.status;
    expect(stage.status.phase).toBe('Failed');
    expect(stage.outcomes.slice(1)).toMatchObject([
      { verdict: 'rolled-back', state: { images: { app: 'app:1' } }, supersedes: [] },
    ]);
    expect(trackedConfigs?.['secret/foreign']).toBe(stage.outcomes[1]?.state.configs['secret/foreign']);
    expect(stage.tip.says.version).toBe(0);
    expect(lastAppliedSpec).not.toBe(stage.outcomes[1]?.state.templateHash);
  });
});

import { at } from '../../src/lib/json.ts';
import type { Answer, Question } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { createRollout, type Rollout } from '../helpers/rollout.ts';
import { createTargetWorld, type TargetWorld } from '../helpers/target-world.ts';

/** What keeps a DaemonSet off all nodes. */
export const mark = 'flagger.app/scale-to-zero';
export type Spec = Record<string, unknown>;

export function aDaemonSet(image = 'podinfo:1', podSpec: Spec = {}): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'podinfo', labels: { app: 'podinfo' } },
    spec: {
      selector: { matchLabels: { name: 'podinfo' } },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
      template: {
        metadata: { labels: { name: 'podinfo' } },
        spec: {
          containers: [
            {
              name: 'podinfo',
              image,
              ports: [
                { name: 'http', containerPort: 9898 },
                { name: 'http-metrics', containerPort: 8080 },
                { containerPort: 8888 },
              ],
              envFrom: [{ configMapRef: { name: 'podinfo-config' } }],
            },
          ],
          ...podSpec,
        },
      },
    },
  };
}

export interface Staged {
  readonly world: TargetWorld;
  readonly rollout: Rollout;
  /** Ten seconds later: one tick. */
  readonly step: (times?: number) => void;
  readonly setImage: (image: string) => void;
  readonly setConfig: (text: string) => void;
  readonly split: () => unknown;
}

/** The DaemonSet podinfo on two nodes, and its Canary. */
export function stage(
  spec: Spec = {},
  analysis: Spec = {},
  answer: (question: Question) => Answer = () => passing,
): Staged {
  const world = createTargetWorld({
    target: aDaemonSet(),
    canarySpec: {
      targetRef: { apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'podinfo' },
      service: { port: 9898 },
      progressDeadlineSeconds: 60,
      analysis: { interval: '10s', threshold: 3, stepWeight: 10, maxWeight: 50, ...analysis },
      ...spec,
    },
  });
  const rollout = createRollout({ world, answer });
  const setConfig = (text: string): void =>
    world.put({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'podinfo-config', namespace: 'demo' },
      data: { text },
    });
  setConfig('one');
  return {
    world,
    rollout,
    setConfig,
    step(times = 1) {
      for (let count = 0; count < times; count += 1) {
        world.nowMs += 10_000;
        rollout.tick();
      }
    },
    setImage: (image) => world.push(() => aDaemonSet(image)['spec'] as Spec),
    split: () => world.see().split,
  };
}

export const passing: Answer = { kind: 'passed' };

export function initialised(...options: Parameters<typeof stage>): Staged {
  const staged = stage(...options);
  staged.step(3);
  if (staged.rollout.status.phase !== 'Initialized') throw new Error(staged.rollout.status.phase);
  return staged;
}

/** An empty node selector is none. */
export const selectorOf = (object: KubeObject | undefined): unknown => {
  const selector = at(object, 'spec', 'template', 'spec', 'nodeSelector');
  return Object.keys(selector ?? {}).length === 0 ? undefined : selector;
};

export const imageOf = (object: KubeObject | undefined): unknown =>
  (at(object, 'spec', 'template', 'spec', 'containers') as { image: string }[] | undefined)?.[0]?.image;

export const messagesOf = (rollout: Rollout): string[] =>
  rollout.ticks.flatMap(({ effects }) =>
    effects.flatMap((effect) => (effect.kind === 'event' ? effect.event.message : [])),
  );

export const phasesOf = (rollout: Rollout): string[] =>
  rollout.ticks.map(({ status }) => `${status.phase} ${status.canaryWeight}`);

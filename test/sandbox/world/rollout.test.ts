import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Deployment, ReplicaSet } from '../../../src/sandbox/world/kinds.ts';
import {
  desiredReplicas,
  fenceposts,
  newSetReplicas,
  proportional,
  shrinkOldSets,
} from '../../../src/sandbox/world/rollout.ts';

const meta = (name: string, index = 0) => ({
  name,
  uid: name,
  resourceVersion: '1',
  creationTimestamp: new Date(index * 1_000).toISOString(),
});

function deployment(replicas: number, maxSurge: number | string, maxUnavailable: number | string): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: meta('app'),
    spec: {
      replicas,
      selector: {},
      template: { spec: { containers: [] } },
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
    },
  };
}

function set(index: number, replicas: number, available = replicas): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: meta(`app-${index}`, index),
    spec: { replicas, selector: {}, template: { spec: { containers: [] } } },
    status: { replicas, availableReplicas: available },
  };
}

const total = (sets: readonly ReplicaSet[]): number => sets.reduce((all, one) => all + desiredReplicas(one), 0);
const share = fc.oneof(
  fc.nat({ max: 5 }),
  fc.nat({ max: 100 }).map((percent) => `${percent}%`),
);

describe('a rolling update', () => {
  it.each([
    [10, '25%', '25%', { surge: 3, unavailable: 2 }],
    [1, '25%', '25%', { surge: 1, unavailable: 0 }],
    [4, 0, 0, { surge: 0, unavailable: 1 }],
    [2, 1, 5, { surge: 1, unavailable: 2 }],
    [0, '25%', '25%', { surge: 0, unavailable: 0 }],
  ])('of %i pods with surge %s and unavailable %s has the bounds %o', (replicas, surge, unavailable, bounds) => {
    expect(fenceposts(deployment(replicas, surge, unavailable))).toEqual(bounds);
  });

  it('always ends, never above the surge and never below the minimum', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        share,
        share,
        fc.array(fc.nat({ max: 3 }), { maxLength: 3 }),
        (replicas, surge, unavailable, older) => {
          const subject = deployment(replicas, surge, unavailable);
          const bounds = fenceposts(subject);
          let old = [set(1, replicas), ...older.map((_, index) => set(index + 2, 0))];
          let fresh = set(9, 0);
          for (let step = 0; step < 100 && (desiredReplicas(fresh) < replicas || total(old) > 0); step += 1) {
            const size = newSetReplicas(subject, [...old, fresh], desiredReplicas(fresh));
            const shrunk = new Map(
              size === desiredReplicas(fresh)
                ? shrinkOldSets(subject, fresh, old).map((one) => [one.set, one.replicas])
                : [],
            );
            fresh = set(9, size);
            old = old.map((one) => set(Number(one.metadata.name.slice(4)), shrunk.get(one) ?? desiredReplicas(one)));
            const all = total([...old, fresh]);
            expect(all).toBeLessThanOrEqual(replicas + bounds.surge);
            expect(all).toBeGreaterThanOrEqual(replicas - bounds.unavailable);
          }
          expect([desiredReplicas(fresh), total(old)]).toEqual([replicas, 0]);
        },
      ),
    );
  });

  it('takes away pods that do not work before those that do', () => {
    const subject = deployment(4, 0, 1);
    const shrunk = shrinkOldSets(subject, set(9, 0), [set(1, 3), set(2, 1, 0)]);
    expect(shrunk.map((one) => [one.set.metadata.name, one.replicas])).toEqual([['app-2', 0]]);
  });

  it('keeps its old pods while the new ones do not work', () => {
    expect(shrinkOldSets(deployment(2, 1, 0), set(9, 1, 0), [set(1, 2)])).toEqual([]);
  });

  it('shares a new size out among all its sets, to the last pod', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 20 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 4 }),
        (replicas, sizes) => {
          const subject = deployment(replicas, 1, 0);
          const before = sizes.map((size, index) => {
            const one = set(index, size);
            one.metadata.annotations = {
              'deployment.kubernetes.io/max-replicas': String(sizes.reduce((a, b) => a + b)),
            };
            return one;
          });
          const after = proportional(subject, before);
          expect(after.every((one) => one.replicas >= 0)).toBe(true);
          expect(after.reduce((all, one) => all + one.replicas, 0)).toBe(replicas === 0 ? 0 : replicas + 1);
        },
      ),
    );
  });
});

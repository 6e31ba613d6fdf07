import { expect, it } from 'vitest';
import type { Effect } from '../../src/canary/types.ts';
import { brokenBy } from '../model/check.ts';
import type { Happening, Moment, Trouble } from '../model/happenings.ts';

const moment = (happening: Happening, trouble: Trouble = {}): Moment => ({ happening, trouble });
const push = (version: number): Happening => ({ kind: 'push', version });

it('begins again what a newer version had replaced, when that is taken back before any status told of it', () => {
  const spec = {
    provider: 'istio',
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    service: { port: 80 },
    analysis: {
      interval: '10s',
      threshold: 1,
      stepWeight: 50,
      maxWeight: 50,
      metrics: [{ name: 'request-success-rate', interval: '1m', thresholdRange: { min: 99 } }],
    },
  };
  const done: Effect[] = [];
  const broken = brokenBy(
    {
      setting: { spec, replicas: 1, desiredReplicas: 1, hasApex: false },
      moments: [moment(push(5)), moment(push(4), { losesStatus: true, dies: true }), moment(push(5))],
      atLast: 'good',
      staysBroken: true,
    },
    { onTick: ({ told }) => done.push(...told.done) },
  );
  expect(broken).toBeUndefined();
  const begun = done.flatMap((effect) => (effect.kind === 'begin-release' ? [effect.templateHash] : []));
  // What is promoted is told of the release that was recorded last.
  expect(begun).toHaveLength(3);
  expect(begun[2]).toBe(begun[0]);
  expect(done.findLast(({ kind }) => kind === 'end-release')).toMatchObject({ verdict: 'promoted' });
});

it('calls a version back that has taken the place of one that waits only when its status names it', () => {
  const hook = (name: string, type: string) => ({ name, type, url: `http://hooks/${name}` });
  const spec = {
    provider: 'istio',
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    service: { port: 80 },
    analysis: {
      interval: '10s',
      threshold: 2,
      iterations: 3,
      webhooks: [hook('start', 'confirm-rollout'), hook('recall', 'rollback')],
    },
  };
  const done: Effect[][] = [];
  const broken = brokenBy(
    {
      setting: { spec, replicas: 2, desiredReplicas: 2, hasApex: false },
      moments: [
        moment({ kind: 'hook', type: 'confirm-rollout', passes: false }),
        moment(push(5)),
        moment({ kind: 'hook', type: 'rollback', passes: true }, { failsAt: 1, dies: true }),
        moment(push(1)),
        moment({ kind: 'nothing' }),
      ],
      atLast: 'good',
      staysBroken: false,
    },
    { onTick: ({ told }) => done.push([...told.done]) },
  );
  expect(broken).toBeUndefined();
  const kinds = done.map((effects) => effects.map(({ kind }) => kind).filter((kind) => kind.endsWith('-release')));
  expect(kinds.filter((found) => found.length > 0)).toEqual([['begin-release'], ['begin-release'], ['end-release']]);
});

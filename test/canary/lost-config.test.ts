import { expect, it } from 'vitest';
import type { Effect } from '../../src/canary/types.ts';
import { brokenBy } from '../model/check.ts';
import type { Happening, Moment } from '../model/happenings.ts';

const moment = (happening: Happening): Moment => ({ happening, trouble: {} });

it('tries no version again that failed, only because a config that was gone by then has come back', () => {
  const spec = {
    provider: 'istio',
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    service: { port: 80 },
    analysis: {
      interval: '10s',
      threshold: 1,
      iterations: 2,
      metrics: [{ name: 'request-success-rate', interval: '1m', thresholdRange: { min: 99 } }],
    },
  };
  const done: Effect[] = [];
  const broken = brokenBy(
    {
      setting: { spec, replicas: 1, desiredReplicas: 1, hasApex: false },
      moments: [
        moment({ kind: 'push', version: 5 }),
        moment({ kind: 'config', text: 0 }),
        moment({ kind: 'metrics', are: 'bad' }),
        moment({ kind: 'nothing' }),
        moment({ kind: 'config', text: 1 }),
        moment({ kind: 'nothing' }),
      ],
      atLast: 'good',
      staysBroken: false,
    },
    { onTick: ({ told }) => done.push(...told.done) },
  );
  expect(broken).toBeUndefined();
  expect(done.filter(({ kind }) => kind === 'begin-release')).toHaveLength(1);
  expect(done.filter(({ kind }) => kind === 'end-release')).toMatchObject([{ verdict: 'rolled-back' }]);
});

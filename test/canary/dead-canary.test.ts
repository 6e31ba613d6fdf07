import { expect, it } from 'vitest';
import { brokenBy } from '../model/check.ts';
import type { Happening, Moment, Trouble } from '../model/happenings.ts';

const moment = (happening: Happening, trouble: Trouble = {}): Moment => ({ happening, trouble });
const quiet = Array.from({ length: 7 }, () => moment({ kind: 'nothing' }));

it('takes users away from a canary without pods also where only the status of a failed promotion is missing', () => {
  const spec = {
    provider: 'istio',
    progressDeadlineSeconds: 60,
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    service: { port: 80 },
    analysis: {
      interval: '10s',
      threshold: 3,
      stepWeight: 50,
      maxWeight: 50,
      metrics: [{ name: 'request-success-rate', interval: '1m', thresholdRange: { min: 99 } }],
    },
  };
  const told: string[] = [];
  const broken = brokenBy(
    {
      setting: { spec, replicas: 1, desiredReplicas: 1, hasApex: false },
      moments: [
        moment({ kind: 'pods', of: 'primary', down: true }),
        ...quiet.slice(0, 2),
        moment({ kind: 'push', version: 1 }),
        ...quiet,
        ...quiet.slice(0, 2),
        moment({ kind: 'scale', of: 'target', replicas: 0 }, { losesStatus: true, dies: true }),
      ],
      atLast: 'good',
      staysBroken: false,
    },
    {
      onTick: ({ told: { done } }) =>
        done.forEach((effect) => effect.kind === 'event' && told.push(effect.event.message)),
    },
  );
  expect(broken).toBeUndefined();
  expect(told.some((message) => message.startsWith('Promotion of app.demo failed'))).toBe(true);
  expect(told).toContain('Routing all traffic to primary');
});

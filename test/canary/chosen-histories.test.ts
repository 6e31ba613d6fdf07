import { describe, expect, it } from 'vitest';
import type { Effect } from '../../src/canary/types.ts';
import { brokenBy } from '../model/check.ts';
import type { Happening, Moment, Trouble } from '../model/happenings.ts';

const moment = (happening: Happening, trouble: Trouble = {}): Moment => ({ happening, trouble });
const push = (version: number): Happening => ({ kind: 'push', version });
const nothing = (times: number): readonly Moment[] => Array.from({ length: times }, () => moment({ kind: 'nothing' }));
const metrics = [{ name: 'request-success-rate', interval: '1m', thresholdRange: { min: 99 } }];
const hook = (name: string, type: string) => ({ name, type, url: `http://hooks/${name}` });

interface Story {
  readonly analysis: Readonly<Record<string, unknown>>;
  readonly moments: readonly Moment[];
  /** Absent: istio. */
  readonly provider?: string;
  /** Version 4 never answers. Absent: it does in the end. */
  readonly staysBroken?: boolean;
}

/** Held to every invariant of random histories; gives what was done, look by look. */
function play({ analysis, moments, provider = 'istio', staysBroken = false }: Story): readonly (readonly Effect[])[] {
  const spec = {
    provider,
    progressDeadlineSeconds: 60,
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
    service: { port: 80 },
    analysis: { interval: '10s', ...analysis },
  };
  const setting = { spec, replicas: 1, desiredReplicas: 1, hasApex: false };
  const looks: (readonly Effect[])[] = [];
  const onTick = ({ told }: { readonly told: { readonly done: readonly Effect[] } }): void =>
    void looks.push([...told.done]);
  expect(brokenBy({ setting, moments: [...moments], atLast: 'good', staysBroken }, { onTick })).toBeUndefined();
  return looks;
}

describe('a canary', () => {
  it('begins again what a newer version had replaced, when that is taken back before any status told of it', () => {
    const done = play({
      analysis: { threshold: 1, stepWeight: 50, maxWeight: 50, metrics },
      moments: [moment(push(5)), moment(push(4), { losesStatus: true, dies: true }), moment(push(5))],
      staysBroken: true,
    }).flat();
    const begun = done.flatMap((effect) => (effect.kind === 'begin-release' ? [effect.templateHash] : []));
    // What is promoted is told of the release that was recorded last.
    expect(begun).toHaveLength(3);
    expect(begun[2]).toBe(begun[0]);
    expect(done.findLast(({ kind }) => kind === 'end-release')).toMatchObject({ verdict: 'promoted' });
  });

  it('is called back, where it has taken the place of one that waits, only when its status names it', () => {
    const looks = play({
      analysis: {
        threshold: 2,
        iterations: 3,
        webhooks: [hook('start', 'confirm-rollout'), hook('recall', 'rollback')],
      },
      moments: [
        moment({ kind: 'hook', type: 'confirm-rollout', passes: false }),
        moment(push(5)),
        moment({ kind: 'hook', type: 'rollback', passes: true }, { failsAt: 1, dies: true }),
        moment(push(1)),
        ...nothing(1),
      ],
    });
    const kinds = looks.map((effects) => effects.map(({ kind }) => kind).filter((kind) => kind.endsWith('-release')));
    expect(kinds.filter((found) => found.length > 0)).toEqual([['begin-release'], ['begin-release'], ['end-release']]);
  });

  it('that failed is not tried again only because a config that was gone by then has come back', () => {
    const done = play({
      analysis: { threshold: 1, iterations: 2, metrics },
      moments: [
        moment(push(5)),
        moment({ kind: 'config', text: 0 }),
        moment({ kind: 'metrics', are: 'bad' }),
        ...nothing(1),
        moment({ kind: 'config', text: 1 }),
        ...nothing(1),
      ],
    }).flat();
    expect(done.filter(({ kind }) => kind === 'begin-release')).toHaveLength(1);
    expect(done.filter(({ kind }) => kind === 'end-release')).toMatchObject([{ verdict: 'rolled-back' }]);
  });

  it('without pods loses its users also where only the status of a failed promotion is missing', () => {
    const done = play({
      analysis: { threshold: 3, stepWeight: 50, maxWeight: 50, metrics },
      moments: [
        moment({ kind: 'pods', of: 'primary', down: true }),
        ...nothing(2),
        moment(push(1)),
        ...nothing(9),
        moment({ kind: 'scale', of: 'target', replicas: 0 }, { losesStatus: true, dies: true }),
      ],
    }).flat();
    const told = done.flatMap((effect) => (effect.kind === 'event' ? [effect.event.message] : []));
    expect(told.some((message) => message.startsWith('Promotion of app.demo failed'))).toBe(true);
    expect(told).toContain('Routing all traffic to primary');
  });

  it.each<readonly [string, readonly Moment[]]>([
    ['suspended', [moment({ kind: 'spec', change: { suspend: true } }), moment(push(2))]],
    ['under way', [moment(push(2), { losesStatus: true })]],
    [
      'waiting for approval',
      [moment({ kind: 'hook', type: 'confirm-rollout', passes: false }), moment(push(2)), ...nothing(1)],
    ],
  ])(
    'without a mesh loses users to whom somebody has turned its own Service, whatever its other Services lead to: %s',
    (_, between) => {
      const looks = play({
        provider: 'kubernetes',
        analysis: { threshold: 2, iterations: 3, metrics, webhooks: [hook('start', 'confirm-rollout')] },
        moments: [
          moment(push(4)),
          ...between,
          moment({ kind: 'service', of: 'canary', is: 'turned' }),
          moment({ kind: 'service', of: 'apex', is: 'turned' }),
          ...nothing(1),
        ],
        staysBroken: true,
      });
      expect(looks.length).toBeGreaterThan(5);
    },
  );
});

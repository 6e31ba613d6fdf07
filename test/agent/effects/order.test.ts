import { describe, expect, it } from 'vitest';
import { createInOrder } from '../../../src/agent/effects/order.ts';
import type { TickContext } from '../../../src/agent/effects/execute.ts';
import { effectsOf, type Purpose } from '../../../src/canary/intents.ts';
import type { Effect, PlannedEffect } from '../../../src/canary/types.ts';
import { AgentError, type ErrorCode } from '../../../src/lib/errors.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';
import { aSpec } from '../../helpers/a-route-context.ts';
import { manualClock } from '../../helpers/manual-clock.ts';

const object = (kind: string, name: string): KubeObject => ({ apiVersion: 'v1', kind, metadata: { name } });
const autoscaler: Effect = {
  kind: 'write',
  object: object('HorizontalPodAutoscaler', 'shop-primary'),
  over: undefined,
};
const primaryService: Effect = { kind: 'write', object: object('Service', 'shop-primary'), over: undefined };
const toPrimary: Effect = { kind: 'set-route', split: { canaryWeight: 0, mirror: false } };
const toCanary: Effect = { kind: 'set-route', split: { canaryWeight: 20, mirror: false } };
const outcome: Effect = { kind: 'end-release', verdict: 'rolled-back', failedCheck: undefined };
const away: Effect = { kind: 'scale-target', replicas: 0 };

const purposes = new Map<Effect, Purpose>([
  [primaryService, { isDestination: true }],
  [toPrimary, { moves: 'users', isWayHome: true }],
  [toCanary, { moves: 'users' }],
  [away, { moves: 'pods' }],
]);
const planned = (list: readonly Effect[]): readonly PlannedEffect[] =>
  effectsOf(
    list.map((effect) => ({ effect, ...purposes.get(effect) })),
    2_500,
  );

/** Runs these effects; `refused` fails with `code`. Tells what was tried, and with what it ended. */
async function run(list: readonly Effect[], refused: readonly Effect[], code: ErrorCode = 'CLUSTER_REFUSED') {
  const decided = planned(list);
  const tried: Effect[] = [];
  const inOrder = createInOrder({
    clock: manualClock(),
    effects: {
      async run(given) {
        const effect = list[decided.indexOf(given as PlannedEffect)] ?? given;
        tried.push(effect);
        if (refused.includes(effect)) throw new AgentError(code, `${effect.kind} fails`);
      },
    },
    signal: new AbortController().signal,
  });
  const tick = { spec: aSpec(), seen: { split: undefined } } as unknown as TickContext;
  const ended = await inOrder(decided, tick).then(
    () => 'all done',
    (error: Error) => error.message,
  );
  return { tried, ended };
}

describe('the effects of a tick', () => {
  it('are checked together where configs are copied: after users have gone home, and before the first copy is written', async () => {
    const copyOf = (name: string): Effect => ({
      kind: 'copy-config',
      key: `configmap/${name}`,
      copy: `configmap/${name}-primary`,
      checksum: 'x',
    });
    const decided = planned([toPrimary, copyOf('a'), copyOf('b'), outcome]);
    const steps: string[] = [];
    let isChanged = false;
    const inOrder = createInOrder({
      clock: manualClock(),
      effects: {
        run: (effect) => Promise.resolve(void steps.push(effect.kind)),
        check: (effects) => {
          steps.push(`check ${effects.length}`);
          return isChanged ? Promise.reject(new AgentError('CLUSTER_CONFLICT', 'b changed')) : Promise.resolve();
        },
      },
      signal: new AbortController().signal,
    });
    const tick = { spec: aSpec(), seen: { split: undefined } } as unknown as TickContext;
    await inOrder(decided, tick);
    expect(steps.splice(0)).toEqual(['set-route', 'check 4', 'copy-config', 'copy-config', 'end-release']);
    isChanged = true;
    await expect(inOrder(decided, tick)).rejects.toThrow('b changed');
    expect(steps).toEqual(['set-route', 'check 4']);
  });

  it('run one after the other', async () => {
    const list = [autoscaler, toPrimary, outcome];
    expect(await run(list, [])).toEqual({ tried: list, ended: 'all done' });
  });

  it('take users home although the API server refuses what was to be repaired before', async () => {
    const { tried, ended } = await run([autoscaler, toPrimary, outcome, away], [autoscaler]);
    // The outcome and the pods wait until all can be done.
    expect(tried).toEqual([autoscaler, toPrimary]);
    expect(ended).toBe('write fails');
  });

  it('say what failed first where the way home is refused too', async () => {
    const { ended } = await run([autoscaler, toPrimary], [autoscaler, toPrimary]);
    expect(ended).toBe('write fails');
  });

  it.each<[string, readonly Effect[], Effect, ErrorCode]>([
    ['lead nobody to a canary after something was refused', [autoscaler, toCanary], autoscaler, 'CLUSTER_REFUSED'],
    ['lead nobody to a Service that could not be made', [primaryService, toPrimary], primaryService, 'CLUSTER_REFUSED'],
    ['end where somebody was faster, and are decided again', [autoscaler, toPrimary], autoscaler, 'CLUSTER_CONFLICT'],
    ['end where the API server is away', [autoscaler, toPrimary], autoscaler, 'CLUSTER_UNREACHABLE'],
  ])('%s', async (_what, list, refused, code) => {
    expect((await run(list, [refused], code)).tried).toEqual([refused]);
  });
});

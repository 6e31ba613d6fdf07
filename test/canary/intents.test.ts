import { describe, expect, it } from 'vitest';
import { decide } from '../../src/canary/decide.ts';
import { effectsOf, first, type Intents, isWanted, leave, say, want } from '../../src/canary/intents.ts';
import type { Effect, Moves, PlannedEffect, TrafficSplit } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { planOf, play } from '../model/history.ts';

const settleMs = 2_500;
const object = (kind: string, name: string): KubeObject => ({ apiVersion: 'v1', kind, metadata: { name } });
const made = (kind: string, name = 'app'): Effect => ({ kind: 'write', object: object(kind, name), over: undefined });
const log = (message: string): Effect => ({ kind: 'log', message });
const routeTo = (canaryWeight: number): Effect => ({ kind: 'set-route', split: { canaryWeight, mirror: false } });
const home = { moves: 'users', isWayHome: true } as const;
const away: Effect = { kind: 'scale-target', replicas: 0 };

function laidOut(fill: (intents: Intents) => void): readonly PlannedEffect[] {
  const intents: Intents = [];
  fill(intents);
  return effectsOf(intents, settleMs);
}
const kinds = (effects: readonly PlannedEffect[]): string[] =>
  effects.map((effect) => (effect.kind === 'log' ? effect.message : effect.kind));

describe('what a tick intends', () => {
  it('is laid out in the order in which it was decided, with the last wish for each slot in its own place', () => {
    const effects = laidOut((intents) => {
      want(intents, 'route', { kind: 'reconcile-route' });
      say(intents, log('before'));
      want(intents, 'route', routeTo(10), { moves: 'users' });
      say(intents, log('after'));
    });
    expect(kinds(effects)).toEqual(['before', 'set-route', 'after']);
  });

  it('keeps the other slots, and all that is said', () => {
    const effects = laidOut((intents) => {
      want(intents, 'configmap/a', {
        kind: 'copy-config',
        key: 'configmap/a',
        copy: 'configmap/a-primary',
        checksum: 'x',
      });
      want(intents, 'configmap/b', {
        kind: 'copy-config',
        key: 'configmap/b',
        copy: 'configmap/b-primary',
        checksum: 'x',
      });
      say(intents, log('once'));
      say(intents, log('once'));
    });
    expect(kinds(effects)).toEqual(['copy-config', 'copy-config', 'once', 'once']);
  });

  it('leaves a slot alone that nothing is wanted of any more', () => {
    const intents: Intents = [];
    want(intents, 'scaler', made('ScaledObject'));
    leave(intents, 'scaler');
    leave(intents, 'apex-service');
    expect([isWanted(intents, 'scaler'), effectsOf(intents, settleMs)]).toEqual([false, []]);
  });

  it('begins with what cannot wait, also where that takes the place of a wish from before', () => {
    const effects = laidOut((intents) => {
      want(intents, 'primary-service', made('Service'));
      want(intents, 'route', { kind: 'reconcile-route' });
      first(intents, () => {
        say(intents, log('users go home'));
        want(intents, 'route', routeTo(0), home);
      });
      say(intents, log('later'));
    });
    expect(kinds(effects)).toEqual(['users go home', 'set-route', 'write', 'later']);
  });

  it('waits before pods are taken, but only where users were moved before', () => {
    const settling = (...order: readonly (readonly [Effect, Moves])[]) =>
      laidOut((intents) => {
        for (const [index, [effect, moves]] of order.entries())
          want(intents, `former-scaler/${index}`, effect, { moves });
      }).map((effect) => effect.settleMs);
    expect(settling([routeTo(0), 'users'], [away, 'pods'])).toEqual([undefined, settleMs]);
    expect(settling([away, 'pods'], [routeTo(0), 'users'])).toEqual([undefined, undefined]);
    expect(settling([routeTo(0), 'nothing'], [away, 'pods'])).toEqual([undefined, undefined]);
    expect(settling([routeTo(0), 'users'], [made('Deployment'), 'nothing'], [away, 'pods'])[2]).toBe(settleMs);
  });

  it('says of each effect what is done where it is refused: the way home, as far as there is one and it leads somewhere', () => {
    const effects = laidOut((intents) => {
      want(intents, 'primary-scaler', made('HorizontalPodAutoscaler'));
      want(intents, 'primary-service', made('Service', 'app-primary'), { isDestination: true });
      want(intents, 'route', routeTo(0), home);
      want(intents, 'replicas', away, { moves: 'pods' });
    });
    expect(effects.map(({ ifRefused }) => ifRefused)).toEqual([routeTo(0), undefined, undefined, undefined]);
    const onwards = laidOut((intents) => {
      want(intents, 'primary-scaler', made('HorizontalPodAutoscaler'));
      want(intents, 'route', routeTo(20), { moves: 'users' });
    });
    expect(onwards.map(({ ifRefused }) => ifRefused)).toEqual([undefined, undefined]);
  });
});

/** By the objects alone, without what the core knows of them. */
function movedBy(effect: Effect, split: TrafficSplit | undefined): Moves {
  switch (effect.kind) {
    case 'set-route':
    case 'reconcile-route':
    case 'restore-route':
      return split === undefined ? 'nothing' : 'users';
    case 'scale-target':
      return effect.replicas === 0 ? 'pods' : 'nothing';
    case 'write': {
      const { kind, metadata } = effect.object;
      if (effect.over === undefined) return 'nothing';
      if (kind === 'Canary') return metadata.deletionTimestamp === undefined ? 'nothing' : 'pods';
      if (kind === 'ScaledObject') return 'pods';
      return kind === 'Service' ? 'users' : 'nothing';
    }
    default:
      return 'nothing';
  }
}

describe('every effect of random histories', () => {
  it('says whether users or pods are somewhere else after it, and waits for users before pods go', () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 60; seed += 1) {
      const checked: typeof decide = (spec, status, world, settings) => {
        const step = decide(spec, status, world, settings);
        let haveMoved = false;
        for (const planned of step.kind === 'done' ? step.decision.effects : []) {
          const { settleMs: waitsMs, moves, ...effect } = planned;
          expect({ seed, effect, moves }).toEqual({ seed, effect, moves: movedBy(effect, world.split) });
          expect(waitsMs).toBe(haveMoved && moves === 'pods' ? settleMs : undefined);
          haveMoved ||= moves === 'users';
          seen.add(`${effect.kind} ${moves}`);
        }
        return step;
      };
      play(planOf(seed), { decide: checked });
    }
    expect([...seen]).toEqual(
      expect.arrayContaining([
        'set-route users',
        'reconcile-route nothing',
        'write users',
        'write pods',
        'scale-target pods',
      ]),
    );
  });
});

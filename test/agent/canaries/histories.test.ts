import { describe, expect, it } from 'vitest';
import { flaggerCopy } from '../../../src/canary/config-copies.ts';
import { type Json, jsonOf } from '../../../src/lib/json.ts';
import type { Effects } from '../../../src/agent/effects/execute.ts';
import type { Releases } from '../../../src/agent/releases/releases.ts';
import type { ReleaseRecord } from '../../../src/release/types.ts';
import type { Invariant } from '../../model/invariants.ts';
import { checkLoop, shrinkLoop, tellLoop } from '../../model/loop/check.ts';
import { planOf } from '../../model/loop/history.ts';
import type { Faults } from '../../model/loop/stage.ts';

/** `npm run check:model -- --loop` plays as many as wanted, of other seeds each time. */
const histories = 60;

describe('any history of the real loop', () => {
  it('keeps every invariant', { timeout: 120_000 }, async () => {
    const failure = await checkLoop(1, histories);
    if (failure) {
      const plan = await shrinkLoop(planOf(failure.seed), failure.broken);
      expect.fail(`seed ${failure.seed}\n${await tellLoop(plan)}`);
    }
  });

  it('is played the same way from the same seed', async () => {
    expect(await tellLoop(planOf(7))).toBe(await tellLoop(planOf(7)));
  });
});

const withReleases = (
  change: (releases: Releases, record: () => ReleaseRecord | undefined) => Partial<Releases>,
): Faults => ({
  // Its getters are read each time.
  releases: (releases, record) => Object.assign(Object.create(releases) as Releases, change(releases, record)),
});
const withRun = (run: (effects: Effects) => Effects['run']): Faults => ({
  effects: (effects) => ({ ...effects, run: run(effects) }),
});
const withAnalysis = (change: (analysis: Json) => Json): Faults => ({
  canary: (canary) => {
    const spec = jsonOf(canary['spec']);
    const analysis = jsonOf(spec['analysis']);
    return { ...canary, spec: { ...spec, analysis: { ...analysis, ...change(analysis) } } };
  },
});

interface Fault {
  readonly faulty: Faults;
  readonly breaks: readonly Invariant[];
  /** It takes a rare history: the search begins near one. Absent: 1. */
  readonly firstSeed?: number;
}

const faults: Readonly<Record<string, Fault>> = {
  'begins a release when a part of its commit is applied': {
    faulty: withReleases(() => ({ isApplied: () => true })),
    breaks: ['one outcome', 'it ends'],
  },
  'goes on recording what was judged first when something else runs': {
    faulty: withReleases((releases, record) => ({
      begin: async (canary, judged) => {
        const before = record();
        const isOpen = before !== undefined && before.outcome === undefined;
        await releases.begin(canary, isOpen && before.judged ? before.judged : judged);
      },
    })),
    breaks: ['it ends', 'one outcome', 'right end'],
  },
  'records no outcome': {
    faulty: withRun((effects) => async (effect, ...rest) => {
      if (effect.kind !== 'end-release') await effects.run(effect, ...rest);
    }),
    breaks: ['one outcome', 'right end'],
  },
  'goes on mirroring when the analysis is skipped': {
    faulty: withRun((effects) => async (effect, context, signal) => {
      const isEnd = effect.kind === 'set-route' && context.spec.skipAnalysis && context.seen.split?.mirror === true;
      if (!isEnd) await effects.run(effect, context, signal);
    }),
    breaks: ['pods with users', 'right end'],
    firstSeed: 226,
  },
  'writes a copy that another primary reads': {
    faulty: withRun((effects) => async (effect, ...rest) => {
      const isCopy = effect.kind === 'copy-config';
      await effects.run(isCopy ? { ...effect, copy: flaggerCopy(effect.key) } : effect, ...rest);
    }),
    breaks: ['copies judged', 'right end', 'one outcome'],
  },
  'takes the one ready threshold for the other': {
    faulty: withAnalysis(({ primaryReadyThreshold, canaryReadyThreshold }) => ({
      primaryReadyThreshold: canaryReadyThreshold,
      canaryReadyThreshold: primaryReadyThreshold,
    })),
    breaks: ['pods that answer'],
  },
  'gives users to a canary of which only a part answers': {
    faulty: withAnalysis(() => ({ canaryReadyThreshold: 1 })),
    breaks: ['pods that answer'],
  },
  'gives users to a primary of which only a part answers': {
    faulty: withAnalysis(() => ({ primaryReadyThreshold: 1 })),
    breaks: ['pods that answer'],
  },
  'judges again as soon as something wakes it': {
    // To it an interval is over at once.
    faulty: { clock: (clock) => ({ ...clock, elapsed: () => clock.elapsed() * 1_000 }) },
    breaks: ['once an interval'],
    firstSeed: 144,
  },
  'moves no users': {
    faulty: withRun((effects) => async (effect, ...rest) => {
      if (effect.kind !== 'set-route' || effect.split.canaryWeight > 0) await effects.run(effect, ...rest);
    }),
    breaks: ['pods with users', 'right end', 'it ends', 'pods that answer'],
  },
};

describe('the check of the real loop', () => {
  it.each(Object.entries(faults))('notices one that %s', { timeout: 120_000 }, async (_name, fault) => {
    const { faulty, firstSeed = 1, breaks } = fault;
    const found = await checkLoop(firstSeed, 400, { faulty });
    expect(breaks).toContain(found?.broken.invariant);
  });
});

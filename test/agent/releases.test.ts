import { describe, expect, it } from 'vitest';
import { createReleases, type Releases } from '../../src/agent/releases.ts';
import type { StableState } from '../../src/agent/tracker.ts';
import type { App } from '../../src/canary/app.ts';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { asRevision, type Revision } from '../../src/git/repo.ts';
import { silentLogger } from '../../src/lib/log.ts';
import type { KubeObject, Manifest } from '../../src/manifest/types.ts';
import { releaseAnnotation } from '../../src/release/record.ts';
import type { Outcome } from '../../src/release/types.ts';
import { fastClock } from '../helpers/fast-clock.ts';

const commit = (name: string): Revision => asRevision(name.padEnd(40, '0'));
const key = 'test/a';
const canary = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', metadata: { namespace: 'test', name: 'a' } };

interface Stage {
  readonly releases: Releases;
  readonly outcomes: Outcome[];
  /** The stable content that the ledger tells; absent: there is no ledger. */
  readonly told: { content?: string };
  /** The Canary as the cluster has it. */
  readonly canary: () => KubeObject;
  /** A commit is synced in which the app has this content; `landed` had landed before it was asked for. */
  readonly sync: (tip: string, content: string, landed?: ReadonlySet<string>) => void;
}

/** Only the annotation of one Canary is kept, which is all that releases ask of a cluster. */
function stage(before?: KubeObject): Stage {
  let stored: KubeObject = before ?? canary;
  const outcomes: Outcome[] = [];
  const told: { content?: string } = {};
  const stateOf = (content: string): StableState => ({ content, revision: commit('0') });
  const cluster = {
    mergePatch: (_ref: unknown, patch: { metadata: { annotations: Record<string, string> } }) => {
      stored = { ...stored, metadata: { ...stored.metadata, ...patch.metadata } };
      return Promise.resolve(stored);
    },
  } as unknown as Cluster;
  const releases = createReleases({
    deps: { cluster, clock: fastClock(1), log: silentLogger },
    submit: (outcome) => void outcomes.push(outcome),
    ledger: () => (told.content === undefined ? undefined : { stable: stateOf(told.content), failed: () => undefined }),
    signal: new AbortController().signal,
  });
  const manifest: Manifest = { object: canary, source: { path: 'a.yaml', document: 0, line: 1 } };
  return {
    releases,
    outcomes,
    told,
    canary: () => stored,
    sync: (tip, content, landed = new Set()) => {
      const app: App = {
        targetKind: 'Deployment',
        id: { namespace: 'test', name: 'a' },
        canary: manifest,
        target: manifest,
        configs: [],
        images: { c: content },
        content,
      };
      releases.advance(commit(tip), [app], landed);
    },
  };
}

/** Adopted at one content, and a release of the next under way. */
async function underWay(): Promise<Stage> {
  const on = stage();
  on.sync('a', 'one');
  on.releases.adopt(on.canary(), 'hash', {});
  on.sync('b', 'two');
  await on.releases.begin(on.canary());
  return on;
}
const rolledBack = {
  verdict: 'rolled-back',
  failedCheck: { name: 'x', reason: 'x' },
  templateHash: 'hash',
  configs: {},
} as const;

describe('a rejected app', () => {
  it('is held until a tip was asked for after its revert had landed', async () => {
    const { releases, outcomes, canary: stored, sync } = await underWay();
    await releases.end(stored(), rolledBack);
    const outcome = outcomes.at(-1);
    if (!outcome) throw new Error('no outcome');
    expect(releases.overlay(key, 'Failed')).toBe(commit('a'));
    // The sync asks Git just before the push lands, and gets a tip of before.
    const landed = releases.landedOutcomes();
    await releases.written(outcome, commit('d'));
    sync('c', 'two');
    releases.seen(landed);
    expect(releases.overlay(key, 'Failed')).toBe(commit('a'));
    // The next answer has the revert; whoever pushes the version once more is obeyed.
    const then = releases.landedOutcomes();
    sync('e', 'two', then);
    releases.seen(then);
    expect(releases.overlay(key, 'Failed')).toBeUndefined();
  });

  it('that is pushed once more before its revert was seen begins a release of its own', async () => {
    const { releases, outcomes, canary: stored, sync } = await underWay();
    await releases.end(stored(), rolledBack);
    const first = outcomes.at(-1);
    if (!first) throw new Error('no outcome');
    await releases.written(first, commit('c'));
    const landed = releases.landedOutcomes();
    sync('d', 'two', landed);
    releases.seen(landed);
    await releases.begin(stored());
    await releases.end(stored(), rolledBack);
    const second = outcomes.at(-1);
    expect(second?.releaseId).not.toBe(first.releaseId);
    expect(second).toMatchObject({ verdict: 'rolled-back', base: first.base, state: { revision: commit('d') } });
  });

  it('goes back to the last commit that had its stable content, not to the first', async () => {
    const on = stage();
    on.sync('a', 'zero');
    on.sync('b', 'one');
    on.sync('c', 'one');
    on.releases.adopt(on.canary(), 'hash', {});
    on.sync('d', 'two');
    await on.releases.begin(on.canary());
    on.sync('e', 'two');
    await on.releases.end(on.canary(), { ...rolledBack, verdict: 'promoted' });
    on.sync('f', 'three');
    await on.releases.begin(on.canary());
    await on.releases.end(on.canary(), rolledBack);
    expect(on.outcomes.map(({ verdict, base }) => [verdict, base])).toEqual([
      ['adopted', commit('b')],
      ['promoted', commit('c')],
      ['rolled-back', commit('e')],
    ]);
  });
});

describe('a release whose status got lost', () => {
  const status = (lastAppliedSpec: string) => ({
    phase: 'Progressing' as const,
    failedChecks: 0,
    canaryWeight: 0,
    iterations: 0,
    lastAppliedSpec,
    lastPromotedSpec: '',
  });

  it('is known to have replaced the one that the status is about, and no outcome of that one is told as its own', async () => {
    const { releases, outcomes, canary: stored, sync } = await underWay();
    sync('c', 'three');
    await releases.begin(stored(), { templateHash: 'third', configs: {} });
    expect(releases.isReplaced(stored(), status('second'))).toBe(true);
    expect(releases.isReplaced(stored(), status('third'))).toBe(false);
    const before = outcomes.length;
    await releases.end(stored(), { ...rolledBack, templateHash: 'second' });
    expect(outcomes).toHaveLength(before);
    await releases.end(stored(), { ...rolledBack, templateHash: 'third' });
    expect(outcomes.at(-1)).toMatchObject({
      verdict: 'rolled-back',
      state: { templateHash: 'third', content: 'three' },
    });
  });

  it('has replaced nothing where Git says nothing of what is judged', async () => {
    const { releases, canary: stored, sync } = await underWay();
    await releases.begin(stored(), { templateHash: 'second', configs: {} });
    sync('c', 'one');
    await releases.begin(stored(), { templateHash: 'by hand', configs: {} });
    expect(releases.isReplaced(stored(), status('by hand'))).toBe(false);
  });
});

describe('the stable state', () => {
  it('is what was promoted until the ledger tells it, and then what the ledger tells', async () => {
    const { releases, outcomes, told, canary: stored, sync } = await underWay();
    const ended = { verdict: 'promoted', failedCheck: undefined, templateHash: 'hash', configs: {} } as const;
    await releases.end(stored(), ended);
    const outcome = outcomes.at(-1);
    if (!outcome) throw new Error('no outcome');
    told.content = 'one';
    expect(releases.stableOf(key)?.content).toBe('two');
    await releases.written(outcome, commit('d'));
    expect(releases.stableOf(key)?.content).toBe('two');
    told.content = 'two';
    releases.seen(releases.landedOutcomes());
    sync('d', 'two');
    expect(releases.stableOf(key)).toEqual({ content: 'two', revision: commit('0') });
  });
});

describe('a restart', () => {
  it('hands the outcome over again under the same id, and once', async () => {
    const first = await underWay();
    await first.releases.end(first.canary(), rolledBack);
    const second = stage(first.canary());
    second.releases.resume(second.canary());
    second.releases.resume(second.canary());
    expect(second.outcomes).toEqual([first.outcomes.at(-1)]);
  });

  it('takes an annotation that somebody else wrote for none', () => {
    for (const text of [
      '',
      '{',
      '[]',
      'null',
      '{"id":1}',
      '{"id":"x","revision":"x","base":"x","content":"x","outcome":{}}',
    ]) {
      const metadata = { ...canary.metadata, annotations: { [releaseAnnotation]: text } };
      const on = stage({ ...canary, metadata });
      on.releases.resume(on.canary());
      expect(on.outcomes).toEqual([]);
    }
  });
});

describe('two agents that run at once by mistake', () => {
  const other = (on: Stage, version: string, record: Readonly<Record<string, unknown>>): KubeObject => {
    const before: unknown = JSON.parse(on.canary().metadata.annotations?.[releaseAnnotation] ?? '{}');
    const text = JSON.stringify({ ...(before as object), ...record });
    const metadata = { ...on.canary().metadata, resourceVersion: version, annotations: { [releaseAnnotation]: text } };
    return { ...on.canary(), metadata };
  };

  it('know the release that the other one has begun, and end that one', async () => {
    const on = await underWay();
    on.releases.resume(on.canary());
    const begun = other(on, '9', { id: 'theirs', revision: commit('c'), content: 'three' });
    on.releases.resume(begun);
    await on.releases.end(begun, rolledBack);
    expect(on.outcomes.at(-1)).toMatchObject({ releaseId: 'theirs', state: { content: 'three' } });
  });

  it('believe in no annotation that is older than their own last look', async () => {
    const on = await underWay();
    const own = on.canary();
    on.releases.resume(other(on, '9', { id: 'theirs' }));
    on.releases.resume(other(on, '8', { id: 'older' }));
    await on.releases.end(own, rolledBack);
    expect(on.outcomes.at(-1)?.releaseId).toBe('theirs');
  });
});

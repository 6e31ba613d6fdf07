import { createOwnWrites } from '../../../src/cluster/own-writes.ts';
import { setMaxListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { type AppliedApps, createAppliedApps, type Synced } from '../../../src/agent/releases/applied-apps.ts';
import type { LedgerView } from '../../../src/agent/releases/ledgers.ts';
import { createReleases, type Releases } from '../../../src/agent/releases/releases.ts';
import type { StableState } from '../../../src/agent/releases/tracker.ts';
import type { App } from '../../../src/canary/app.ts';
import type { CanaryStatus, Evidence } from '../../../src/canary/types.ts';
import { asRevision, type Revision } from '../../../src/git/repo.ts';
import { AgentError } from '../../../src/lib/errors.ts';
import { silentLogger } from '../../../src/lib/log.ts';
import type { KubeObject, Manifest } from '../../../src/manifest/types.ts';
import { createRecordStore } from '../../../src/agent/releases/record-store.ts';
import { releaseAnnotation } from '../../../src/release/record.ts';
import { readRecordObject, recordObject, recordRef } from '../../../src/release/record-object.ts';
import { releaseId } from '../../../src/release/release-id.ts';
import type { Outcome, Proof, ReleaseRecord } from '../../../src/release/types.ts';
import { fastClock } from '../../helpers/fast-clock.ts';
import { createMemoryCluster, type MemoryCluster } from '../../model/loop/memory-cluster.ts';
import type { Clock } from '../../../src/lib/clock.ts';
import { manualClock } from '../../helpers/manual-clock.ts';
import type { AppKey } from '../../../src/lib/key.ts';
import { appKey } from '../../helpers/key.ts';
import { said } from '../../helpers/said.ts';

const commit = (name: string): Revision => asRevision(name.padEnd(40, '0'));
const key = appKey('test/a');
const canary = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', metadata: { namespace: 'test', name: 'a' } };

interface Stage extends Left {
  readonly releases: Releases;
  readonly outcomes: Outcome[];
  /** The stable content that the ledger tells; absent: there is no ledger. */
  readonly told: { content?: string; revision?: string; rejected?: LedgerView['rejectedImage']; proof?: Proof };
  /** The Canary as the cluster has it. */
  readonly canary: () => KubeObject;
  /** A commit is synced in which the app has this content; `landed` had landed before it was asked for. */
  readonly sync: (tip: string, content: string, landed?: ReadonlySet<AppKey>) => void;
}

/** What an agent finds when it starts after another one. */
interface Left {
  readonly cluster: MemoryCluster;
}

function stage(
  before: Partial<Left> & {
    readonly status?: object;
    readonly isProving?: boolean;
    readonly clock?: Clock;
    readonly rollbackWindowMs?: number;
  } = {},
  applied?: AppliedApps,
  isThere?: (key: string) => boolean,
  onTold?: (message: string) => void,
): Stage {
  const cluster = before.cluster ?? createMemoryCluster(() => 0);
  if (!cluster.peek('Canary', 'a', 'test'))
    cluster.put({ ...canary, ...(before.status ? { status: before.status } : {}) });
  const outcomes: Outcome[] = [];
  const told: Stage['told'] = {};
  const stateOf = (content: string): StableState => ({ content, revision: commit(told.revision ?? '0') });
  const releases = createReleases({
    own: createOwnWrites(before.clock ?? fastClock(1)),
    deps: { cluster, clock: before.clock ?? fastClock(1), log: silentLogger },
    store: createRecordStore(cluster, 'serin'),
    submit: (outcome) => void outcomes.push(outcome),
    ledger: () =>
      told.content === undefined
        ? undefined
        : {
            stable: stateOf(told.content),
            failed: () => undefined,
            provenBy: () => told.proof,
            tells: ({ releaseId }) => told.proof?.releaseId === releaseId,
            rejectedImage: (images) => told.rejected?.(images),
          },
    ...(before.rollbackWindowMs === undefined ? {} : { rollbackWindowMs: before.rollbackWindowMs }),
    ...(applied ? { applied } : {}),
    ...(isThere ? { isThere } : {}),
    ...(before.isProving ? { isProving: true } : {}),
    ...(onTold ? { onTold: (_key, message) => onTold(message) } : {}),
    signal: new AbortController().signal,
  });
  const manifest: Manifest = { object: canary, origin: { renderer: 'plain', path: 'a.yaml', document: 0, line: 1 } };
  return {
    releases,
    outcomes,
    told,
    cluster,
    canary: () => cluster.peek('Canary', 'a', 'test') ?? canary,
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

const recordOf = ({ cluster }: Stage): ReleaseRecord | undefined => {
  const object = cluster.peek('Secret', recordRef(key, 'serin').name, 'serin');
  return object && readRecordObject(object)?.record;
};

/** Adopted at one content, and a release of the next under way. */
async function underWay(clock?: Clock): Promise<Stage> {
  const on = stage(clock ? { clock } : {});
  await on.releases.load([]);
  on.sync('a', 'one');
  on.releases.adopt(on.canary(), 'hash', {});
  on.sync('b', 'two');
  await on.releases.begin(on.canary());
  return on;
}
const rolledBack = {
  verdict: 'rolled-back',
  failedCheck: { name: 'x', found: said('x') },
  templateHash: 'hash',
  configs: {},
} as const;

describe('an app of a tenant whose files are still being read', () => {
  const isUnread = (): boolean => true;

  it('stays as Git said it last, with its release and its record', async () => {
    const { releases, canary: stored, sync, ...on } = await underWay();
    const id = releases.releaseId(key, 'Progressing');
    releases.advance(commit('c'), [], new Set(), isUnread);
    expect(releases.isReady(key)).toBe(true);
    expect(releases.releaseId(key, 'Progressing')).toBe(id);
    expect(recordOf({ releases, canary: stored, sync, ...on })?.id).toBe(id);
    // Read to the end, it is gone.
    releases.advance(commit('c'), [], new Set());
    expect(releases.releaseId(key, 'Progressing')).toBe('');
  });

  it('begins nothing where it was never seen, and is believed nothing that is recorded of it', async () => {
    const before = await underWay();
    const { releases, sync, canary: stored } = stage({ cluster: before.cluster, isProving: true });
    await releases.load([]);
    const proven: AppKey[] = [];
    const prove: Parameters<Releases['prove']>[0] = (one, record) => {
      proven.push(one);
      return Promise.resolve({ record, reasons: [] });
    };
    await releases.prove(prove, isUnread);
    releases.advance(commit('b'), [], new Set(), isUnread);
    expect([proven, releases.isReady(key)]).toEqual([[], false]);
    await expect(releases.begin(stored())).rejects.toThrow('waits until Git was looked at');
    await releases.prove(prove);
    sync('b', 'two');
    expect([proven, releases.isReady(key)]).toEqual([[key], true]);
  });
});

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
    expect(releases.recorded(stored(), status('second'))).toBe('replaced');
    expect(releases.recorded(stored(), status('third'))).toBeUndefined();
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
    expect(releases.recorded(stored(), status('by hand'))).toBeUndefined();
  });

  it.each([
    ['by this agent, before it knew the commit', true],
    ['by another agent', false],
  ])('begins anew, with an outcome, where it was begun %s, and Git says the same by now', async (_who, isOwn) => {
    const { releases, outcomes, canary: stored, sync, told } = await underWay();
    await releases.end(stored(), { ...rolledBack, templateHash: 'second' });
    told.content = 'one';
    sync('c', 'one');
    const { length } = outcomes;
    if (isOwn) await releases.begin(stored(), { templateHash: 'third', configs: {} });
    expect(releases.recorded(stored(), status('third')), 'Git does not say it').toBeUndefined();
    sync('d', 'three');
    expect(releases.recorded(stored(), status('third'))).toBe('replaced');
    expect(releases.recorded(stored(), { ...status('third'), phase: 'Promoting' }), 'it is judged').toBeUndefined();
    await releases.begin(stored(), { templateHash: 'third', configs: {} });
    expect(releases.recorded(stored(), status('third'))).toBeUndefined();
    await releases.end(stored(), { ...rolledBack, templateHash: 'third' });
    expect(outcomes.slice(length)).toMatchObject([{ verdict: 'rolled-back', state: { content: 'three' } }]);
  });
});

describe('what is judged', () => {
  const status = (lastAppliedSpec: string, trackedConfigs: Record<string, string> = {}): CanaryStatus => ({
    phase: 'Progressing',
    failedChecks: 0,
    canaryWeight: 0,
    iterations: 0,
    lastAppliedSpec,
    lastPromotedSpec: '',
    trackedConfigs,
  });
  const looked = (text: string): Evidence => ({
    atMs: 1,
    canaryWeight: 20,
    iterations: 0,
    checks: [{ name: 'success', passed: false, found: said(text) }],
  });

  it('is told by templates and by configs', async () => {
    const on = await underWay();
    await on.releases.begin(on.canary(), { templateHash: 't', configs: { 'configmap/c': '1' } });
    expect(on.releases.recorded(on.canary(), status('t', { 'configmap/c': '1' }))).toBeUndefined();
    expect(on.releases.recorded(on.canary(), status('t', { 'configmap/c': '2' }))).toBe('replaced');
    expect(on.releases.recorded(on.canary(), status('u', { 'configmap/c': '1' }))).toBe('replaced');
  });

  it.each([
    ['another template', { templateHash: 'restarted', configs: { 'secret/s': '1' } }],
    ['another config', { templateHash: 'second', configs: { 'secret/s': '2' } }],
    ['another template and one config less', { templateHash: 'restarted', configs: {} }],
  ])('follows what runs while Git says the same: %s', async (_what, now) => {
    const on = await underWay();
    const { outcomes: told, releases } = on;
    const { length } = told;
    await releases.begin(on.canary(), { templateHash: 'second', configs: { 'secret/s': '1' } });
    const id = recordOf(on)?.id;
    await releases.note(key, looked('of the pods before'));
    await releases.begin(on.canary(), now);
    expect(recordOf(on)).toMatchObject({ id, supersedes: [], judged: now });
    expect(releases.recorded(on.canary(), status(now.templateHash, now.configs))).toBeUndefined();
    expect(releases.lastFailedCheck(key), 'what was found was found of other pods').toBeUndefined();
    expect(recordOf(on)?.evidence).toBeUndefined();
    await releases.end(on.canary(), { ...rolledBack, ...now });
    expect(told.slice(length)).toMatchObject([{ releaseId: id, evidence: [], state: now }]);
  });

  it('keeps what was found where the same begins again, because a status got lost', async () => {
    const on = await underWay();
    const judged = { templateHash: 'second', configs: { 'secret/s': '1' } };
    await on.releases.begin(on.canary(), judged);
    await on.releases.note(key, looked('42%'));
    await on.releases.begin(on.canary(), { ...judged });
    expect(on.releases.lastFailedCheck(key)).toEqual({ name: 'success', found: said('42%') });
    expect(recordOf(on)?.evidence).toEqual([looked('42%')]);
  });

  it('is found anew by the next release', async () => {
    const on = await underWay();
    await on.releases.note(key, looked('of the one before'));
    on.sync('c', 'three');
    await on.releases.begin(on.canary(), { templateHash: 'third', configs: {} });
    expect(on.releases.lastFailedCheck(key)).toBeUndefined();
    expect(recordOf(on)?.evidence).toBeUndefined();
  });

  it('was rejected or promoted as what the record names, and as nothing else', async () => {
    for (const verdict of ['rolled-back', 'promoted'] as const) {
      const on = await underWay();
      const ended = { templateHash: 'second', configs: { 'configmap/c': '1' } };
      await on.releases.end(on.canary(), { ...rolledBack, ...ended, verdict });
      const seen = [
        status('second', { 'configmap/c': '1' }),
        status('second', { 'configmap/c': '2' }),
        status('other'),
      ];
      const recorded = seen.map((one) => on.releases.recorded(on.canary(), one));
      expect(recorded).toEqual([verdict === 'promoted' ? 'promoted' : 'rejected', undefined, undefined]);
    }
  });
});

describe('the record of a release', () => {
  it('names all pushes that it supersedes, oldest first', async () => {
    const on = await underWay();
    const ids = [recordOf(on)?.id];
    for (const content of ['three', 'four']) {
      on.sync(content, content);
      await on.releases.begin(on.canary(), { templateHash: content, configs: {} });
      ids.push(recordOf(on)?.id);
    }
    expect(recordOf(on)?.supersedes).toEqual(ids.slice(0, 2));
    expect(Object.keys(recordOf(on)?.supersededAt ?? {})).toEqual(ids.slice(0, 2));
  });

  it('keeps outcomes that are not in Git yet while the next releases go on, until they land', async () => {
    const on = await underWay();
    await on.releases.end(on.canary(), rolledBack);
    const outcome = on.outcomes.at(-1);
    if (!outcome) throw new Error('no outcome');
    on.sync('c', 'three');
    await on.releases.begin(on.canary(), { templateHash: 'third', configs: {} });
    expect(recordOf(on)?.unwritten).toMatchObject([{ id: outcome.releaseId, outcome: { verdict: 'rolled-back' } }]);
    await on.releases.written(outcome, commit('d'));
    expect(recordOf(on)?.unwritten).toBeUndefined();
  });

  it('keeps that its outcome has landed when the tick that ended it is done again, and tells it once', async () => {
    const on = await underWay();
    await on.releases.end(on.canary(), rolledBack);
    const { length } = on.outcomes;
    await on.releases.written(on.outcomes.at(-1) as Outcome, commit('d'));
    await on.releases.end(on.canary(), rolledBack);
    expect(recordOf(on)?.outcome?.written).toBe(commit('d'));
    expect(on.outcomes).toHaveLength(length);
  });

  it('of a first state is handed over once', () => {
    const on = stage();
    on.sync('a', 'one');
    on.releases.adopt(on.canary(), 'hash', {});
    on.releases.adopt(on.canary(), 'hash', {});
    expect(on.outcomes).toHaveLength(1);
  });
});

describe('a version that Git goes back to while a newer one is promoted', () => {
  it('is a release of its own, also where the agent has started anew meanwhile', async () => {
    const first = await underWay();
    await first.releases.begin(first.canary(), { templateHash: 'second', configs: {} });
    const adopted = first.outcomes[0];
    expect(adopted).toMatchObject({ verdict: 'adopted', state: { content: 'one', revision: commit('a') } });
    const on = stage(first);
    // The ledger of the first state, as Git has it by now.
    on.told.content = 'one';
    on.told.revision = 'a';
    await on.releases.load([]);
    on.sync('c', 'one');
    await on.releases.end(on.canary(), { ...rolledBack, templateHash: 'second', verdict: 'promoted' });
    await on.releases.begin(on.canary(), { templateHash: 'hash', configs: {} });
    await on.releases.end(on.canary(), { ...rolledBack, templateHash: 'hash', verdict: 'promoted' });
    expect(on.outcomes).toMatchObject([
      { verdict: 'promoted', state: { content: 'two' } },
      { verdict: 'promoted', state: { content: 'one', revision: commit('c') } },
    ]);
    expect(on.outcomes[1]?.releaseId).not.toBe(adopted?.releaseId);
  });
});

describe('a version that was rolled back', () => {
  const failed: CanaryStatus = {
    phase: 'Failed',
    failedChecks: 0,
    canaryWeight: 0,
    iterations: 0,
    lastAppliedSpec: 'second',
    lastPromotedSpec: 'hash',
    trackedConfigs: {},
  };

  /** The revert of its content `two` has landed at commit `c`. */
  async function reverted(): Promise<Stage> {
    const on = await underWay();
    await on.releases.begin(on.canary(), { templateHash: 'second', configs: {} });
    await on.releases.end(on.canary(), { ...rolledBack, templateHash: 'second' });
    await on.releases.written(on.outcomes.at(-1) as Outcome, commit('c'));
    return on;
  }

  it('is tried again when it is pushed once more before the cluster was anything else', async () => {
    const on = await reverted();
    expect(on.releases.isPushedAgain(on.canary(), failed)).toBe(false);
    on.sync('d', 'two', on.releases.landedOutcomes());
    on.releases.seen(on.releases.landedOutcomes());
    expect(on.releases.isPushedAgain(on.canary(), failed)).toBe(true);
    expect(on.releases.isPushedAgain(on.canary(), { ...failed, lastAppliedSpec: 'other' })).toBe(false);
    // Whatever the status says of the way back.
    expect(on.releases.isRejectedTip(on.canary(), { ...failed, lastAppliedSpec: 'other' })).toBe(true);
    const id = recordOf(on)?.id;
    await on.releases.begin(on.canary(), { templateHash: 'second', configs: {} });
    expect(recordOf(on)).toMatchObject({ content: 'two', revision: commit('d'), supersedes: [] });
    expect(recordOf(on)?.id).not.toBe(id);
    // The status that was to say so got lost.
    expect(on.releases.isPushedAgain(on.canary(), failed)).toBe(true);
    expect(on.releases.isPushedAgain(on.canary(), { ...failed, phase: 'Progressing' })).toBe(false);
  });

  it('begins only as what was looked at', async () => {
    const on = await reverted();
    const seen = on.releases.releaseId(key, 'Failed');
    on.sync('d', 'two', on.releases.landedOutcomes());
    on.releases.seen(on.releases.landedOutcomes());
    const judged = { templateHash: 'first', configs: {} };
    await expect(on.releases.begin(on.canary(), judged, seen)).rejects.toMatchObject({ code: 'CLUSTER_CONFLICT' });
    expect(recordOf(on)?.outcome?.verdict).toBe('rolled-back');
    await on.releases.begin(on.canary(), judged, on.releases.releaseId(key, 'Failed'));
    expect(recordOf(on)).toMatchObject({ content: 'two', judged });
  });

  it('is tried again where that was pushed while the agent was away', async () => {
    const first = await reverted();
    const on = stage(first);
    on.told.content = 'one';
    await on.releases.load([]);
    on.sync('d', 'two');
    expect(on.releases.isPushedAgain(on.canary(), failed)).toBe(true);
    await on.releases.begin(on.canary(), { templateHash: 'second', configs: {} });
    expect(recordOf(on)).toMatchObject({ revision: commit('d'), base: commit('c') });
  });

  it('is not tried again by a restart, nor while its revert has not landed', async () => {
    const first = await underWay();
    await first.releases.begin(first.canary(), { templateHash: 'second', configs: {} });
    await first.releases.end(first.canary(), { ...rolledBack, templateHash: 'second' });
    const on = stage(first);
    on.told.content = 'one';
    await on.releases.load([]);
    on.sync('b', 'two');
    expect(on.releases.isPushedAgain(on.canary(), failed)).toBe(false);
  });
});

describe('an app of which only a part is applied', () => {
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'test', name: 'c' };
  const judged = { templateHash: 'second', configs: {} };
  const whole = (content: string, held?: Revision): Synced => ({ content, held, versions: [], refused: undefined });

  /** Adopted at one content, the next one is at the tip, and the sync has not applied it. */
  const halfApplied = () => {
    const clock = manualClock();
    const seen = { version: '1' };
    const applied = createAppliedApps({ clock, hasSeen: (_ref, version) => Number(seen.version) >= Number(version) });
    const on = stage({ status: { phase: 'Initialized' } }, applied);
    const sync = (one: Synced): void => {
      applied.begin(new Map([[key, one]]));
      applied.end(new Map([[key, one]]));
    };
    on.sync('a', 'one');
    sync(whole('one'));
    on.releases.adopt(on.canary(), 'hash', {});
    on.sync('b', 'two');
    return { ...on, applied, seen, clock, apply: sync };
  };

  it('begins no release until all of it stands, and one then', async () => {
    const on = halfApplied();
    expect(on.releases.isApplied(key, 'Initialized')).toBe(false);
    await expect(on.releases.begin(on.canary(), judged)).rejects.toThrow('not applied yet');
    expect(recordOf(on)).toBeUndefined();
    on.applied.begin(new Map([[key, whole('two')]]));
    expect(on.releases.isApplied(key, 'Initialized')).toBe(false);
    on.applied.end(new Map([[key, whole('two')]]));
    expect(on.releases.isApplied(key, 'Initialized')).toBe(true);
    await on.releases.begin(on.canary(), judged);
    expect(recordOf(on)).toMatchObject({ content: 'two', judged });
  });

  it('is none of which an object was refused, however often it is tried', async () => {
    const on = halfApplied();
    for (let tries = 0; tries < 3; tries += 1) on.apply({ ...whole('two'), refused: 'Deployment test/a: no' });
    expect(on.releases.isApplied(key, 'Initialized')).toBe(false);
    expect(on.applied.refusal(key)).toBe('Deployment test/a: no');
    on.apply(whole('two'));
    expect(on.releases.isApplied(key, 'Initialized')).toBe(true);
    expect(on.applied.refusal(key)).toBeUndefined();
  });

  it('stands when Git has gone back only once that is applied: a part of the other may be there', () => {
    const on = halfApplied();
    on.applied.begin(new Map([[key, whole('two')]]));
    on.sync('c', 'one');
    expect(on.releases.isApplied(key, 'Initialized')).toBe(false);
    on.apply(whole('one'));
    expect(on.releases.isApplied(key, 'Initialized')).toBe(true);
  });

  it('is waited for until the views have what was applied, but not for ever, and is told of then', () => {
    const on = halfApplied();
    on.apply({ ...whole('two'), versions: [{ ref, version: '7' }] });
    expect(on.releases.isApplied(key, 'Initialized')).toBe(false);
    expect(on.applied.takeAwaited()).toEqual([key]);
    on.seen.version = '8';
    expect(on.releases.isApplied(key, 'Initialized')).toBe(true);
    expect(on.applied.takeAwaited()).toEqual([]);
    on.seen.version = '1';
    expect(on.releases.isApplied(key, 'Initialized')).toBe(false);
    on.clock.advance(10_000);
    expect(on.releases.isApplied(key, 'Initialized')).toBe(true);
  });

  it('becomes no first state', () => {
    const on = halfApplied();
    const fresh = stage(undefined, on.applied);
    fresh.sync('a', 'two');
    fresh.releases.adopt(fresh.canary(), 'hash', {});
    expect(fresh.outcomes).toEqual([]);
    on.apply(whole('two'));
    fresh.releases.adopt(fresh.canary(), 'hash', {});
    expect(fresh.outcomes).toMatchObject([{ verdict: 'adopted', state: { content: 'two' } }]);
  });

  it('is not known to stand after a start, and the release under way then goes on without', async () => {
    const on = halfApplied();
    on.apply(whole('two'));
    await on.releases.begin(on.canary(), judged);
    const again = stage(on, createAppliedApps({ clock: on.clock, hasSeen: () => true }));
    expect(again.releases.isApplied(key, 'Progressing')).toBe(false);
    await again.releases.load([]);
    again.sync('b', 'two');
    expect(again.releases.isApplied(key, 'Progressing')).toBe(false);
    await again.releases.end(again.canary(), { ...rolledBack, templateHash: 'second' });
    expect(again.outcomes).toMatchObject([{ verdict: 'rolled-back', state: { content: 'two' } }]);
  });

  it('is the stable one while a rejected one is held back: what changes there meanwhile is no second try of that one', async () => {
    const on = halfApplied();
    on.apply(whole('two'));
    await on.releases.begin(on.canary(), judged);
    await on.releases.end(on.canary(), { ...rolledBack, ...judged });
    const { length } = on.outcomes;
    const held = on.releases.overlay(key, 'Failed');
    expect(held).toBe(commit('a'));
    expect(on.releases.isApplied(key, 'Failed')).toBe(false);
    on.apply(whole('two', held));
    expect(on.releases.isApplied(key, 'Failed')).toBe(true);
    const renewed = { templateHash: 'hash', configs: { 'secret/s': 'renewed' } };
    await on.releases.begin(on.canary(), renewed);
    await on.releases.end(on.canary(), { ...rolledBack, ...renewed, verdict: 'promoted' });
    expect(on.outcomes).toHaveLength(length);
    expect(on.releases.stableOf(key)?.content).toBe('one');
  });

  it('belongs to the release under way while nothing is applied, and to none that was not begun', async () => {
    const on = halfApplied();
    on.apply(whole('two'));
    await on.releases.begin(on.canary(), judged);
    on.applied.suspend();
    const renewed = { templateHash: 'second', configs: { 'secret/s': 'renewed' } };
    await on.releases.begin(on.canary(), renewed);
    expect(recordOf(on)).toMatchObject({ content: 'two', judged: renewed });
    on.sync('c', 'three');
    expect(on.releases.isApplied(key, 'Progressing')).toBe(true);
    await on.releases.begin(on.canary(), { templateHash: 'third', configs: {} });
    expect(recordOf(on)).toMatchObject({ content: 'two', judged: renewed });
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
    const second = stage(first);
    await second.releases.load([]);
    await second.releases.resume(second.canary());
    expect(second.outcomes).toEqual([first.outcomes.at(-1)]);
  });
});

describe('the annotation of a release', () => {
  const annotate = (on: Stage, text: string | undefined): void => {
    const { [releaseAnnotation]: _old, ...rest } = on.canary().metadata.annotations ?? {};
    const annotations = text === undefined ? rest : { ...rest, [releaseAnnotation]: text };
    on.cluster.put({ ...on.canary(), metadata: { ...on.canary().metadata, annotations } });
  };
  const shown = (on: Stage): Record<string, unknown> =>
    JSON.parse(on.canary().metadata.annotations?.[releaseAnnotation] ?? '{}') as Record<string, unknown>;
  /** As an agent of before would have kept it, so that each of its fields could be believed. */
  const forged = (verdict: string, content = 'one'): string => {
    const [revision, base] = [commit('a'), commit('evil')];
    const id = releaseId({ namespace: 'test', name: 'a' }, content, revision);
    const state = { revision, images: {}, templateHash: 'hash', configs: {}, content };
    const outcome = { verdict, atMs: 1, evidence: [], state };
    return JSON.stringify({ id, revision, base, content, startedAtMs: 1, supersedes: [], outcome });
  };
  const junk = ['', '{', '[]', 'null', '{"id":1}', 'x'.repeat(250 * 1024), forged('rolled-back'), forged('promoted')];

  it('tells an outcome once where Git has it at once, and before that where Git takes its time', async () => {
    for (const [pauseMs, most] of [
      [1_500, 1],
      [2_500, 2],
    ] as const) {
      const clock = manualClock();
      const on = await underWay(clock);
      let writes = 0;
      on.cluster.onWritten = ({ after }) => {
        if (after?.kind === 'Canary') writes += 1;
      };
      await on.releases.end(on.canary(), rolledBack);
      expect(writes, 'the status that says so comes first').toBe(0);
      clock.advance(pauseMs);
      await on.releases.resume(on.canary());
      if (most === 2) expect(shown(on)['outcome']).toMatchObject({ verdict: 'rolled-back' });
      await on.releases.written(on.outcomes.at(-1) as Outcome, commit('d'));
      expect(shown(on)['outcome']).toMatchObject({ written: commit('d') });
      clock.advance(10_000);
      await on.releases.resume(on.canary());
      expect(writes).toBe(most);
    }
  });

  it.each(junk)('says nothing to an agent at rest, mid-run and after a restart, and is put right: %#', async (text) => {
    const on = await underWay();
    const before = recordOf(on);
    const { length } = on.outcomes;
    annotate(on, text);
    await on.releases.resume(on.canary());
    expect(on.releases.overlay(key, 'Progressing')).toBeUndefined();
    expect(recordOf(on)).toEqual(before);
    expect(shown(on)).toMatchObject({ release: before?.id, revision: commit('b') });
    annotate(on, text);
    const again = stage(on);
    again.told.content = 'one';
    await again.releases.load([again.canary()]);
    again.sync('b', 'two');
    expect(again.outcomes).toEqual([]);
    expect(again.releases.overlay(key, 'Progressing')).toBeUndefined();
    await again.releases.resume(again.canary());
    await again.releases.end(again.canary(), rolledBack);
    expect(again.outcomes).toMatchObject([{ verdict: 'rolled-back', releaseId: before?.id, base: commit('a') }]);
    expect(on.outcomes).toHaveLength(length);
  });

  it('that was deleted, or taken from another app, changes nothing of outcomes that wait for Git', async () => {
    for (const text of [undefined, forged('promoted'), forged('rolled-back', 'two')]) {
      const on = await underWay();
      await on.releases.end(on.canary(), rolledBack);
      const outcome = on.outcomes.at(-1);
      annotate(on, text);
      const again = stage(on);
      await again.releases.load([again.canary()]);
      await again.releases.resume(again.canary());
      expect(again.outcomes).toEqual([outcome]);
      again.told.content = 'one';
      again.sync('b', 'two');
      expect(again.releases.overlay(key, 'Failed')).toBe(commit('a'));
    }
  });

  it('costs one request however often it is changed between two looks, and is put right every ten minutes only', async () => {
    const on = await underWay();
    let asked = 0;
    const own = { ...on.cluster };
    on.cluster.get = (...args) => {
      asked += 1;
      return own.get(...args);
    };
    for (const text of ['x', 'y', 'z']) {
      annotate(on, text);
      await on.releases.resume(on.canary());
      await on.releases.resume(on.canary());
    }
    expect(asked).toBe(3);
    expect(on.canary().metadata.annotations?.[releaseAnnotation]).toBe('z');
  });

  it('that the API server does not take is told once, and the release goes on', async () => {
    const on = await underWay();
    on.cluster.onRequest = ({ kind }) => {
      if (kind === 'Canary')
        throw new AgentError('CLUSTER_REFUSED', 'metadata.annotations: Too long', { details: { status: 422 } });
    };
    await on.releases.end(on.canary(), rolledBack);
    await on.releases.written(on.outcomes.at(-1) as Outcome, commit('c'));
    expect(recordOf(on)?.outcome?.written).toBe(commit('c'));
  });
});

describe('the object that keeps a release', () => {
  const ref = recordRef(key, 'serin');
  const other = { namespace: 'test', name: 'b' };

  it('is believed under the name of its own app, with the id that its content and commit give', async () => {
    const on = await underWay();
    await on.releases.end(on.canary(), { ...rolledBack, verdict: 'promoted' });
    const stored = on.cluster.peek('Secret', ref.name, 'serin');
    if (!stored) throw new Error('nothing is stored');
    expect(readRecordObject(stored)?.key).toBe(key);
    const ofOther = { ...stored.metadata, annotations: { 'serin.dev/canary': 'test/b' } };
    expect(readRecordObject({ ...stored, metadata: ofOther }), 'renamed').toBeUndefined();
    const { name } = recordRef(appKey('test/b'), 'serin');
    expect(readRecordObject({ ...stored, metadata: { ...ofOther, name } }), 'taken from another app').toBeUndefined();
    const record = recordOf(on) as ReleaseRecord;
    for (const wrong of [
      { ...record, content: 'three' },
      { ...record, revision: commit('evil') },
      { ...record, id: releaseId(other, record.content, record.revision) },
    ])
      expect(readRecordObject(recordObject(key, 'serin', wrong))).toBeUndefined();
  });

  it('that somebody deletes or spoils is written anew from what is known', async () => {
    for (const spoil of [
      (on: Stage) => on.cluster.drop(ref),
      (on: Stage) => on.cluster.put({ ...ref, metadata: { name: ref.name, namespace: 'serin' }, data: {} }),
    ]) {
      const on = await underWay();
      const { id } = recordOf(on) ?? {};
      spoil(on);
      await on.releases.end(on.canary(), rolledBack);
      expect(recordOf(on)).toMatchObject({ id, outcome: { verdict: 'rolled-back' } });
    }
  });

  it('that is written while it is read again stays what was written', async () => {
    const on = await underWay();
    await on.releases.resume(on.canary());
    const get = on.cluster.get.bind(on.cluster);
    let answer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    on.cluster.get = async (asked, signal) => {
      const found = await get(asked, signal);
      await answered;
      return found;
    };
    const { resourceVersion: _old, ...metadata } = on.canary().metadata;
    on.cluster.put({ ...on.canary(), metadata: { ...metadata, annotations: { [releaseAnnotation]: "somebody's" } } });
    const resumed = on.releases.resume(on.canary());
    await Promise.resolve();
    const ended = on.releases.end(on.canary(), rolledBack);
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    answer();
    await Promise.all([resumed, ended]);
    const now = { lastAppliedSpec: rolledBack.templateHash, trackedConfigs: {} } as CanaryStatus;
    expect(on.releases.recorded(on.canary(), now)).toBe('rejected');
  });

  it('whose write gets no answer is looked at again, and its outcome is handed over with no false word of Git', async () => {
    const said: string[] = [];
    const on = stage({ isProving: true }, undefined, undefined, (message) => said.push(message));
    await on.releases.load([]);
    on.sync('a', 'one');
    on.releases.adopt(on.canary(), 'hash', {});
    on.sync('b', 'two');
    await on.releases.begin(on.canary());
    const mergePatch = on.cluster.mergePatch.bind(on.cluster);
    on.cluster.mergePatch = async (...request) => {
      await mergePatch(...request);
      on.cluster.mergePatch = mergePatch;
      throw new AgentError('CLUSTER_UNREACHABLE', 'the answer is lost');
    };
    await expect(on.releases.end(on.canary(), rolledBack)).rejects.toThrow('the answer is lost');
    await on.releases.end(on.canary(), rolledBack);
    await on.releases.end(on.canary(), rolledBack);
    expect(said).toEqual([]);
    await on.releases.prove(async (_key, record) => ({ record, reasons: [] }));
    await on.releases.end(on.canary(), rolledBack);
    expect(on.outcomes.map(({ verdict }) => verdict)).toEqual(['adopted', 'rolled-back']);
    expect(recordOf(on)?.outcome?.blocked).toBeUndefined();
  });

  it('goes with an app that is neither in Git nor in the cluster, once all of it is told', async () => {
    let isThere = true;
    const on = stage({}, undefined, () => isThere);
    await on.releases.load([]);
    on.sync('a', 'one');
    on.releases.adopt(on.canary(), 'hash', {});
    on.sync('b', 'two');
    await on.releases.begin(on.canary());
    await on.releases.end(on.canary(), rolledBack);
    on.releases.advance(commit('c'), [], new Set());
    isThere = false;
    on.releases.left(key);
    await Promise.resolve();
    expect(recordOf(on)).toBeDefined();
    await on.releases.written(on.outcomes.at(-1) as Outcome, commit('d'));
    await Promise.resolve();
    expect(recordOf(on)).toBeUndefined();
  });
});

describe('the record of an app that went while no agent ran', () => {
  const again = async (before: Stage, isThere = false): Promise<Stage> => {
    const on = stage(before, undefined, () => isThere);
    await on.releases.load([]);
    on.releases.advance(commit('e'), [], new Set());
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    return on;
  };
  const told = async (): Promise<Stage> => {
    const on = await underWay();
    await on.releases.end(on.canary(), rolledBack);
    await on.releases.written(on.outcomes.at(-1) as Outcome, commit('d'));
    return on;
  };

  it('goes at the first look at Git', async () => {
    expect(recordOf(await again(await told()))).toBeUndefined();
  });

  it('stays while the cluster has its Canary', async () => {
    expect(recordOf(await again(await told(), true))).toBeDefined();
  });

  it('stays until its outcome is in Git', async () => {
    const before = await underWay();
    await before.releases.end(before.canary(), rolledBack);
    const on = await again(before);
    expect(recordOf(on)).toBeDefined();
    await on.releases.written(on.outcomes.at(-1) as Outcome, commit('f'));
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
    expect(recordOf(on)).toBeUndefined();
  });
});

describe('records that the agent has no right to read, as after an upgrade without its new role', () => {
  const begin = () => {
    const cluster = createMemoryCluster(() => 0);
    cluster.put({ ...canary, status: { phase: 'Progressing' } });
    const clock = manualClock();
    const told: string[] = [];
    const rights = { isMissing: true, asked: 0 };
    const { signal } = new AbortController();
    setMaxListeners(0, signal);
    const records = createRecordStore(cluster, 'serin');
    const releases = createReleases({
      own: createOwnWrites(clock),
      deps: { cluster, clock, log: silentLogger },
      store: {
        ...records,
        async all(until) {
          rights.asked += 1;
          if (rights.isMissing) throw new AgentError('CLUSTER_REFUSED', 'secrets is forbidden');
          return records.all(until);
        },
      },
      submit: () => undefined,
      ledger: () => undefined,
      onTold: (_key, message) => told.push(message),
      signal,
    });
    const pass = async (ms: number): Promise<void> => {
      for (let left = ms; left > 0; left -= 250) {
        clock.advance(250);
        for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
      }
    };
    return { cluster, releases, rights, told, pass };
  };

  it('let users be led home from what fails after a minute, and no release end; people are told once', async () => {
    const { cluster, releases, rights, told, pass } = begin();
    const live = cluster.peek('Canary', 'a', 'test') ?? canary;
    const loaded = releases.load([live]);
    let isJudged = false;
    const judged = releases.resume(live).then(() => (isJudged = true));
    await pass(55_000);
    expect({ isJudged, told }).toEqual({ isJudged: false, told: [] });
    await pass(600_000);
    await judged;
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(
      /^The release of a\.test is judged, but can neither .* cannot be read: secrets is forbidden$/,
    );
    expect(releases.trouble).toMatch(/^the records of releases .* cannot be read: secrets is forbidden$/);
    expect(rights.asked).toBeLessThan(100);
    await expect(releases.end(live, rolledBack)).rejects.toThrow('a release cannot end: the records');
    await expect(releases.withdraw(live)).rejects.toThrow('a release cannot end: the records');
    await expect(releases.begin(live)).rejects.toThrow('a new revision waits');
    expect(cluster.peek('Secret', recordRef(key, 'serin').name, 'serin')).toBeUndefined();

    rights.isMissing = false;
    await pass(30_000);
    await loaded;
    expect(releases.trouble).toBeUndefined();
    await releases.end(live, rolledBack);
  });

  it('are read after a short outage before anything is looked at', async () => {
    const { cluster, releases, rights, told, pass } = begin();
    const live = cluster.peek('Canary', 'a', 'test') ?? canary;
    const loaded = releases.load([live]);
    let readBefore: string | undefined = 'not looked at';
    const looked = releases.resume(live).then(() => (readBefore = releases.trouble));
    await pass(20_000);
    rights.isMissing = false;
    await pass(20_000);
    await Promise.all([loaded, looked]);
    expect(readBefore).toBeUndefined();
    expect(told).toEqual([]);
  });
});

describe('releases of which Git is told nothing', () => {
  it('go on without end: the oldest outcomes are given up, with a count, which is said once', async () => {
    const told: string[] = [];
    const on = stage({}, undefined, undefined, (message) => told.push(message));
    await on.releases.load([]);
    on.sync('0', 'content-0');
    on.releases.adopt(on.canary(), 'hash', {});
    const evidence = (at: number): Evidence => ({
      atMs: at,
      canaryWeight: 20,
      iterations: 0,
      checks: [{ name: 'success', passed: false, found: said('x'.repeat(10_000)) }],
    });
    const releases = 140;
    for (let number = 1; number <= releases; number += 1) {
      on.sync(`a${number}`, `content-${number}`);
      await on.releases.begin(on.canary(), { templateHash: `hash-${number}`, configs: {} });
      for (let look = 0; look < 2; look += 1) await on.releases.note(key, evidence(look));
      const ended = { ...rolledBack, templateHash: `hash-${number}` };
      await on.releases.end(on.canary(), number === 70 ? { ...ended, verdict: 'promoted' } : ended);
    }
    const kept = recordOf(on);
    expect(kept).toMatchObject({ content: `content-${releases}`, outcome: { verdict: 'rolled-back' } });
    const waiting = kept?.unwritten ?? [];
    expect(waiting.length + (kept?.dropped ?? 0)).toBe(releases - 1);
    expect(waiting.length).toBeLessThanOrEqual(64);
    expect(told).toHaveLength(1);
    const again = stage(on);
    await again.releases.load([]);
    expect(again.releases.stableOf(key)?.content, 'what runs is known all the same').toBe('content-70');
  });
});

describe('two agents that run at once by mistake', () => {
  const second = async (on: Stage): Promise<Stage> => {
    const two = stage(on);
    await two.releases.load([]);
    two.sync('b', 'two');
    two.sync('c', 'three');
    return two;
  };

  it('know the release that the other one has begun, and end that one', async () => {
    const on = await underWay();
    await on.releases.resume(on.canary());
    const two = await second(on);
    await two.releases.begin(two.canary());
    await on.releases.resume(on.canary());
    await on.releases.end(on.canary(), rolledBack);
    expect(on.outcomes.at(-1)).toMatchObject({ releaseId: recordOf(two)?.id, state: { content: 'three' } });
  });

  const behind = async (on: Stage, isProving: boolean): Promise<Stage> => {
    const two = stage({ ...on, isProving });
    two.told.content = 'one';
    await two.releases.load([]);
    await two.releases.prove((_key, record) => Promise.resolve({ record, reasons: [] }));
    two.sync('a', 'one');
    two.sync('b', 'two');
    return two;
  };
  const restarted = { templateHash: 'hash of what the other one has applied', configs: {} };

  it.each([true, false])(
    'begin no release once more that the other one has ended; held against Git: %s',
    async (isProving) => {
      const on = await underWay();
      const two = await behind(on, isProving);
      await on.releases.end(on.canary(), { ...rolledBack, verdict: 'promoted' });
      await expect(two.releases.begin(two.canary(), restarted)).rejects.toThrow('another agent has written the record');
      expect(recordOf(on)).toMatchObject({ content: 'two', outcome: { verdict: 'promoted' } });
      await two.releases.end(two.canary(), { ...rolledBack, ...restarted });
      expect(two.outcomes.filter(({ verdict }) => verdict === 'rolled-back')).toEqual([]);
    },
  );

  it.each([true, false])(
    'begin no release over a newer one of the other one; held against Git: %s',
    async (isProving) => {
      const on = await underWay();
      const two = await behind(on, isProving);
      await on.releases.end(on.canary(), { ...rolledBack, verdict: 'promoted' });
      on.sync('c', 'three');
      await on.releases.begin(on.canary());
      await expect(two.releases.begin(two.canary(), restarted)).rejects.toThrow('another agent has written the record');
      expect(recordOf(on)).toMatchObject({ content: 'three' });
      // Once it has looked at Git it takes part in that one.
      await two.releases.prove((_key, record) => Promise.resolve({ record, reasons: [] }));
      two.sync('c', 'three');
      await two.releases.begin(two.canary());
      await two.releases.end(two.canary(), rolledBack);
      const id = recordOf(on)?.id;
      expect(two.outcomes.at(-1)).toMatchObject({ releaseId: id, verdict: 'rolled-back', state: { content: 'three' } });
    },
  );

  it('goes on with what it has written itself, although the answer got lost', async () => {
    const on = stage({ isProving: true });
    on.told.content = 'one';
    await on.releases.load([]);
    on.sync('a', 'one');
    on.sync('b', 'two');
    const create = on.cluster.create.bind(on.cluster);
    on.cluster.create = async (...given) => {
      on.cluster.create = create;
      await create(...given);
      throw new AgentError('CLUSTER_UNREACHABLE', 'the answer got lost');
    };
    await on.releases.begin(on.canary()).catch(() => undefined);
    await on.releases.begin(on.canary());
    expect(recordOf(on)).toMatchObject({ content: 'two' });
  });

  it('write over nothing that the other one has written since', async () => {
    const on = await underWay();
    const two = await second(on);
    await two.releases.end(two.canary(), rolledBack);
    await on.releases.end(on.canary(), { ...rolledBack, verdict: 'promoted' });
    expect(recordOf(on)?.outcome?.verdict).toBe('rolled-back');
  });

  it('ask for nothing where a view is older than their own last write', async () => {
    const on = await underWay();
    on.cluster.get = () => Promise.reject(new Error('nobody is to be asked'));
    const metadata = { ...on.canary().metadata, resourceVersion: '1', annotations: { [releaseAnnotation]: 'older' } };
    await on.releases.resume({ ...on.canary(), metadata });
    expect(recordOf(on)).toBeDefined();
  });
});

describe('what failed before', () => {
  it('is told by its image too, where something else is pushed with it', () => {
    const on = stage();
    on.told.content = 'one';
    on.sync('b', 'two');
    expect(on.releases.failedBefore(key)).toBeUndefined();
    on.told.rejected = (images) => ({
      image: images['c'] ?? '',
      entry: {
        releaseId: 'r',
        revision: commit('abc'),
        at: '',
        images,
        templateHash: '',
        content: 'other',
        failedCheck: 'readiness',
        reason: 'container crashes (exit 1)',
      },
    });
    expect(on.releases.failedBefore(key)).toBe(
      'Image two of a.test failed before at abc000000000, with other settings: container crashes (exit 1)',
    );
  });
});

describe('a release that is taken back in Git', () => {
  it('is told once, with who did it, and is superseded by nothing', async () => {
    const on = await underWay();
    const { id } = recordOf(on) ?? {};
    on.sync('c', 'one');
    await on.releases.withdraw(on.canary());
    await on.releases.withdraw(on.canary());
    expect(on.outcomes.filter(({ verdict }) => verdict === 'withdrawn')).toMatchObject([
      {
        releaseId: id,
        state: { content: 'two', images: { c: 'two' }, revision: commit('b') },
        takenBackAt: commit('c'),
      },
    ]);
    on.sync('d', 'three');
    await on.releases.begin(on.canary());
    expect(recordOf(on)).toMatchObject({ content: 'three', supersedes: [] });
    // Not in Git yet, so it is not forgotten.
    expect(recordOf(on)?.unwritten).toMatchObject([{ id, outcome: { verdict: 'withdrawn' } }]);
  });

  it('is none where only the cluster was put back: Git still says the new version', async () => {
    const on = await underWay();
    await on.releases.withdraw(on.canary());
    expect(on.outcomes.filter(({ verdict }) => verdict === 'withdrawn')).toEqual([]);
    expect(recordOf(on)?.outcome).toBeUndefined();
  });

  it('survives a restart before it is in Git', async () => {
    const on = await underWay();
    on.sync('c', 'one');
    await on.releases.withdraw(on.canary());
    const again = stage(on);
    again.sync('c', 'one');
    await again.releases.load([]);
    expect(again.outcomes).toMatchObject([{ verdict: 'withdrawn', takenBackAt: commit('c') }]);
  });
});

describe('a release that goes back to what the ledger proves', () => {
  const judged = { templateHash: 'hash-2', configs: {} };
  const proof: Proof = { releaseId: 'r1', at: '2026-11-30T11:30:00Z' };
  const status = { lastAppliedSpec: 'hash-2', phase: 'Progressing', trackedConfigs: {} } as unknown as CanaryStatus;
  const back = async (rollbackWindowMs?: number): Promise<Stage> => {
    const on = stage(rollbackWindowMs === undefined ? {} : { rollbackWindowMs });
    await on.releases.load([]);
    on.sync('a', 'one');
    on.releases.adopt(on.canary(), 'hash', {});
    on.sync('b', 'two');
    on.told.content = 'one';
    on.told.proof = proof;
    await on.releases.begin(on.canary(), judged);
    return on;
  };

  it('needs no analysis, and neither after a restart, and its outcome names the proof', async () => {
    const on = await back(1);
    expect(on.releases.proven(on.canary(), status)).toEqual(proof);
    const again = stage({ cluster: on.cluster, rollbackWindowMs: 1 });
    Object.assign(again.told, on.told);
    await again.releases.load([]);
    again.sync('b', 'two');
    expect(again.releases.proven(again.canary(), status)).toEqual(proof);
    await again.releases.end(again.canary(), {
      verdict: 'promoted',
      failedCheck: undefined,
      strategy: 'none',
      ...judged,
    });
    expect(again.outcomes.at(-1)).toMatchObject({ verdict: 'promoted', proven: proof });
  });

  it('needs one where nobody asked for that, where another state runs, or where the record alone says so', async () => {
    const off = await back();
    expect(off.releases.proven(off.canary(), status)).toBeUndefined();
    expect(recordOf(off)).not.toHaveProperty('proven');
    const on = await back(1);
    expect(on.releases.proven(on.canary(), { ...status, lastAppliedSpec: 'hash-3' })).toBeUndefined();
    delete on.told.proof;
    expect(recordOf(on)).toMatchObject({ proven: proof });
    expect(on.releases.proven(on.canary(), status)).toBeUndefined();
  });

  it('needs one once what is judged is another state of the same commit', async () => {
    const on = await back(1);
    delete on.told.proof;
    await on.releases.begin(on.canary(), { ...judged, configs: { 'secret/a': 'x'.repeat(16) } });
    expect(recordOf(on)).not.toHaveProperty('proven');
  });

  it('tells of no proof where it was judged after all', async () => {
    const on = await back(1);
    await on.releases.end(on.canary(), {
      verdict: 'promoted',
      failedCheck: undefined,
      strategy: 'canary',
      ...judged,
    });
    expect(on.outcomes.at(-1)).not.toHaveProperty('proven');
  });
});

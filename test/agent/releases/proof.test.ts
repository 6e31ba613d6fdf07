import { describe, expect, it } from 'vitest';
import { createProve, type Proven } from '../../../src/agent/releases/proof.ts';
import type { StableState } from '../../../src/agent/releases/tracker.ts';
import type { App } from '../../../src/canary/app.ts';
import type { CanaryStatus } from '../../../src/canary/types.ts';
import { asRevision, type Revision } from '../../../src/git/repo.ts';
import { AgentError } from '../../../src/lib/errors.ts';
import { releaseId } from '../../../src/release/release-id.ts';
import type { RecordedOutcome, ReleaseRecord } from '../../../src/release/types.ts';
import { appKey } from '../../helpers/key.ts';
import { said } from '../../helpers/said.ts';

const commit = (name: string): Revision => asRevision(name.padEnd(40, '0'));
const app = { namespace: 'test', name: 'a' };
const key = appKey('test/a');

/** The branch, oldest first: what each of its commits says of the app. */
const branch: Readonly<Record<string, string>> = { a: 'one', b: 'one', c: 'two', d: 'two' };
/** Commits that the server has and nobody has merged. */
const elsewhere: Readonly<Record<string, string>> = { evil: 'one', evil2: 'two' };

const appAt = (content: string): App => ({ id: app, content, images: { c: `${content}:real` } }) as unknown as App;

interface Given {
  readonly stable?: StableState;
  readonly isWriting?: boolean;
  readonly says?: Readonly<Record<string, string>>;
}
const one: StableState = { content: 'one', revision: commit('a') };

function prove(record: ReleaseRecord, former?: CanaryStatus, given: Given = {}): Promise<Proven> {
  const { stable = one, isWriting = true, says = branch } = given;
  const all = new Map(Object.entries({ ...says, ...elsewhere }).map(([name, content]) => [commit(name), content]));
  const ours = new Set(Object.keys(says).map(commit));
  const isOf = createProve({
    branch: 'main',
    tip: commit(Object.keys(says).at(-1) ?? ''),
    appAt: async (_key, revision) => {
      const content = all.get(revision);
      if (content === undefined) throw new AgentError('GIT_NOT_FOUND', `commit ${revision} is not here`);
      return appAt(content);
    },
    isAncestor: async (revision) => ours.has(revision),
    stable: () => stable,
    isWriting,
  });
  return isOf(key, record, former ? { former } : {});
}

function release(at: string, content: string, more: Partial<ReleaseRecord> = {}): ReleaseRecord {
  const revision = commit(at);
  const id = releaseId(app, content, revision);
  return { id, revision, base: commit('b'), content, startedAtMs: 1, supersedes: [], ...more };
}
function ended(at: string, content: string, verdict: RecordedOutcome['verdict'], more: object = {}): ReleaseRecord {
  const state = { revision: commit(at), images: { c: 'told' }, templateHash: 'hash', configs: {}, content };
  const evidence = [
    { atMs: 1, canaryWeight: 1, iterations: 0, checks: [{ name: 'x', passed: false, found: said('told') }] },
  ];
  return release(at, content, { outcome: { verdict, atMs: 2, evidence, state, ...more } });
}

describe('a record that was read', () => {
  it.each([
    ['under way', release('c', 'two')],
    ['that was rolled back', ended('c', 'two', 'rolled-back')],
    ['that was promoted', ended('c', 'two', 'promoted')],
    ['that goes back to an older commit with the same content', release('c', 'two', { base: commit('a') })],
  ])('is believed where Git says the same: a release %s', async (_what, record) => {
    expect(await prove(record)).toEqual({ record, reasons: [] });
  });

  it.each([
    ['names a commit that nobody has merged', release('evil', 'one'), 'is not one of main'],
    ['names a commit that nobody has', release('nothing', 'three'), 'is not one of main'],
    ['names another content than its commit has', release('a', 'three'), 'says something else'],
    ['is named as another release', release('c', 'two', { id: 'x' }), 'is named as none of this app is'],
    ['is of another app', release('c', 'two', { id: releaseId({ ...app, name: 'b' }, 'two', commit('c')) }), 'named'],
    [
      'was taken back by a commit that nobody has merged',
      ended('a', 'one', 'withdrawn', { takenBackAt: commit('evil') }),
      'is not one of main',
    ],
  ])('is not believed where it %s', async (_what, record, why) => {
    const { record: left, reasons } = await prove(record);
    expect(left).toBeUndefined();
    expect(reasons.join()).toContain(why);
  });

  it.each(['evil', 'c', 'nothing'])('never goes back to what was not promoted: %s', async (base) => {
    const { record } = await prove({ ...ended('c', 'two', 'rolled-back'), base: commit(base) });
    expect(record?.base, 'what the ledger names').toBe(commit('a'));
    const unread = { ...one, revision: commit('evil') };
    const none = await prove({ ...ended('c', 'two', 'rolled-back'), base: commit(base) }, undefined, {
      stable: unread,
    });
    expect(none.record).toBeUndefined();
  });

  it('is about what stands there again where somebody rewrote history', async () => {
    const says = { x: 'one', y: 'two' };
    const stable = { ...one, revision: commit('x') };
    const { record, reasons } = await prove(ended('c', 'two', 'rolled-back'), undefined, { says, stable });
    expect(reasons).toEqual([]);
    const id = releaseId(app, 'two', commit('y'));
    expect(record).toMatchObject({ id, revision: commit('y'), base: commit('x') });
    expect(record?.outcome?.state.revision).toBe(commit('y'));
  });

  it('loses what is not believed of the outcomes that wait, and keeps the others', async () => {
    const waiting = [ended('evil2', 'two', 'promoted'), ended('c', 'two', 'promoted')];
    const says = { ...branch, e: 'three' };
    const record = { ...release('e', 'three', { base: commit('d') }), unwritten: waiting };
    const found = await prove(record, undefined, { says });
    expect(found.record).toMatchObject({ content: 'three', base: commit('d'), unwritten: [waiting[1]] });
    expect(found.reasons).toHaveLength(1);
    const evil = { ...release('evil', 'one'), unwritten: [ended('c', 'two', 'promoted')] };
    expect((await prove(evil)).record, 'its own release is not, an older one is').toEqual(
      ended('c', 'two', 'promoted'),
    );
  });

  it('is not looked at where nothing follows from it', async () => {
    const told = ended('gone', 'zero', 'promoted', { written: commit('gone') });
    expect(await prove(told)).toEqual({ record: told, reasons: [] });
    const again = ended('gone', 'two', 'rolled-back', { written: commit('evil') });
    expect((await prove(again)).record, 'it is pushed once more').toBeUndefined();
  });

  it('waits where Git cannot be asked', async () => {
    const silent = createProve({
      branch: 'main',
      tip: commit('d'),
      appAt: async () => appAt('two'),
      isAncestor: () => Promise.reject(new AgentError('GIT_UNREACHABLE', 'silence')),
      stable: () => one,
      isWriting: true,
    });
    await expect(silent(key, release('c', 'two'), {})).rejects.toThrow('silence');
  });
});

describe('an annotation of an agent of before', () => {
  const status = (more: Partial<CanaryStatus>): CanaryStatus => ({
    phase: 'Failed',
    failedChecks: 0,
    canaryWeight: 0,
    iterations: 0,
    lastAppliedSpec: 'hash',
    lastPromotedSpec: 'before',
    trackedConfigs: { 'configmap/c': '1' },
    ...more,
  });

  it('ends rightly what its Canary and Git say too, without what it tells of checks', async () => {
    const { record } = await prove(ended('c', 'two', 'rolled-back'), status({}));
    const state = { images: { c: 'two:real' }, configs: { 'configmap/c': '1' }, templateHash: 'hash' };
    expect(record).toMatchObject({ outcome: { verdict: 'rolled-back', evidence: [], state }, base: commit('b') });
    const promoted = await prove(
      ended('c', 'two', 'promoted'),
      status({ phase: 'Succeeded', lastPromotedSpec: 'hash' }),
    );
    expect(promoted.record).toMatchObject({ outcome: { verdict: 'promoted', state } });
    const open = await prove(release('c', 'two'), status({ phase: 'Progressing', lastAppliedSpec: 'now' }));
    expect(open.record).toMatchObject({ judged: { templateHash: 'now' }, supersedes: [], base: commit('b') });
    expect(open.record?.outcome).toBeUndefined();
  });

  it('knows the promotion that waits behind a release under way: a rollback goes back to that', async () => {
    const says = { ...branch, e: 'three' };
    const record = { ...release('e', 'three', { base: commit('d') }), unwritten: [ended('c', 'two', 'promoted')] };
    const found = await prove(record, status({ phase: 'Progressing', lastPromotedSpec: 'hash' }), { says });
    expect(found.record).toMatchObject({
      base: commit('d'),
      unwritten: [{ content: 'two', outcome: { verdict: 'promoted' } }],
    });
  });

  it.each([
    ['a rollback of a release that succeeded', ended('c', 'two', 'rolled-back'), status({ phase: 'Succeeded' })],
    ['a rollback of another template', ended('c', 'two', 'rolled-back'), status({ lastAppliedSpec: 'other' })],
    ['a promotion of what the primary does not run', ended('c', 'two', 'promoted'), status({ phase: 'Succeeded' })],
    ['a promotion of what nobody merged', ended('evil2', 'two', 'promoted'), status({ lastPromotedSpec: 'hash' }), 'd'],
    ['a withdrawal', ended('c', 'two', 'withdrawn', { takenBackAt: commit('d') }), status({})],
    ['what is told already', ended('c', 'two', 'rolled-back', { written: commit('d') }), status({})],
    ['a release where nothing is under way', release('c', 'two'), status({ phase: 'Succeeded' })],
  ])('is not believed of %s', async (_what, record, said, at?: string) => {
    const found = (await prove(record, said)).record;
    // Where the tip says that content, it is the commit that is told.
    if (at === undefined) expect(found).toBeUndefined();
    else expect(found?.revision).toBe(commit(at));
  });
});

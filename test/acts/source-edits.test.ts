import { describe, expect, it } from 'vitest';
import { restorePoint, restoringPlan, settingsPlan } from '../../src/acts/source-edits.ts';
import { keyOf } from '../../src/lib/key.ts';
import { atOnce, type Steps } from '../../src/lib/turns.ts';
import { type BuiltEdit, buildingEdit, type EditPlan, type EditTip } from '../../src/release/branch-edit.ts';
import { createRender } from '../../src/release/trees.ts';
import type { Files } from '../../src/render/tree-files.ts';
import type { HistoryEntry } from '../../src/report/types.ts';
import { appTree, canaryText } from '../release/a-config-repo.ts';

const render = createRender({ path: '', ledgerDir: '.releases', defaultNamespace: 'test' });
const app = keyOf({ namespace: 'test', name: 'shop' });
const asker = { reason: 'why not', requestedBy: 'jane' };

function build(files: Files, plan: (tip: EditTip) => Steps<EditPlan>): BuiltEdit {
  const nothing = {
    *ledger(): Steps<undefined> {
      yield;
      return undefined;
    },
    *text(path: string): Steps<string | undefined> {
      yield;
      const text = files.get(path);
      return typeof text === 'string' ? text : undefined;
    },
  };
  const edit = { key: 'test', app: { namespace: 'test', name: 'shop' }, atMs: 0, plan };
  return atOnce(
    buildingEdit(edit, { files, render, tip: nothing, author: { name: 'serin', email: 's@example.test' } }),
  );
}

const set = (files: Files, changes: Readonly<Record<string, string>>): BuiltEdit =>
  build(files, (tip) =>
    settingsPlan(
      app,
      Object.entries(changes).map(([field, value]) => ({ field, value })),
      asker,
      tip,
    ),
  );

const one = { name: 'shop' };
const two = { name: 'shop', image: 'shop:2.0.0' };
const textOf = (files: ReadonlyMap<string, unknown>): string => [...files.values()].map(String).join('\n');

describe('a setting of a Canary', () => {
  it('is changed where it is written, and nothing else; the commit names who and why', () => {
    const before = appTree(one);
    const built = set(before, { threshold: '7' });
    if (built.kind !== 'built') throw new Error(JSON.stringify(built));
    expect([...built.files.keys()]).toHaveLength(1);
    expect(textOf(built.files)).toContain('threshold: 7');
    const old = textOf(before);
    const changed = textOf(built.files)
      .split('\n')
      .filter((line) => !old.includes(line));
    expect(changed.map((line) => line.trim())).toEqual(['threshold: 7']);
    expect(built.draft.message).toMatch(/^set test\/shop threshold: |^set test\/shop analysis\.threshold: /);
    for (const line of ['why not', 'Act: set', 'App: test/shop', 'Requested-by: jane'])
      expect(built.draft.message).toContain(line);
  });

  it('is not written where nobody could read the Canary any more, where it is none, and where Git says it already', () => {
    const files = appTree(one);
    const again = set(files, { threshold: /threshold: (\d+)/.exec(canaryText(one))?.[1] ?? '' });
    expect(again.kind).toBe('needless');
    for (const changes of [
      { interval: 'soon' },
      { threshold: '[' },
      { stepWeights: '5,x' },
      { 'analysis.metrics': '5' },
    ])
      expect(set(files, changes).kind).toBe('refused');
  });

  it('takes lists, removes what is empty, and keeps away from prototypes', () => {
    const built = set(appTree(one), { stepWeights: '5, 20, 50', stepWeight: '', maxWeight: '' });
    expect(built.kind === 'built' && textOf(built.files)).toMatch(
      /stepWeights:\s*(?:\[\s*5, 20, 50\s*\]|- 5\s+- 20\s+- 50)/,
    );
    expect(set(appTree(one), { 'constructor.prototype.x': '1' }).kind).not.toBe('built');
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});

describe('an app that is brought back', () => {
  const back = (tip: Files, wanted: Files, now?: Files): BuiltEdit =>
    build(tip, (at) =>
      restoringPlan(
        {
          app,
          act: now ? 'rollback' : 'retry',
          wanted: { revision: 'a'.repeat(40), files: wanted },
          ...(now ? { now: { revision: 'b'.repeat(40), files: now } } : {}),
          render,
        },
        asker,
        at,
      ),
    );

  it('gets its lines back, and other apps keep theirs', () => {
    const other = { name: 'cart', image: 'cart:2.0.0' };
    const built = back(appTree(two, other), appTree(one), appTree(two));
    if (built.kind !== 'built') throw new Error(JSON.stringify(built));
    expect(textOf(built.files)).not.toContain('shop:2.0.0');
    expect(textOf(built.files)).not.toContain('cart');
    expect(built.draft.message).toContain(`Restores: ${'a'.repeat(40)}`);
    expect(back(appTree(one), appTree(two)).kind).toBe('built');
  });

  it('is left alone where Git says something newer, or the same', () => {
    expect(back(appTree({ ...one, image: 'shop:3.0.0' }), appTree(one), appTree(two)).kind).toBe('refused');
    expect(back(appTree(one), appTree(one)).kind).toBe('needless');
  });
});

describe('where an app is brought back to', () => {
  const entry = (verdict: HistoryEntry['verdict'], revision: string | undefined): HistoryEntry => ({
    namespace: 'test',
    name: 'shop',
    atMs: 0,
    verdict,
    commit: 'f'.repeat(40),
    ...(revision === undefined ? {} : { revision }),
    subject: '',
    changed: { images: [], others: [] },
    asked: [],
    evidence: [],
    supersedes: [],
  });

  it('is the promotion before, what was found at first, or nowhere', () => {
    const stable = { revision: 'n' } as never;
    const ledger = { stable, quarantine: [] };
    expect(
      restorePoint('rollback', ledger, [entry('promoted', 'n'), entry('rolled-back', 'x'), entry('promoted', 'o')]),
    ).toEqual({ wanted: 'o', now: 'n' });
    expect(restorePoint('rollback', ledger, [entry('promoted', 'n'), entry('adopted', undefined)])).toEqual({
      wanted: 'f'.repeat(40),
      now: 'n',
    });
    expect(restorePoint('rollback', ledger, [entry('promoted', 'n')])).toMatch(/nothing was promoted before/);
    expect(restorePoint('rollback', undefined, [])).toMatch(/no promotion/);
    expect(restorePoint('retry', ledger, [])).toMatch(/quarantine/);
  });
});

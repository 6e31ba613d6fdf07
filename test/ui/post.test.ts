import { describe, expect, it } from 'vitest';
import { type AppKey, keyOf } from '../../src/lib/key.ts';
import type { Change } from '../../src/ui/feed.ts';
import { createPost } from '../../src/ui/post.ts';
import { manualClock } from '../helpers/manual-clock.ts';
import { canaryOf } from './a-dashboard.ts';

const keys = (count: number): readonly AppKey[] =>
  Array.from({ length: count }, (_, at) => keyOf({ namespace: 'shop', name: `app-${at}` }));

function world(apps: readonly AppKey[]) {
  const clock = manualClock();
  const sent: { readonly number: number; readonly changes: readonly Change[] }[] = [];
  let asked = 0;
  const post = createPost(
    {
      apps: () => apps,
      facts: (app) => {
        asked += 1;
        return apps.includes(app) ? { canary: canaryOf('shop', app), provider: 'kubernetes' } : undefined;
      },
      about: () => ({ version: '1', cluster: '', sources: [], notes: [] }),
    },
    clock,
    (number, changes) => sent.push({ number, changes }),
  );
  return { clock, sent, post, asked: () => asked };
}

describe('What the agent tells the dashboard', () => {
  it('is everything at first, in portions, and then each app that changed once, however often it did', () => {
    const apps = keys(100);
    const { clock, sent, post } = world(apps);
    post.compare();
    for (let round = 0; round < 20; round += 1) {
      clock.advance(300);
      for (const { number } of sent) post.taken(number);
    }
    const all = sent.flatMap(({ changes }) => changes);
    const [first] = all;
    expect(first?.kind).toBe('begin');
    expect(all.filter(({ kind }) => kind === 'app')).toHaveLength(100);
    expect(Math.max(...sent.map(({ changes }) => changes.filter(({ kind }) => kind === 'app').length))).toBe(40);
    expect(all.filter(({ kind }) => kind === 'end')).toHaveLength(1);
    sent.length = 0;
    const [app] = apps;
    if (app) for (let count = 0; count < 1_000; count += 1) post.changed(app);
    clock.advance(300);
    expect(sent.flatMap(({ changes }) => changes.map(({ kind }) => kind))).toEqual(['app']);
    post.stop();
  });

  it('waits, bounded, for a thread that takes nothing: nothing is made, and little is kept', () => {
    const apps = keys(5);
    const { clock, sent, post, asked } = world(apps);
    const [app] = apps;
    for (let round = 0; round < 50; round += 1) {
      for (const one of apps) post.changed(one);
      for (let count = 0; count < 1_000; count += 1)
        if (app) post.happened({ kind: 'measured', app, atMs: 0, releaseId: undefined, metric: 'm', value: count });
      clock.advance(1_000);
    }
    expect(sent).toHaveLength(3);
    expect(asked()).toBe(15);
    expect(post.lateMs).toBeGreaterThan(45_000);
    for (const { number } of sent) post.taken(number);
    clock.advance(300);
    const after = sent.slice(3).flatMap(({ changes }) => changes);
    expect(after.filter(({ kind }) => kind === 'app')).toHaveLength(5);
    const measured = after.filter(({ kind }) => kind === 'measured').length;
    expect(measured).toBeGreaterThan(0);
    expect(measured).toBeLessThanOrEqual(2_000);
    expect(post.lateMs).toBeLessThan(1_000);
    post.stop();
  });

  it('is that an app is gone, where it is', () => {
    const { clock, sent, post } = world([]);
    post.changed(keyOf({ namespace: 'shop', name: 'gone' }));
    clock.advance(300);
    expect(sent.flatMap(({ changes }) => changes.map(({ kind }) => kind))).toContain('gone');
    post.stop();
  });
});

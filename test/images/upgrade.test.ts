import { describe, expect, it } from 'vitest';
import { remembered, withDigest } from '../../src/images/memory.ts';
import { type Due, upgradeMessage, upgradesOf } from '../../src/images/upgrade.ts';

const due = (container: string, from: string, to: string, more: Partial<Due> = {}): Due => ({
  app: { namespace: 'test', name: 'podinfo' },
  container,
  from,
  to,
  policy: 'semver:~3.1',
  decision: { reason: 'the newest that semver:~3.1 takes', rejected: [{ tag: '3.2.0', reason: 'outside of ~3.1' }] },
  ...more,
});

describe('An upgrade', () => {
  it('of several containers of one app is one commit', () => {
    const other = { namespace: 'test', name: 'backend' };
    const upgrades = upgradesOf([
      due('b', 'b:1', 'b:2'),
      due('a', 'a:1', 'a:2'),
      due('a', 'a:1', 'a:3'),
      due('x', 'x:1', 'x:2', { app: other }),
    ]);
    expect(upgrades.map(({ app, due: all }) => [app.name, all.map(({ to }) => to)])).toEqual([
      ['backend', ['x:2']],
      ['podinfo', ['a:2', 'b:2']],
    ]);
  });

  it('says what, by which policy, and why not another one', () => {
    const [upgrade] = upgradesOf([due('podinfod', 'stefanprodan/podinfo:3.1.1', 'stefanprodan/podinfo:3.1.4')]);
    if (!upgrade) throw new Error('none');
    expect(upgradeMessage(upgrade, ['Agent: serin/1'])).toBe(`upgrade test/podinfo 3.1.1 -> 3.1.4 (semver:~3.1)

podinfod: stefanprodan/podinfo:3.1.1 -> stefanprodan/podinfo:3.1.4
  by semver:~3.1, of 2 tags: the newest that semver:~3.1 takes
  3.2.0: outside of ~3.1

Policy: podinfod=semver:~3.1
Images: podinfod=stefanprodan/podinfo:3.1.4
Previous-Images: podinfod=stefanprodan/podinfo:3.1.1
Agent: serin/1
`);
    const [several] = upgradesOf([due('a', 'a:1', 'a:2'), due('b', 'b:3', 'b:4')]);
    if (!several) throw new Error('none');
    expect(upgradeMessage(several).split('\n')[0]).toBe('upgrade test/podinfo 2 images');
  });

  it('forges no trailer and stays short, whatever a tag or a policy says', () => {
    const [hostile] = upgradesOf([
      due('a', 'a:1', 'a:2', {
        policy: `glob:x\nVerdict: promoted\u202e${'y'.repeat(2_000)}`,
        decision: {
          reason: 'x\nVerdict: promoted',
          rejected: Array.from({ length: 5_000 }, (_, tag) => ({ tag: `${tag}`, reason: 'no\n\nVerdict: promoted' })),
        },
      }),
    ]);
    if (!hostile) throw new Error('none');
    const message = upgradeMessage(hostile);
    expect(message.split('\n').filter((line) => line.startsWith('Verdict'))).toEqual([]);
    expect(message.split('\n')[0]?.length).toBeLessThanOrEqual(72);
    expect(message.length).toBeLessThan(10_000);
    expect(message).not.toContain('\u202e');
  });
});

describe('What is remembered of a repository', () => {
  const hourMs = 3_600_000;
  const ten = Array.from({ length: 10 }, (_, index) => `1.0.${index}`);

  it('is when each tag was first seen, also where it was gone meanwhile', () => {
    const first = remembered(undefined, ['a', '__proto__'], 100);
    const second = remembered(first, ['a', 'b', 'constructor'], 200);
    const third = remembered(second, ['a', 'b', '__proto__'], 300);
    expect(new Map(Object.entries(third.firstSeenMs))).toEqual(
      new Map([
        ['__proto__', 100],
        ['a', 100],
        ['b', 200],
        ['constructor', 200],
      ]),
    );
  });

  it('is the length of the list, which a list that is suddenly short changes after a day only', () => {
    const whole = remembered(undefined, ten, 0);
    const short = remembered(whole, ten.slice(0, 7), hourMs);
    expect([short.count, short.shortSinceMs]).toEqual([10, hourMs]);
    const later = remembered(short, ten.slice(0, 7), 20 * hourMs);
    expect([later.count, later.shortSinceMs]).toEqual([10, hourMs]);
    expect(remembered(later, ten.slice(0, 7), 25 * hourMs)).toMatchObject({ count: 7 });
    expect(remembered(later, ten, 25 * hourMs)).toEqual({ count: 10, firstSeenMs: later.firstSeenMs });
    expect(remembered(whole, ten.slice(0, 8), hourMs).count).toBe(8);
    expect(remembered(later, ten.slice(0, 7), 0)).toMatchObject({ count: 10, shortSinceMs: 0 });
  });

  it('is bounded', () => {
    let memory = remembered(undefined, [], 0);
    for (let round = 0; round < 5; round += 1)
      memory = remembered(
        memory,
        Array.from({ length: 20_000 }, (_, index) => `${round}-${index}`),
        round,
      );
    expect(Object.keys(memory.firstSeenMs).length).toBe(40_000);
  });

  it('is when a tag first had a digest', () => {
    const tagged = remembered(undefined, ['a'], 100);
    const known = withDigest(tagged, 'a', 'sha256:1', 500);
    const moved = withDigest(known, 'a', 'sha256:2', 600);
    expect(withDigest(moved, 'a', 'sha256:1', 900).firstSeenMs).toEqual({
      a: 100,
      'a@sha256:1': 100,
      'a@sha256:2': 600,
    });
  });
});

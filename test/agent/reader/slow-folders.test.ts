import { describe, expect, it } from 'vitest';
import { createSlowFolders } from '../../../src/agent/reader/slow-folders.ts';

const tenantOf = (path: string): string => (path.startsWith('tenants/') ? (path.split('/')[1] ?? '') : '');

describe('Who takes deadlines', () => {
  it('gets half the time with each of them, and all of it again after some minutes', () => {
    let nowMs = 0;
    const slow = createSlowFolders(tenantOf, () => nowMs);
    expect(slow.shareOf('tenants/a/x.yaml')).toBe(1);
    for (let at = 0; at < 3; at += 1) slow.note(`tenants/a/${at}/x.yaml`);
    expect(slow.shareOf('tenants/a/else/where.yaml')).toBe(1 / 8);
    nowMs = 61_000;
    expect(slow.shareOf('tenants/a/x.yaml')).toBe(1 / 4);
    nowMs = 181_000;
    expect(slow.shareOf('tenants/a/x.yaml')).toBe(1);
  });

  it('does not cost others their time', () => {
    const slow = createSlowFolders(tenantOf, () => 0);
    for (let at = 0; at < 50; at += 1) slow.note('tenants/a/x.yaml');
    for (let at = 0; at < 50; at += 1) slow.note('apps/one/x.yaml');
    expect(slow.shareOf('tenants/a/x.yaml')).toBe(1 / 64);
    for (const path of ['tenants/b/x.yaml', 'apps/two/x.yaml', 'x.yaml']) expect(slow.shareOf(path)).toBe(1);
    expect(slow.shareOf('apps/one/y.yaml')).toBe(1 / 64);
  });

  it('is known in bounded memory: whoever took one longest ago is forgotten first', () => {
    const slow = createSlowFolders(
      () => '',
      () => 0,
    );
    for (let at = 0; at < 1_500; at += 1) slow.note(`${at}/x.yaml`);
    expect([0, 499, 500, 1_499].map((at) => slow.shareOf(`${at}/x.yaml`))).toEqual([1, 1, 0.5, 0.5]);
  });
});

import { describe, expect, it } from 'vitest';
import { createLedgers, type LedgerView } from '../../../src/agent/releases/ledgers.ts';
import { silentLogger } from '../../../src/lib/log.ts';
import { appKey } from '../../helpers/key.ts';

const nowMs = Date.parse('2026-11-30T12:00:00Z');
const hour = 3_600_000;
const state = {
  content: 'c1',
  images: { app: 'shop:1' },
  templateHash: 't1',
  configs: { 'configmap/a': '0123456789abcdef' },
};
const proven = (change: Readonly<Record<string, unknown>> = {}): string =>
  JSON.stringify({
    releaseId: 'r1',
    at: '2026-11-30T11:30:00Z',
    templateHash: 't1',
    configs: { 'configmap/a': '0123456789abcdef' },
    content: 'c1',
    ...change,
  });

async function viewOf(lines: readonly string[]): Promise<LedgerView> {
  const text = ['apiVersion: serin.dev/v1', 'kind: Ledger', ...lines].join('\n');
  const ledgers = createLedgers({
    repo: { blob: () => Promise.resolve(Buffer.from(text)) } as unknown as Parameters<typeof createLedgers>[0]['repo'],
    settings: { path: '', ledgerDir: '.releases' } as Parameters<typeof createLedgers>[0]['settings'],
    log: silentLogger,
    clock: { now: () => nowMs } as Parameters<typeof createLedgers>[0]['clock'],
  });
  await ledgers.read(new Map([['.releases/test/shop.yaml', { oid: 'a', mode: '100644' }]]));
  const view = ledgers.get(appKey('test/shop'));
  if (!view) throw new Error('it was not read');
  return view;
}

describe('the rollback window', () => {
  it('takes a state that the ledger says an analysis promoted so lately', async () => {
    const view = await viewOf([`proven: [${proven()}]`]);
    expect(view.provenBy(state, hour)).toEqual({ releaseId: 'r1', at: '2026-11-30T11:30:00Z' });
    expect(view.tells({ releaseId: 'r1', at: '2026-11-30T11:30:00Z' }, 'c1')).toBe(true);
  });

  it.each([
    ['is too long ago', [`proven: [${proven({ at: '2026-11-30T10:59:59Z' })}]`]],
    ['is in the future, as of a clock that runs ahead', [`proven: [${proven({ at: '2026-11-30T12:00:01Z' })}]`]],
    ['names no time', [`proven: [${proven({ at: '' })}]`]],
    ['is of another content', [`proven: [${proven({ content: 'c2' })}]`]],
    ['ran as another pod template in the cluster', [`proven: [${proven({ templateHash: 't2' })}]`]],
    [
      'had another ConfigMap, which Git does not have',
      [`proven: [${proven({ configs: { 'configmap/a': 'fedcba9876543210' } })}]`],
    ],
    ['was rejected since', [`proven: [${proven()}]`, 'quarantine: [{ content: c1 }]']],
    [
      'has an image that a person has banned since',
      [`proven: [${proven()}]`, 'quarantine: [{ images: { app: "shop:1" } }]'],
    ],
    ['is of an app that was gone meanwhile', [`proven: [${proven()}]`, 'removed: { revision: a, at: b }']],
    [
      'is not there: it was adopted',
      ['stable: { release: 0, releaseId: r1, revision: a, at: 2026-11-30T11:30:00Z, content: c1, templateHash: t1 }'],
    ],
    ['is no list', ['proven: everything']],
    ['has entries that are none', ['proven: [c1, 7, null]']],
  ])('takes none whose promotion %s', async (_why, lines) => {
    expect((await viewOf(lines)).provenBy(state, hour)).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { createLedgerCloser, type SyncedTree } from '../../../src/agent/source/ledger-closer.ts';
import type { LedgerView } from '../../../src/agent/releases/ledgers.ts';
import { asRevision } from '../../../src/git/repo.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';
import { appKey } from '../../helpers/key.ts';

const revision = asRevision('a'.repeat(40));
const view = (content?: string): LedgerView => ({
  stable: content === undefined ? undefined : { content, revision },
  failed: () => undefined,
  provenBy: () => undefined,
  tells: () => false,
  rejectedImage: () => undefined,
});

function stage(ledgers: Readonly<Record<string, LedgerView>>) {
  const inCluster = new Set<string>();
  const closed: string[] = [];
  const closing = createLedgerCloser({
    ledgers: { entries: () => Object.entries(ledgers).map(([key, one]) => [appKey(key), one] as const) },
    canaries: { get: (namespace, name) => (inCluster.has(`${namespace}/${name}`) ? ({} as KubeObject) : undefined) },
    clock: { now: () => 0 },
    submit: ({ app, verdict }) => closed.push(`${verdict} ${app.namespace}/${app.name}`),
  });
  const note = (keys: readonly string[], change: Partial<SyncedTree> = {}): void => {
    closing.note({ revision, keys: new Set(keys.map(appKey)), isWhole: true, hasStrays: false, ...change });
    closing.look();
  };
  return { inCluster, closed, closing, note };
}

describe('the ledger of an app that left Git', () => {
  it('is closed once, when its Canary is gone from the cluster too', () => {
    const { inCluster, closed, closing, note } = stage({ 'test/a': view('one'), 'test/b': view('two') });
    inCluster.add('test/a');
    note(['test/a', 'test/b']);
    note(['test/b']);
    expect(closed).toEqual([]);
    inCluster.clear();
    closing.look();
    closing.look();
    note(['test/b']);
    expect(closed).toEqual(['removed test/a']);
    note(['test/a', 'test/b']);
    note([]);
    expect(closed).toEqual(['removed test/a', 'removed test/a', 'removed test/b']);
  });

  it('stays open where not all of Git could be read, or something is held', () => {
    const { closed, note } = stage({ 'test/a': view('one') });
    note([], { isWhole: false });
    // It may stand in a file that is no manifest any more.
    note([], { hasStrays: true });
    expect(closed).toEqual([]);
    note(['test/a'], { hasStrays: true });
    note([], { hasStrays: true });
    expect(closed).toEqual(['removed test/a']);
  });

  it('is closed after a restart too, and left alone where it is closed already', () => {
    const { closed, note } = stage({ 'test/a': view('one'), 'test/closed': view() });
    note([]);
    expect(closed).toEqual(['removed test/a']);
  });
});

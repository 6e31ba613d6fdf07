import { describe, expect, it } from 'vitest';
import { type AppTrack, overlayOf, trackApp } from '../../../src/agent/releases/tracker.ts';
import { asRevision } from '../../../src/git/repo.ts';
import type { RecordedOutcome, ReleaseRecord } from '../../../src/release/types.ts';

const commit = (name: string) => asRevision(name.padEnd(40, '0'));
const stable = { content: 'one', revision: commit('a') };
const track = (content: string, firstSeen: string, base: string): AppTrack => ({
  content,
  firstSeen: commit(firstSeen),
  base: commit(base),
});
const record = (content: string, outcome?: Partial<RecordedOutcome>): ReleaseRecord => ({
  id: 'id',
  revision: commit('b'),
  base: commit('a'),
  content,
  startedAtMs: 0,
  supersedes: [],
  ...(outcome
    ? {
        outcome: {
          verdict: 'rolled-back',
          atMs: 0,
          evidence: [],
          state: { revision: commit('b'), images: {}, templateHash: '', configs: {}, content },
          ...outcome,
        },
      }
    : {}),
});
const nothing = { previous: undefined, stable: undefined, record: undefined };

describe('the track of an app along the commits', () => {
  it('begins at the tip for an app that nobody has recorded yet', () => {
    expect(trackApp({ ...nothing, tip: commit('c'), content: 'one' })).toEqual(track('one', 'c', 'c'));
  });

  it('moves the base along while the content is the stable one', () => {
    const previous = track('one', 'a', 'a');
    expect(trackApp({ ...nothing, tip: commit('b'), content: 'one', previous, stable })).toEqual(
      track('one', 'a', 'b'),
    );
  });

  it('keeps the base when a candidate comes, and notes where it was first seen', () => {
    const previous = track('one', 'a', 'b');
    expect(trackApp({ ...nothing, tip: commit('c'), content: 'two', previous, stable })).toEqual(
      track('two', 'c', 'b'),
    );
  });

  it('leaves both alone while other commits pass by', () => {
    const previous = track('two', 'c', 'b');
    expect(trackApp({ ...nothing, tip: commit('d'), content: 'two', previous, stable })).toEqual(previous);
  });

  it('begins at the tip, after a start, for a version that was taken back and is there again', () => {
    const input = { ...nothing, tip: commit('e'), content: 'two', stable };
    const rolledBack = record('two', { verdict: 'rolled-back', written: commit('c') });
    const withdrawn = record('two', { verdict: 'withdrawn', takenBackAt: commit('d') });
    const pending = record('two', { verdict: 'rolled-back' });
    expect(trackApp({ ...input, record: rolledBack })).toEqual(track('two', 'e', 'c'));
    expect(trackApp({ ...input, record: withdrawn })).toEqual(track('two', 'e', 'd'));
    expect(trackApp({ ...input, record: record('two', { verdict: 'withdrawn' }) })).toEqual(track('two', 'e', 'a'));
    expect(trackApp({ ...input, record: pending })).toEqual(track('two', 'b', 'a'));
    expect(trackApp({ ...input, record: record('two') })).toEqual(track('two', 'b', 'a'));
  });

  it('keeps the first base when a newer candidate supersedes', () => {
    const previous = track('two', 'c', 'b');
    expect(trackApp({ ...nothing, tip: commit('d'), content: 'three', previous, stable })).toEqual(
      track('three', 'd', 'b'),
    );
  });

  it('goes on with the release on the Canary after a restart', () => {
    expect(trackApp({ tip: commit('d'), content: 'two', previous: undefined, stable, record: record('two') })).toEqual(
      track('two', 'b', 'a'),
    );
  });

  it('falls back to the ledger after a restart that knows of no release', () => {
    expect(trackApp({ ...nothing, tip: commit('d'), content: 'two', stable })).toEqual(track('two', 'd', 'a'));
  });
});

describe('the overlay', () => {
  it('holds a rejected app at its base until the revert has landed', () => {
    const input = { track: track('two', 'b', 'a'), stable, phase: 'Failed' as const };
    expect(overlayOf({ ...input, record: record('two', {}) })).toBe(commit('a'));
    expect(overlayOf({ ...input, record: record('two', { written: commit('e') }) })).toBeUndefined();
  });

  it('ends when a person pushes something else', () => {
    expect(
      overlayOf({ track: track('three', 'e', 'a'), stable, record: record('two', {}), phase: 'Failed' }),
    ).toBeUndefined();
  });

  it('rebuilds an empty cluster at the stable state first', () => {
    const input = { track: track('two', 'c', 'a'), stable, record: undefined };
    expect(overlayOf({ ...input, phase: undefined })).toBe(stable.revision);
    expect(overlayOf({ ...input, phase: 'Initializing' })).toBe(stable.revision);
    expect(overlayOf({ ...input, phase: 'Initialized' })).toBeUndefined();
  });

  it('takes the tip where nothing is known to be better', () => {
    expect(
      overlayOf({ track: track('two', 'c', 'c'), stable: undefined, record: undefined, phase: undefined }),
    ).toBeUndefined();
  });
});

import { describe, expect, it } from 'vitest';
import { judgePush } from '../../src/git/push-verdict.ts';
import { NO_OBJECT, type PushAnswer, type RefUpdate } from '../../src/git/receive-pack.ts';
import type { Refusal } from '../../src/git/wire.ts';

const branch: RefUpdate = { ref: 'refs/heads/main', before: 'a'.repeat(40), after: 'b'.repeat(40) };
const tag: RefUpdate = { ref: 'refs/tags/r/1', before: NO_OBJECT, after: 'c'.repeat(40) };

const report = (main: string | undefined, tagged: string | undefined, unpack = 'ok', remoteText = ''): PushAnswer => ({
  kind: 'report',
  unpack,
  remoteText,
  refs: new Map(
    [
      [branch.ref, main],
      [tag.ref, tagged],
    ].flatMap(([ref, status]) => (ref !== undefined && status !== undefined ? [[ref, status] as const] : [])),
  ),
});

const refusal = (why: Refusal['why'], label: string): PushAnswer => ({ kind: 'refusal', why, label, said: '' });

describe('what a push came to', () => {
  it.each<[string, PushAnswer, string]>([
    ['all refs ok', report('ok', 'ok'), 'done'],
    ['a stale old value', report('failed to update ref', 'atomic push failure'), 'raced'],
    ['a stale old value, new words', report('incorrect old value provided', 'atomic transaction failed'), 'raced'],
    ['a lock of another push', report('failed to lock', 'failed to lock'), 'raced'],
    [
      'a transaction that met another value',
      report(
        `cannot lock ref 'refs/heads/main': is at ${'d'.repeat(40)} but expected ${'a'.repeat(40)}`,
        'transaction failed',
      ),
      'raced',
    ],
    ['a tag that appeared', report('atomic push failure', 'reference already exists'), 'raced'],
    ['a hook', report('pre-receive hook declined', 'pre-receive hook declined'), 'refused'],
    ['a hook for one ref', report('atomic push failure', 'hook declined'), 'refused'],
    ['a race and a hook', report('failed to update ref', 'hook declined'), 'refused'],
    ['a protected branch', report('protected branch hook declined', 'atomic push failure'), 'refused'],
    ['words nobody knows', report('the moon is full', 'ok but not'), 'refused'],
    ['objects that the server could not store', report('unpacker error', 'unpacker error', 'disk full'), 'refused'],
    ['only half of the refs', report('ok', 'hook declined'), 'unknown'],
    ['a ref that is not reported', report(undefined, 'ok'), 'unknown'],
    ['no answer', { kind: 'lost', reason: 'reset' }, 'unknown'],
    ['a proxy that gave up', refusal('failed', 'HTTP 504'), 'unknown'],
    ['missing permission', refusal('credentials', 'HTTP 403'), 'refused'],
    ['a limit of the size', refusal('size', 'HTTP 413'), 'refused'],
    ['a limit of the rate', refusal('busy', 'HTTP 429'), 'busy'],
  ])('%s', (_, answer, kind) => {
    expect(judgePush(answer, [branch, tag]).kind).toBe(kind);
  });

  it('keeps what the server said for people in one line', () => {
    const verdict = judgePush(report('hook declined', 'ok', 'ok', 'GitLab: not allowed\nSee https://x'), [branch]);
    expect(verdict).toEqual({
      kind: 'refused',
      reason: 'refs/heads/main: hook declined (remote: GitLab: not allowed; See https://x)',
    });
  });
});

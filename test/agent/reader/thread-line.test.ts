import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createThreadLine } from '../../../src/agent/reader/thread-line.ts';

/** Lasts until it is ended or broken off, and notes both. */
function pieces() {
  const seen: string[] = [];
  const ends = new Map<string, () => void>();
  const piece = (name: string) => (broken: AbortSignal) =>
    new Promise<string>((resolve, reject) => {
      seen.push(`${name} begins`);
      ends.set(name, () => {
        seen.push(`${name} ends`);
        resolve(name);
      });
      broken.addEventListener('abort', () => {
        seen.push(`${name} is broken off`);
        reject(broken.reason as Error);
      });
    });
  return { seen, piece, end: (name: string) => ends.get(name)?.() };
}

describe('The line of a thread', () => {
  it('does one piece after the other, what is urgent first', async () => {
    const line = createThreadLine({ patienceMs: 10_000, quietMs: 0 });
    const { seen, piece, end } = pieces();
    const all = [
      line.run('later', piece('a')),
      line.run('later', piece('b')),
      line.run('now', piece('first')),
      line.run('now', piece('second')),
    ];
    for (const name of ['a', 'first', 'second', 'b']) {
      await expect.poll(() => seen.at(-1)).toBe(`${name} begins`);
      end(name);
    }
    expect(await Promise.all(all)).toEqual(['a', 'b', 'first', 'second']);
  });

  it('breaks off what is under way for what is urgent, and begins it anew when that has been done for a while', async () => {
    const line = createThreadLine({ patienceMs: 5, quietMs: 40 });
    const { seen, piece, end } = pieces();
    const slow = line.run('later', piece('slow'));
    const next = line.run('later', piece('next'));
    const first = line.run('now', piece('first'));
    await expect.poll(() => seen).toEqual(['slow begins', 'slow is broken off', 'first begins']);
    end('first');
    await first;
    // The same revert asks again.
    await sleep(10);
    const second = line.run('now', piece('second'));
    end('second');
    await second;
    expect(seen.slice(3)).toEqual(['first ends', 'second begins', 'second ends']);
    await expect.poll(() => seen.at(-1)).toBe('slow begins');
    end('slow');
    await expect.poll(() => seen.at(-1)).toBe('next begins');
    end('next');
    expect(await Promise.all([slow, next])).toEqual(['slow', 'next']);
  });

  it('lets a piece come to its end that was broken off three times', async () => {
    const line = createThreadLine({ patienceMs: 1, quietMs: 0 });
    const { seen, piece, end } = pieces();
    const slow = line.run('later', piece('slow'));
    for (let at = 0; at < 3; at += 1) {
      await expect.poll(() => seen.at(-1)).toBe('slow begins');
      const urgent = line.run('now', piece('urgent'));
      await expect.poll(() => seen.at(-1)).toBe('urgent begins');
      end('urgent');
      await urgent;
    }
    await expect.poll(() => seen.at(-1)).toBe('slow begins');
    const urgent = line.run('now', piece('urgent'));
    await sleep(30);
    expect(seen.at(-1)).toBe('slow begins');
    end('slow');
    await expect.poll(() => seen.at(-1)).toBe('urgent begins');
    end('urgent');
    expect(await Promise.all([slow, urgent])).toEqual(['slow', 'urgent']);
  });

  it('gives what a piece throws, and goes on', async () => {
    const line = createThreadLine({ patienceMs: 1, quietMs: 0 });
    const failed = line.run('later', () => Promise.reject(new Error('of its own')));
    const after = line.run('now', () => Promise.resolve('after'));
    await expect(failed).rejects.toThrow('of its own');
    expect(await after).toBe('after');
  });
});

import { deflateSync, inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inflateInto, isInflateKept } from '../../src/git/inflate.ts';

const text = fc
  .array(fc.constantFrom('kind: ', 'image: app:1\n', 'name', '\n', '  ', 'a', 'é'), { maxLength: 400 })
  .map((words) => Buffer.from(words.join('')));
const bytes = fc.uint8Array({ maxLength: 2_000 }).map((array) => Buffer.from(array));
const run = fc.tuple(fc.integer({ min: 0, max: 70_000 }), fc.integer({ min: 0, max: 255 }));
const content = fc.oneof(
  text,
  bytes,
  run.map(([length, byte]) => Buffer.alloc(length, byte)),
);
/** All that zlib writes: stored, with the usual codes, with codes of its own, in blocks and windows of every size. */
const stream = fc
  .record({
    content,
    level: fc.integer({ min: 0, max: 9 }),
    strategy: fc.integer({ min: 0, max: 4 }),
    memLevel: fc.integer({ min: 1, max: 9 }),
    windowBits: fc.integer({ min: 9, max: 15 }),
  })
  .map(({ content: plain, ...options }) => ({ plain, packed: deflateSync(plain, options) }));

function ours(packed: Uint8Array, size: number): string {
  const output = Buffer.alloc(size + 1);
  try {
    inflateInto(packed, 0, output, 0, size);
    return output.toString('hex', 0, size);
  } catch {
    return 'refused';
  }
}

function theirs(packed: Uint8Array, size: number): string {
  try {
    const output = inflateSync(packed, { maxOutputLength: Math.max(size, 1) });
    return output.length === size ? output.toString('hex') : 'refused';
  } catch {
    return 'refused';
  }
}

describe('inflating with one stream for all', () => {
  it('is possible with this Node', () => {
    expect(isInflateKept).toBe(true);
  });

  it('gives what was deflated and how many bytes that were, whatever follows', () =>
    fc.assert(
      fc.property(stream, fc.uint8Array({ maxLength: 20 }), ({ plain, packed }, rest) => {
        const before = Buffer.from('before');
        const output = Buffer.alloc(before.length + plain.length + 3, '!');
        const input = Buffer.concat([before, packed, rest]);
        expect(inflateInto(input, before.length, output, before.length, plain.length)).toBe(packed.length);
        expect(output.subarray(before.length, before.length + plain.length).equals(plain)).toBe(true);
        expect(output.toString('latin1', 0, before.length) + output.toString('latin1', output.length - 2)).toBe(
          '!!!!!!!!',
        );
      }),
    ));

  it('refuses what zlib refuses, wherever a bit is wrong, and takes what it takes', () =>
    fc.assert(
      fc.property(stream, fc.nat(), fc.nat({ max: 7 }), ({ plain, packed }, at, bit) => {
        const damaged = Buffer.from(packed);
        damaged[at % damaged.length] = (damaged[at % damaged.length] ?? 0) ^ (1 << bit);
        expect(ours(damaged, plain.length)).toBe(theirs(damaged, plain.length));
      }),
      { numRuns: 1_000 },
    ));

  it('takes of any bytes no more than zlib, and comes to an end', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat({ max: 500 }), (any, size) => {
        const packed = Buffer.from([0x78, 0x9c, ...any]);
        expect(ours(packed, size)).toBe(theirs(packed, size));
      }),
      { numRuns: 3_000 },
    ));

  it('refuses what is cut off, and every size but the right one', () =>
    fc.assert(
      fc.property(stream, fc.nat(), fc.integer({ min: -3, max: 3 }), ({ plain, packed }, at, off) => {
        expect(ours(packed.subarray(0, at % packed.length), plain.length)).toBe('refused');
        const size = Math.max(0, plain.length + off);
        if (size !== plain.length) expect(ours(packed, size)).toBe('refused');
      }),
    ));

  it('writes nowhere else and reads nothing else, whatever places and sizes it is told', () => {
    const packed = deflateSync('0123456789');
    const output = Buffer.alloc(20);
    for (const [from, to, size] of [
      [packed.length + 1, 0, 10],
      [0, 10, 10],
      [0, 30, 10],
      [0, 0, 2 ** 40],
      [-1, 0, 10],
      [0, -1, 10],
      [0, 0, -1],
      [0.5, 0, 10],
      [Number.NaN, 0, 10],
    ] as const)
      expect(() => inflateInto(packed, from, output, to, size)).toThrow();
    expect(output.equals(Buffer.alloc(20))).toBe(true);
    expect(inflateInto(packed, 0, output, 9, 10)).toBe(packed.length);
  });
});

import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deflated, inflated } from '../../src/git/deflate.ts';

/** Of all sizes around those at which the window grows, and of all degrees of sameness. */
const content = fc
  .tuple(
    fc.oneof(fc.nat(3_000), fc.constantFrom(249, 250, 251, 762, 763, 32_506, 32_507, 70_000)),
    fc.uint8Array({ minLength: 1, maxLength: 900 }),
  )
  .map(([length, pattern]) => Buffer.alloc(length, Buffer.from(pattern)));

describe('deflated bytes', () => {
  it('are what zlib reads, behind the head that git itself writes', () => {
    fc.assert(
      fc.property(content, (bytes) => {
        const packed = deflated(bytes);
        expect(inflateSync(packed).equals(bytes)).toBe(true);
        expect(packed.toString('hex', 0, 2)).toBe('7801');
      }),
    );
  });

  it('come back with their length, whatever follows them', () => {
    fc.assert(
      fc.property(content, fc.uint8Array({ maxLength: 100 }), (bytes, after) => {
        const packed = deflated(bytes);
        const { content: back, used } = inflated(Buffer.concat([packed, after]), 0, bytes.length);
        expect(back.equals(bytes)).toBe(true);
        expect(used).toBe(packed.length);
      }),
    );
  });

  it('do not keep a whole chunk of zlib in memory', () => {
    expect(inflated(deflated(Buffer.alloc(300, 'x')), 0, 300).content.buffer.byteLength).toBeLessThan(16_384);
  });

  it.each([0, 9, 11, 5_000_000_000])('that are said to be %i bytes and are 10 are refused', (size) => {
    expect(() => inflated(deflated(Buffer.from('0123456789')), 0, size)).toThrow();
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FLUSH, pktLine } from '../../../src/git/pkt-line.ts';
import { AdvertReader } from '../../../src/git/ssh/advert-reader.ts';

describe('what a Git service begins with', () => {
  const advert = Buffer.concat([pktLine('version 2\n'), pktLine('ls-refs\n'), pktLine('x'.repeat(1_000)), FLUSH]);

  it('is read up to its first flush, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 30 }), (sizes) => {
        const bytes = Buffer.concat([advert, Buffer.from('behind it')]);
        const reader = new AdvertReader();
        let [at, state] = [0, 'more'];
        for (let piece = 0; state === 'more' && at < bytes.length; piece += 1) {
          const size = sizes[piece % sizes.length] ?? 1;
          state = reader.push(bytes.subarray(at, at + size));
          at += size;
        }
        expect(state).toBe('whole');
        expect(reader.bytes()).toEqual(advert);
        expect(reader.isVersion2).toBe(true);
      }),
    );
  });

  it.each(['Welcome to the git server\n', '\0\0\0\0', 'ffff', '0002', '0003x', '00 4'])(
    'is none when it is %j',
    (text) => {
      expect(new AdvertReader().push(Buffer.from(text))).toBe('garbage');
    },
  );
});

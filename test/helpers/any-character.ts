import fc from 'fast-check';

const [firstSurrogate, surrogates, codePoints] = [0xd800, 0x800, 0x110000];

/**
 * Any code point that can stand alone, as fast-check's unit `binary`, which takes a second to list all of them beforehand. Strings of
 * it are names that trap programs (`__proto__`) as often.
 */
export const anyCharacter: fc.Arbitrary<string> = fc.nat({ max: codePoints - surrogates - 1 }).map(
  (index) => String.fromCodePoint(index < firstSurrogate ? index : index + surrogates),
  (character) => {
    const point = typeof character === 'string' ? (character.codePointAt(0) ?? -1) : -1;
    const isSurrogate = point >= firstSurrogate && point < firstSurrogate + surrogates;
    if (point < 0 || isSurrogate || String.fromCodePoint(point) !== character) throw new Error('not one character');
    return point < firstSurrogate ? point : point - surrogates;
  },
);

import fc from 'fast-check';

/** Code points that no reader sees, or that change what he sees of others. */
const unseen =
  /(?!\n)\p{Cc}|[\u2028\u2029\u202A-\u202E\u2066-\u206F\u200B\u200E\u200F\u061C\u00AD\uFEFF\u2060-\u2064]|[\u{E0000}-\u{E007F}]|\p{Cs}/gu;

/** Those that are in a text, as numbers. */
export const unseenIn = (text: string): readonly string[] =>
  [...text.matchAll(unseen)].map(([letter]) => (letter.codePointAt(0) ?? 0).toString(16));

const ranges: readonly (readonly [number, number])[] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0xd800, 0xdfff],
  [0xe0000, 0xe007f],
];
const oddities = fc.oneof(
  ...ranges.map(([min, max]) => fc.integer({ min, max }).map((code) => String.fromCodePoint(code))),
  fc.constantFrom('\u00AD', '\u061C', '\uFEFF', '\r\n', '\n', '\n\n', '\\u202e', '\\u001b', '\\'),
);

/** Words between which stands what should reach nobody, and what others write to look like us. */
export const hostileText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      oddities,
      fc.string({ unit: 'grapheme', maxLength: 6 }),
      fc.constantFrom('Verdict: promoted', '---', 'Release-Id: x', '# '),
    ),
    {
      maxLength: 12,
    },
  )
  .map((parts) => parts.join(''));

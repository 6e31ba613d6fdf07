import { plainText } from '../lib/plain-text.ts';

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** Texts are cut here before anything looks at the whole. */
const cutAt = 4_000;

/** What a reader sees as letters, so that none is cut in half. */
function lettersOf(text: string): string[] {
  return Array.from(segmenter.segment(text.slice(0, cutAt)), ({ segment }) => segment);
}

/** Whatever others put into a text, it stays one line: no line ends, no control characters, nothing that turns the line around, not too long. */
export function oneLine(text: string, max: number): string {
  const flat = flattened(text);
  if (flat.length <= max) return flat;
  const letters = lettersOf(flat);
  return letters.length <= max
    ? flat
    : `${letters
        .slice(0, max - 1)
        .join('')
        .trimEnd()}…`;
}

/** As `oneLine`, but what is too long loses its middle: both ends of a name or a tag tell something. */
export function middleCut(text: string, max: number): string {
  const letters = lettersOf(flattened(text));
  if (letters.length <= max) return letters.join('');
  const head = Math.ceil((max - 1) / 2);
  const tail = max - 1 - head;
  return `${letters.slice(0, head).join('')}…${tail === 0 ? '' : letters.slice(-tail).join('')}`;
}

export const lengthOf = (text: string): number => lettersOf(text).length;

function flattened(text: string): string {
  return plainText(text.slice(0, cutAt).replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')).trim();
}

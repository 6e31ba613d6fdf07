/** What a regular expression is made of. Sets are of the 128 signs that tags are written with: 1 where a sign is in it. */
export type Node =
  | { readonly kind: 'set'; readonly set: Uint8Array }
  | { readonly kind: 'sequence' | 'either'; readonly of: readonly Node[] }
  | { readonly kind: 'repeat'; readonly of: Node; readonly min: number; readonly max: number; readonly isLazy: boolean }
  | { readonly kind: 'group'; readonly of: Node; readonly index: number }
  | { readonly kind: 'place'; readonly place: Place };

export type Place = 'start' | 'end' | 'line-start' | 'line-end' | 'word-edge' | 'no-word-edge';

/** An expression is none that Go would take, or more than is taken here. */
export class BadRegex extends Error {
  override readonly name = 'BadRegex';
}

export const asciiSize = 128;

export function setOf(has: (code: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: asciiSize }, (_, code) => (has(code) ? 1 : 0));
}

export const inverse = (set: Uint8Array): Uint8Array => setOf((code) => set[code] === 0);

const inText =
  (text: string): ((code: number) => boolean) =>
  (code) =>
    text.includes(String.fromCharCode(code));
const between =
  (...ranges: readonly string[]): ((code: number) => boolean) =>
  (code) =>
    ranges.some((range) => code >= range.charCodeAt(0) && code <= range.charCodeAt(1));

export const digits = setOf(between('09'));
export const word = setOf((code) => between('09', 'AZ', 'az')(code) || code === 95);
export const space = setOf(inText('\t\n\f\r '));

/** `[[:alpha:]]` and its like. */
export const namedSets: ReadonlyMap<string, Uint8Array> = new Map([
  ['alnum', setOf(between('09', 'AZ', 'az'))],
  ['alpha', setOf(between('AZ', 'az'))],
  ['ascii', setOf(() => true)],
  ['blank', setOf(inText('\t '))],
  ['cntrl', setOf((code) => code < 32 || code === 127)],
  ['digit', digits],
  ['graph', setOf(between('!~'))],
  ['lower', setOf(between('az'))],
  ['print', setOf(between(' ~'))],
  ['punct', setOf(between('!/', ':@', '[`', '{~'))],
  ['space', setOf(inText('\t\n\v\f\r '))],
  ['upper', setOf(between('AZ'))],
  ['word', word],
  ['xdigit', setOf(between('09', 'AF', 'af'))],
]);

/** With both cases of each letter in it. */
export function foldCase(set: Uint8Array): Uint8Array {
  const isLetter = between('AZ', 'az');
  return setOf((code) => set[code] === 1 || (isLetter(code) && set[code ^ 32] === 1));
}

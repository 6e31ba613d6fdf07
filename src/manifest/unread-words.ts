/** Stands in a text of words that are too many to be kept: any word may be among them. */
export const anyWord = '\0';
/** No name is longer. */
const longestName = 253;
const keptLength = 32 * 1024;
/** Longer texts are not looked through. */
const readLength = 512 * 1024;
/** Of all texts of one tenant together. */
const togetherLength = 512 * 1024;

/**
 * What is kept of a text that cannot be read, so that it can be told which objects it may name: the text itself, or, where it is long, its
 * words once each, or that any may be among them. In linear time and bounded memory, whatever somebody has written.
 */
export function unreadWords(text: string): string {
  if (text.length <= keptLength) return text;
  if (text.length > readLength) return anyWord;
  const words = wordsIn(text, keptLength);
  return words ? [...words].join(' ') : anyWord;
}

/** Likewise of several that were kept. */
export function joinedWords(kept: readonly string[]): string {
  let length = 0;
  for (const text of kept) {
    length += text.length;
    if (length > togetherLength || text.includes(anyWord)) return anyWord;
  }
  return kept.join('\n');
}

/** Whether a kept text may name an object. Its words are looked for once, and only when somebody asks. */
export function namesIn(kept: string): (name: string) => boolean {
  if (kept.includes(anyWord)) return () => true;
  let words: ReadonlySet<string> | undefined;
  return (name) => {
    words ??= wordsIn(kept, Number.POSITIVE_INFINITY) ?? new Set();
    const known = words;
    const parts = name.split(/[^-.\w]+/).filter((part) => part !== '');
    // A name has other signs where those of roles have colons.
    return parts.every((part) => known.has(part));
  };
}

/** Undefined: they are longer than that together. */
function wordsIn(text: string, mostLength: number): ReadonlySet<string> | undefined {
  const words = new Set<string>();
  let length = 0;
  let from = 0;
  for (let at = 0; at <= text.length; at += 1) {
    if (at < text.length && isOfWord(text.charCodeAt(at))) continue;
    if (at > from && at - from <= longestName) {
      const size = words.size;
      words.add(text.slice(from, at));
      if (words.size > size) length += at - from + 1;
      if (length > mostLength) return undefined;
    }
    from = at + 1;
  }
  return words;
}

/** Letters, digits, `-`, `.` and `_`, of ASCII. */
const isOfWord = (code: number): boolean =>
  (code >= 97 && code <= 122) ||
  (code >= 48 && code <= 57) ||
  (code >= 65 && code <= 90) ||
  code === 45 ||
  code === 46 ||
  code === 95;

/**
 * What a reader does not see, or what changes how he sees the rest: controls but line ends, line and paragraph separators, marks that turn
 * a line around or hide letters, halves of surrogate pairs. Joiners and variants stay, which scripts and emoji need.
 */
const unseen =
  /(?!\n)\p{Cc}|\u2028|\u2029|(?!\u200C|\u200D|\p{Variation_Selector})(?:\p{Cf}|\p{Default_Ignorable_Code_Point})|\p{Cs}/u;
const everyUnseen = new RegExp(unseen, 'gu');

/**
 * A text of others as it may stand in events, logs, commits and on a terminal. The one place that decides it; linear, and the text itself
 * where nothing is wrong with it. Line ends stay: see `plainLine`.
 */
export function plainText(text: string): string {
  if (!unseen.test(text)) return text;
  return text.replaceAll('\r\n', '\n').replaceAll(everyUnseen, (letter) => {
    if (/\p{Cs}/u.test(letter)) return '\uFFFD';
    return /[\p{Cc}\u2028\u2029]/u.test(letter) ? ' ' : '';
  });
}

/** As `plainText`, on one line. */
export function plainLine(text: string): string {
  const lines = text.split('\n');
  const [first = '', ...rest] = lines;
  const last = rest.pop();
  if (last === undefined) return plainText(text);
  // No pattern for the spaces around line ends: where none follows, a long row of them would be looked at from each on.
  const between = rest.map((line) => line.trim()).filter((line) => line !== '');
  return plainText([first.trimEnd(), ...between, last.trimStart()].join(' '));
}

/** Data whose texts are plain, the names of members too. */
export function plainData<T>(value: T): T {
  return plain(value) as T;
}

function plain(value: unknown): unknown {
  if (typeof value === 'string') return plainText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [plainText(name), plain(member)]));
}

/** A line of JSON, likewise. */
export function plainJsonLine(line: string): string {
  // What JSON escapes of it, and what it does not.
  if (!/\\u(?:00[01189]|d[89a-f])|\\[tbfr]/i.test(line) && !unseen.test(line.trimEnd())) return line;
  return `${JSON.stringify(plainData(JSON.parse(line)))}\n`;
}

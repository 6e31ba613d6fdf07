/** What a server asks for with 401: `Bearer realm="…",service="…",scope="…"`. */
export interface Challenge {
  /** In small letters. */
  readonly scheme: string;
  readonly params: ReadonlyMap<string, string>;
}

const maxLength = 8_000;
const token = /[\w!#$%&'*+.^`|~-]+/y;
const text = /"((?:[^"\\]|\\.)*)"/y;
const between = /[\s,]*/y;
const equals = /\s{0,10}=\s{0,10}/y;

/** Reads WWW-Authenticate, which may hold several challenges; what cannot be read ends it. Linear. */
export function readChallenges(header: string): readonly Challenge[] {
  const challenges: { scheme: string; params: Map<string, string> }[] = [];
  let at = 0;
  const take = (shape: RegExp): RegExpExecArray | null => {
    shape.lastIndex = at;
    const match = shape.exec(header);
    if (match) at = shape.lastIndex;
    return match;
  };
  if (header.length > maxLength) return [];
  for (;;) {
    take(between);
    const name = take(token)?.[0];
    if (name === undefined) return challenges;
    // A name with a value belongs to the challenge before it.
    if (!take(equals)) {
      challenges.push({ scheme: name.toLowerCase(), params: new Map() });
      continue;
    }
    const quoted = take(text);
    const value = quoted ? (quoted[1] ?? '').replaceAll(/\\(.)/g, '$1') : take(token)?.[0];
    const last = challenges.at(-1);
    if (value === undefined || !last) return challenges;
    if (!last.params.has(name.toLowerCase())) last.params.set(name.toLowerCase(), value);
  }
}

/** A pattern with `*`, `?`, `[a-z]` and `\` against all of a value. Undefined: it is no pattern. Takes time in the product of the lengths. */
export function globMatch(pattern: string, value: string): boolean | undefined {
  const parts = partsOf(pattern);
  if (!parts) return undefined;
  // Where each prefix of the pattern may end.
  let ends = new Set([0]);
  for (const part of parts) {
    if (part === 'any') {
      const first = Math.min(...ends);
      ends = new Set(ends.size === 0 ? [] : Array.from({ length: value.length - first + 1 }, (_, at) => first + at));
      continue;
    }
    const next = new Set<number>();
    for (const at of ends) {
      const char = value[at];
      if (char !== undefined && part(char)) next.add(at + 1);
    }
    ends = next;
  }
  return ends.has(value.length);
}

type Part = 'any' | ((char: string) => boolean);

function partsOf(pattern: string): readonly Part[] | undefined {
  const parts: Part[] = [];
  for (let at = 0; at < pattern.length; at += 1) {
    const char = pattern[at] ?? '';
    if (char === '*') {
      if (parts.at(-1) !== 'any') parts.push('any');
    } else if (char === '?') parts.push(() => true);
    else if (char === '[') {
      const end = pattern.indexOf(']', at + 2);
      const inside = pattern.slice(at + 1, end);
      const set = end < 0 ? undefined : setOf(inside);
      if (!set) return undefined;
      parts.push(set);
      at = end;
    } else if (char === '\\') {
      at += 1;
      const literal = pattern[at];
      if (literal === undefined) return undefined;
      parts.push((other) => other === literal);
    } else parts.push((other) => other === char);
  }
  return parts;
}

function setOf(inside: string): ((char: string) => boolean) | undefined {
  const isNot = inside.startsWith('^');
  const rest = isNot ? inside.slice(1) : inside;
  if (rest === '' || rest.startsWith('-') || rest.includes('\\')) return undefined;
  const ranges: (readonly [string, string])[] = [];
  for (let at = 0; at < rest.length; at += 1) {
    const low = rest[at] ?? '';
    if (rest[at + 1] !== '-') ranges.push([low, low]);
    else if (at + 2 >= rest.length) return undefined;
    else {
      ranges.push([low, rest[at + 2] ?? '']);
      at += 2;
    }
  }
  return (char) => ranges.some(([low, high]) => low <= char && char <= high) !== isNot;
}

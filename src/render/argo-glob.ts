/** What one pattern becomes at most. */
const mostPatterns = 100;

/** Whether a path matches a pattern of Argo CD's `include` and `exclude`: `*` also over folders, `?`, `[a-z]`, `{a,b}`. Undefined: it cannot be read. */
export function readArgoGlob(pattern: string): ((path: string) => boolean) | undefined {
  const patterns = expanded(pattern);
  const parts = patterns?.map(partsOf);
  if (!parts || parts.includes(undefined)) return undefined;
  return (path) => parts.some((one) => one !== undefined && matches(one, path));
}

/** `{a,b}` written out; undefined: they do not end, stand in one another, or are too many. */
function expanded(pattern: string): readonly string[] | undefined {
  let all = [''];
  for (const [part] of pattern.matchAll(/\{[^{}]*\}|[{}]|[^{}]+/g)) {
    if (part === '{' || part === '}') return undefined;
    const choices = part.startsWith('{') ? part.slice(1, -1).split(',') : [part];
    if (all.length * choices.length > mostPatterns) return undefined;
    all = all.flatMap((one) => choices.map((choice) => one + choice));
  }
  return all;
}

/** A sign, any sign, one of some, or any number of signs. */
type Part = string | { readonly isAny: boolean } | { readonly oneOf: string; readonly isNot: boolean };

function partsOf(pattern: string): readonly Part[] | undefined {
  const parts: Part[] = [];
  for (const [part] of pattern.matchAll(/\*+|\?|\[!?[^\]]+\]|\\.|[^]/gu)) {
    if (part.startsWith('*')) parts.push({ isAny: true });
    else if (part === '?') parts.push({ isAny: false });
    else if (part.length > 1 && part.startsWith('[')) {
      const isNot = part.startsWith('[!');
      parts.push({ oneOf: part.slice(isNot ? 2 : 1, -1), isNot });
    } else if (part === '[') return undefined;
    else parts.push(part.length > 1 && part.startsWith('\\') ? part.slice(1) : part);
  }
  return parts;
}

/** The last star takes as little as it can, so the work is at most the product of both lengths. */
function matches(parts: readonly Part[], path: string): boolean {
  const signs = Array.from(path);
  let [at, sign, star, from] = [0, 0, -1, 0];
  while (sign < signs.length) {
    const part = parts[at];
    if (typeof part === 'object' && 'isAny' in part && part.isAny) {
      [star, from] = [at, sign];
      at += 1;
    } else if (part !== undefined && isSign(part, signs[sign] ?? '')) {
      at += 1;
      sign += 1;
    } else if (star >= 0) {
      from += 1;
      [at, sign] = [star + 1, from];
    } else return false;
  }
  return parts.slice(at).every((part) => typeof part === 'object' && 'isAny' in part && part.isAny);
}

function isSign(part: Part, sign: string): boolean {
  if (typeof part === 'string') return part === sign;
  if ('isAny' in part) return true;
  let isIn = false;
  for (const [range, one, last] of part.oneOf.matchAll(/(.)-(.)|./gu))
    isIn ||= one === undefined ? range === sign : one <= sign && sign <= (last ?? '');
  return isIn !== part.isNot;
}

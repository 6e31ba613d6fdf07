/** What stands in the place of what was taken out. */
const hidden = '***';

/** Shorter values are only taken out where they stand as a word of their own, or every digit would go. */
const wordLength = 4;

/**
 * A text without the given secret values, in the spellings in which programs print them, and without what looks like a secret.
 * Lines stay lines. Work is linear in text times values; callers bound both.
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  return withoutBlocks(withoutSecrets(text, secrets).split('\n')).map(redactLine).join('\n');
}

/** Only without the given values, in the same spellings: what else looks like a secret stays, as names of commits do. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  const spelled = new Set(secrets.flatMap(spellings));
  let left = text;
  // The longest first: one value may be part of another.
  for (const value of [...spelled].sort((a, b) => b.length - a.length)) {
    if (value.length >= wordLength) left = left.replaceAll(value, hidden);
    else left = left.replaceAll(new RegExp(`(?<![\\p{L}\\p{N}])${escaped(value)}(?![\\p{L}\\p{N}])`, 'gu'), hidden);
  }
  return left;
}

function spellings(secret: string): readonly string[] {
  const whole = secret.trim();
  if (whole === '') return [];
  const lines = whole.split(/\r?\n/).map((line) => line.trim());
  return [secret, whole, ...lines].flatMap((value) => {
    // A brace of a JSON key file is on many lines.
    if (value === '' || (value.length < wordLength && !/[\p{L}\p{N}]/u.test(value))) return [];
    const base64 = Buffer.from(value, 'utf8').toString('base64');
    return [
      value,
      JSON.stringify(value).slice(1, -1),
      encodeURIComponent(toWellFormed(value)),
      ...(value.length < wordLength ? [] : [base64, base64.replace(/=+$/, '')]),
    ];
  });
}

/** Half of a surrogate pair cannot be encoded for a URL. */
const toWellFormed = (text: string): string => Buffer.from(text, 'utf8').toString('utf8');
const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');

/** Keys and certificates go over several lines; of one that is cut off at its beginning the rest is base64 alone. */
function withoutBlocks(lines: readonly string[]): readonly string[] {
  let isInside = false;
  return lines.map((line) => {
    const begins = line.includes('-----BEGIN');
    const ends = line.includes('-----END');
    const hide = isInside || begins || ends || /^\s*[A-Za-z0-9+/]{40,}={0,2}\s*$/.test(line);
    isInside = (isInside || begins) && !ends;
    return hide ? hidden : line;
  });
}

const secretName =
  '(?:pass(?:word|wd|phrase)?|pwd|secret|token|credentials?|cookie|session|authorization|auth|signature|api[-_.]?key|access[-_.]?key|private[-_.]?key|signing[-_.]?key|encryption[-_.]?key|account[-_.]?key|dsn|connection[-_ ]?string)';

const rules: readonly (readonly [pattern: RegExp, instead: string])[] = [
  // user:password@host
  [/\b([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/@]{1,300}@/gi, `$1${hidden}@`],
  [/\b(bearer|basic|digest|negotiate)\s+[A-Za-z0-9._~+/=-]{6,}/gi, `$1 ${hidden}`],
  // "password": "x", PASSWORD=x, password: x, --token x
  [
    new RegExp(
      `([A-Za-z0-9_.-]{0,60}${secretName}[A-Za-z0-9_.-]{0,30}["']?\\s{0,3}(?:=>|:=|[=:])\\s{0,3})("[^"]{0,2000}"?|'[^']{0,2000}'?|[^\\s,;&"']{1,2000})`,
      'gi',
    ),
    `$1${hidden}`,
  ],
  [
    new RegExp(`(--?[A-Za-z0-9_.-]{0,40}${secretName}[A-Za-z0-9_.-]{0,20}\\s{1,3})[^\\s-]\\S{0,2000}`, 'gi'),
    `$1${hidden}`,
  ],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{12,}/g, hidden],
  [
    /\b(?:gh[opsur]_|github_pat_|glpat-|xox[a-z]-|sk_(?:live|test)_|rk_(?:live|test)_|sk-|npm_|AIza|ya29\.|hvs\.|dop_v1_|SG\.)[A-Za-z0-9_.-]{8,}/g,
    hidden,
  ],
  [/\bAGE-SECRET-KEY-[A-Z0-9]{8,}/g, hidden],
  [/\b[0-9a-f]{32,}\b/gi, hidden],
];

function redactLine(line: string): string {
  let left = line;
  for (const [pattern, instead] of rules) left = left.replace(pattern, instead);
  left = left.replaceAll(/[A-Za-z0-9_.-]{16,}/g, withoutWebTokens);
  // Long words of mixed letters and digits are nobody's language.
  return left.replaceAll(/[A-Za-z0-9+/_=-]{24,}/g, (word) => (isRandom(word) ? hidden : word));
}

/** JSON Web Tokens: parts with points between them, of which the first begins as base64 of JSON does. A pattern would begin anew at each. */
function withoutWebTokens(word: string): string {
  const parts = word.split('.');
  const left: string[] = [];
  for (let at = 0; at < parts.length; at += 1) {
    const part = parts[at] ?? '';
    const found = /(?:^|-)eyJ/.exec(part);
    const start = found ? found.index + found[0].length - 3 : 0;
    if (!found || part.length - start < 11 || (parts[at + 1] ?? '').length < 4) left.push(part);
    else {
      left.push(part.slice(0, start) + hidden);
      at += at + 2 < parts.length ? 2 : 1;
    }
  }
  return left.join('.');
}

function isRandom(word: string): boolean {
  if (!/[a-z]/.test(word) || !/[A-Z]/.test(word) || !/\d/.test(word)) return false;
  // A path or a name of several words changes its kind of letter seldom.
  let changes = 0;
  for (let index = 1; index < word.length; index += 1)
    if (kindOf(word, index) !== kindOf(word, index - 1)) changes += 1;
  return changes * 3 >= word.length;
}

function kindOf(word: string, index: number): string {
  const letter = word[index] ?? '';
  return /\d/.test(letter) ? 'digit' : /[A-Z]/.test(letter) ? 'upper' : /[a-z]/.test(letter) ? 'lower' : 'other';
}

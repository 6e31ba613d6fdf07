import { ParseError } from './syntax.ts';

export interface Token {
  readonly kind: 'number' | 'duration' | 'string' | 'word' | 'symbol' | 'end';
  /** The text; of a string what it says. */
  readonly text: string;
  readonly position: number;
}

const SPACE = /(?:\s+|#[^\n]*)+/y;
const DURATION = /(?:\d+(?:ms|[smhdwy]))+(?![\w.])/y;
const NUMBER = /0x[0-9a-f]+|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![\w.])/iy;
const WORD = /[a-zA-Z_:][\w:]*/y;
const SYMBOL = /=~|!~|==|!=|<=|>=|[-+*/%^<>=(){}[\],:@]/y;
const STRING = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`/y;

/** Ends with a token of kind `end`. */
export function readTokens(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let position = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = position;
    return pattern.exec(text)?.[0];
  };
  for (;;) {
    position += take(SPACE)?.length ?? 0;
    if (position >= text.length) break;
    const [kind, found] = firstOf(take) ?? [];
    if (kind === undefined || found === undefined) throw unexpected(text, position);
    tokens.push({ kind, text: kind === 'string' ? unquote(text, found, position) : found, position });
    position += found.length;
  }
  tokens.push({ kind: 'end', text: '', position: text.length });
  return tokens;
}

function firstOf(take: (pattern: RegExp) => string | undefined): [Token['kind'], string] | undefined {
  const kinds: [Token['kind'], RegExp][] = [
    ['duration', DURATION],
    ['number', NUMBER],
    ['word', WORD],
    ['string', STRING],
    ['symbol', SYMBOL],
  ];
  for (const [kind, pattern] of kinds) {
    const found = take(pattern);
    if (found !== undefined) return [kind, found];
  }
  return undefined;
}

function unexpected(text: string, position: number): ParseError {
  const character = text.charAt(position);
  if (/["'`]/.test(character)) return new ParseError(text, position, 'unterminated quoted string');
  if (/[\d.]/.test(character)) {
    return new ParseError(text, position, `bad number or duration syntax: "${text.slice(position, position + 8)}"`);
  }
  return new ParseError(text, position, `unexpected character: '${character}'`);
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

function unquote(text: string, quoted: string, position: number): string {
  const body = quoted.slice(1, -1);
  if (quoted.startsWith('`')) return body;
  return body.replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)/g, (_, escape: string) => {
    const known = ESCAPES[escape];
    if (known !== undefined) return known;
    if (escape.length > 1) return String.fromCharCode(Number.parseInt(escape.slice(1), 16));
    throw new ParseError(text, position, `unknown escape sequence U+${hex(escape)} '${escape}'`);
  });
}

function hex(character: string): string {
  return character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
}

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
  y: 31_536_000_000,
};

/** `1h30m` in milliseconds; undefined when the units do not fall or nothing is left. */
export function parseDuration(text: string): number | undefined {
  let total = 0;
  let last = Number.POSITIVE_INFINITY;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|[smhdwy])/g)) {
    const unitMs = UNIT_MS[unit ?? ''] ?? 0;
    if (unitMs >= last) return undefined;
    last = unitMs;
    total += Number(count) * unitMs;
  }
  return total > 0 ? total : undefined;
}

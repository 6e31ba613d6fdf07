import { own } from './own.ts';
import { withoutTrailing } from './trim.ts';

/** Tokens of Go's text/template. `line` is one-based and only for messages. */
export type Token =
  | { readonly kind: 'text'; readonly text: string; readonly line: number }
  | {
      readonly kind: 'open' | 'close' | 'pipe' | 'lparen' | 'rparen' | 'comma' | 'dot' | 'space';
      readonly line: number;
    }
  | { readonly kind: 'declare' | 'assign'; readonly line: number }
  | { readonly kind: 'identifier' | 'field' | 'variable'; readonly name: string; readonly line: number }
  | { readonly kind: 'string'; readonly value: string; readonly line: number }
  | { readonly kind: 'number'; readonly value: number; readonly line: number };

export class TemplateError extends Error {
  override readonly name = 'TemplateError';
  constructor(line: number, message: string) {
    // What is wrong may be a value of any length.
    super(`template line ${line}: ${message.length > 300 ? `${message.slice(0, 300)}…` : message}`);
  }
}

const COMMENT = /\/\*[\s\S]*?\*\/( -)?\}\}/y;
const PATTERNS = [
  ['space', /\s+/y],
  ['string', /"(?:[^"\\\n]|\\.)*"/y],
  ['string', /`[^`]*`/y],
  ['number', /[+-]?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)/y],
  ['variable', /\$[\p{L}_\d]*/uy],
  ['field', /\.[\p{L}_][\p{L}_\d]*/uy],
  ['identifier', /[\p{L}_][\p{L}_\d]*/uy],
  ['declare', /:=/y],
  ['assign', /=/y],
  ['pipe', /\|/y],
  ['lparen', /\(/y],
  ['rparen', /\)/y],
  ['comma', /,/y],
  ['dot', /\./y],
] as const;

const lineFeed = 10;

/** Text is trimmed here where an action next to it says `{{-` or `-}}`. */
export function lexTemplate(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  let line = 1;
  let counted = 0;
  const lineAt = (offset: number): number => {
    for (; counted < offset; counted += 1) if (source.charCodeAt(counted) === lineFeed) line += 1;
    return line;
  };
  for (;;) {
    const open = source.indexOf('{{', at);
    const trimBefore = open >= 0 && /^-\s/.test(source.slice(open + 2, open + 4));
    let text = source.slice(at, open < 0 ? undefined : open);
    if (trimNext) text = text.replace(/^[ \t\r\n]+/, '');
    if (trimBefore) text = withoutTrailing(text, ' \t\r\n');
    if (text !== '') tokens.push({ kind: 'text', text, line: lineAt(at) });
    if (open < 0) return tokens;
    at = open + (trimBefore ? 4 : 2);
    const opened = lineAt(open);
    if (source.startsWith('/*', at)) {
      COMMENT.lastIndex = at;
      const comment = COMMENT.exec(source);
      if (!comment) throw new TemplateError(opened, 'unclosed comment');
      at += comment[0].length;
      trimNext = comment[1] !== undefined;
      continue;
    }
    tokens.push({ kind: 'open', line: opened });
    ({ at, trimNext } = lexAction(source, at, opened, tokens));
  }
}

function lexAction(source: string, start: number, line: number, tokens: Token[]): { at: number; trimNext: boolean } {
  let at = start;
  while (at < source.length) {
    if (source.startsWith('}}', at)) {
      tokens.push({ kind: 'close', line });
      return { at: at + 2, trimNext: false };
    }
    if (/^\s-\}\}/.test(source.slice(at, at + 4))) {
      tokens.push({ kind: 'close', line });
      return { at: at + 4, trimNext: true };
    }
    const token = nextToken(source, at, line);
    tokens.push(token.token);
    at += token.length;
  }
  throw new TemplateError(line, 'unclosed action: "}}" is missing');
}

function nextToken(source: string, at: number, line: number): { token: Token; length: number } {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at;
    const text = pattern.exec(source)?.[0];
    if (text === undefined) continue;
    // The space that belongs to a closing ` -}}` must stay for the caller.
    const length = kind === 'space' && source.startsWith('-}}', at + text.length) ? text.length - 1 : text.length;
    if (length === 0) continue;
    switch (kind) {
      case 'string':
        return { token: { kind, value: unquote(text, line), line }, length };
      case 'number':
        return { token: { kind, value: Number(text), line }, length };
      case 'identifier':
        return { token: { kind, name: text, line }, length };
      case 'field':
      case 'variable':
        return { token: { kind, name: text.slice(1), line }, length };
      default:
        return { token: { kind, line }, length };
    }
  }
  throw new TemplateError(line, `unexpected ${JSON.stringify(source.charAt(at))} in action`);
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
  '\\': '\\',
  '"': '"',
  "'": "'",
};

function unquote(text: string, line: number): string {
  if (text.startsWith('`')) return text.slice(1, -1);
  return text
    .slice(1, -1)
    .replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)/g, (whole, escape: string) => {
      if (escape.length > 1) return String.fromCodePoint(Number.parseInt(escape.slice(1), 16));
      const plain = own(ESCAPES, escape);
      if (plain === undefined) throw new TemplateError(line, `unknown escape ${whole} in a string`);
      return plain;
    });
}

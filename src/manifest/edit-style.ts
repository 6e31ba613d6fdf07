import { type Document, isScalar, parseDocument, type Scalar } from 'yaml';
import { readYaml } from './read-yaml.ts';

export type ScalarValue = string | number | bigint | boolean | null;

/**
 * `value` as YAML text in the quoting style of `old`, or in double quotes where that style cannot say it. Undefined: the old style is
 * one that is not edited (folded text, indentation indicators, kept line ends).
 */
export function formatScalar(value: ScalarValue, old: Scalar, source: string, indent: string): string | undefined {
  switch (old.type) {
    case 'BLOCK_LITERAL':
      return typeof value === 'string' ? formatLiteral(value, source, indent) : undefined;
    case 'BLOCK_FOLDED':
      return undefined;
    case 'QUOTE_SINGLE':
      return typeof value === 'string' ? formatSingle(value) : String(value);
    case 'QUOTE_DOUBLE':
      return typeof value === 'string' ? formatDouble(value) : String(value);
    default:
      if (typeof value !== 'string') return String(value);
      return isPlainSafe(value) ? value : formatDouble(value);
  }
}

const words = /^(?:[yn]|yes|no|on|off|true|false|null)$/i;

/** Whether YAML 1.1, YAML 1.2 and kubectl all read the text, written without quotes, as exactly this string. */
export function isPlainSafe(value: string): boolean {
  if (
    !/^[\x21-\x7e\u00a1-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd][\x20-\x7e\u00a1-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]*$/.test(
      value,
    )
  )
    return false;
  if (/^[A-Za-z/][\w./@-]*(?::[\w./@-]+)*$/.test(value) && !words.test(value)) return true;
  // What other readers of YAML 1.1 retype: booleans of one letter, base 60, digits with underscores, dates, merge and value keys.
  if (/^(?:[yn]|yes|no|on|off|~|<<|=|[-+.]?[\d.][\d_.:,eE+-]*|0[xob][\da-f_]+|\d{4}-\d\d?-\d\d?.*)$/i.test(value)) {
    if (!/^\d+\.\d+\.\d+/.test(value) || /[:_]/.test(value)) return false;
  }
  if (/[,[\]{}]|^[?:]/.test(value) || value.endsWith(':') || value.startsWith('---') || value.startsWith('...'))
    return false;
  const readings = [
    parseDocument(value, { version: '1.1' }),
    parseDocument(value, { version: '1.2' }),
    ...readYaml(value),
  ] as Document.Parsed[];
  return readings.length === 3 && readings.every((document) => isPlainText(document, value));
}

function isPlainText({ contents, errors, warnings, comment }: Document.Parsed, value: string): boolean {
  const clean = errors.length === 0 && warnings.length === 0 && comment === null;
  return clean && isScalar(contents) && contents.value === value && contents.type === 'PLAIN' && !contents.comment;
}

/** Whether block text can say it: apart from line ends nothing that is no character or that YAML takes for a line's end. */
export const isPrintable = (text: string): boolean =>
  /^[\t\n\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\u{10000}-\u{10ffff}]*$/u.test(text);

function formatSingle(value: string): string {
  return isPrintable(value) && !/[\t\n]/.test(value) ? `'${value.replaceAll("'", "''")}'` : formatDouble(value);
}

/** JSON is YAML, apart from a few characters that YAML takes for line breaks or does not print. */
export function formatDouble(value: string): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u00a0\u2028\u2029\ufeff\ufffe\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function formatLiteral(value: string, source: string, indent: string): string | undefined {
  const header = /^\|(-?)[ \t]*(?:#[^\r\n]*)?(\r?\n)/.exec(source);
  if (!header) return undefined;
  const [head, chomp, eol = '\n'] = header;
  const clipped = chomp === '';
  const body = clipped ? value.slice(0, -1) : value;
  const fits = body !== '' && isPrintable(body) && !/^\s|\n$/.test(body) && (!clipped || value.endsWith('\n'));
  if (!fits || indent === '') return undefined;
  const lines = body.split('\n').map((line) => (line === '' ? '' : indent + line));
  // A literal ends with its last line's end; at the end of a file that has none, there is none to keep.
  return head + lines.join(eol) + (source.endsWith('\n') ? eol : '');
}

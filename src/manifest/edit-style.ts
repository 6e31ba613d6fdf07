import { isScalar, parseDocument, type Scalar } from 'yaml';

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

/** Whether YAML 1.1 and YAML 1.2 both read the text, written without quotes, as exactly this string. */
export function isPlainSafe(value: string): boolean {
  if (
    !/^[\x21-\x7e\u00a1-\ud7ff\ue000-\ufefe\uff00-\ufffd][\x20-\x7e\u00a1-\ud7ff\ue000-\ufefe\uff00-\ufffd]*$/.test(
      value,
    )
  )
    return false;
  // What other readers of YAML 1.1 retype: booleans of one letter, base 60, digits with underscores, dates, merge and value keys.
  if (/^(?:[yn]|yes|no|on|off|~|<<|=|[-+.]?[\d.][\d_.:,eE+-]*|0[xob][\da-f_]+|\d{4}-\d\d?-\d\d?.*)$/i.test(value)) {
    if (!/^\d+\.\d+\.\d+/.test(value) || /[:_]/.test(value)) return false;
  }
  if (/[,[\]{}]/.test(value) || value.endsWith(':') || value.startsWith('---') || value.startsWith('...')) return false;
  return (['1.1', '1.2'] as const).every((version) => {
    const document = parseDocument(value, { version });
    const { contents } = document;
    const clean = document.errors.length === 0 && document.warnings.length === 0 && document.comment === null;
    return clean && isScalar(contents) && contents.value === value && contents.type === 'PLAIN' && !contents.comment;
  });
}

function formatSingle(value: string): string {
  const printable = /^[\x20-\x7e\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]*$/.test(value);
  return printable ? `'${value.replaceAll("'", "''")}'` : formatDouble(value);
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
  const fits = body !== '' && !/[\r\0]|^\s|\n$/.test(body) && (!clipped || value.endsWith('\n'));
  if (!fits || indent === '') return undefined;
  const lines = body.split('\n').map((line) => (line === '' ? '' : indent + line));
  // A literal ends with its last line's end; at the end of a file that has none, there is none to keep.
  return head + lines.join(eol) + (source.endsWith('\n') ? eol : '');
}

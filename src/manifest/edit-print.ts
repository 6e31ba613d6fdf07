import { formatDouble, isPlainSafe, isPrintable, type ScalarValue } from './edit-style.ts';
import { isList, isObject } from './edit-value.ts';

/** What follows a key's colon or an item's dash at this column, with the last line's end. */
export function printBlock(value: unknown, column: number, eol: string, inItem: boolean): string {
  if (isObject(value) && Object.keys(value).length > 0) {
    const indent = ' '.repeat(column + 2);
    const lines = Object.entries(value).map(
      ([key, member]) => `${printKey(key)}:${printBlock(member, column + 2, eol, false)}`,
    );
    return inItem ? ` ${lines.join(indent)}` : eol + lines.map((line) => indent + line).join('');
  }
  if (isList(value) && value.length > 0) {
    // As most people write it: the dashes of a list below its key.
    const at = inItem ? column + 2 : column;
    const lines = value.map((item) => `-${printBlock(item, at, eol, true)}`);
    return inItem ? ` ${lines.join(' '.repeat(at))}` : eol + lines.map((line) => ' '.repeat(at) + line).join('');
  }
  if (isList(value)) return ` []${eol}`;
  if (isObject(value)) return ` {}${eol}`;
  const literal = typeof value === 'string' ? printLiteral(value, column + 2, eol) : undefined;
  return ` ${literal ?? printScalar(value as ScalarValue) + eol}`;
}

/** In one line. `json`: as JSON. */
export function printFlow(value: unknown, json: boolean): string {
  if (isList(value)) return `[${value.map((item) => printFlow(item, json)).join(', ')}]`;
  if (isObject(value)) {
    const members = Object.entries(value).map(
      ([key, member]) => `${json ? JSON.stringify(key) : printKey(key)}: ${printFlow(member, json)}`,
    );
    return `{${members.join(', ')}}`;
  }
  return json && typeof value === 'string' ? formatDouble(value) : printScalar(value as ScalarValue);
}

export const printKey = (key: string): string => printScalar(key);

const printScalar = (value: ScalarValue): string =>
  typeof value !== 'string' ? String(value) : isPlainSafe(value) ? value : formatDouble(value);

/** Undefined where block text cannot say it. */
function printLiteral(value: string, column: number, eol: string): string | undefined {
  const body = value.endsWith('\n') ? value.slice(0, -1) : value;
  if (!body.includes('\n') || !isPrintable(body) || /^\s/.test(body)) return undefined;
  if (body.endsWith('\n') || /[ \t]$/m.test(body)) return undefined;
  const lines = body.split('\n').map((line) => (line === '' ? '' : ' '.repeat(column) + line));
  return `|${value === body ? '-' : ''}${eol}${lines.join(eol)}${eol}`;
}

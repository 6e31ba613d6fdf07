import { perObject } from './memo.ts';

/** Values of templates. */
export type TemplateValue =
  | string
  | number
  | boolean
  | null
  | readonly TemplateValue[]
  | { readonly [key: string]: TemplateValue };

export type TemplateFunction = (...args: readonly TemplateValue[]) => TemplateValue;

/** Go's predefined functions, except `call`, `slice` of three indexes and the escapers for HTML and JavaScript. */
export const predefined: Readonly<Record<string, TemplateFunction>> = {
  printf: (format, ...args) => sprintf(text('printf', format), args),
  print: (...args) => args.map(show).join(args.every((arg) => typeof arg !== 'string') ? ' ' : ''),
  println: (...args) => `${args.map(show).join(' ')}\n`,
  urlquery: (...args) => encodeURIComponent(args.map(show).join('')).replaceAll('%20', '+'),
  len: (value) => size(value),
  index: (value, ...keys) => keys.reduce<TemplateValue>(indexOne, value ?? null),
  slice: (value, from = 0, to = size(value)) => sliceOf(value, number('slice', from), number('slice', to)),
  not: (value) => !isTrue(value ?? null),
  eq: (first, ...others) => {
    if (others.length === 0) throw new Error('eq: missing argument for comparison');
    return others.some((other) => order('eq', first, other) === 0);
  },
  ne: (a, b) => order('ne', a, b) !== 0,
  lt: (a, b) => order('lt', a, b) < 0,
  le: (a, b) => order('le', a, b) <= 0,
  gt: (a, b) => order('gt', a, b) > 0,
  ge: (a, b) => order('ge', a, b) >= 0,
};

/** These evaluate their arguments one after the other and stop early; the evaluator does that. */
export const SHORT_CIRCUIT: ReadonlySet<string> = new Set(['and', 'or']);

export function isTrue(value: TemplateValue): boolean {
  if (value === null || typeof value !== 'object') return Boolean(value);
  return size(value) > 0;
}

export function isMap(value: TemplateValue | undefined): value is { readonly [key: string]: TemplateValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** About how many characters `show` makes of a value: what it costs to work with it. */
export function weightOf(value: TemplateValue | undefined): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null) return 1;
  return weighed(value);
}

const weighed = perObject((value: readonly TemplateValue[] | { readonly [key: string]: TemplateValue }): number => {
  let weight = 1;
  for (const [key, member] of Object.entries(value)) weight += key.length + weightOf(member);
  return weight;
});

/** Go's `%v`. */
export function show(value: TemplateValue | undefined): string {
  if (value === null || value === undefined) return '<no value>';
  if (Array.isArray(value)) return `[${value.map(show).join(' ')}]`;
  if (isMap(value)) {
    const keys = Object.keys(value).sort();
    return `map[${keys.map((key) => `${key}:${show(value[key])}`).join(' ')}]`;
  }
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function size(value: TemplateValue | undefined): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (Array.isArray(value)) return value.length;
  if (isMap(value)) return Object.keys(value).length;
  throw new Error(`len of ${show(value)}`);
}

function indexOne(value: TemplateValue, key: TemplateValue): TemplateValue {
  if (isMap(value)) return Object.hasOwn(value, show(key)) ? (value[show(key)] ?? null) : '';
  if (typeof value !== 'string' && !Array.isArray(value)) throw new Error(`cannot index ${show(value)}`);
  const list = typeof value === 'string' ? Buffer.from(value) : (value as readonly TemplateValue[]);
  const at = number('index', key);
  const item: TemplateValue | undefined = list[at];
  if (item === undefined) throw new Error(`index out of range: ${at}`);
  return item;
}

function sliceOf(value: TemplateValue | undefined, from: number, to: number): TemplateValue {
  if (from < 0 || to < from || to > size(value)) throw new Error(`slice out of range: ${from}:${to}`);
  if (typeof value === 'string') return Buffer.from(value).subarray(from, to).toString();
  if (Array.isArray(value)) return (value as readonly TemplateValue[]).slice(from, to);
  throw new Error(`cannot slice ${show(value)}`);
}

function order(name: string, a: TemplateValue | undefined, b: TemplateValue | undefined): number {
  if (a === undefined || b === undefined) throw new Error(`${name}: missing argument for comparison`);
  if (a === null || b === null) return a === b ? 0 : 1;
  if (typeof a !== typeof b || typeof a === 'object') throw new Error(`${name}: incompatible types for comparison`);
  return a === b ? 0 : a < b ? -1 : 1;
}

function text(name: string, value: TemplateValue | undefined): string {
  if (typeof value !== 'string') throw new Error(`${name}: expected a string, got ${show(value)}`);
  return value;
}

function number(name: string, value: TemplateValue): number {
  if (typeof value !== 'number') throw new Error(`${name}: expected a number, got ${show(value)}`);
  return value;
}

/** Go's own limit is a million. */
const MAX_WIDTH = 10_000;
const MAX_RESULT = 1_000_000;

const VERB = /%([-+# 0]*)(\d+)?(?:\.(\d+))?(.)/gs;

function sprintf(format: string, args: readonly TemplateValue[]): string {
  let used = 0;
  let length = format.length;
  const result = format.replace(VERB, (_, flags: string, width?: string, precision?: string, verb?: string) => {
    if (verb === '%') return '%';
    if (used >= args.length) throw new Error(`printf: no value for %${verb} in ${JSON.stringify(format)}`);
    const value = args[used] ?? null;
    used += 1;
    const columns = Number(width ?? 0);
    if (columns > MAX_WIDTH) throw new Error(`printf: a width of more than ${MAX_WIDTH}`);
    const out = formatted(verb ?? '', value, precision === undefined ? undefined : Number(precision));
    const pad = flags.includes('0') && !flags.includes('-') ? '0' : ' ';
    const signed = flags.includes('+') && typeof value === 'number' && value >= 0 ? `+${out}` : out;
    const padded = flags.includes('-') ? signed.padEnd(columns) : signed.padStart(columns, pad);
    length += padded.length;
    if (length > MAX_RESULT) throw new Error('printf: the result is too long');
    return padded;
  });
  if (used < args.length) throw new Error(`printf: too many values for ${JSON.stringify(format)}`);
  return result;
}

function formatted(verb: string, value: TemplateValue, precision: number | undefined): string {
  switch (verb) {
    case 'v':
    case 's':
      return precision === undefined ? show(value) : show(value).slice(0, precision);
    case 'q':
      return JSON.stringify(text('printf %q', value));
    case 'd':
      return String(Math.trunc(number('printf %d', value)));
    case 'x':
      return typeof value === 'string' ? Buffer.from(value).toString('hex') : number('printf %x', value).toString(16);
    case 'f':
      return number('printf %f', value).toFixed(precision ?? 6);
    case 'g':
      return String(number('printf %g', value));
    case 't':
      return String(value === true);
    default:
      throw new Error(`printf: verb %${verb} is not supported`);
  }
}

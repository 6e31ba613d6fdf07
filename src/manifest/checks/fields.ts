import { nearest } from '../../lib/nearest.ts';

import { type Finding, isFields, type ObjectCheck } from './finding.ts';

/** Which fields the built-in kinds have; see fixtures/kubernetes/make-fields.mjs. */
export interface KnownFields {
  /** The newest Kubernetes that they were taken from. */
  readonly version: string;
  /** `apps/v1/Deployment` to the name of its type. */
  readonly kinds: Readonly<Record<string, string>>;
  /**
   * Fields by type. A field is `s` text, `s:A|B` one of these, `i` whole number, `n` number, `b` true or false, `q` quantity, `p` number or
   * text, `*` anything, or the name of a type. `[keys]` before it: a list, whose items server-side apply tells apart by these members (`=`:
   * by themselves). `{}` before it: a map. `!` behind it: it must be there.
   */
  readonly types: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** One object with a thousand mistakes has one kind of mistake. */
const mostFindings = 20;

/** What an API server refuses because it cannot be read: fields that do not exist, values of another type, what is missing or there twice. */
export function createFieldsCheck(known: KnownFields): ObjectCheck {
  return (object) => {
    const type = known.kinds[`${object.apiVersion}/${object.kind}`];
    if (type === undefined || !Object.hasOwn(known.types, type)) return [];
    const reader: Reader = { known, root: type, findings: [] };
    readObject(reader, object, type, '');
    return reader.findings;
  };
}

interface Reader {
  readonly known: KnownFields;
  readonly root: string;
  readonly findings: Finding[];
}

function note({ findings }: Reader, finding: Finding): void {
  if (findings.length < mostFindings) findings.push(finding);
}

function readObject(reader: Reader, value: Readonly<Record<string, unknown>>, type: string, place: string): void {
  const fields = reader.known.types[type] ?? {};
  for (const [name, member] of Object.entries(value)) {
    if (reader.findings.length >= mostFindings) return;
    const field = within(place, name);
    if (Object.hasOwn(fields, name)) readValue(reader, member, (fields[name] ?? '*').replace(/!$/, ''), field);
    else note(reader, unknownField(reader, name, fields, field));
  }
  for (const [name, wanted] of Object.entries(fields)) {
    if (!wanted.endsWith('!') || (value[name] !== undefined && value[name] !== null)) continue;
    note(reader, { field: within(place, name), message: 'is missing' });
  }
}

/** What others wrote may be of any length. */
const within = (place: string, name: string): string =>
  place === '' ? name.slice(0, 100) : `${place}.${name.slice(0, 100)}`;

function unknownField(
  { known, root }: Reader,
  name: string,
  fields: Readonly<Record<string, string>>,
  field: string,
): Finding {
  const near = nearest(name, Object.keys(fields));
  const elsewhere = near === undefined ? placeOf(known, root, name) : undefined;
  const hint =
    near !== undefined
      ? `did you mean ${near}?`
      : elsewhere === undefined
        ? `Kubernetes ${known.version} and those before it have none; remove it`
        : `it is a field of ${elsewhere}: look at the indentation`;
  return { field, message: 'is no field that Kubernetes knows', hint };
}

/** Where the kind has a field of this name, nearest to the root, outside of lists. */
function placeOf({ types }: KnownFields, root: string, name: string): string | undefined {
  const seen = new Set([root]);
  let level: readonly { readonly type: string; readonly place: string }[] = [{ type: root, place: '' }];
  while (level.length > 0) {
    const found = level.find(({ type, place }) => place !== '' && Object.hasOwn(types[type] ?? {}, name));
    if (found) return found.place;
    level = level.flatMap(({ type, place }) =>
      Object.entries(types[type] ?? {}).flatMap(([field, wanted]) => {
        const next = wanted.replace(/!$/, '').replace(/^\[[^\]]*\]/, '');
        if (!Object.hasOwn(types, next) || seen.has(next) || field === 'metadata') return [];
        seen.add(next);
        const at = wanted.startsWith('[') ? `${field}[]` : field;
        return [{ type: next, place: place === '' ? at : `${place}.${at}` }];
      }),
    );
  }
  return undefined;
}

/** An empty value is an absent one. */
function readValue(reader: Reader, value: unknown, wanted: string, field: string): void {
  if (value === null || value === undefined || wanted === '*') return;
  if (wanted.startsWith('[')) return readList(reader, value, wanted, field);
  if (wanted.startsWith('{}')) {
    if (!isFields(value)) return note(reader, { field, message: `must be a map, not ${shown(value)}` });
    for (const [key, member] of Object.entries(value))
      readValue(reader, member, wanted.slice(2), `${field}["${key.slice(0, 100)}"]`);
    return;
  }
  if (Object.hasOwn(reader.known.types, wanted)) {
    if (!isFields(value)) return note(reader, { field, message: `must be a map of fields, not ${shown(value)}` });
    return readObject(reader, value, wanted, field);
  }
  const wrong = wrongScalar(value, wanted);
  if (wrong) note(reader, { field, ...wrong });
}

function readList(reader: Reader, value: unknown, wanted: string, field: string): void {
  const end = wanted.indexOf(']');
  const keys = wanted.slice(1, end);
  if (!Array.isArray(value)) return note(reader, { field, message: `must be a list, not ${shown(value)}` });
  const seen = new Map<string, number>();
  value.forEach((item: unknown, index) => {
    readValue(reader, item, wanted.slice(end + 1), `${field}[${index}]`);
    const identity = identityOf(item, keys);
    if (identity === undefined) return;
    const first = seen.get(identity);
    if (first === undefined) seen.set(identity, index);
    else
      note(reader, {
        field: `${field}[${index}]`,
        message: `${identity} is there twice, first as [${first}]`,
        hint: 'server-side apply refuses it: remove one of them',
      });
  });
}

/** By what server-side apply tells items apart; undefined where it does not. */
function identityOf(item: unknown, keys: string): string | undefined {
  if (keys === '') return undefined;
  if (keys === '=') return typeof item === 'string' ? item : undefined;
  if (!isFields(item)) return undefined;
  const parts = keys.split(',').map((key) => {
    const value = item[key] ?? (key === 'protocol' ? 'TCP' : undefined);
    return value === undefined || typeof value === 'object' ? undefined : `${key} ${String(value as string | number)}`;
  });
  return parts.includes(undefined) ? undefined : parts.join(', ');
}

type Wrong = Omit<Finding, 'field'>;

const quantity = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?$/;

function wrongScalar(value: unknown, wanted: string): Wrong | undefined {
  const isNumber = typeof value === 'number';
  switch (wanted.charAt(0)) {
    case 's':
      return typeof value === 'string' ? wrongWord(value, wanted.slice(2)) : notText(value);
    case 'i':
      if (isNumber && Number.isInteger(value)) return undefined;
      return { message: `must be a whole number, not ${shown(value)}`, ...unquoted(value, /^-?\d+$/) };
    case 'n':
      return isNumber ? undefined : { message: `must be a number, not ${shown(value)}` };
    case 'b':
      if (typeof value === 'boolean') return undefined;
      return { message: `must be true or false, not ${shown(value)}`, ...unquoted(value, /^(?:true|false)$/) };
    case 'p':
      if (typeof value === 'string' || (isNumber && Number.isInteger(value))) return undefined;
      return { message: `must be a whole number or a text, not ${shown(value)}` };
    case 'q':
      if (isNumber || (typeof value === 'string' && quantity.test(value))) return undefined;
      return { message: `${shown(value)} is no quantity`, hint: 'write it like 500m, 1, 256Mi or 2Gi' };
    default:
      return undefined;
  }
}

const notText = (value: unknown): Wrong => ({
  message: `must be text, not ${shown(value)}`,
  ...(typeof value === 'object' ? {} : { hint: 'put the value in quotes' }),
});

function unquoted(value: unknown, pattern: RegExp): { hint?: string } {
  return typeof value === 'string' && pattern.test(value) ? { hint: 'take away the quotes' } : {};
}

/** Words that newer versions add to. */
const growing = new Set(['Equal|Exists', 'SIGABRT']);

function wrongWord(value: string, list: string): Wrong | undefined {
  if (list === '' || value === '') return undefined;
  const words = list.split('|');
  if (words.includes(value)) return undefined;
  const near = nearest(value, words);
  const isSure = near !== undefined || !(growing.has(list) || growing.has(words[0] ?? ''));
  return {
    message: `${shown(value)} is none of ${words.slice(0, 10).join(', ')}`,
    ...(near === undefined ? {} : { hint: `did you mean ${near}?` }),
    ...(isSure ? {} : { severity: 'warning' as const }),
  };
}

const shown = (value: unknown): string =>
  Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'a map' : JSON.stringify(value).slice(0, 60);

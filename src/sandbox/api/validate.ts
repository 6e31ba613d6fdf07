import type { Cause } from './failure.ts';
import { equal, isObject } from './json.ts';
import type { Resolve, Schema } from './schema.ts';
import { memberSchema } from './schema.ts';

type Report = (field: string, message: string, reason?: string) => void;

/** What a structural schema finds wrong with a value, in the words of a Kubernetes API server. */
export function validate(schema: Schema | undefined, value: unknown, resolve: Resolve, path = ''): readonly Cause[] {
  const causes: Cause[] = [];
  check(
    resolve(schema),
    value,
    path,
    (field, message, reason = 'FieldValueInvalid') => causes.push({ reason, message, field: field || '<nil>' }),
    resolve,
  );
  return causes;
}

function check(schema: Schema | undefined, value: unknown, path: string, report: Report, resolve: Resolve): void {
  if (!schema) return;
  if (value === null && schema.nullable === true) return;
  const type = typeOf(value);
  const inBody = `${path || ''} in body`;
  if (!allowsType(schema, value)) {
    const wanted = schema['x-kubernetes-int-or-string'] ? 'integer,string' : String(schema.type);
    report(
      path,
      `Invalid value: ${JSON.stringify(type)}: ${inBody} must be of type ${wanted}: ${JSON.stringify(type)}`,
      'FieldValueTypeInvalid',
    );
    return;
  }
  if (schema.enum && !schema.enum.some((allowed) => equal(allowed, value))) {
    const supported = schema.enum.map((allowed) => JSON.stringify(allowed)).join(', ');
    report(
      path,
      `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported}`,
      'FieldValueNotSupported',
    );
  }
  if (typeof value === 'string') checkString(schema, value, path, report);
  if (typeof value === 'number') checkNumber(schema, value, path, report);
  if (Array.isArray(value)) checkList(schema, value, path, report, resolve);
  if (isObject(value)) checkObject(schema, value, path, report, resolve);
  checkLogic(schema, value, path, report, resolve);
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function allowsType(schema: Schema, value: unknown): boolean {
  const type = typeOf(value);
  if (schema['x-kubernetes-int-or-string']) return type === 'integer' || type === 'string';
  if (schema.type === undefined) return true;
  return type === schema.type || (schema.type === 'number' && type === 'integer');
}

function checkString(schema: Schema, value: string, path: string, report: Report): void {
  const shown = JSON.stringify(value);
  const length = (): number => Array.from(value).length;
  if (schema.minLength !== undefined && length() < schema.minLength) {
    report(path, `Invalid value: ${shown}: ${path} in body should be at least ${schema.minLength} chars long`);
  }
  if (schema.maxLength !== undefined && length() > schema.maxLength) {
    report(path, `Too long: may not be more than ${schema.maxLength} bytes`, 'FieldValueTooLong');
  }
  if (schema.pattern !== undefined && !matches(schema.pattern, value)) {
    report(path, `Invalid value: ${shown}: ${path} in body should match '${schema.pattern}'`);
  }
  if (schema.format === 'date-time' && Number.isNaN(Date.parse(value))) {
    report(
      path,
      `Invalid value: ${shown}: ${path} in body must be of type date-time: ${shown}`,
      'FieldValueTypeInvalid',
    );
  }
}

/** Patterns are RE2: what JavaScript cannot read is let through rather than refused wrongly. */
function matches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern, 'u').test(value);
  } catch {
    return looselyMatches(pattern, value);
  }
}
function looselyMatches(pattern: string, value: string): boolean {
  try {
    return new RegExp(pattern).test(value);
  } catch {
    return true;
  }
}

function checkNumber(schema: Schema, value: number, path: string, report: Report): void {
  const { minimum, maximum, multipleOf } = schema;
  if (minimum !== undefined && (schema.exclusiveMinimum ? value <= minimum : value < minimum)) {
    const word = schema.exclusiveMinimum ? 'greater than' : 'greater than or equal to';
    report(path, `Invalid value: ${value}: ${path} in body should be ${word} ${minimum}`);
  }
  if (maximum !== undefined && (schema.exclusiveMaximum ? value >= maximum : value > maximum)) {
    const word = schema.exclusiveMaximum ? 'less than' : 'less than or equal to';
    report(path, `Invalid value: ${value}: ${path} in body should be ${word} ${maximum}`);
  }
  if (multipleOf !== undefined && Math.abs(value / multipleOf - Math.round(value / multipleOf)) > 1e-9) {
    report(path, `Invalid value: ${value}: ${path} in body should be a multiple of ${multipleOf}`);
  }
}

function checkList(schema: Schema, value: readonly unknown[], path: string, report: Report, resolve: Resolve): void {
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    report(path, `Invalid value: ${value.length}: ${path} in body should have at least ${schema.minItems} items`);
  }
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    report(path, `Too many: ${value.length}: must have at most ${schema.maxItems} items`, 'FieldValueTooMany');
  }
  const items = resolve(schema.items);
  const keys = schema['x-kubernetes-list-map-keys'];
  const isSet = schema['x-kubernetes-list-type'] === 'set';
  const seen = new Set<string>();
  value.forEach((item, index) => {
    check(items, item, `${path}[${index}]`, report, resolve);
    if (!keys && !isSet) return;
    const identity = JSON.stringify(
      keys && isObject(item)
        ? Object.fromEntries(keys.map((key) => [key, item[key] ?? resolve(items?.properties?.[key])?.default]))
        : item,
    );
    if (seen.has(identity)) report(`${path}[${index}]`, `Duplicate value: ${identity}`, 'FieldValueDuplicate');
    seen.add(identity);
  });
}

function checkObject(
  schema: Schema,
  value: Record<string, unknown>,
  path: string,
  report: Report,
  resolve: Resolve,
): void {
  const within = (key: string): string => (path === '' ? key : `${path}.${key}`);
  for (const key of schema.required ?? []) {
    if (value[key] === undefined) report(within(key), 'Required value', 'FieldValueRequired');
  }
  const count = Object.keys(value).length;
  if (schema.minProperties !== undefined && count < schema.minProperties) {
    report(path, `Invalid value: ${count}: ${path} in body should have at least ${schema.minProperties} properties`);
  }
  if (schema.maxProperties !== undefined && count > schema.maxProperties) {
    report(path, `Too many: ${count}: must have at most ${schema.maxProperties} items`, 'FieldValueTooMany');
  }
  for (const [key, member] of Object.entries(value)) {
    check(resolve(memberSchema(schema, key)), member, within(key), report, resolve);
  }
}

function checkLogic(schema: Schema, value: unknown, path: string, report: Report, resolve: Resolve): void {
  const passes = (branch: Schema): boolean => validate(branch, value, resolve, path).length === 0;
  const shown = isObject(value) || Array.isArray(value) ? '' : `Invalid value: ${JSON.stringify(value)}: `;
  for (const branch of schema.allOf ?? []) check(resolve(branch), value, path, report, resolve);
  if (schema['x-kubernetes-int-or-string']) return;
  if (schema.anyOf && !schema.anyOf.some(passes)) {
    report(path, `${shown || 'Invalid value: '}${path} in body must validate at least one schema (anyOf)`);
    reportBranches(schema.anyOf, value, path, report, resolve);
  }
  const one = schema.oneOf?.filter(passes).length;
  if (one !== undefined && one !== 1) {
    const found = one === 0 ? 'Found none valid' : `Found ${one} valid alternatives`;
    report(
      path,
      `${shown || 'Invalid value: '}${path} in body must validate one and only one schema (oneOf). ${found}`,
    );
    if (one === 0) reportBranches(schema.oneOf ?? [], value, path, report, resolve);
  }
  if (schema.not && passes(schema.not))
    report(path, `${shown || 'Invalid value: '}${path} in body must not validate the schema (not)`);
}

function reportBranches(
  branches: readonly Schema[],
  value: unknown,
  path: string,
  report: Report,
  resolve: Resolve,
): void {
  const first = branches[0];
  if (first) check(resolve(first), value, path, report, resolve);
}

import { isRecord } from '../../lib/json.ts';
import { AgentError } from '../../lib/errors.ts';
import { nearest } from '../../lib/nearest.ts';
import { parseGoDuration } from '../../lib/duration.ts';
import type { Json } from '../../lib/json.ts';

/** One thing wrong with a Canary: `{ field: 'spec.analysis.stepWeight', message: 'must be a whole number, not 7.5' }`. */
export interface Finding {
  readonly field: string;
  readonly message: string;
  /** What to do about it; absent where the message says it. */
  readonly hint?: string;
}

/**
 * Readers for the fields of one object. A wrong value is noted and replaced, so that all of them are told at once;
 * an absent one is undefined.
 */
export interface FieldChecks {
  note(field: string, message: string, hint?: string): void;
  text(value: unknown, field: string): string | undefined;
  flag(value: unknown, field: string): boolean;
  number(value: unknown, field: string): number | undefined;
  /** A whole number of at least `min`. */
  whole(value: unknown, field: string, min: number): number | undefined;
  /** A Go duration, in milliseconds; what is longer than a timer can wait counts as the longest. */
  durationMs(value: unknown, field: string): number | undefined;
  oneOf<T extends string>(value: unknown, field: string, choices: readonly T[]): T | undefined;
  record(value: unknown, field: string): Json;
  list(value: unknown, field: string): readonly Json[];
  texts(value: unknown, field: string): Record<string, string>;
}

/** About 24 days. Timers know no longer times: they would run off at once. */
const longestMs = 2_147_483_647;

export function createFieldChecks(findings: Finding[]): FieldChecks {
  const note = (field: string, message: string, hint?: string): undefined => {
    findings.push(hint === undefined ? { field, message } : { field, message, hint });
  };
  const isAbsent = (value: unknown): value is undefined | null => value === undefined || value === null;
  const number = (value: unknown, field: string): number | undefined => {
    if (isAbsent(value)) return undefined;
    return typeof value === 'number' && Number.isFinite(value)
      ? value
      : note(field, `must be a number, not ${show(value)}`);
  };
  const text = (value: unknown, field: string): string | undefined => {
    if (isAbsent(value) || value === '') return undefined;
    return typeof value === 'string' ? value : note(field, `must be a text, not ${show(value)}`, 'put it in quotes');
  };
  const record = (value: unknown, field: string): Json => {
    if (isRecord(value)) return value;
    if (!isAbsent(value)) note(field, `must be an object, not ${show(value)}`);
    return {};
  };
  return {
    note,
    text,
    number,
    record,
    flag(value, field) {
      if (isAbsent(value) || typeof value === 'boolean') return value === true;
      note(field, `must be true or false, not ${show(value)}`);
      return false;
    },
    whole(value, field, min) {
      const found = number(value, field);
      if (found === undefined) return undefined;
      if (!Number.isInteger(found)) return note(field, `must be a whole number, not ${found}`);
      return found >= min ? found : note(field, `must be at least ${min}, not ${found}`);
    },
    durationMs(value, field) {
      const written = text(value, field);
      if (written === undefined) return undefined;
      const ms = parseGoDuration(written);
      if (ms !== undefined && ms >= 0) return Math.min(ms, longestMs);
      return note(field, `"${written}" is no duration`, 'write a number and a unit, such as 30s or 1m');
    },
    oneOf(value, field, choices) {
      const word = text(value, field);
      if (word === undefined) return undefined;
      const found = choices.find((choice) => choice === word);
      if (found !== undefined) return found;
      const near = nearest(word, choices);
      return note(field, `unknown value "${word}"`, near ? `did you mean "${near}"?` : `one of ${choices.join(', ')}`);
    },
    list(value, field) {
      if (isAbsent(value)) return [];
      if (!Array.isArray(value)) {
        note(field, `must be a list, not ${show(value)}`);
        return [];
      }
      return value.map((item, index) => record(item, `${field}[${index}]`));
    },
    texts(value, field) {
      const entries = Object.entries(record(value, field)).map(([name, member]) => {
        if (typeof member === 'string') return [name, member];
        note(`${field}.${name}`, `must be a text, not ${show(member)}`, 'put it in quotes');
        return [name, ''];
      });
      return Object.fromEntries(entries) as Record<string, string>;
    },
  };
}

/** Throws CANARY_INVALID that says all of `findings`; they are in its details too. */
export function throwFindings(subject: string, findings: readonly Finding[]): void {
  if (findings.length === 0) return;
  const said = findings.map(({ field, message, hint }) => `${field}: ${message}${hint ? ` (${hint})` : ''}`);
  throw new AgentError('CANARY_INVALID', `${subject}: ${said.join('; ')}`, { details: { findings } });
}

function show(value: unknown): string {
  return JSON.stringify(value)?.slice(0, 60) ?? String(value);
}

import { own } from '../lib/own.ts';

/** Bounds that a value has to keep; both count as kept. */
export interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

export interface Condition {
  readonly bounds: Bounds;
  /** A bound was strict (`<`), and is not any more. */
  readonly isWidened: boolean;
  /** The condition also holds where there is no value. */
  readonly holdsWithoutValue: boolean;
}

const subject = '(?:result(?:\\[0\\])?|default\\(result(?:\\[0\\])?, ?[-0-9.]+\\)|asFloat\\(result(?:\\[0\\])?\\))';
const comparison = new RegExp(`^(?:(${subject}) ?(<=|>=|<|>|==) ?(-?[0-9.]+(?:[eE]-?[0-9]+)?))$`);
const reversed = new RegExp(`^(-?[0-9.]+) ?(<=|>=|<|>) ?(${subject})$`);
const emptiness = /^(?:len\(result\) ?== ?0|isNaN\(result(?:\[0\])?\)|result ?== ?nil)$/;
const presence = /^(?:len\(result\) ?(?:> ?0|!= ?0|>= ?1)|!isNaN\(result(?:\[0\])?\)|result ?!= ?nil)$/;
const turned: Readonly<Record<string, string>> = { '<': '>', '>': '<', '<=': '>=', '>=': '<=' };

/**
 * Reads a condition of an AnalysisTemplate that compares its one value with numbers: `result[0] >= 0.95`, `len(result) == 0 || result[0] < 5`.
 * `isFailure`: it is one of failure, so its contrary is meant. Undefined: it says more than bounds can.
 */
export function readCondition(text: string, isFailure = false): Condition | undefined {
  if (text.length > 300) return undefined;
  const parts = (whole: string, by: string): string[] => whole.split(by).map((part) => bare(part));
  const alternatives = parts(text.replaceAll(/[ \t\r\n]+/g, ' '), '||');
  const empty = alternatives.filter((part) => emptiness.test(part));
  const rest = alternatives.filter((part) => !emptiness.test(part));
  // `a < 1 || a > 5` as a failure is the contrary of two bounds; as success it is no range.
  const terms = isFailure ? rest : rest.length === 1 ? parts(rest[0] ?? '', '&&') : [];
  const compared = terms.filter((part) => !presence.test(part));
  if (compared.length === 0 || (isFailure && rest.some((part) => part.includes('&&')))) return undefined;
  let bounds: Bounds = {};
  let isWidened = false;
  for (const term of compared) {
    const [, left, plain, right] = comparison.exec(term) ?? [];
    const [, number, turnedOperator] = reversed.exec(term) ?? [];
    const written = plain ?? (turnedOperator === undefined ? undefined : own(turned, turnedOperator));
    const value = Number(left === undefined ? number : right);
    if (written === undefined || !Number.isFinite(value)) return undefined;
    const operator = isFailure ? contrary(written) : written;
    if (operator === undefined) return undefined;
    if (operator === '<' || operator === '>') isWidened = true;
    if (operator === '==') bounds = { min: value, max: value };
    else if (operator.startsWith('<')) bounds = { ...bounds, max: Math.min(bounds.max ?? value, value) };
    else bounds = { ...bounds, min: Math.max(bounds.min ?? value, value) };
  }
  return { bounds, isWidened, holdsWithoutValue: !isFailure && empty.length > 0 };
}

/** Undefined: it is no range. */
const contrary = (operator: string): string | undefined =>
  ({ '<': '>=', '>': '<=', '<=': '>', '>=': '<' })[operator as '<' | '>' | '<=' | '>='];

function bare(text: string): string {
  const part = text.trim();
  return part.startsWith('(') && part.endsWith(')') && !part.slice(1, -1).includes(')')
    ? part.slice(1, -1).trim()
    : part;
}

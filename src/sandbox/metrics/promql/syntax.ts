/** What a PromQL text means, before any data is looked at. */
export type Expression =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | Selector
  | { readonly kind: 'negation'; readonly operand: Expression }
  | Binary
  | Aggregation
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] };

export interface Selector {
  readonly kind: 'selector';
  readonly matchers: readonly Matcher[];
  readonly offsetMs: number;
  /** Present for a range vector. */
  readonly rangeMs?: number;
}

export interface Matcher {
  readonly label: string;
  readonly operator: '=' | '!=' | '=~' | '!~';
  readonly value: string;
  readonly fits: (value: string) => boolean;
}

export type SetOperator = 'and' | 'or' | 'unless';
export type Comparison = '==' | '!=' | '<' | '>' | '<=' | '>=';
export type Arithmetic = '+' | '-' | '*' | '/' | '%' | '^' | 'atan2';
export type Operator = SetOperator | Comparison | Arithmetic;

export interface Binary {
  readonly kind: 'binary';
  readonly operator: Operator;
  readonly left: Expression;
  readonly right: Expression;
  /** Comparisons answer 0 or 1 instead of filtering. */
  readonly bool: boolean;
  readonly matching: Matching;
}

export interface Matching {
  /** Match by `labels` only; otherwise by all but `labels`. */
  readonly on: boolean;
  readonly labels: readonly string[];
  /** The side that may have several partners; absent: one to one. */
  readonly many?: 'left' | 'right';
  /** Labels taken over from the other side. */
  readonly include: readonly string[];
}

export interface Aggregation {
  readonly kind: 'aggregation';
  readonly operator: string;
  readonly without: boolean;
  readonly labels: readonly string[];
  readonly operand: Expression;
  /** The `k` of topk and bottomk, the quantile of quantile. */
  readonly parameter?: Expression;
}

export type ValueType = 'scalar' | 'vector' | 'matrix' | 'string';

/** The words of Prometheus for its types, as they stand in its messages. */
export const typeNames: Readonly<Record<ValueType, string>> = {
  scalar: 'scalar',
  vector: 'instant vector',
  matrix: 'range vector',
  string: 'string',
};

const SETS: readonly string[] = ['and', 'or', 'unless'] satisfies SetOperator[];
const COMPARISONS: readonly string[] = ['==', '!=', '<', '>', '<=', '>='] satisfies Comparison[];

export function isSetOperator(operator: string): operator is SetOperator {
  return SETS.includes(operator);
}

export function isComparison(operator: string): operator is Comparison {
  return COMPARISONS.includes(operator);
}

/** The query cannot be asked like this. Prometheus answers 400 `bad_data`. */
export class InvalidQuery extends Error {}

/** The text is no PromQL, or none that is known here. */
export class ParseError extends InvalidQuery {
  constructor(text: string, position: number, message: string) {
    const before = text.slice(0, position).split('\n');
    super(`${before.length}:${(before.at(-1) ?? '').length + 1}: parse error: ${message}`);
  }
}

/** The query is well-formed and cannot be answered with these series. Prometheus answers 422 `execution`. */
export class ExecutionError extends Error {}

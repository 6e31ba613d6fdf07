import { keyOf, type Labels, only, textOf, without, withoutName } from '../labels.ts';
import {
  type Arithmetic,
  type Binary,
  type Comparison,
  ExecutionError,
  isComparison,
  isSetOperator,
  type Matching,
  type SetOperator,
} from './syntax.ts';
import type { Sample, Value } from './values.ts';

/** Both sides are scalars or vectors; the parser has seen to it. */
export function combine(binary: Binary, left: Value, right: Value): Value {
  if (left.type === 'vector' && right.type === 'vector') {
    return { type: 'vector', samples: combineVectors(binary, left.samples, right.samples) };
  }
  if (left.type === 'vector' && right.type === 'scalar') {
    return { type: 'vector', samples: combineEach(binary, left.samples, (value) => [value, right.value]) };
  }
  if (left.type === 'scalar' && right.type === 'vector') {
    return { type: 'vector', samples: combineEach(binary, right.samples, (value) => [left.value, value]) };
  }
  if (left.type !== 'scalar' || right.type !== 'scalar' || isSetOperator(binary.operator)) {
    throw new ExecutionError('binary expression must contain only scalar and instant vector types');
  }
  const { operator } = binary;
  const value = isComparison(operator)
    ? Number(compare(operator, left.value, right.value))
    : calculate(operator, left.value, right.value);
  return { type: 'scalar', value };
}

function combineEach(
  { operator, bool }: Binary,
  samples: readonly Sample[],
  sides: (value: number) => readonly [number, number],
): readonly Sample[] {
  return samples.flatMap(({ labels, value }): Sample[] => {
    const [left, right] = sides(value);
    if (isSetOperator(operator)) return [];
    if (!isComparison(operator)) return [{ labels: withoutName(labels), value: calculate(operator, left, right) }];
    const holds = compare(operator, left, right);
    if (bool) return [{ labels: withoutName(labels), value: Number(holds) }];
    return holds ? [{ labels, value }] : [];
  });
}

function combineVectors(binary: Binary, left: readonly Sample[], right: readonly Sample[]): readonly Sample[] {
  const { operator, matching, bool } = binary;
  if (isSetOperator(operator)) return combineSets(operator, matching, left, right);
  if (left.length === 0 || right.length === 0) return [];
  const swapped = matching.many === 'right';
  const [many, one] = swapped ? [right, left] : [left, right];
  const partners = indexOnce(matching, one, swapped ? 'left' : 'right');
  const seen = new Set<string>();
  return many.flatMap((sample): Sample[] => {
    const group = signature(matching, sample.labels);
    const partner = partners.get(group);
    if (!partner) return [];
    const labels = resultLabels(binary, sample.labels, partner.labels);
    rememberOnce(seen, matching.many ? `${group}\u0002${keyOf(labels)}` : group, matching);
    const [a, b] = swapped ? [partner.value, sample.value] : [sample.value, partner.value];
    if (!isComparison(operator)) return [{ labels, value: calculate(operator, a, b) }];
    const holds = compare(operator, a, b);
    if (bool) return [{ labels, value: Number(holds) }];
    return holds ? [{ labels, value: a }] : [];
  });
}

function indexOnce(matching: Matching, samples: readonly Sample[], side: string): ReadonlyMap<string, Sample> {
  const index = new Map<string, Sample>();
  for (const sample of samples) {
    const key = signature(matching, sample.labels);
    const other = index.get(key);
    if (other) {
      throw new ExecutionError(
        `found duplicate series for the match group ${textOf(groupLabels(matching, sample.labels))} on the ${side} hand-side of the operation: ` +
          `[${textOf(sample.labels)}, ${textOf(other.labels)}];many-to-many matching not allowed: matching labels must be unique on one side`,
      );
    }
    index.set(key, sample);
  }
  return index;
}

function rememberOnce(seen: Set<string>, key: string, { many }: Matching): void {
  if (seen.has(key)) {
    throw new ExecutionError(
      many
        ? 'multiple matches for labels: grouping labels must ensure unique matches'
        : 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
    );
  }
  seen.add(key);
}

function resultLabels({ operator, bool, matching }: Binary, own: Labels, others: Labels): Labels {
  let labels = bool || !isComparison(operator) ? withoutName(own) : own;
  if (!matching.many) labels = matching.on ? only(labels, matching.labels) : without(labels, matching.labels);
  for (const label of matching.include) {
    const value = others[label] ?? '';
    labels = value === '' ? without(labels, [label]) : { ...labels, [label]: value };
  }
  return labels;
}

function combineSets(
  operator: SetOperator,
  matching: Matching,
  left: readonly Sample[],
  right: readonly Sample[],
): readonly Sample[] {
  const groupsOf = (samples: readonly Sample[]): Set<string> =>
    new Set(samples.map(({ labels }) => signature(matching, labels)));
  if (operator === 'or') {
    const present = groupsOf(left);
    return [...left, ...right.filter(({ labels }) => !present.has(signature(matching, labels)))];
  }
  const present = groupsOf(right);
  return left.filter(({ labels }) => present.has(signature(matching, labels)) === (operator === 'and'));
}

function groupLabels({ on, labels: names }: Matching, labels: Labels): Labels {
  return on ? only(labels, names) : without(withoutName(labels), names);
}

function signature(matching: Matching, labels: Labels): string {
  return keyOf(groupLabels(matching, labels));
}

function calculate(operator: Arithmetic, left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return left / right;
    case '%':
      return left % right;
    case '^':
      return left ** right;
    case 'atan2':
      return Math.atan2(left, right);
  }
}

function compare(operator: Comparison, left: number, right: number): boolean {
  switch (operator) {
    case '==':
      return left === right;
    case '!=':
      return left !== right;
    case '<':
      return left < right;
    case '>':
      return left > right;
    case '<=':
      return left <= right;
    case '>=':
      return left >= right;
  }
}

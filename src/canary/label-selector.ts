import { type Json, jsonOf, listOf, textsOf } from '../lib/json.ts';

type Labels = Readonly<Record<string, string>>;

/** Whether a label selector of Kubernetes (`matchLabels`, `matchExpressions`) selects something with these labels. An empty one selects all. */
export function selects(selector: unknown, labels: Labels): boolean {
  const { matchLabels, matchExpressions } = jsonOf(selector);
  const isMatched = Object.entries(textsOf(matchLabels)).every(([key, value]) => labelOf(labels, key) === value);
  return isMatched && listOf(matchExpressions).every((expression) => allows(expression, labels));
}

function allows({ key, operator, values }: Json, labels: Labels): boolean {
  if (typeof key !== 'string') return false;
  const value = labelOf(labels, key);
  const listed = Array.isArray(values) && value !== undefined && values.includes(value);
  switch (operator) {
    case 'In':
      return listed;
    case 'NotIn':
      return !listed;
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}

/** The `key=value` pairs that a selector speaks well of; the empty text among them: it has expressions of other kinds, too. */
export function pairsOf(selector: unknown): readonly string[] {
  const { matchLabels, matchExpressions } = jsonOf(selector);
  const pairs = Object.entries(textsOf(matchLabels)).map(([key, value]) => `${key}=${value}`);
  const more = listOf(matchExpressions).flatMap(({ key, operator, values }) =>
    operator === 'In' && Array.isArray(values) ? values.map((value) => `${String(key)}=${String(value)}`) : [''],
  );
  return [...pairs, ...more];
}

const labelOf = (labels: Labels, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;

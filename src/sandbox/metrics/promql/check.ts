import { signatures } from './signatures.ts';
import { type Binary, type Expression, isComparison, isSetOperator, typeNames, type ValueType } from './syntax.ts';

export function typeOf(expression: Expression): ValueType {
  switch (expression.kind) {
    case 'number':
      return 'scalar';
    case 'string':
      return 'string';
    case 'selector':
      return expression.rangeMs === undefined ? 'vector' : 'matrix';
    case 'negation':
      return typeOf(expression.operand);
    case 'binary':
      return typeOf(expression.left) === 'scalar' && typeOf(expression.right) === 'scalar' ? 'scalar' : 'vector';
    case 'aggregation':
      return 'vector';
    case 'call':
      return signatures[expression.name]?.returns ?? 'vector';
  }
}

/** What is wrong with the operands; undefined when nothing is. */
export function checkOperands(binary: Binary, matchingGiven: boolean): string | undefined {
  const { operator, left, right, bool, matching } = binary;
  const types = [typeOf(left), typeOf(right)];
  if (types.some((type) => type !== 'scalar' && type !== 'vector')) {
    return 'binary expression must contain only scalar and instant vector types';
  }
  if (bool && !isComparison(operator)) return 'bool modifier can only be used on comparison operators';
  const vectors = types.every((type) => type === 'vector');
  if (isSetOperator(operator)) {
    if (!vectors) return `set operator "${operator}" not allowed in binary scalar expression`;
    if (matching.many) return `no grouping allowed for "${operator}" operation`;
  }
  if (matchingGiven && !vectors) return 'vector matching only allowed between instant vectors';
  if (isComparison(operator) && !bool && types.every((type) => type === 'scalar')) {
    return 'comparisons between scalars must use BOOL modifier';
  }
  return undefined;
}

/** What is wrong with the arguments; undefined when nothing is. */
export function checkCall(name: string, args: readonly Expression[]): string | undefined {
  const signature = signatures[name];
  if (!signature) return `unknown function with name "${name}"`;
  const { args: expected, optional = 0 } = signature;
  if (args.length > expected.length || args.length < expected.length - optional) {
    const bound = optional === 0 ? '' : args.length > expected.length ? 'at most ' : 'at least ';
    const count = args.length > expected.length ? expected.length : expected.length - optional;
    return `expected ${bound}${count} argument(s) in call to "${name}", got ${args.length}`;
  }
  for (const [index, arg] of args.entries()) {
    const [want, got] = [expected[index], typeOf(arg)];
    if (want !== undefined && want !== got) {
      return `expected type ${typeNames[want]} in call to function "${name}", got ${typeNames[got]}`;
    }
  }
  return undefined;
}

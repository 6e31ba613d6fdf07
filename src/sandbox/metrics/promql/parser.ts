import { parseNumber } from '../number-text.ts';
import { checkCall, checkOperands, typeOf } from './check.ts';
import { parseRangeAndOffset, parseSelector } from './selector.ts';
import { aggregations, signatures } from './signatures.ts';
import { type Expression, type Matching, type Operator, typeNames } from './syntax.ts';
import { TokenReader } from './token-reader.ts';

const PRECEDENCE: Readonly<Record<Operator, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '<': 3,
  '>': 3,
  '<=': 3,
  '>=': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  atan2: 5,
  '^': 6,
};
const NEGATION = 6;

/** Reads a query and checks its types. Throws ParseError. */
export function parseQuery(text: string): Expression {
  const reader = new TokenReader(text);
  if (reader.peek().kind === 'end') throw reader.failure('no expression found in input');
  const expression = parseExpression(reader, 0);
  if (reader.peek().kind !== 'end') throw reader.unexpected('expression');
  return expression;
}

function parseExpression(reader: TokenReader, above: number): Expression {
  let left = parseOperand(reader);
  for (;;) {
    const operator = nextOperator(reader);
    if (operator === undefined || PRECEDENCE[operator] <= above) return left;
    const { position } = reader.take();
    const bool = reader.acceptWord('bool');
    const matching = parseMatching(reader);
    // Only the power binds to the right.
    const right = parseExpression(reader, operator === '^' ? PRECEDENCE[operator] - 1 : PRECEDENCE[operator]);
    left = {
      kind: 'binary',
      operator,
      left,
      right,
      bool,
      matching: matching ?? { on: false, labels: [], include: [] },
    };
    const problem = checkOperands(left, matching !== undefined);
    if (problem !== undefined) throw reader.failure(problem, position);
  }
}

function nextOperator(reader: TokenReader): Operator | undefined {
  const { kind, text } = reader.peek();
  if (kind !== 'symbol' && kind !== 'word') return undefined;
  const operator = kind === 'word' ? text.toLowerCase() : text;
  return isOperator(operator) ? operator : undefined;
}

function isOperator(text: string): text is Operator {
  return Object.hasOwn(PRECEDENCE, text);
}

function parseMatching(reader: TokenReader): Matching | undefined {
  if (!reader.isWord('on', 'ignoring')) return undefined;
  const on = reader.take().text.toLowerCase() === 'on';
  const labels = parseLabels(reader);
  if (!reader.isWord('group_left', 'group_right')) return { on, labels, include: [] };
  const many = reader.take().text.toLowerCase() === 'group_left' ? 'left' : 'right';
  const include = reader.isSymbol('(') ? parseLabels(reader) : [];
  const twice = include.find((label) => on && labels.includes(label));
  if (twice !== undefined) throw reader.failure(`label "${twice}" must not occur in ON and GROUP clause at once`);
  return { on, labels, many, include };
}

function parseLabels(reader: TokenReader): string[] {
  return reader.list('(', ')', 'grouping opts', () => {
    if (reader.peek().kind !== 'word') throw reader.unexpected('grouping opts', 'label');
    return reader.take().text;
  });
}

function parseOperand(reader: TokenReader): Expression {
  const { position } = reader.peek();
  if (reader.isSymbol('-') || reader.isSymbol('+')) {
    const negative = reader.take().text === '-';
    const operand = parseExpression(reader, NEGATION - 1);
    const type = typeOf(operand);
    if (type !== 'scalar' && type !== 'vector') {
      const message = `unary expression only allowed on expressions of type scalar or instant vector, got "${typeNames[type]}"`;
      throw reader.failure(message, position);
    }
    return negative ? { kind: 'negation', operand } : operand;
  }
  return parseRangeAndOffset(reader, parsePrimary(reader));
}

function parsePrimary(reader: TokenReader): Expression {
  const { kind, text } = reader.peek();
  if (kind === 'string') return { kind: 'string', value: reader.take().text };
  if (kind === 'duration') throw reader.unexpected('expression');
  if (reader.accept('(')) {
    const inner = parseExpression(reader, 0);
    reader.expect(')', 'paren expression');
    return inner;
  }
  if (kind === 'word') {
    const follows = reader.peekSecond().text.toLowerCase();
    const opens = reader.peekSecond().kind === 'symbol' && follows === '(';
    const word = text.toLowerCase();
    if (Object.hasOwn(aggregations, word) && (opens || follows === 'by' || follows === 'without')) {
      return parseAggregation(reader, word);
    }
    if (opens) return parseCall(reader);
  }
  const number = kind === 'number' || kind === 'word' ? parseNumber(text) : undefined;
  if (number !== undefined) {
    reader.take();
    return { kind: 'number', value: number };
  }
  if (kind === 'word' || reader.isSymbol('{')) return parseSelector(reader);
  throw reader.unexpected('expression');
}

function parseAggregation(reader: TokenReader, operator: string): Expression {
  const { position } = reader.take();
  const before = parseGrouping(reader);
  const args = reader.list('(', ')', 'aggregation', () => parseExpression(reader, 0));
  const { without, labels } = before ?? parseGrouping(reader) ?? { without: false, labels: [] };
  const parameterType = aggregations[operator];
  const expected = parameterType === undefined ? 1 : 2;
  if (args.length !== expected) {
    const message = `wrong number of arguments for aggregate expression provided, expected ${expected}, got ${args.length}`;
    throw reader.failure(message, position);
  }
  const [operand, parameter] = [args.at(-1), expected === 2 ? args[0] : undefined];
  if (!operand) throw reader.failure('no arguments for aggregate expression provided', position);
  const wrong =
    parameter && typeOf(parameter) !== parameterType
      ? `expected type scalar in aggregation parameter, got ${typeNames[typeOf(parameter)]}`
      : typeOf(operand) !== 'vector'
        ? `expected type instant vector in aggregation expression, got ${typeNames[typeOf(operand)]}`
        : undefined;
  if (wrong !== undefined) throw reader.failure(wrong, position);
  return { kind: 'aggregation', operator, without, labels, operand, ...(parameter ? { parameter } : {}) };
}

function parseGrouping(reader: TokenReader): { without: boolean; labels: string[] } | undefined {
  if (!reader.isWord('by', 'without')) return undefined;
  const without = reader.take().text.toLowerCase() === 'without';
  return { without, labels: parseLabels(reader) };
}

function parseCall(reader: TokenReader): Expression {
  const { text: name, position } = reader.take();
  if (!Object.hasOwn(signatures, name)) throw reader.failure(`unknown function with name "${name}"`, position);
  const args = reader.list('(', ')', `call to function "${name}"`, () => parseExpression(reader, 0));
  const problem = checkCall(name, args);
  if (problem !== undefined) throw reader.failure(problem, position);
  return { kind: 'call', name, args };
}

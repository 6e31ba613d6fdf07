import { NAME } from '../labels.ts';
import { parseDuration } from './lexer.ts';
import type { Matcher, Selector } from './syntax.ts';
import type { TokenReader } from './token-reader.ts';

/** `name{label="value"}[5m] offset 1m`, any part but one of the first two absent. */
export function parseSelector(reader: TokenReader): Selector {
  const { position } = reader.peek();
  const matchers: Matcher[] = [];
  if (reader.peek().kind === 'word') matchers.push(matcherOf(reader, NAME, '=', reader.take().text));
  if (reader.isSymbol('{')) matchers.push(...reader.list('{', '}', 'label matching', () => parseMatcher(reader)));
  if (matchers.filter(({ label }) => label === NAME).length > 1) {
    throw reader.failure('metric name must not be set twice', position);
  }
  if (matchers.every(({ fits }) => fits(''))) {
    throw reader.failure('vector selector must contain at least one non-empty matcher', position);
  }
  return { kind: 'selector', matchers, offsetMs: 0 };
}

function parseMatcher(reader: TokenReader): Matcher {
  if (reader.peek().kind !== 'word') throw reader.unexpected('label matching', 'identifier or "}"');
  const label = reader.take().text;
  const operator = reader.peek().text;
  if (operator !== '=' && operator !== '!=' && operator !== '=~' && operator !== '!~') {
    throw reader.unexpected('label matching', 'label matching operator');
  }
  reader.take();
  if (reader.peek().kind !== 'string') throw reader.unexpected('label matching', 'string');
  return matcherOf(reader, label, operator, reader.take().text);
}

function matcherOf(reader: TokenReader, label: string, operator: Matcher['operator'], value: string): Matcher {
  if (operator === '=') return { label, operator, value, fits: (other) => other === value };
  if (operator === '!=') return { label, operator, value, fits: (other) => other !== value };
  const pattern = anchored(value);
  if (!pattern) throw reader.failure(`error parsing regexp: invalid or unsupported: \`${value}\``);
  return {
    label,
    operator,
    value,
    fits: operator === '=~' ? (other) => pattern.test(other) : (other) => !pattern.test(other),
  };
}

/** RE2's syntax is nearly a part of JavaScript's; what only JavaScript knows is refused. */
export function anchored(source: string): RegExp | undefined {
  const [, flags = '', body = ''] = /^(?:\(\?([is]+)\))?([^]*)$/.exec(source) ?? [];
  if (/\(\?(?:[=!]|<[=!])|\\[1-9k]/.test(body)) return undefined;
  try {
    return new RegExp(`^(?:${body.replaceAll('(?P<', '(?<')})$`, [...new Set(`s${flags}`)].join(''));
  } catch {
    return undefined;
  }
}

/** `[5m]` and `offset 5m` after an expression, in the order in which Prometheus allows them. */
export function parseRangeAndOffset<T extends { readonly kind: string }>(
  reader: TokenReader,
  expression: T | Selector,
): T | Selector {
  let result = expression;
  for (;;) {
    const { position } = reader.peek();
    if (reader.isSymbol('@')) throw reader.failure('the @ modifier is not supported by this server');
    if (reader.accept('[')) {
      const rangeMs = duration(reader, 'range');
      if (reader.peek().text.startsWith(':')) throw reader.failure('subqueries are not supported by this server');
      reader.expect(']', 'range selector');
      if (!isSelector(result)) throw reader.failure('ranges only allowed for vector selectors', position);
      if (result.rangeMs !== undefined) throw reader.failure('unexpected "["', position);
      if (result.offsetMs !== 0) throw reader.failure('no offset modifiers allowed before range', position);
      result = { ...result, rangeMs };
    } else if (reader.acceptWord('offset')) {
      const sign = reader.accept('-') ? -1 : 1;
      const offsetMs = sign * duration(reader, 'offset');
      if (!isSelector(result)) {
        throw reader.failure(
          'offset modifier must be preceded by an instant vector selector or range vector selector',
          position,
        );
      }
      if (result.offsetMs !== 0) throw reader.failure('offset may not be set multiple times', position);
      result = { ...result, offsetMs };
    } else {
      return result;
    }
  }
}

function isSelector(expression: { readonly kind: string }): expression is Selector {
  return expression.kind === 'selector';
}

function duration(reader: TokenReader, where: string): number {
  const milliseconds = reader.peek().kind === 'duration' ? parseDuration(reader.peek().text) : undefined;
  if (milliseconds === undefined) throw reader.unexpected(where, 'duration');
  reader.take();
  return milliseconds;
}

import { isObject } from '../json.ts';

type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'all' }
  | { readonly kind: 'filter'; readonly path: readonly Step[]; readonly operator: string; readonly value: unknown };

/** The JSONPath of printer columns and scale subresources: `.status.conditions[?(@.type=="Ready")].status`, `.a["b.c"][0].*`. */
export function compileJsonPath(text: string): (value: unknown) => readonly unknown[] {
  const steps = parse(text.startsWith('{') ? text.slice(1, -1) : text);
  return (value) => walk(value, steps);
}

const part =
  /^(?:\.?\['([^']*)'\]|\.?\["([^"]*)"\]|\.?\[(-?\d+)\]|\.?\[\?\(\s*@((?:[^=!<>()]|\\.)*?)\s*(?:(==|!=|<=|>=|<|>)\s*((?:"[^"]*"|'[^']*'|[^)])*?)\s*)?\)\]|\.?\[\*\]|\.\*|\.?((?:\\.|[^.[\]])+))/;

function parse(text: string): readonly Step[] {
  const steps: Step[] = [];
  let rest = text.replace(/^\$/, '');
  while (rest !== '' && rest !== '.') {
    const match = part.exec(rest);
    if (!match) break;
    rest = rest.slice(match[0].length);
    const [whole, single, double, index, filter, operator, operand, name] = match;
    if (single !== undefined || double !== undefined) steps.push({ kind: 'field', name: single ?? double ?? '' });
    else if (index !== undefined) steps.push({ kind: 'index', index: Number(index) });
    else if (filter !== undefined) {
      steps.push({ kind: 'filter', path: parse(filter), operator: operator ?? '', value: literal(operand ?? '') });
    } else if (whole.endsWith('*') || whole.endsWith('[*]')) steps.push({ kind: 'all' });
    else if (name !== undefined) steps.push({ kind: 'field', name: name.replaceAll(/\\(.)/g, '$1') });
  }
  return steps;
}

function literal(text: string): unknown {
  if (/^(".*"|'.*')$/.test(text)) return text.slice(1, -1);
  if (text === 'true' || text === 'false') return text === 'true';
  return Number.isNaN(Number(text)) ? text : Number(text);
}

function walk(value: unknown, [step, ...rest]: readonly Step[]): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!step) return [value];
  switch (step.kind) {
    case 'field':
      return isObject(value) ? walk(value[step.name], rest) : [];
    case 'index':
      return Array.isArray(value) ? walk(value.at(step.index), rest) : [];
    case 'all':
      return members(value).flatMap((member) => walk(member, rest));
    case 'filter':
      return members(value)
        .filter((member) => holds(walk(member, step.path), step.operator, step.value))
        .flatMap((member) => walk(member, rest));
  }
}

const members = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];

function holds(found: readonly unknown[], operator: string, value: unknown): boolean {
  const has = found[0];
  switch (operator) {
    case '':
      return found.length > 0;
    case '==':
      return has === value;
    case '!=':
      return has !== value;
    default: {
      const [a, b] = [Number(has), Number(value)];
      return operator === '<' ? a < b : operator === '>' ? a > b : operator === '<=' ? a <= b : a >= b;
    }
  }
}

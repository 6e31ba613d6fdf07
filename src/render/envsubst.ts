import { globMatch } from './envsubst-glob.ts';

/*
 * Variables as Flux fills them in after a build (`postBuild`): the expansions of bash that it knows, with its own meanings where they differ.
 * `test/render/envsubst.test.ts` holds a table that Flux's own code has answered.
 */

/** What is written is no expansion that Flux knows: it fails there, too. */
export class BadSubstitution extends Error {}

type Node = string | Func;
interface Func {
  readonly name: string;
  readonly operator: string;
  readonly args: readonly Node[];
}

/** Of a text with its variables filled in, and of one value. */
const mostLength = 16 * 1024 * 1024;
/** Nested defaults, one in another. */
const mostDepth = 50;
/** Steps of all patterns of one value. */
const mostMatchLength = 4_000;

/** A text with its variables filled in; unknown ones are empty. Throws BadSubstitution. Takes time linear in the text. */
export function substituted(text: string, valueOf: (name: string) => string): string {
  let length = 0;
  const bounded = (node: Node): string => {
    const value = evaluated(node, valueOf);
    length += value.length;
    if (length > mostLength) throw new BadSubstitution('what is filled in is too much');
    return value;
  };
  return new Parser(text).whole().map(bounded).join('');
}

function evaluated(node: Node, valueOf: (name: string) => string): string {
  if (typeof node === 'string') return node;
  const args = node.args.map((arg) => evaluated(arg, valueOf));
  return applied(node.operator, valueOf(node.name), args);
}

function applied(operator: string, value: string, args: readonly string[]): string {
  const [first, second = ''] = args;
  if (operator === '#' && first === undefined) return String(Buffer.byteLength(value));
  if (operator === ':') return part(value, args);
  if (operator === ',' || operator === '^') {
    const [letter = '', ...rest] = lettersOf(value);
    return inCase(operator, letter) + rest.join('');
  }
  if (operator === ',,' || operator === '^^')
    return lettersOf(value)
      .map((letter) => inCase(operator, letter))
      .join('');
  if (first === undefined) return value;
  if (value.length * (1 + second.length) > mostLength) throw new BadSubstitution('what is filled in is too much');
  switch (operator) {
    case '/':
      return value.replace(first, () => second);
    case '//':
      return value.replaceAll(first, () => second);
    case '/#':
      return args.length === 2 && value.startsWith(first) ? value.replace(first, () => second) : value;
    case '/%':
      return args.length === 2 && value.endsWith(first) ? value.slice(0, value.length - first.length) + second : value;
    case '#':
      return trimmed(value, first, 'shortest');
    case '##':
      return trimmed(value, first, 'longest');
    case '%':
      return reversed(trimmed(reversed(value), reversed(first), 'shortest'));
    case '%%':
      return reversed(trimmed(reversed(value), reversed(first), 'longest'));
    default:
      return value === '' ? args.join('') : value;
  }
}

/** One letter stays one letter. */
function inCase(operator: string, letter: string): string {
  const other = operator.startsWith('^') ? letter.toUpperCase() : letter.toLowerCase();
  return lettersOf(other).length === 1 ? other : letter;
}

const lettersOf = (value: string): string[] => Array.from(value);
const reversed = (value: string): string => lettersOf(value).reverse().join('');

function trimmed(value: string, pattern: string, which: 'shortest' | 'longest'): string {
  if (value.length > mostMatchLength || pattern.length > mostMatchLength / 10)
    throw new BadSubstitution('a value or pattern is too long to be matched');
  let found = 0;
  for (let length = value.length; length > 0; length -= 1) {
    const isMatch = globMatch(pattern, value.slice(0, length));
    if (isMatch === undefined) return value;
    if (!isMatch) continue;
    found = length;
    if (which === 'longest') break;
  }
  return value.slice(found);
}

/** In bytes, as there. */
function part(value: string, [from = '', count]: readonly string[]): string {
  const whole = /^[+-]?\d+$/;
  if (!whole.test(from)) return value;
  const bytes = Buffer.from(value);
  const start = Number(from) < 0 ? Math.max(0, bytes.length + Number(from)) : Number(from);
  if (count === undefined) return bytes.subarray(start).toString();
  if (!whole.test(count)) return value;
  const length = Number(count);
  const end = length < 0 ? bytes.length + length : start + length;
  return end < start ? '' : bytes.subarray(start, end).toString();
}

type Accept = (char: string, at: number) => boolean;

const isName: Accept = (char) => /[\p{L}\p{Nd}_]/u.test(char);
const notClosing: Accept = (char) => char !== '}';

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): readonly Node[] {
    const nodes: Node[] = [];
    while (this.#at < this.#text.length) {
      if (this.#opens()) {
        this.#at += 2;
        nodes.push(this.#func(0));
      } else nodes.push(this.#run(() => true, { isOpening: true, escapes: '$' }) ?? '');
    }
    return nodes;
  }

  #opens(): boolean {
    return this.#text.startsWith('${', this.#at);
  }

  get #next(): string {
    return this.#text[this.#at] ?? '';
  }

  /** As many as are accepted; undefined: not even the first. `isOpening`: what begins a variable ends it. */
  #run(accept: Accept, { isOpening = false, escapes = '' } = {}): string | undefined {
    let found = '';
    let from = this.#at;
    let count = 0;
    for (;;) {
      const char = this.#next;
      if (char === '' || (isOpening && this.#opens())) break;
      const isEscaped =
        (char === '$' && escapes.includes('$') && this.#text[this.#at + 1] === '$') ||
        (char === '\\' && escapes.includes('\\') && /[/\\]/.test(this.#text[this.#at + 1] ?? ''));
      if (isEscaped) {
        found += this.#text.slice(from, this.#at);
        from = this.#at + 1;
        this.#at += 2;
        count += 1;
      } else if (accept(char, count + 1)) {
        this.#at += 1;
        count += 1;
      } else break;
    }
    return count === 0 ? undefined : found + this.#text.slice(from, this.#at);
  }

  #func(depth: number): Func {
    if (depth > mostDepth) throw new BadSubstitution('variables are nested too deeply');
    if (this.#next === '#') {
      this.#at += 1;
      const name = this.#run(isName) ?? fail('bad substitution');
      return this.#closed({ name, operator: '#', args: [] });
    }
    const name = this.#run(isName) ?? fail('unable to parse variable name');
    const next = this.#next;
    const second = this.#text[this.#at + 1] ?? '';
    if (next === ':' && !/^[=\-?+]$/.test(second)) return this.#substring(name, depth);
    if (next === ':' || next === '=') return this.#defaulted(name, next === '=' ? '=' : `:${second}`, depth);
    if (next === ',' || next === '^') {
      const operator = this.#run((char, at) => (char === ',' || char === '^') && at < 3) ?? '';
      return this.#closed({ name, operator, args: [] });
    }
    if (next === '/') return this.#replaced(name, depth);
    if (next === '#' || next === '%') {
      const operator = this.#run((char, at) => char === next && at < 3) ?? '';
      return this.#closed({ name, operator, args: [this.#param(notClosing, depth)] });
    }
    if (next !== '}') return fail('missing closing brace');
    return this.#closed({ name, operator: '', args: [] });
  }

  #closed(func: Func): Func {
    if (this.#next !== '}') return fail('bad substitution');
    this.#at += 1;
    return func;
  }

  #param(accept: Accept, depth: number, escapes = ''): Node {
    if (this.#opens()) {
      this.#at += 2;
      return this.#func(depth + 1);
    }
    return this.#run(accept, { isOpening: true, escapes }) ?? fail('unable to parse substitution within function');
  }

  #substring(name: string, depth: number): Func {
    this.#at += 1;
    const from = this.#param((char) => char !== ':' && char !== '}', depth);
    if (this.#next === '}') return this.#closed({ name, operator: ':', args: [from] });
    if (this.#run((char) => char === ':') === undefined) return fail('bad substitution');
    return this.#closed({ name, operator: ':', args: [from, this.#param(notClosing, depth)] });
  }

  #defaulted(name: string, operator: string, depth: number): Func {
    this.#at += operator.length;
    const args: Node[] = [];
    while (this.#next !== '}') args.push(this.#param(notClosing, depth));
    return this.#closed({ name, operator, args });
  }

  #replaced(name: string, depth: number): Func {
    const operator = this.#run((char, at) => (at === 1 ? char === '/' : at === 2 && /[/#%]/.test(char))) ?? '/';
    const pattern = this.#param((char) => char !== '/', depth, '$\\');
    if (this.#run((char) => char === '/') === undefined) return fail('bad substitution');
    if (this.#next === '}') return this.#closed({ name, operator, args: [pattern] });
    return this.#closed({ name, operator, args: [pattern, this.#param(notClosing, depth, '$\\')] });
  }
}

function fail(reason: string): never {
  throw new BadSubstitution(reason);
}

import {
  asciiSize,
  BadRegex,
  digits,
  foldCase,
  inverse,
  namedSets,
  type Node,
  type Place,
  setOf,
  space,
  word,
} from './syntax.ts';

export interface ParsedRegex {
  readonly root: Node;
  /** Group 0, the whole match, is not counted. */
  readonly groups: number;
  /** Groups by name, in order; Go lets several have one. */
  readonly names: ReadonlyMap<string, readonly number[]>;
}

const maxLength = 1_000;
const maxDepth = 100;
/** As in Go. */
const maxRepeat = 1_000;

interface Flags {
  readonly i: boolean;
  readonly m: boolean;
  readonly s: boolean;
  readonly U: boolean;
}

/** Reads an expression in Go's syntax; throws BadRegex. Classes of Unicode (`\pL`) are refused: a tag has only signs of ASCII. */
export function parseRegex(text: string): ParsedRegex {
  if (text.length > maxLength) throw new BadRegex(`it is longer than ${maxLength} letters`);
  return new Parser(text).whole();
}

class Parser {
  private at = 0;
  private groups = 0;
  private depth = 0;
  private flags: Flags = { i: false, m: false, s: false, U: false };
  private readonly names = new Map<string, number[]>();
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  whole(): ParsedRegex {
    const root = this.either();
    if (this.at < this.text.length) throw new BadRegex('a ")" has no "("');
    return { root, groups: this.groups, names: this.names };
  }

  private either(): Node {
    if (++this.depth > maxDepth) throw new BadRegex(`it is deeper than ${maxDepth} levels`);
    const of = [this.sequence()];
    while (this.take('|')) of.push(this.sequence());
    this.depth -= 1;
    return of.length === 1 ? (of[0] as Node) : { kind: 'either', of };
  }

  private sequence(): Node {
    const of: Node[] = [];
    while (this.at < this.text.length && !this.isNext('|') && !this.isNext(')')) {
      if (this.take('\\Q')) {
        this.quoted(of);
        continue;
      }
      const atom = this.atom();
      if (atom) of.push(this.repeated(atom));
    }
    return { kind: 'sequence', of };
  }

  private quoted(of: Node[]): void {
    const end = this.text.indexOf('\\E', this.at);
    const literal = this.text.slice(this.at, end < 0 ? undefined : end);
    const parts = Array.from(literal, (letter) => this.literal(letter.codePointAt(0) ?? 0));
    this.at += literal.length + (end < 0 ? 0 : 2);
    const last = parts.pop();
    of.push(...parts);
    if (last) of.push(this.repeated(last));
  }

  private repeated(atom: Node): Node {
    let node = atom;
    for (let times = 0; ; times += 1) {
      const bounds = this.bounds();
      if (!bounds) return node;
      if (times > 0) throw new BadRegex('what is repeated is repeated again, as in "a**"');
      const isLazy = this.take('?') !== this.flags.U;
      node = { kind: 'repeat', of: node, ...bounds, isLazy };
    }
  }

  private bounds(): { readonly min: number; readonly max: number } | undefined {
    if (this.take('*')) return { min: 0, max: Number.POSITIVE_INFINITY };
    if (this.take('+')) return { min: 1, max: Number.POSITIVE_INFINITY };
    if (this.take('?')) return { min: 0, max: 1 };
    const match = /^\{(\d{1,9})(?:(,)(\d{1,9})?)?\}/.exec(this.text.slice(this.at, this.at + 24));
    if (!match) return undefined;
    const [found, from = '', comma, to] = match;
    const min = Number(from);
    const max = comma === undefined ? min : to === undefined ? Number.POSITIVE_INFINITY : Number(to);
    if (min > maxRepeat || (max !== Number.POSITIVE_INFINITY && max > maxRepeat) || min > max)
      throw new BadRegex(`"${found}" is no number of times (0 to ${maxRepeat})`);
    this.at += found.length;
    return { min, max };
  }

  /** Undefined: flags for what follows, which match nothing themselves. */
  private atom(): Node | undefined {
    const letter = this.next();
    switch (letter) {
      case '(':
        return this.group();
      case '[':
        return { kind: 'set', set: this.set() };
      case '.':
        return { kind: 'set', set: setOf((code) => this.flags.s || code !== 10) };
      case '^':
        return place(this.flags.m ? 'line-start' : 'start');
      case '$':
        return place(this.flags.m ? 'line-end' : 'end');
      case '*':
      case '+':
      case '?':
        throw new BadRegex(`"${letter}" has nothing before it`);
      case '\\':
        return this.escape();
      default:
        return this.literal(letter.codePointAt(0) ?? 0);
    }
  }

  private group(): Node | undefined {
    const { flags } = this;
    if (this.take('?')) {
      const name = /^P?<([^>]*)>/.exec(this.text.slice(this.at, this.at + 200));
      if (!name) return this.flagged(flags);
      const [found, label = ''] = name;
      if (!/^\w+$/.test(label)) throw new BadRegex('the name of a group has other signs than letters, digits and "_"');
      this.at += found.length;
      this.names.set(label, [...(this.names.get(label) ?? []), this.groups + 1]);
    }
    const index = ++this.groups;
    const of = this.either();
    return this.closed(flags, { kind: 'group', of, index });
  }

  private flagged(before: Flags): Node | undefined {
    const match = /^([imsU]*)(?:-([imsU]+))?([:)])/.exec(this.text.slice(this.at, this.at + 20));
    if (!match || match[0] === ')') throw new BadRegex('what follows "(?" is not known here (Go has no look-around)');
    const [found, on = '', off = '', end] = match;
    this.at += found.length;
    const flags = { ...before };
    for (const flag of on) flags[flag as keyof Flags] = true;
    for (const flag of off) flags[flag as keyof Flags] = false;
    this.flags = flags;
    if (end === ')') return undefined;
    return this.closed(before, this.either());
  }

  private closed(flags: Flags, node: Node): Node {
    if (!this.take(')')) throw new BadRegex('a "(" has no ")"');
    this.flags = flags;
    return node;
  }

  private escape(): Node {
    const letter = this.next();
    switch (letter) {
      case 'A':
        return place('start');
      case 'z':
        return place('end');
      case 'b':
        return place('word-edge');
      case 'B':
        return place('no-word-edge');
      default: {
        const set = perlSet(letter);
        return set ? { kind: 'set', set } : this.literal(this.escapedCode(letter));
      }
    }
  }

  private escapedCode(letter: string): number {
    const known = escapedSigns.get(letter);
    if (known !== undefined) return known;
    const rest = this.text.slice(this.at, this.at + 12);
    const match =
      letter === 'x'
        ? /^(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,8})\})/.exec(rest)
        : /^[0-7]$/.test(letter) && (letter === '0' || /^[0-7]/.test(rest))
          ? /^[0-7]{0,2}/.exec(rest)
          : undefined;
    if (match) {
      this.at += match[0].length;
      const code =
        letter === 'x' ? Number.parseInt(match[1] ?? match[2] ?? '', 16) : Number.parseInt(letter + match[0], 8);
      if (code <= 0x10ffff) return code;
    }
    if (letter === 'p' || letter === 'P')
      throw new BadRegex('classes of Unicode are not known here; a tag has only letters, digits, "_", "." and "-"');
    const code = letter.codePointAt(0) ?? 0;
    if (code < asciiSize && !/[0-9A-Za-z]/.test(letter)) return code;
    throw new BadRegex(`"\\${letter}" is not known`);
  }

  /** What stands between `[` and `]`. */
  private set(): Uint8Array {
    const isInverse = this.take('^');
    const found = new Uint8Array(asciiSize);
    for (let isFirst = true; isFirst || !this.isNext(']'); isFirst = false) {
      const whole = this.namedSet() ?? this.perlSetInside();
      if (whole) {
        for (let code = 0; code < asciiSize; code += 1) if (whole[code] === 1) found[code] = 1;
        continue;
      }
      const from = this.memberCode();
      const isRange = this.isNext('-') && this.at + 1 < this.text.length && this.text[this.at + 1] !== ']';
      if (isRange) this.at += 1;
      const to = isRange ? this.memberCode() : from;
      if (to < from) throw new BadRegex('a range in "[…]" ends before it begins');
      for (let code = from; code <= Math.min(to, asciiSize - 1); code += 1) found[code] = 1;
    }
    this.at += 1;
    const folded = this.flags.i ? foldCase(found) : found;
    return isInverse ? inverse(folded) : folded;
  }

  private namedSet(): Uint8Array | undefined {
    if (!this.isNext('[:')) return undefined;
    const end = this.text.indexOf(':]', this.at + 2);
    if (end < 0) return undefined;
    const name = this.text.slice(this.at + 2, end);
    const set = namedSets.get(name.replace(/^\^/, ''));
    if (!set) throw new BadRegex(`"[:${name.slice(0, 20)}:]" is not known`);
    this.at = end + 2;
    return name.startsWith('^') ? inverse(set) : set;
  }

  private perlSetInside(): Uint8Array | undefined {
    const set = this.isNext('\\') ? perlSet(this.text[this.at + 1] ?? '') : undefined;
    if (set) this.at += 2;
    return set;
  }

  private memberCode(): number {
    if (this.at >= this.text.length) throw new BadRegex('a "[" has no "]"');
    const letter = this.next();
    return letter === '\\' ? this.escapedCode(this.next()) : (letter.codePointAt(0) ?? 0);
  }

  private literal(code: number): Node {
    const set = setOf((other) => other === code);
    return { kind: 'set', set: this.flags.i ? foldCase(set) : set };
  }

  private next(): string {
    const code = this.text.codePointAt(this.at);
    if (code === undefined) throw new BadRegex('it ends too early');
    const letter = String.fromCodePoint(code);
    this.at += letter.length;
    return letter;
  }

  private isNext(text: string): boolean {
    return this.text.startsWith(text, this.at);
  }

  private take(text: string): boolean {
    if (!this.isNext(text)) return false;
    this.at += text.length;
    return true;
  }
}

const place = (where: Place): Node => ({ kind: 'place', place: where });

const escapedSigns: ReadonlyMap<string, number> = new Map([
  ['a', 7],
  ['f', 12],
  ['t', 9],
  ['n', 10],
  ['r', 13],
  ['v', 11],
]);

function perlSet(letter: string): Uint8Array | undefined {
  const set = new Map([
    ['d', digits],
    ['s', space],
    ['w', word],
  ]).get(letter.toLowerCase());
  return set && letter !== letter.toLowerCase() ? inverse(set) : set;
}

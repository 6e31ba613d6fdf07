import { lexTemplate, TemplateError, type Token } from './template-lex.ts';

/** One operand, already with its `.field` chain. */
export type Operand =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'call'; readonly name: string }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline }
  | { readonly kind: 'chain'; readonly of: Operand; readonly fields: readonly string[] };

export interface Pipeline {
  readonly line: number;
  readonly declares: readonly string[];
  readonly assigns: boolean;
  /** Each command: a function and its arguments, or one operand alone. */
  readonly commands: readonly (readonly Operand[])[];
}

export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipeline: Pipeline }
  | { readonly kind: 'break' | 'continue' }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipeline: Pipeline;
      readonly body: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    };

const KEYWORDS = ['if', 'with', 'range', 'else', 'end', 'break', 'continue', 'define', 'template', 'block'];

/** Blocks and parentheses within each other. */
const MAX_DEPTH = 100;

/** Parses Go's text/template without nested templates. `functions` are the names that may be called. */
export function parseTemplate(source: string, functions: ReadonlySet<string>): readonly TemplateNode[] {
  const parser = new Parser(lexTemplate(source), functions);
  const { nodes, ended } = parser.list(false);
  if (ended) throw new TemplateError(ended.line, `unexpected {{${ended.by}}}`);
  return nodes;
}

interface Ending {
  readonly by: 'end' | 'else';
  readonly line: number;
  /** `{{else if ...}}`: the pipeline's keyword is still to be read. */
  readonly chained?: 'if' | 'with';
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #functions: ReadonlySet<string>;
  readonly #variables: string[] = [];
  /** How often each of them is declared. */
  readonly #declared = new Map([['', 1]]);
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], functions: ReadonlySet<string>) {
    this.#tokens = tokens;
    this.#functions = functions;
  }

  list(inRange: boolean): { nodes: TemplateNode[]; ended: Ending | undefined } {
    const nodes: TemplateNode[] = [];
    for (let token = this.#tokens[this.#at]; token !== undefined; token = this.#tokens[this.#at]) {
      this.#at += 1;
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text });
        continue;
      }
      const keyword = this.#keyword();
      if (keyword === 'end' || keyword === 'else') {
        const next = keyword === 'else' ? this.#keyword() : undefined;
        if (next === 'if' || next === 'with') {
          return { nodes, ended: { by: keyword, line: token.line, chained: next } };
        }
        this.#close(token.line);
        return { nodes, ended: { by: keyword, line: token.line } };
      }
      nodes.push(this.#action(keyword, token.line, inRange));
    }
    return { nodes, ended: undefined };
  }

  #action(keyword: string | undefined, line: number, inRange: boolean): TemplateNode {
    switch (keyword) {
      case undefined: {
        const pipeline = this.#pipeline(line, 1);
        this.#close(line);
        return { kind: 'action', pipeline };
      }
      case 'if':
      case 'with':
      case 'range':
        return this.#block(keyword, line, inRange || keyword === 'range');
      case 'break':
      case 'continue':
        if (!inRange) throw new TemplateError(line, `{{${keyword}}} outside {{range}}`);
        this.#close(line);
        return { kind: keyword };
      default:
        throw new TemplateError(line, `{{${keyword}}} is not supported`);
    }
  }

  #block(kind: 'if' | 'with' | 'range', line: number, inRange: boolean): TemplateNode {
    const scope = this.#variables.length;
    this.#descend(line);
    const pipeline = this.#pipeline(line, kind === 'range' ? 2 : 1);
    this.#close(line);
    const { nodes: body, ended } = this.list(inRange);
    if (!ended) throw new TemplateError(line, `{{${kind}}} without {{end}}`);
    let otherwise: readonly TemplateNode[] = [];
    if (ended.chained !== undefined) otherwise = [this.#block(ended.chained, ended.line, inRange)];
    else if (ended.by === 'else') {
      const rest = this.list(inRange);
      if (rest.ended?.by !== 'end') throw new TemplateError(line, `{{${kind}}} without {{end}}`);
      otherwise = rest.nodes;
    }
    for (const name of this.#variables.splice(scope)) this.#declared.set(name, (this.#declared.get(name) ?? 0) - 1);
    this.#depth -= 1;
    return { kind, pipeline, body, otherwise };
  }

  #pipeline(line: number, maxDeclared: number): Pipeline {
    const { declares, assigns } = this.#declarations(line, maxDeclared);
    const commands: Operand[][] = [];
    do {
      const command = this.#command(line);
      if (command.length === 0) throw new TemplateError(line, 'missing value');
      if (commands.length > 0 && command[0]?.kind !== 'call')
        throw new TemplateError(line, 'only a function can stand after "|"');
      commands.push(command);
    } while (this.#accept('pipe'));
    if (!assigns)
      for (const name of declares) {
        this.#variables.push(name);
        this.#declared.set(name, (this.#declared.get(name) ?? 0) + 1);
      }
    return { line, declares, assigns, commands };
  }

  #declarations(line: number, max: number): { declares: string[]; assigns: boolean } {
    const start = this.#at;
    const declares: string[] = [];
    for (let token = this.#peek(); token?.kind === 'variable'; token = this.#peek()) {
      this.#at += 1;
      declares.push(token.name);
      if (this.#accept('declare')) {
        if (declares.length > max) throw new TemplateError(line, 'too many variables are declared');
        return { declares, assigns: false };
      }
      if (this.#accept('assign')) {
        for (const name of declares) this.#checkVariable(name, line);
        return { declares, assigns: true };
      }
      if (!this.#accept('comma')) break;
    }
    this.#at = start;
    return { declares: [], assigns: false };
  }

  #command(line: number): Operand[] {
    const operands: Operand[] = [];
    for (let operand = this.#operand(line); operand !== undefined; operand = this.#operand(line))
      operands.push(operand);
    if (operands.length > 1 && operands[0]?.kind !== 'call')
      throw new TemplateError(line, 'arguments are given to something that is no function');
    return operands;
  }

  #operand(line: number): Operand | undefined {
    const term = this.#term(line);
    if (term === undefined) return undefined;
    const fields: string[] = [];
    // A field that follows a space is an argument of its own.
    for (let next = this.#tokens[this.#at]; next?.kind === 'field'; next = this.#tokens[this.#at]) {
      fields.push(next.name);
      this.#at += 1;
    }
    if (fields.length > 0 && term.kind === 'literal') throw new TemplateError(line, 'a literal has no fields');
    return fields.length === 0 ? term : { kind: 'chain', of: term, fields };
  }

  #term(line: number): Operand | undefined {
    const token = this.#peek();
    switch (token?.kind) {
      case 'string':
      case 'number':
        this.#at += 1;
        return { kind: 'literal', value: token.value };
      case 'dot':
        this.#at += 1;
        return { kind: 'dot' };
      case 'field':
        return { kind: 'dot' };
      case 'variable':
        this.#at += 1;
        this.#checkVariable(token.name, line);
        return { kind: 'variable', name: token.name };
      case 'identifier':
        this.#at += 1;
        return this.#identifier(token.name, line);
      case 'lparen': {
        this.#at += 1;
        this.#descend(line);
        const pipeline = this.#pipeline(line, 0);
        if (!this.#accept('rparen')) throw new TemplateError(line, '")" is missing');
        this.#depth -= 1;
        return { kind: 'pipeline', pipeline };
      }
      default:
        return undefined;
    }
  }

  #identifier(name: string, line: number): Operand {
    if (name === 'true' || name === 'false') return { kind: 'literal', value: name === 'true' };
    if (name === 'nil') return { kind: 'literal', value: null };
    if (!this.#functions.has(name)) throw new TemplateError(line, `function "${name}" not defined`);
    return { kind: 'call', name };
  }

  #checkVariable(name: string, line: number): void {
    if ((this.#declared.get(name) ?? 0) === 0) throw new TemplateError(line, `undefined variable "$${name}"`);
  }

  #descend(line: number): void {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH)
      throw new TemplateError(line, `more than ${MAX_DEPTH} blocks and parentheses within each other`);
  }

  #keyword(): string | undefined {
    const token = this.#peek();
    if (token?.kind !== 'identifier' || !KEYWORDS.includes(token.name)) return undefined;
    this.#at += 1;
    return token.name;
  }

  #close(line: number): void {
    const token = this.#peek();
    if (token?.kind !== 'close') {
      const found = token && 'name' in token ? `"${token.name}"` : (token?.kind ?? 'the end');
      throw new TemplateError(line, `unexpected ${found}`);
    }
    this.#at += 1;
  }

  #accept(kind: Token['kind']): boolean {
    if (this.#peek()?.kind !== kind) return false;
    this.#at += 1;
    return true;
  }

  #peek(): Token | undefined {
    while (this.#tokens[this.#at]?.kind === 'space') this.#at += 1;
    return this.#tokens[this.#at];
  }
}

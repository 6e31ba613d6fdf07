import { AgentError, messageOf } from './errors.ts';
import { isMap, isTrue, predefined, SHORT_CIRCUIT, show, type TemplateValue, weightOf } from './template-functions.ts';
import { TemplateError } from './template-lex.ts';
import { type Operand, parseTemplate, type Pipeline, type TemplateNode } from './template-parse.ts';

export type { TemplateValue } from './template-functions.ts';

/**
 * Renders Go's text/template as Flagger uses it: `values` are functions without arguments (`{{ name }}`, `{{ variables.x }}`),
 * there is no data behind the dot, and a missing map key is an error. Nested templates are refused. Source, depth, work and result are bounded.
 * Throws AgentError CANARY_INVALID, whose message names the line.
 */
export function renderTemplate(source: string, values: Readonly<Record<string, TemplateValue>>): string {
  return explained(source, () => {
    const nodes = parseTemplate(source, namesOf(Object.keys(values)));
    const run = new Run(values);
    run.list(nodes, null);
    return run.output.join('');
  });
}

/** Throws as `renderTemplate` does where `source` cannot be parsed; `names` are the values it may use. */
export function checkTemplate(source: string, names: readonly string[]): void {
  explained(source, () => parseTemplate(source, namesOf(names)));
}

function namesOf(values: readonly string[]): ReadonlySet<string> {
  return new Set([...Object.keys(predefined), ...SHORT_CIRCUIT, ...values]);
}

function explained<T>(source: string, run: () => T): T {
  try {
    if (source.length > MAX_SOURCE) throw new TemplateError(1, `it is longer than ${MAX_SOURCE / 1024} KiB`);
    return run();
  } catch (error) {
    if (error instanceof TemplateError) throw new AgentError('CANARY_INVALID', error.message);
    throw error;
  }
}

/** What somebody else writes must take neither the agent's memory nor its time. */
const MAX_SOURCE = 64 * 1024;
const MAX_OUTPUT = 1_000_000;
const MAX_ROUNDS = 10_000;
/** Steps, and characters that functions are given or make: some ten milliseconds. An ordinary query takes a few hundred. */
const MAX_WORK = 1_000_000;

class Run {
  readonly output: string[] = [];
  readonly #values: Readonly<Record<string, TemplateValue>>;
  #written = 0;
  #rounds = 0;
  #work = 0;
  #scopes: Map<string, TemplateValue>[] = [new Map([['', null]])];

  constructor(values: Readonly<Record<string, TemplateValue>>) {
    this.#values = values;
  }

  list(nodes: readonly TemplateNode[], dot: TemplateValue): 'break' | 'continue' | undefined {
    for (const node of nodes) {
      this.#spend(1, 'pipeline' in node ? node.pipeline.line : 1);
      const jump = this.#node(node, dot);
      if (jump !== undefined) return jump;
    }
    return undefined;
  }

  #node(node: TemplateNode, dot: TemplateValue): 'break' | 'continue' | undefined {
    switch (node.kind) {
      case 'text':
        this.#write(node.text, 0);
        return undefined;
      case 'action': {
        const value = this.#pipeline(node.pipeline, dot);
        if (node.pipeline.declares.length === 0) this.#write(show(value), node.pipeline.line);
        return undefined;
      }
      case 'break':
      case 'continue':
        return node.kind;
      case 'range':
        return this.#scoped(() => this.#range(node, dot));
      case 'if':
      case 'with':
        return this.#scoped(() => {
          const value = this.#pipeline(node.pipeline, dot);
          if (!isTrue(value)) return this.list(node.otherwise, dot);
          return this.list(node.body, node.kind === 'with' ? value : dot);
        });
    }
  }

  #range(
    node: Extract<TemplateNode, { kind: 'range' | 'if' | 'with' }>,
    dot: TemplateValue,
  ): 'break' | 'continue' | undefined {
    const { declares, line } = node.pipeline;
    const value = this.#pipeline({ ...node.pipeline, declares: [] }, dot);
    this.#spend(typeof value === 'number' ? Math.min(value, MAX_ROUNDS) : weightOf(value), line);
    const entries = entriesOf(value, line);
    if (entries.length === 0) return this.list(node.otherwise, dot);
    for (const [key, value] of entries) {
      this.#rounds += 1;
      if (this.#rounds > MAX_ROUNDS) throw new TemplateError(line, 'too many rounds of {{range}}');
      const jump = this.#scoped(() => {
        const [first, second] = declares;
        if (first !== undefined) this.#set(first, second === undefined ? value : key, node.pipeline.assigns);
        if (second !== undefined) this.#set(second, value, node.pipeline.assigns);
        return this.list(node.body, value);
      });
      if (jump === 'break') break;
    }
    return undefined;
  }

  #scoped<T>(run: () => T): T {
    this.#scopes.push(new Map());
    try {
      return run();
    } finally {
      this.#scopes.pop();
    }
  }

  #pipeline(pipeline: Pipeline, dot: TemplateValue): TemplateValue {
    let value: TemplateValue = null;
    pipeline.commands.forEach((command, at) => {
      value = this.#command(command, dot, at === 0 ? [] : [value], pipeline.line);
    });
    for (const name of pipeline.declares) this.#set(name, value, pipeline.assigns);
    return value;
  }

  #command(
    command: readonly Operand[],
    dot: TemplateValue,
    piped: readonly TemplateValue[],
    line: number,
  ): TemplateValue {
    const [first, ...rest] = command;
    if (first === undefined) return null;
    if (first.kind !== 'call') return this.#operand(first, dot, line);
    const args = rest.map((operand) => () => this.#operand(operand, dot, line));
    return this.#call(first.name, [...args, ...piped.map((value) => () => value)], line);
  }

  #call(name: string, args: readonly (() => TemplateValue)[], line: number): TemplateValue {
    if (SHORT_CIRCUIT.has(name)) {
      let last: TemplateValue = null;
      for (const arg of args) {
        last = arg();
        if (isTrue(last) === (name === 'or')) break;
      }
      return last;
    }
    const value = Object.hasOwn(this.#values, name) ? this.#values[name] : undefined;
    if (value !== undefined) {
      if (args.length > 0) throw new TemplateError(line, `wrong number of args for ${name}: want 0 got ${args.length}`);
      return value;
    }
    const given = args.map((arg) => arg());
    for (const one of given) this.#spend(weightOf(one), line);
    try {
      const result = predefined[name]?.(...given) ?? null;
      this.#spend(weightOf(result), line);
      return result;
    } catch (error) {
      if (error instanceof TemplateError) throw error;
      throw new TemplateError(line, messageOf(error));
    }
  }

  #operand(operand: Operand, dot: TemplateValue, line: number): TemplateValue {
    this.#spend(1, line);
    switch (operand.kind) {
      case 'literal':
        return operand.value;
      case 'dot':
        return dot;
      case 'variable':
        return this.#scopes.findLast((scope) => scope.has(operand.name))?.get(operand.name) ?? null;
      case 'call':
        return this.#call(operand.name, [], line);
      case 'pipeline':
        return this.#pipeline(operand.pipeline, dot);
      case 'chain':
        return operand.fields.reduce(
          (value, field) => fieldOf(value, field, line),
          this.#operand(operand.of, dot, line),
        );
    }
  }

  #set(name: string, value: TemplateValue, assign: boolean): void {
    const scope = assign ? this.#scopes.findLast((each) => each.has(name)) : this.#scopes.at(-1);
    scope?.set(name, value);
  }

  #spend(work: number, line: number): void {
    this.#work += work;
    if (this.#work > MAX_WORK) throw new TemplateError(line, 'it takes too much work to render');
  }

  #write(text: string, line: number): void {
    this.#written += text.length;
    if (this.#written > MAX_OUTPUT) throw new TemplateError(line, 'the result is too long');
    this.output.push(text);
  }
}

function fieldOf(value: TemplateValue, field: string, line: number): TemplateValue {
  if (!isMap(value)) throw new TemplateError(line, `can't evaluate field ${field} of ${show(value)}`);
  const found = Object.hasOwn(value, field) ? value[field] : undefined;
  if (found === undefined) throw new TemplateError(line, `map has no entry for key "${field}"`);
  return found;
}

function entriesOf(value: TemplateValue, line: number): readonly (readonly [TemplateValue, TemplateValue])[] {
  if (value === null) return [];
  if (typeof value === 'number' && Number.isInteger(value) && value <= MAX_ROUNDS) {
    return Array.from({ length: Math.max(0, value) }, (_, at) => [at, at] as const);
  }
  if (Array.isArray(value)) return (value as readonly TemplateValue[]).map((item, at) => [at, item] as const);
  if (isMap(value)) {
    return Object.keys(value)
      .sort()
      .map((key) => [key, value[key] ?? null] as const);
  }
  throw new TemplateError(line, `range can't iterate over ${show(value)}`);
}

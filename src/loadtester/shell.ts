/** What the load tester understands of a shell's language: words, quotes, `|` and `&&`. Nothing is ever given to a real shell. */
export type Pipeline = readonly (readonly string[])[];

export type Script =
  /** Pipelines that run one after the other while they succeed. */
  { readonly pipelines: readonly Pipeline[] } | { readonly refused: string };

type Token = { readonly word: string } | { readonly operator: string };

export function parseScript(text: string): Script {
  const tokens = tokenize(text);
  if (typeof tokens === 'string') return { refused: tokens };
  const pipelines: string[][][] = [[[]]];
  for (const token of tokens) {
    const pipeline = pipelines.at(-1) ?? [];
    if ('word' in token) pipeline.at(-1)?.push(token.word);
    else if (token.operator === '|') pipeline.push([]);
    else if (token.operator === '&&') pipelines.push([[]]);
    else return { refused: `"${token.operator}" is not understood` };
  }
  const empty = pipelines.some((pipeline) => pipeline.some((words) => words.length === 0));
  return empty ? { refused: 'a command is missing' } : { pipelines };
}

/** Returns the reason when there is something that only a shell could do. */
function tokenize(text: string): readonly Token[] | string {
  const tokens: Token[] = [];
  let word: string | undefined;
  const finish = (): void => {
    if (word !== undefined) tokens.push({ word });
    word = undefined;
  };
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === "'" || char === '"') {
      const quoted = readQuoted(text, at);
      if (quoted === undefined) return `there is no closing ${char}`;
      if (char === '"' && /(?<!\\)[$`]/.test(quoted.raw)) return 'substitution is not understood';
      word = (word ?? '') + quoted.value;
      at = quoted.end;
    } else if (char === '\\') {
      at += 1;
      if (text.charAt(at) !== '\n') word = (word ?? '') + text.charAt(at);
    } else if (/\s/.test(char)) finish();
    else if (char === '$' || char === '`') return 'substitution is not understood';
    else if ('|&;<>()'.includes(char)) {
      finish();
      const double = text.charAt(at + 1) === char && '|&'.includes(char);
      tokens.push({ operator: double ? char + char : char });
      if (double) at += 1;
    } else word = (word ?? '') + char;
  }
  finish();
  return tokens;
}

function readQuoted(text: string, start: number): { value: string; raw: string; end: number } | undefined {
  const quote = text.charAt(start);
  let value = '';
  for (let at = start + 1; at < text.length; at += 1) {
    const char = text.charAt(at);
    if (char === quote) return { value, raw: text.slice(start + 1, at), end: at };
    const escapes = quote === '"' && char === '\\' && '"\\$`'.includes(text.charAt(at + 1));
    if (escapes) at += 1;
    value += escapes ? text.charAt(at) : char;
  }
  return undefined;
}

export interface Options {
  /** Values by the option's name without dashes, in order; flags without a value hold the empty string. */
  readonly named: ReadonlyMap<string, readonly string[]>;
  readonly rest: readonly string[];
}

/**
 * Splits options from the rest. `valued` take a value, `plain` take none; anything else is returned as the reason for refusing.
 * With `bundles`, short options may stand together, as in `-sd body`.
 */
export function parseOptions(
  words: readonly string[],
  { valued, plain, bundles }: { valued: readonly string[]; plain: readonly string[]; bundles: boolean },
): Options | string {
  const named = new Map<string, string[]>();
  const rest: string[] = [];
  const queue = [...words];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (!word.startsWith('-') || word === '-') {
      rest.push(word);
      continue;
    }
    const long = /^--?([^=]+)(?:=(.*))?$/s.exec(word);
    const name = long?.[1] ?? '';
    if (bundles && !word.startsWith('--') && name.length > 1) {
      const first = name.charAt(0);
      const after = word.slice(2);
      if (plain.includes(first)) queue.unshift(`-${after}`);
      else if (valued.includes(first)) queue.unshift(after);
      queue.unshift(`-${first}`);
      continue;
    }
    if (plain.includes(name)) named.set(name, [...(named.get(name) ?? []), '']);
    else if (valued.includes(name)) {
      const value = long?.[2] ?? queue.shift();
      if (value === undefined) return `option ${word} needs a value`;
      named.set(name, [...(named.get(name) ?? []), value]);
    } else return `option ${word} is not understood`;
  }
  return { named, rest };
}

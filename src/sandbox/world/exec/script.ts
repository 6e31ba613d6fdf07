/** Pipelines, each with what has to be so of the one before: `;` nothing, `&&` it went well, `||` it did not. */
export interface Step {
  readonly after: ';' | '&&' | '||';
  readonly pipeline: readonly (readonly string[])[];
}

/** A line of a shell: words, quotes, `$NAME`, `|`, `&&`, `||`, `;`. Returns what is wrong with it where it asks for more. */
export function splitScript(text: string, env: Readonly<Record<string, string>>): readonly Step[] | string {
  const steps: { after: Step['after']; pipeline: string[][] }[] = [{ after: ';', pipeline: [[]] }];
  let word: string | undefined;
  const finish = (): void => {
    if (word !== undefined) steps.at(-1)?.pipeline.at(-1)?.push(word);
    word = undefined;
  };
  const begin = (after: Step['after']): void => {
    finish();
    steps.push({ after, pipeline: [[]] });
  };
  for (let at = 0; at < text.length; at += 1) {
    const rest = text.slice(at, at + 200);
    const char = text.charAt(at);
    const variable = /^\$(?:\{(\w+)\}|(\w+))/.exec(rest);
    if (char === "'") {
      const end = text.indexOf("'", at + 1);
      if (end < 0) return "there is no closing '";
      word = (word ?? '') + text.slice(at + 1, end);
      at = end;
    } else if (char === '"') {
      const quoted = readDouble(text, at + 1, env);
      if (typeof quoted === 'string') return quoted;
      word = (word ?? '') + quoted.value;
      at = quoted.end;
    } else if (char === '\\') {
      at += 1;
      word = (word ?? '') + text.charAt(at);
    } else if (variable) {
      const value = valueOf(env, variable);
      if (value !== '') word = (word ?? '') + value;
      at += variable[0].length - 1;
    } else if (char === '\n' || char === ';') begin(';');
    else if (/\s/.test(char)) finish();
    else if (rest.startsWith('&&') || rest.startsWith('||')) {
      begin(rest.startsWith('&&') ? '&&' : '||');
      at += 1;
    } else if (char === '|') {
      finish();
      steps.at(-1)?.pipeline.push([]);
    } else if ('$`&<>()'.includes(char)) return `"${char}" is not understood in the embedded cluster`;
    else if (char === '#' && word === undefined) {
      const end = text.indexOf('\n', at);
      at = end < 0 ? text.length : end - 1;
    } else word = (word ?? '') + char;
  }
  finish();
  const meant = steps.filter(({ pipeline }) => pipeline.length > 1 || (pipeline[0]?.length ?? 0) > 0);
  return meant.some(({ pipeline }) => pipeline.some((words) => words.length === 0)) ? 'a command is missing' : meant;
}

function readDouble(
  text: string,
  start: number,
  env: Readonly<Record<string, string>>,
): { value: string; end: number } | string {
  let value = '';
  for (let at = start; at < text.length; at += 1) {
    const char = text.charAt(at);
    const variable = char === '$' ? /^\$(?:\{(\w+)\}|(\w+))/.exec(text.slice(at, at + 200)) : null;
    if (char === '"') return { value, end: at };
    if (char === '\\' && '"\\$`'.includes(text.charAt(at + 1))) {
      at += 1;
      value += text.charAt(at);
    } else if (variable) {
      value += valueOf(env, variable);
      at += variable[0].length - 1;
    } else if (char === '`' || text.startsWith('$(', at))
      return 'substitution is not understood in the embedded cluster';
    else value += char;
  }
  return 'there is no closing "';
}

function valueOf(env: Readonly<Record<string, string>>, [, braced, bare]: RegExpExecArray): string {
  const name = braced ?? bare ?? '';
  return Object.hasOwn(env, name) ? (env[name] ?? '') : '';
}

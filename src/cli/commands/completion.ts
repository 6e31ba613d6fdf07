import type { Command } from 'commander';
import { AgentError } from '../../lib/errors.ts';
import { type CommandContext, exitCodes } from '../context.ts';

export type CompletionShell = 'bash' | 'zsh' | 'fish';

interface Node {
  readonly name: string;
  readonly about: string;
  readonly options: readonly string[];
  readonly commands: readonly Node[];
}

/** `serin completion SHELL`: a script of words that stand in the table of commands; it runs nothing when a word is completed. */
export function completion({ stdout }: CommandContext, program: Command, shell: CompletionShell): Promise<number> {
  const root = nodeOf(program);
  const scripts = { bash: bashOf, zsh: zshOf, fish: fishOf };
  if (!Object.hasOwn(scripts, shell))
    throw new AgentError(
      'CONFIG_INVALID',
      `"${String(shell).slice(0, 40)}" is no shell that is known: bash, zsh or fish`,
    );
  stdout.write(scripts[shell](root));
  return Promise.resolve(exitCodes.done);
}

function nodeOf(command: Command): Node {
  return {
    name: command.name(),
    about: (command.description().split(';')[0] ?? '').replaceAll(/['"`$\\]/g, ''),
    options: ['--help', ...command.options.flatMap(({ long }) => long ?? [])],
    commands: command.commands.map(nodeOf),
  };
}

/** `images release` to what may follow it. */
function* pathsOf(node: Node, path: readonly string[] = []): Generator<readonly [string, Node]> {
  yield [path.join(' '), node];
  for (const one of node.commands) yield* pathsOf(one, [...path, one.name]);
}

const wordsOf = ({ commands, options }: Node): string => [...commands.map(({ name }) => name), ...options].join(' ');

function casesOf(root: Node): string {
  return [...pathsOf(root)].map(([path, node]) => `    '${path}') words='${wordsOf(node)}' ;;`).join('\n');
}

/** The path of commands is looked up word by word, so that options before a command do no harm. */
const bashOf = (root: Node): string => `# bash completion of serin: source <(serin completion bash)
_serin() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' next words='' index
  for ((index = 1; index < COMP_CWORD; index++)); do
    next="\${COMP_WORDS[index]}"
    case " ${[...pathsOf(root)]
      .map(([path]) => path)
      .filter((path) => path !== '')
      .map((path) => path.replaceAll(' ', '/'))
      .join(' ')} " in
      *" \${path:+\${path// //}/}\${next} "*) path="\${path:+\${path} }\${next}" ;;
    esac
  done
  case "\${path}" in
${casesOf(root)}
  esac
  COMPREPLY=($(compgen -W "\${words}" -- "\${current}"))
}
complete -o default -F _serin serin
complete -o default -F _serin kubectl-serin
`;

const zshOf = (root: Node): string => `#compdef serin kubectl-serin
# zsh completion of serin: source <(serin completion zsh)
autoload -U +X bashcompinit && bashcompinit
${bashOf(root)}`;

function fishOf(root: Node): string {
  const lines = ['# fish completion of serin: serin completion fish | source', 'complete -c serin -f'];
  for (const [path, node] of pathsOf(root)) {
    const seen = path.split(' ').filter((word) => word !== '');
    const below = node.commands.map(({ name }) => name).join(' ');
    const isHere =
      seen.length === 0
        ? '__fish_use_subcommand'
        : [
            ...seen.map((word) => `__fish_seen_subcommand_from ${word}`),
            ...(below === '' ? [] : [`not __fish_seen_subcommand_from ${below}`]),
          ].join('; and ');
    for (const one of node.commands) lines.push(`complete -c serin -n '${isHere}' -a '${one.name}' -d '${one.about}'`);
    for (const option of node.options) lines.push(`complete -c serin -n '${isHere}' -l '${option.slice(2)}'`);
  }
  return `${lines.join('\n')}\n`;
}

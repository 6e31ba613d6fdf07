import { own } from '../lib/own.ts';
import { type Offer, type Ready, understand } from './commands.ts';
import { parseScript } from './shell.ts';

/** What a webhook's metadata orders. */
export interface Task {
  readonly type: string;
  /** As it stands in logs and replies. */
  readonly shown: string;
  readonly run: Ready;
  /** The caller waits for its end, which decides the answer. */
  readonly isAwaited: boolean;
  readonly logsOutput: boolean;
  readonly returnsOutput: boolean;
}

/** The program that a type runs with the words of `cmd`. */
const programTypes: Readonly<Record<string, string>> = { helm: 'helm', helmv3: 'helm', kubectl: 'kubectl' };

/** Types of Flagger's load tester that are left to it. */
const refusedTypes: Readonly<Record<string, string>> = {
  concord:
    'let the webhook call a service of yours that starts the Concord process, or keep Flagger’s load tester for it',
  ngrinder: 'let the webhook call nGrinder through a service of yours, or keep Flagger’s load tester for it',
};

/** The task, or why it cannot be done and what to do, for the answer. */
export function parseTask(metadata: unknown, offer: Offer): Task | { readonly refused: string } {
  if (typeof metadata !== 'object' || metadata === null || Object.keys(metadata).length === 0)
    return { refused: 'metadata not found in payload' };
  const text = (name: string): string | undefined => {
    const value = own(metadata as Readonly<Record<string, unknown>>, name);
    return typeof value === 'string' ? value : undefined;
  };
  const { type = 'cmd', cmd } = { type: text('type'), cmd: text('cmd') };
  const why = own(refusedTypes, type);
  if (why !== undefined) return { refused: `task type ${type} is not supported: ${why}` };
  const program = own(programTypes, type);
  if (program === undefined && type !== 'cmd' && type !== 'bash') return { refused: `unknown task type ${type}` };
  if (!cmd) return { refused: 'cmd not found in metadata' };
  const ready =
    program === undefined
      ? understand(cmd, { ...offer, paired: isTrue(text('paired')) })
      : programReady(type, program, cmd, offer);
  if ('refused' in ready) return ready;
  return {
    type,
    shown: program === undefined ? cmd : `${program} ${cmd}`,
    run: ready,
    isAwaited: type !== 'cmd',
    logsOutput: isTrue(text('logCmdOutput')),
    returnsOutput: isTrue(text('returnCmdOutput')),
  };
}

/** As Go reads it. */
const isTrue = (value: string | undefined): boolean => value !== undefined && /^(?:1|t|T|true|TRUE|True)$/.test(value);

function programReady(
  type: string,
  program: string,
  cmd: string,
  { programs = [] }: Offer,
): Ready | { readonly refused: string } {
  if (!programs.includes(program)) {
    const how = `start the load tester with --allow-shell ${program}, in an image that has it`;
    return { refused: `task type ${type} needs the program ${program}, which is not allowed: ${how}` };
  }
  const script = parseScript(cmd);
  if ('refused' in script) return { refused: `task type ${type} cannot run "${cmd}": ${script.refused}` };
  const [pipeline = [], ...more] = script.pipelines;
  const [words = [], ...piped] = pipeline;
  if (more.length > 0 || piped.length > 0)
    return { refused: `task type ${type} runs ${program} alone; use type bash for "${cmd}"` };
  return ({ spawn, signal }) => spawn([program, ...words], '', signal);
}

import { execFile } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';

interface CommandOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs?: number;
}

/** Runs a program; gives its standard output, rejects with what it said on standard error. */
function run(file: string, words: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { input = '', env = process.env, timeoutMs = 90_000 } = options;
  return new Promise((resolve, reject) => {
    const child = execFile(
      file,
      words,
      { env: { ...env }, timeout: timeoutMs, maxBuffer: 64_000_000 },
      (error, stdout, stderr) => {
        if (error) reject(new Error(`${file} ${words.join(' ')}: ${stderr.trim() || error.message}`));
        else resolve(stdout);
      },
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

/** kubectl as somebody: the kubeconfig says who, and nothing of the person who runs the tests takes part. */
export type Kubectl = (words: readonly string[], options?: Pick<CommandOptions, 'input'>) => Promise<string>;

export function kubectlAs(kubeconfigPath: string, home: string): Kubectl {
  const env = { PATH: process.env.PATH, HOME: home, KUBECONFIG: kubeconfigPath };
  return (words, options = {}) => run('kubectl', words, { ...options, env });
}

/** Asks until there is an answer; in the end says what was missing. Errors of `ask` count as no answer yet. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  ask: () => Promise<T | undefined | false>,
  everyMs = 500,
): Promise<T> {
  const deadlineMs = Date.now() + timeoutMs;
  let trouble = '';
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined && answer !== false) return answer;
      trouble = '';
    } catch (error) {
      trouble = `: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (Date.now() > deadlineMs) throw new Error(`waited ${timeoutMs / 1000} s in vain until ${what}${trouble}`);
    await pause(everyMs);
  }
}

import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { messageOf } from '../lib/errors.ts';
import { maxOutput, type Result, type Spawn } from './commands.ts';

/** What programs see of the load tester's environment: where programs are, and how Helm and kubectl find the cluster. */
const passedOn = /^(?:PATH|HOME|LANG|TMPDIR|KUBECONFIG|KUBERNETES_SERVICE_HOST|KUBERNETES_SERVICE_PORT|HELM_[A-Z_]+)$/;

/**
 * Runs programs without a shell between. They write at most as much as is kept, and end with all that they started when the signal aborts.
 */
export function createSpawn(environment: Readonly<Record<string, string | undefined>>): Spawn {
  const given = Object.entries(environment).filter(([name]) => passedOn.test(name));
  // Bash takes a pipe of Node's for a call over the network and reads ~/.bashrc first, but not one shell inside another.
  const env = { HOME: tmpdir(), LANG: 'C.UTF-8', ...Object.fromEntries(given), SHLVL: '1' };
  return (words, input, signal) => run(env, words, input, signal);
}

const run = (env: Record<string, string | undefined>, words: readonly string[], input: string, signal: AbortSignal) =>
  new Promise<Result>((resolve, reject) => {
    const [program = '', ...rest] = words;
    if (signal.aborted) return reject(signal.reason as Error);
    const child = spawn(program, rest, { env, detached: true, stdio: 'pipe' });
    const chunks: Buffer[] = [];
    let bytes = 0;
    const keep = (chunk: Buffer): void => {
      if (bytes < maxOutput) chunks.push(chunk.subarray(0, maxOutput - bytes));
      bytes += chunk.length;
    };
    const end = (): void => {
      if (child.pid === undefined) return;
      try {
        // Its group: what it started ends with it.
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        child.kill('SIGKILL');
      }
    };
    signal.addEventListener('abort', end, { once: true });
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    // A program that does not read what it is given is no failure.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('error', (error) => {
      signal.removeEventListener('abort', end);
      resolve({ exitCode: 127, output: `${program}: ${messageOf(error)}\n` });
    });
    child.once('close', (code) => {
      signal.removeEventListener('abort', end);
      if (signal.aborted) return reject(signal.reason as Error);
      resolve({ exitCode: code ?? 137, output: Buffer.concat(chunks).toString('utf8') });
    });
  });

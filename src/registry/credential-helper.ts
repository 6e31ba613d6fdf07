import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock } from '../lib/clock.ts';
import { jsonOf } from '../lib/json.ts';
import type { Credentials } from './docker-config.ts';
import { Failed } from './failure.ts';
import { createRenewed } from './renewed.ts';

/** Programs `docker-credential-NAME` that say the credentials of a registry. */
export interface CredentialHelpers {
  /** Undefined: it has none for this registry. Throws Failed, with nothing of what the program wrote. */
  lookUp(helper: string, registry: string, signal: AbortSignal): Promise<Credentials | undefined>;
  /** What the helper said was not accepted. */
  refused(helper: string, registry: string): void;
}

export interface CredentialHelperOptions {
  readonly clock: Clock;
  /** All that the programs get; they are looked for in its PATH. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly timeoutMs?: number;
}

const namePattern = /^[a-z\d][\w.-]{0,63}$/i;
const maxOutputBytes = 64 * 1024;
/** Helpers keep what they know themselves, and do not say for how long it counts. */
const keptMs = 10 * 60_000;
/** What programs say by the protocol where they know nothing of a registry. */
const unknown = 'credentials not found in native keychain';

export function createCredentialHelpers({
  clock,
  environment,
  timeoutMs = 10_000,
}: CredentialHelperOptions): CredentialHelpers {
  const keyOf = (helper: string, registry: string): string => `${helper} ${registry}`;
  const renewed = createRenewed<Credentials | undefined>(clock);
  return {
    async lookUp(helper, registry, signal) {
      if (!namePattern.test(helper)) throw new Failed('sign-in', 'the name of its credential helper is none');
      const fetch = async (asking: AbortSignal) => ({
        value: await ask({ helper, registry, clock, environment, timeoutMs }, asking),
        lifeMs: keptMs,
      });
      return renewed.get(keyOf(helper, registry), fetch, signal);
    },
    refused: (helper, registry) => renewed.forget(keyOf(helper, registry)),
  };
}

interface Question {
  readonly helper: string;
  readonly registry: string;
  readonly clock: Clock;
  readonly environment: CredentialHelperOptions['environment'];
  readonly timeoutMs: number;
}

async function ask(question: Question, signal: AbortSignal): Promise<Credentials | undefined> {
  const program = `docker-credential-${question.helper}`;
  const { output, code } = await run(program, question, signal);
  if (code !== 0) {
    if (output.trim() === unknown) return undefined;
    throw new Failed('sign-in', `the credential helper ${program} ended with code ${String(code)}`);
  }
  let value: unknown;
  try {
    value = JSON.parse(output);
  } catch {
    value = undefined;
  }
  const { Username: username, Secret: secret } = jsonOf(value);
  if (typeof username !== 'string' || typeof secret !== 'string' || secret === '')
    throw new Failed('sign-in', `the credential helper ${program} gave no credentials`);
  return username === '<token>' ? { kind: 'identity', token: secret } : { kind: 'basic', username, password: secret };
}

/** Starts it without a shell; whatever it has started itself ends with it. */
async function run(
  program: string,
  { registry, clock, environment, timeoutMs }: Question,
  signal: AbortSignal,
): Promise<{ readonly output: string; readonly code: number | null }> {
  signal.throwIfAborted();
  const failure = (what: string): Failed => new Failed('sign-in', `the credential helper ${program} ${what}`);
  return new Promise((resolve, reject) => {
    let child: ChildProcess;
    try {
      child = spawn(program, ['get'], { env: environment, stdio: ['pipe', 'pipe', 'ignore'], detached: true });
    } catch (error) {
      return reject(failure(`cannot be started (${codeOf(error)})`));
    }
    const output: Buffer[] = [];
    let length = 0;
    const settle = (end: () => void): void => {
      cancel();
      signal.removeEventListener('abort', onAbort);
      end();
    };
    // Told at once: what does not end, or has left something behind that holds its output, is not waited for.
    const kill = (reason: unknown): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has just ended by itself.
      }
      child.stdout?.destroy();
      settle(() => reject(reason as Error));
    };
    const onAbort = (): void => kill(signal.reason);
    const cancel = clock.after(timeoutMs, () => kill(failure(`gave no answer within ${timeoutMs / 1_000} s`)));
    signal.addEventListener('abort', onAbort, { once: true });
    child.stdout?.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length > maxOutputBytes) kill(failure(`wrote more than ${maxOutputBytes / 1024} KiB`));
      else output.push(chunk);
    });
    // One that does not read what it is asked may answer all the same.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(`${serverOf(registry)}\n`);
    child.on('error', (error) =>
      settle(() =>
        reject(failure(codeOf(error) === 'ENOENT' ? 'is not in PATH' : `cannot be started (${codeOf(error)})`)),
      ),
    );
    child.on('close', (code) => settle(() => resolve({ output: Buffer.concat(output).toString('utf8'), code })));
  });
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? 'unknown';

/** Docker Hub has another name there. */
const serverOf = (registry: string): string => (registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry);

import { spawn } from 'node:child_process';
import { AgentError } from '../../lib/errors.ts';

/** What a run of git came to. */
interface GitRun {
  readonly code: number;
  readonly out: Buffer;
  /** What it said on standard error. */
  readonly said: string;
}

interface GitAsk {
  readonly input?: string | Uint8Array;
  readonly variables?: Readonly<Record<string, string>>;
}

/** The caller's own git, with the caller's settings, keys and rights, in one folder. */
export interface GitProgram {
  /** Also where it fails. Throws CONFIG_INVALID where there is no such program. */
  run(args: readonly string[], ask?: GitAsk): Promise<GitRun>;
  /** What it printed, without the last line end. Throws GIT_PROTOCOL with what it said where it fails. */
  text(args: readonly string[], ask?: GitAsk): Promise<string>;
}

/** Longer answers of git than any object that is read. */
const mostSaid = 64 * 1024;
/** What would make git look at another repository than that of the folder, as within a hook. */
const unset = new Set(['GIT_DIR', 'GIT_WORK_TREE', 'GIT_INDEX_FILE', 'GIT_OBJECT_DIRECTORY', 'GIT_QUARANTINE_PATH']);

export function gitIn(
  folder: string,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): GitProgram {
  const inherited = Object.entries(environment).filter(([name, value]) => value !== undefined && !unset.has(name));
  const run: GitProgram['run'] = (args, { input = '', variables = {} } = {}) =>
    new Promise((done, fail) => {
      const env = { ...Object.fromEntries(inherited), LC_ALL: 'C', ...variables };
      const child = spawn('git', ['-C', folder, ...args], { env, signal, stdio: ['pipe', 'pipe', 'pipe'] });
      const out: Buffer[] = [];
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        if (said.length < mostSaid) said += chunk;
      });
      child.on('error', (cause: NodeJS.ErrnoException) => {
        if (signal.aborted)
          return fail(new AgentError('GIT_UNREACHABLE', 'git was stopped; whether it had pushed, git fetch tells'));
        if (cause.code !== 'ENOENT') return fail(cause);
        fail(new AgentError('CONFIG_INVALID', 'there is no program git here, by which this is done', { cause }));
      });
      child.on('close', (code) => done({ code: code ?? 1, out: Buffer.concat(out), said: said.trim() }));
      child.stdin.on('error', () => undefined);
      child.stdin.end(input);
    });
  return {
    run,
    async text(args, ask) {
      const { code, out, said } = await run(args, ask);
      if (code === 0) return out.toString('utf8').replace(/\n$/, '');
      throw new AgentError('GIT_PROTOCOL', `git ${args[0] ?? ''}: ${saidBy(said) || `it ended with ${code}`}`);
    },
  };
}

/** The lines that say what is wrong, in one. */
export function saidBy(said: string): string {
  const all = said.split('\n').map((line) => line.trim());
  const lines = all.filter((line) => line !== '' && !line.startsWith('hint:'));
  const told = lines.filter((line) => /^(?:fatal|error|remote):/.test(line));
  return (told.length > 0 ? told : lines).slice(0, 6).join('; ').slice(0, 800);
}

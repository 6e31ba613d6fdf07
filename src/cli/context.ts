import { CommanderError } from 'commander';
import { AgentError, messageOf } from '../lib/errors.ts';
import { plainText } from '../lib/plain-text.ts';
import { createOutput, type Output, type OutputStream } from './output.ts';

export interface CommandLine {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Aborts on SIGTERM and SIGINT. */
  readonly signal: AbortSignal;
}

/** What every command gets. */
export interface CommandContext extends CommandLine {
  readonly output: Output;
}

/** Exit codes: 0 done, 1 a fault of ours or a failed run, 2 wrong usage or configuration, 3 a check found problems, 4 a wait was too long. */
export const exitCodes = { done: 0, failed: 1, usage: 2, found: 3, late: 4 } as const;

/** Runs a command and tells people why it failed. Gives its exit code. */
export async function serve(line: CommandLine, command: (context: CommandContext) => Promise<number>): Promise<number> {
  try {
    return await command({ ...line, output: createOutput(line.stdout, line.environment) });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    if (error instanceof AgentError) {
      for (const text of error.message.split('\n')) line.stderr.write(`serin: ${plainText(text)}\n`);
      return error.code === 'CONFIG_INVALID' ? exitCodes.usage : exitCodes.failed;
    }
    line.stderr.write(`serin: ${error instanceof Error ? (error.stack ?? error.message) : messageOf(error)}\n`);
    return exitCodes.failed;
  }
}

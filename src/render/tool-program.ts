import { runTool, type ToolLimits, type ToolResult, type ToolRun } from './run-tool.ts';
import { memoryFolder, sweepRunFolders } from './run-folder.ts';
import { unusable, type Version } from './tool-reason.ts';

/** A program that renders, and the version of it that is used. */
export interface ToolProgram {
  /** Aborts when it is closed. */
  readonly signal: AbortSignal;
  /** `limits` absent: the program's. `more`: what it gets beside its own environment, and reads from its standard input. */
  run(
    folder: string,
    args: readonly string[],
    limits?: ToolLimits,
    more?: Partial<Pick<ToolRun, 'environment' | 'input' | 'startsOthers'>>,
  ): Promise<ToolResult>;
  /** Asked once; where there is none, again after a minute. */
  version(): Promise<Version>;
  /** Ends what runs. */
  close(): Promise<void>;
}

interface ToolProgramOptions extends Pick<ToolRun, 'program' | 'limits'> {
  readonly name: string;
  /** The version that is used: another one renders something else. */
  readonly major: number;
  readonly versionArgs: readonly string[];
  /** Where it is asked for its version. */
  readonly folder: string;
  readonly environmentIn: (folder: string) => ToolRun['environment'];
}

const missingRetryMs = 60_000;

export function createToolProgram(options: ToolProgramOptions): ToolProgram {
  const { program, name, major, environmentIn } = options;
  // What a former process has left, plain text of secrets perhaps, stays no longer than until this one starts.
  void sweepRunFolders(options.folder);
  void sweepRunFolders(memoryFolder(options.folder));
  const ending = new AbortController();
  const { signal } = ending;
  const running = new Set<Promise<unknown>>();
  // Some say their name before it.
  const pattern = new RegExp(String.raw`^(?:${name} )?v?${major}\.\d+(?:\.\d+)?(?:[-+].*)?$`);
  let known: { readonly version: Promise<Version>; readonly untilMs: number } | undefined;

  const run: ToolProgram['run'] = (
    folder,
    args,
    limits = options.limits,
    { environment, input, startsOthers } = {},
  ) => {
    const whole = { ...environmentIn(folder), ...environment };
    const result = runTool({ program, args, folder, environment: whole, limits, input, startsOthers }, signal);
    running.add(result);
    // Whoever asked for it is told of its failure.
    void result.catch(() => undefined).finally(() => running.delete(result));
    return result;
  };
  return {
    signal,
    run,
    version() {
      if (known && performance.now() < known.untilMs) return known.version;
      const version = run(options.folder, options.versionArgs).then((result) => {
        const said = result.kind === 'done' ? Buffer.from(result.output).toString('utf8').trim() : '';
        const isFound = pattern.test(said);
        known = { version, untilMs: isFound ? Infinity : performance.now() + missingRetryMs };
        return isFound ? { said } : { problem: unusable(name, major, result) };
      });
      known = { version, untilMs: Infinity };
      return version;
    },
    async close() {
      ending.abort(new Error('nothing is rendered any more: the agent stops'));
      await Promise.allSettled(running);
    },
  };
}

import { setTimeout as sleep } from 'node:timers/promises';
import { AgentError } from '../../lib/errors.ts';
import { plainText } from '../../lib/plain-text.ts';
import type { Steps } from '../../lib/turns.ts';
import type { EditPlan, EditTip } from '../../release/branch-edit.ts';
import { type CommandContext, exitCodes } from '../context.ts';
import { atWorkbench, type ImagesOptions, type Said, type Workbench } from './workbench.ts';

export interface CommitOptions extends ImagesOptions {
  /** Shows the commit and pushes nothing. */
  readonly dryRun?: boolean;
}

/** What is to be committed on what the branch says, decided anew on every race. */
export interface Decided {
  readonly plan: (tip: EditTip) => Steps<EditPlan>;
  /** For the person, once it is done. */
  readonly told: readonly string[];
}

/** It is not done, for a reason that lies in what is there and not in the command's words: exit code 3. */
export class Refused extends Error {
  override readonly name = 'Refused';
}

const mostTries = 10;

/**
 * Makes a commit with the caller as its author and pushes it: on the branch as it is on the server, so that nothing of the checkout goes with it. Gives
 * the exit code: 0 also where Git says it already, 1 where the server does not take it, 3 where it is refused.
 */
export function commitByHand(
  context: CommandContext,
  options: CommitOptions,
  decide: (said: Said, bench: Workbench) => Promise<Decided>,
): Promise<number> {
  return atWorkbench(context, options, true, async (bench) => {
    try {
      await bench.branch.author();
      return await attempts(context, options, bench, decide);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      for (const line of error.message.split('\n')) context.stderr.write(`serin: ${plainText(line)}\n`);
      return exitCodes.found;
    }
  });
}

async function attempts(
  context: CommandContext,
  options: CommitOptions,
  bench: Workbench,
  decide: (said: Said, bench: Workbench) => Promise<Decided>,
): Promise<number> {
  const { output, stdout, signal } = context;
  const { branch } = bench;
  for (let tries = 1; ; tries += 1) {
    const tip = await branch.tip();
    const said = await bench.read(tip);
    const { plan, told } = await decide(said, bench);
    const built = await bench.build(said, plan);
    if (built.kind === 'refused') throw new Refused(built.reason);
    if (built.kind === 'needless') {
      if (options.json) stdout.write(`${JSON.stringify({ commit: null, reason: built.reason })}\n`);
      else output.line(`Nothing to do: ${built.reason}.`);
      return exitCodes.done;
    }
    const paths = [...built.files.keys()];
    const obstacle = await branch.obstacle(tip, paths);
    if (obstacle !== undefined) throw new Refused(obstacle);
    const commit = await branch.commit(tip, built.draft);
    if (options.dryRun) {
      for (const line of (await branch.shown(commit)).split('\n')) output.line(line);
      return exitCodes.done;
    }
    const pushed = await branch.push(tip, commit);
    if (pushed.kind === 'refused')
      throw new AgentError('GIT_PROTOCOL', `${branch.name} does not take the commit: ${pushed.reason}`);
    if (pushed.kind === 'raced') {
      if (tries === mostTries)
        throw new AgentError('GIT_PROTOCOL', `others push to ${branch.name} all the time; try again later`);
      await sleep(100 * tries * Math.random(), undefined, { signal });
      continue;
    }
    const behind = await branch.follow(commit);
    const [subject = ''] = built.draft.message.split('\n');
    if (options.json) {
      stdout.write(`${JSON.stringify({ commit, branch: branch.name, subject, files: paths })}\n`);
      return exitCodes.done;
    }
    output.line(`${output.colour.bold(subject)}   ${commit.slice(0, 7)} on ${branch.name}`);
    for (const path of paths) output.line(`  ${path}`);
    for (const line of told) output.line(line);
    if (behind !== undefined) output.line(output.colour.yellow(behind));
    return exitCodes.done;
  }
}

import { namespacedName } from '../../lib/key.ts';
import type { HistoryEntry } from '../../report/types.ts';
import { moment } from '../apps/age.ts';
import { atBranch, entriesOn, type GitOptions } from '../apps/git-history.ts';
import { type CommandContext, exitCodes } from '../context.ts';

export interface HistoryOptions extends GitOptions {
  readonly limit: number;
  readonly evidence?: boolean;
  readonly json?: boolean;
}

/** `serin history [APP]`: what Git tells of releases, newest first. */
export function history(context: CommandContext, word: string | undefined, options: HistoryOptions): Promise<number> {
  return atBranch(context, options, async (branch) => {
    const revision = await branch.tip();
    const entries = await entriesOn(branch, revision, { word, limit: options.limit });
    if (options.json) context.stdout.write(`${JSON.stringify({ branch: branch.name, revision, entries })}\n`);
    else if (entries.length === 0)
      context.output.line(`${branch.name} tells of no release${word === undefined ? '' : ` of ${word}`}`);
    else tell(context, entries, options.evidence === true);
    return exitCodes.done;
  });
}

function tell({ output }: CommandContext, entries: readonly HistoryEntry[], isWhole: boolean): void {
  const { colour } = output;
  const tint = {
    promoted: colour.green,
    'rolled-back': colour.red,
    withdrawn: colour.yellow,
    adopted: colour.dim,
    removed: colour.dim,
    'by-hand': colour.cyan,
  };
  const rows = entries.map((entry) => [
    moment(entry.atMs),
    colour.bold(namespacedName(entry)),
    tint[entry.verdict](entry.verdict),
    entry.commit.slice(0, 8),
    entry.by ?? '-',
    whatOf(entry),
  ]);
  const lines = output.aligned([
    ['WHEN', 'APP', 'VERDICT', 'COMMIT', 'BY', 'WHAT'].map((name) => colour.bold(name)),
    ...rows,
  ]);
  for (const [index, line] of lines.entries()) {
    output.line(line);
    const entry = entries[index - 1];
    if (!entry || !isWhole) continue;
    for (const one of entry.asked) output.line(`    ${one}`);
    for (const row of entry.evidence) output.line(`    ${row.trim()}`);
  }
}

function whatOf({ changed, failedCheck, tag, verdict, subject }: HistoryEntry): string {
  const images = changed.images.map(
    ({ container, from, to }) => `${container}: ${from === undefined ? '' : `${shortOf(from)} -> `}${shortOf(to)}`,
  );
  const what = [...images, ...changed.others].join(', ');
  const said = verdict === 'by-hand' || what === '' ? subject : what;
  return `${said}${failedCheck === undefined ? '' : `   ${failedCheck}`}${tag === undefined ? '' : `   ${tag}`}`;
}

const shortOf = (image: string): string => image.slice(image.lastIndexOf('/') + 1);

import { formatGoDuration } from '../../lib/duration.ts';
import { namespacedName } from '../../lib/key.ts';
import { explain } from '../../report/explain.ts';
import type { Explanation, ShownCheck } from '../../report/types.ts';
import { age, moment } from '../apps/age.ts';
import { atApps, type ClusterOptions } from '../apps/open.ts';
import { type CommandContext, exitCodes } from '../context.ts';

export interface ExplainOptions extends ClusterOptions {
  readonly json?: boolean;
}

/** `serin explain APP`: why it is where it is, what would move it, and what each check said. */
export function explainApp(context: CommandContext, word: string, options: ExplainOptions): Promise<number> {
  return atApps(context, options, async (apps) => {
    const nowMs = Date.now();
    const told = explain(await apps.facts(await apps.named(word)), nowMs);
    const { spec: _spec, ...shown } = told;
    if (options.json) context.stdout.write(`${JSON.stringify(shown)}\n`);
    else tell(context, told, nowMs);
    return exitCodes.done;
  });
}

function tell(
  { output }: CommandContext,
  { status, why, moves, checks, events, unknown }: Explanation,
  nowMs: number,
): void {
  const { colour } = output;
  const { release } = status;
  const section = (name: string): void => {
    output.line();
    output.line(colour.bold(name));
  };
  output.line(
    `${colour.bold(namespacedName(status))}   ${status.phase}, ${status.weight}% of users with the new version, since ${age(status.sinceMs, nowMs)}`,
  );
  if (release) {
    const images = Object.values(release.images).join(', ');
    output.line(
      `  release ${release.id}${release.revision === undefined ? '' : ` of commit ${release.revision.slice(0, 12)}`}${images === '' ? '' : `: ${images}`}`,
    );
  }
  section('Why');
  for (const line of why) output.line(`  ${line}`);
  if (moves.length > 0) {
    section('What moves it');
    output.table(
      moves.map((move) => {
        const when = move.untilMs === undefined ? '' : ` (at ${moment(move.untilMs)})`;
        const typed =
          move.act === undefined
            ? ''
            : colour.dim(`serin ${move.act === 'abort' ? 'rollback' : move.act} ${namespacedName(status)}`);
        return [`  if ${move.if}${when}`, `then ${move.outcome}`, typed];
      }),
    );
  }
  if (checks.length > 0) {
    section('Checks');
    for (const check of checks) {
      output.line(
        `  ${mark(output.colour, check)} ${colour.bold(check.name)}   ${check.text}${check.atMs === undefined ? '' : `   ${age(check.atMs, nowMs)} ago`}`,
      );
      const bounds = boundsOf(check);
      const source = [
        ...(bounds === '' ? [] : [`has to be ${bounds}`]),
        ...(check.provider === undefined ? [] : [`asked of ${check.provider}`]),
        ...(check.windowMs === undefined ? [] : [`over ${formatGoDuration(check.windowMs)}`]),
      ];
      if (source.length > 0) output.line(`      ${colour.dim(source.join(', '))}`);
      if (check.query !== undefined)
        for (const line of check.query.split('\n')) output.line(`      ${colour.dim(line)}`);
    }
  }
  if (events.length > 0) {
    section('Events');
    for (const { atMs, type, message } of events)
      output.line(`  ${moment(atMs)}  ${type === 'Warning' ? colour.yellow(message) : message}`);
  }
  for (const line of unknown) output.line(colour.dim(`\nnot known: ${line}`));
}

function mark(colour: CommandContext['output']['colour'], { state }: ShownCheck): string {
  switch (state) {
    case 'passed':
      return colour.green('passed');
    case 'failed':
      return colour.red('failed');
    case 'inconclusive':
      return colour.yellow('unclear');
    case 'not-asked':
      return colour.dim('-');
  }
}

function boundsOf({ min, max, unit }: ShownCheck): string {
  const sign = unit === 'percent' ? '%' : unit === 'milliseconds' ? 'ms' : '';
  return [...(min === undefined ? [] : [`>= ${min}${sign}`]), ...(max === undefined ? [] : [`<= ${max}${sign}`])].join(
    ' and ',
  );
}

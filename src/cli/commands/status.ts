import { setTimeout as sleep } from 'node:timers/promises';
import type { ActName, AppStatus, Group } from '../../report/types.ts';
import { statusOf } from '../../report/status.ts';
import { namespacedName } from '../../lib/key.ts';
import { age } from '../apps/age.ts';
import { type Apps, atApps, type ClusterOptions } from '../apps/open.ts';
import { type CommandContext, exitCodes } from '../context.ts';
import type { Output } from '../output.ts';

export interface StatusOptions extends ClusterOptions {
  readonly watch?: boolean;
  readonly json?: boolean;
}

const groups: readonly Group[] = ['needs-person', 'moving', 'held', 'failed', 'resting'];
const everyMs = 1_000;
/** Apps that move or need somebody get their events and record looked at, so many. */
const mostLooked = 50;

/** `serin status [APP]`: what needs a person first, each with what to type next. Exit code 3 where one needs a person. */
export function status(context: CommandContext, word: string | undefined, options: StatusOptions): Promise<number> {
  return atApps(context, options, async (apps) => {
    let shown = await look(apps, word);
    if (!options.watch) {
      tell(context, options, shown);
      return shown.some(({ needsPerson }) => needsPerson) ? exitCodes.found : exitCodes.done;
    }
    await watch(context, options, apps, word, (now) => (shown = now));
    return shown.some(({ needsPerson }) => needsPerson) ? exitCodes.found : exitCodes.done;
  });
}

async function look(apps: Apps, word: string | undefined): Promise<readonly AppStatus[]> {
  const canaries = word === undefined ? await apps.list() : [await apps.named(word)];
  const nowMs = Date.now();
  const short = await Promise.all(canaries.map((canary) => apps.facts(canary, true)));
  let looked = 0;
  const whole = await Promise.all(
    short.map(async (facts) => {
      const first = statusOf(facts, nowMs);
      if (first.group === 'resting' || ++looked > mostLooked) return first;
      return statusOf(await apps.facts(facts.canary), nowMs);
    }),
  );
  return whole.toSorted((a, b) => groups.indexOf(a.group) - groups.indexOf(b.group));
}

async function watch(
  context: CommandContext,
  options: StatusOptions,
  apps: Apps,
  word: string | undefined,
  note: (shown: readonly AppStatus[]) => void,
): Promise<void> {
  const { output, signal, stdout } = context;
  const before = new Map<string, string>();
  while (!signal.aborted) {
    const shown = await look(apps, word);
    note(shown);
    if (output.isTerminal && !options.json) output.live(linesOf(output, shown));
    else {
      const names = new Set<string>();
      for (const app of shown) {
        const name = namespacedName(app);
        names.add(name);
        const text = JSON.stringify([app.phase, app.weight, app.line]);
        if (before.get(name) === text) continue;
        before.set(name, text);
        if (options.json) stdout.write(`${JSON.stringify(app)}\n`);
        else output.line(`${new Date().toISOString().slice(11, 19)} ${name} ${app.phase} ${app.weight}% ${app.line}`);
      }
      for (const name of before.keys()) if (!names.has(name)) before.delete(name);
    }
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
  }
  output.endLive();
}

function tell({ output, stdout }: CommandContext, { json }: StatusOptions, shown: readonly AppStatus[]): void {
  if (json) stdout.write(`${JSON.stringify({ apps: shown })}\n`);
  else if (shown.length === 0) output.line('there are no Canaries');
  else for (const line of linesOf(output, shown)) output.line(line);
}

/** As a table, and below each app that needs a person what to type. */
function linesOf(output: Output, shown: readonly AppStatus[]): readonly string[] {
  const { colour } = output;
  const nowMs = Date.now();
  const rows = shown.map((app) => [
    colour.bold(namespacedName(app)),
    tinted(output, app),
    `${app.weight}%`,
    age(app.sinceMs, nowMs),
    app.needsPerson ? colour.yellow(app.line) : app.line,
  ]);
  const head = ['APP', 'PHASE', 'WEIGHT', 'SINCE', 'WHY'].map((name) => colour.bold(name));
  const lines = output.aligned([head, ...rows]);
  return lines.flatMap((line, index) => {
    const app = shown[index - 1];
    const next = app && nextOf(app);
    return next === undefined ? [line] : [line, `  ${colour.dim('next:')} ${next}`];
  });
}

function tinted({ colour }: Output, { group, phase }: AppStatus): string {
  const name = phase === '' ? '-' : phase;
  switch (group) {
    case 'needs-person':
      return colour.yellow(name);
    case 'moving':
      return colour.cyan(name);
    case 'held':
      return colour.magenta(name);
    case 'failed':
      return colour.red(name);
    case 'resting':
      return colour.green(name);
  }
}

const commandOf: Readonly<Partial<Record<ActName, string>>> = {
  approve: 'approve',
  resume: 'resume',
  promote: 'promote',
  abort: 'rollback',
  retry: 'retry',
};

/** What to type next. Undefined: nothing has to be done. */
function nextOf(app: AppStatus): string | undefined {
  const name = namespacedName(app);
  if (app.needsPerson) {
    const typed = app.needsPerson.acts.flatMap((act) => {
      const command = commandOf[act];
      return command === undefined ? [] : [`serin ${command} ${name}${act === 'promote' ? ' -m WHY' : ''}`];
    });
    return [...typed, `serin explain ${name}`].join('   or   ');
  }
  return app.group === 'failed' ? `push another version, or serin retry ${name}` : undefined;
}

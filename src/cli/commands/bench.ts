import { messageOf } from '../../lib/errors.ts';
import { type CommandContext, exitCodes } from '../context.ts';
import type { RenderingPrograms } from '../bench-rendering.ts';
import { header, isMet, type Measured, rowOf } from '../../bench/spread.ts';

interface Part {
  readonly title: string;
  readonly measure: (signal: AbortSignal) => Promise<readonly Measured[]>;
}

const partsOf = (context: CommandContext, options: RenderingPrograms): readonly Part[] => [
  {
    title: 'One changed file in a repository of 10,000 manifests',
    measure: (signal) => import('../../bench/one-file.ts').then(({ oneChangedFile }) => oneChangedFile(signal)),
  },
  {
    title: 'Git beside native git, with a server on the same machine',
    measure: (signal) => import('../../bench/git-table.ts').then(({ gitTable }) => gitTable(signal)),
  },
  {
    title: 'Outcomes while others push',
    measure: (signal) => import('../../bench/git-race.ts').then(({ gitRace }) => gitRace(signal)),
  },
  {
    title: 'From a push to the first step of a canary, with a poll and an analysis interval of 1 s',
    measure: (signal) =>
      Promise.all([import('../../bench/first-step.ts'), import('../demo/stage.ts')]).then(
        ([{ firstStep }, { quotes, setStage }]) => firstStep(signal, (stop) => setStage(quotes, stop)),
      ),
  },
  {
    title: '1,000 idle canaries with an interval of 10 s, the agent in a process of its own',
    measure: (signal) => import('../../bench/idle.ts').then(({ idleCanaries }) => idleCanaries(signal)),
  },
  {
    title: '500 units that are rendered: 300 overlays on 30 bases, and 200 releases of charts',
    measure: (signal) =>
      Promise.all([import('../../bench/rendered-units.ts'), import('../bench-rendering.ts')]).then(
        async ([{ renderedUnits }, { renderingParts }]) =>
          await renderedUnits(signal, await renderingParts(context, options)),
      ),
  },
  {
    title: 'The dashboard with 1,000 apps, 100 of them moving, and 20 viewers',
    measure: (signal) =>
      Promise.all([import('../../bench/dashboard.ts'), import('../bench-dashboard.ts')]).then(
        ([{ dashboardCosts }, { openDashboard }]) => dashboardCosts(signal, openDashboard),
      ),
  },
  {
    title:
      '200 images with 2,000 tags each, nothing new; 5 s stand for the 5 min between two looks, an hour is a minute',
    measure: (signal) => import('../../bench/registry-idle.ts').then(({ idleRegistries }) => idleRegistries(signal)),
  },
];

/** `serin bench`: what speed and memory are on this machine. A missed goal is told and is no failure. */
export async function bench(context: CommandContext, options: RenderingPrograms): Promise<number> {
  const { output, signal } = context;
  const { colour } = output;
  const all: Measured[] = [];
  let broken = 0;
  for (const { title, measure } of partsOf(context, options)) {
    signal.throwIfAborted();
    output.line();
    output.line(colour.bold(title));
    let measured: readonly Measured[];
    try {
      measured = await measure(signal);
    } catch (error) {
      if (signal.aborted) throw error;
      broken += 1;
      output.line(colour.red(`  could not be measured: ${messageOf(error)}`));
      continue;
    }
    all.push(...measured);
    output.table(
      [header, ...measured.map(rowOf)].map((row) => row.map((cell, index) => (index === 0 ? `  ${cell}` : cell))),
    );
  }
  const missed = all.filter(({ goal, spread }) => goal !== undefined && !isMet(goal, spread));
  output.line();
  if (missed.length > 0) output.line(colour.yellow(`Missed: ${missed.map(({ what }) => what).join('; ')}.`));
  else if (broken === 0) output.line(colour.green('All goals are met.'));
  return broken === 0 ? exitCodes.done : exitCodes.failed;
}

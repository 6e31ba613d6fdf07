import { availableParallelism } from 'node:os';
import { stderr, stdout } from 'node:process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { shrink, timelineOf, brokenBy } from './check.ts';
import { planOf } from './history.ts';
import { invariants } from './invariants.ts';
import { shrinkLoop, tellLoop } from './loop/check.ts';
import { planOf as loopPlanOf, play } from './loop/history.ts';
import type { Part, Report } from './worker.ts';

/*
 * Random histories of the core, or with `--loop` of the whole loop around it, as many as wanted. Prints the seed that it begins with; a history that breaks an invariant is shrunk and
 * told tick by tick, and the exit code is 1. The same seed gives the same history: `--seed N --histories 1` plays one again.
 */

const { values } = parseArgs({
  options: {
    histories: { type: 'string', default: '1000000' },
    seed: { type: 'string' },
    loop: { type: 'boolean', default: false },
    workers: { type: 'string', default: String(availableParallelism()) },
  },
});
const isLoop = values.loop;
const chunk = isLoop ? 100 : 5_000;
const histories = Number(values.histories);
const firstSeed = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed);

stderr.write(`${histories} histories from seed ${firstSeed} on ${values.workers} workers\n`);
const startedMs = performance.now();
const failedSeed = await playAll();
if (failedSeed === undefined) {
  stdout.write(
    `${histories} histories, ${isLoop ? 'every invariant holds' : `all ${Object.keys(invariants).length} invariants hold`}\n`,
  );
} else {
  await (isLoop ? tellOfLoop(failedSeed) : tell(failedSeed));
  process.exitCode = 1;
}

/** Gives the first seed that was found to break something; undefined: none does. */
async function playAll(): Promise<number | undefined> {
  let given = 0;
  let played = 0;
  let failed: number | undefined;
  const next = (): Part | undefined => {
    if (failed !== undefined || given >= histories) return undefined;
    const part = { seed: firstSeed + given, count: Math.min(chunk, histories - given), isLoop };
    given += part.count;
    return part;
  };
  const work = async (): Promise<void> => {
    const worker = new Worker(new URL('./worker.js', import.meta.url));
    for (let part = next(); part; part = next()) {
      worker.postMessage(part);
      const [report] = (await once(worker, 'message')) as [Report];
      played += part.count;
      failed ??= report.failedSeed;
      const seconds = (performance.now() - startedMs) / 1_000;
      stderr.write(`\r${played} played, ${Math.round(played / seconds)} a second `);
    }
    await worker.terminate();
  };
  await Promise.all(Array.from({ length: Number(values.workers) }, work));
  stderr.write('\n');
  return failed;
}

async function tellOfLoop(seed: number): Promise<void> {
  const plan = loopPlanOf(seed);
  const broken = await play(plan);
  if (!broken) throw new Error(`seed ${seed} broke something before, and now does not`);
  stdout.write(`seed ${seed} breaks: ${broken.message}\n(${invariants[broken.invariant]})\n\n`);
  stdout.write(`${await tellLoop(await shrinkLoop(plan, broken))}\n\n`);
  stdout.write(`again: npm run check:model -- --loop --seed ${seed} --histories 1\n`);
}

function tell(seed: number): void {
  const plan = planOf(seed);
  const broken = brokenBy(plan);
  if (!broken) throw new Error(`seed ${seed} broke something before, and now does not`);
  stdout.write(`seed ${seed} breaks: ${broken.message}\n(${invariants[broken.invariant]})\n\n`);
  stdout.write(`${timelineOf(shrink(plan, broken))}\n\n`);
  stdout.write(`again: npm run check:model -- --seed ${seed} --histories 1\n`);
}

import { parentPort } from 'node:worker_threads';
import { check } from './check.ts';
import { checkLoop } from './loop/check.ts';

/** Seeds that a worker is to play. */
export interface Part {
  readonly seed: number;
  readonly count: number;
  /** On the real loop, not on the core alone. */
  readonly isLoop: boolean;
}

export interface Report {
  /** The first that breaks something. */
  readonly failedSeed: number | undefined;
}

async function play({ seed, count, isLoop }: Part): Promise<void> {
  const failure = isLoop ? await checkLoop(seed, count) : check(seed, count);
  const report: Report = { failedSeed: failure?.seed };
  parentPort?.postMessage(report);
}

parentPort?.on('message', (part: Part) => void play(part));

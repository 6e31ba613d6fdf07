import { parentPort } from 'node:worker_threads';
import { check } from './check.ts';

/** Seeds that a worker is to play. */
export interface Part {
  readonly seed: number;
  readonly count: number;
}

export interface Report {
  /** The first that breaks something. */
  readonly failedSeed: number | undefined;
}

parentPort?.on('message', ({ seed, count }: Part) => {
  const report: Report = { failedSeed: check(seed, count)?.seed };
  parentPort?.postMessage(report);
});

import { parentPort, workerData } from 'node:worker_threads';
import { runThread } from './thread-side.ts';
import type { ThreadData } from './wire.ts';

// Begun by `open-ui.ts` as a thread.
if (parentPort) runThread(parentPort, (workerData as ThreadData).settings);

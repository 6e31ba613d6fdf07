import { Worker } from 'node:worker_threads';
import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { UiAgent } from './feed.ts';
import { UiError } from './told.ts';
import { createPost } from './post.ts';
import type { UiSettings } from './settings.ts';
import type { FromThread, ThreadData, ToThread } from './wire.ts';

export interface RunningUi {
  /** Undefined: its thread is being begun anew. */
  readonly port: number | undefined;
  close(): Promise<void>;
}

export interface UiOptions {
  readonly agent: UiAgent;
  readonly settings: UiSettings;
  /** Of `thread.ts`, as JavaScript. */
  readonly entry: URL;
  readonly clock: Clock;
  readonly log: Logger;
  /** For all that is known of 1,000 apps, and pages. Absent: 256 MiB. */
  readonly memoryMiB?: number;
  /** A thread that takes nothing for so long is ended. Absent: 30 s. */
  readonly deafMs?: number;
}

const closingMs = 2_000;
const lookEveryMs = 5_000;

/**
 * The dashboard, on a thread of its own: whatever is asked of it, no look at a canary waits. The thread is told what changes, and may be slow,
 * or end: then another one begins with everything anew. Throws CONFIG_INVALID where it cannot listen at first.
 */
export async function openUi(options: UiOptions): Promise<RunningUi> {
  const { agent, settings, entry, clock, log, memoryMiB = 256, deafMs = 30_000 } = options;
  let worker: Worker | undefined;
  let port: number | undefined;
  let isClosed = false;
  let failures = 0;
  let cancelNext: (() => void) | undefined;
  let cancelLook: (() => void) | undefined;

  const post = createPost(agent, clock, (number, changes) => send({ kind: 'changes', number, changes }));
  const send = (message: ToThread): void => {
    try {
      worker?.postMessage(message);
    } catch (error) {
      // Plain data, all of it; something else in an object of the cluster must not end the agent.
      log.error({ reason: messageOf(error) }, 'the dashboard cannot be told of a change');
      if (message.kind === 'changes') post.taken(message.number);
    }
  };
  const answer = (question: Extract<FromThread, { kind: 'question' }>): void => {
    const { id, name, args } = question;
    const ask = agent.door[name] as (...given: readonly unknown[]) => Promise<unknown>;
    Promise.resolve()
      .then(() => ask.apply(agent.door, [...args]))
      .then(
        (value) => send({ kind: 'answer', id, value }),
        (error: unknown) => {
          const isTold = error instanceof UiError && error.status !== 400 && error.status !== 403;
          if (!isTold) log.error({ question: name, reason: messageOf(error) }, 'a question of the dashboard failed');
          const told = isTold ? { status: error.status, message: error.message } : unknownAnswer;
          send({ kind: 'no-answer', id, ...told } as ToThread);
        },
      );
  };

  /** Resolves when it listens; rejects where it ends before. */
  const begin = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const data: ThreadData = { settings: { ...settings, ...(port === undefined ? {} : { port }) } };
      const made = new Worker(entry, {
        workerData: data,
        execArgv: [],
        // The certificates of Node itself may be named there.
        env: {},
        resourceLimits: { maxOldGenerationSizeMb: memoryMiB, maxYoungGenerationSizeMb: 32 },
      });
      made.unref();
      worker = made;
      made.on('message', (message: FromThread) => {
        switch (message.kind) {
          case 'listening':
            port = message.port;
            failures = 0;
            post.compare();
            return resolve();
          case 'failed':
            return reject(new AgentError('CONFIG_INVALID', message.message));
          case 'taken':
            return post.taken(message.number);
          case 'question':
            return answer(message);
          case 'log':
            return log[message.level](message.fields, message.text);
          case 'closed':
            return undefined;
        }
      });
      made.on('error', (error) => {
        if (!isClosed) log.error({ reason: messageOf(error) }, 'the thread of the dashboard ended; releases go on');
      });
      made.on('exit', () => {
        if (worker === made) worker = undefined;
        reject(new Error('the thread of the dashboard ended'));
        if (!isClosed && port !== undefined) again();
      });
    });
  const again = (): void => {
    if (cancelNext || isClosed) return;
    const waitMs = backoffMs(failures, { baseMs: 1_000, capMs: 60_000 }, Math.random());
    failures += 1;
    cancelNext = clock.after(waitMs, () => {
      cancelNext = undefined;
      begin().catch((error: unknown) => {
        if (!isClosed) log.warn({ reason: messageOf(error) }, 'the dashboard does not come up; it is begun again');
        // Where it could not listen the thread is still there.
        void worker?.terminate();
      });
    });
  };
  const look = (): void => {
    cancelLook = clock.after(lookEveryMs, () => {
      if (worker && port !== undefined && post.lateMs > deafMs) {
        log.error({ lateMs: Math.round(post.lateMs) }, 'the thread of the dashboard takes nothing more; it is ended');
        post.compare();
        void worker.terminate();
      }
      look();
    });
  };

  try {
    await begin();
  } catch (error) {
    isClosed = true;
    post.stop();
    await worker?.terminate();
    throw error;
  }
  const unfollow = agent.follow({
    changed: (app) => post.changed(app),
    happened: (change) => post.happened(change),
  });
  look();
  return {
    get port() {
      return worker ? port : undefined;
    },
    async close() {
      isClosed = true;
      unfollow();
      post.stop();
      cancelNext?.();
      cancelLook?.();
      const ended = worker;
      if (!ended) return;
      const closed = new Promise<void>((resolve) => {
        ended.on('message', (message: FromThread) => {
          if (message.kind === 'closed') resolve();
        });
      });
      send({ kind: 'close' });
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, closingMs).unref())]);
      await ended.terminate();
    },
  };
}

const unknownAnswer = { status: 503, message: 'The agent cannot answer that now; its log says why.' } as const;

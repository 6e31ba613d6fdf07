import type { Clock } from '../lib/clock.ts';
import type { Client } from './client.ts';
import type { Spawn } from './commands.ts';
import type { Side } from './figures.ts';
import type { Pace } from './hey.ts';

/** What the load tester finds around itself. */
export interface Surroundings {
  /** The one that it says it listens on; whoever starts it opens the socket. */
  readonly port: number;
  /** Expression for the whole names of namespaces that may ask; undefined: all of them. */
  readonly allowed: string | undefined;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  readonly client: Client;
  /** Absent: as fast as ordered. */
  readonly pace?: Pace;
  readonly limits?: Limits;
  /** Programs of the machine that tasks may run, and how. Absent: none. */
  readonly programs?: { readonly names: readonly string[]; readonly spawn: Spawn };
  readonly meter?: Meter;
}

export interface Limits {
  /** Tasks that run at once; more are answered by 429. */
  readonly tasks: number;
  /** Workers of one load. */
  readonly workers: number;
  /** After which a task is ended. */
  readonly taskMs: number;
}

/** Hears of what is done, for metrics. */
interface Meter {
  /** `code`: a status, or `none` where there was no answer. */
  readonly request: (of: Named & { readonly side: Side; readonly code: string }, durationMs: number) => void;
  readonly task: (of: { readonly type: string; readonly result: 'succeeded' | 'failed' }) => void;
  readonly running: (tasks: number) => void;
}

/** A Canary; empty where it has no name that Kubernetes knows. */
export interface Named {
  readonly name: string;
  readonly namespace: string;
}

export interface Request {
  /** Without the query. */
  readonly path: string;
  readonly body: string;
  /** Aborts when the caller has gone. Absent: it waits. */
  readonly signal?: AbortSignal;
}

export interface Reply {
  readonly status: number;
  /** Text, or an object that is sent as JSON. */
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Probes and scrapes, which no metric counts. */
  readonly quiet?: boolean;
}

export interface Program {
  readonly handle: (request: Request) => Reply | Promise<Reply>;
  /** Ends the tasks that run. */
  readonly end: () => void;
}

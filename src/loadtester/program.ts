import type { Clock } from '../lib/clock.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What the load tester finds around itself. */
export interface Surroundings {
  /** The one that it says it listens on; whoever starts it opens the socket. */
  readonly port: number;
  /** Expression for the namespaces that may ask; undefined: all of them. */
  readonly allowed: string | undefined;
  readonly clock: Clock;
  readonly log: (line: string) => void;
  /** Where a name of the cluster leads; undefined: nowhere. */
  readonly lookUp: (host: string, port: number) => Address | undefined;
}

export interface Request {
  /** Without the query. */
  readonly path: string;
  readonly body: string;
}

export interface Reply {
  readonly status: number;
  /** Text, or an object that is sent as JSON. */
  readonly body: unknown;
  /** Probes and scrapes, which no metric counts. */
  readonly quiet?: boolean;
}

export interface Program {
  readonly handle: (request: Request) => Reply | Promise<Reply>;
  /** Ends the tasks that run. */
  readonly end: () => void;
}

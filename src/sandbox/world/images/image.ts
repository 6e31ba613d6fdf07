import type { Clock } from '../../../lib/clock.ts';
import type { Address, PodIdentity } from '../../types.ts';

/** What a demo program finds around itself. */
export interface Surroundings {
  readonly pod: PodIdentity;
  readonly tag: string;
  /** `command` and `args` of the container, one after the other. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Whether the pod is to end some day, as those of Jobs are. */
  readonly runsToEnd: boolean;
  /** A file of a mounted ConfigMap or Secret, as it is now. */
  readonly readFile: (path: string) => string | undefined;
  readonly log: (line: string) => void;
  /** In bytes; absent: none. */
  readonly memoryLimit?: number;
  /** Where a name of the cluster leads, as seen from the pod. */
  readonly lookUp: (host: string, port: number) => Address | undefined;
}

export interface AppRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

export interface AppReply {
  readonly status: number;
  /** Objects are sent as JSON. */
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** How long the program takes before it answers, in the clock's milliseconds. */
  readonly delayMs?: number;
  /** Probes and scrapes, which no metric counts. */
  readonly quiet?: boolean;
}

/** What a container does once it has started. */
export type Program =
  | {
      readonly kind: 'serve';
      /** Ports of the pod; all of them lead to the same loopback server. */
      readonly ports: readonly number[] | 'all';
      readonly handle: (request: AppRequest) => AppReply | Promise<AppReply>;
      /** Called when the container is told to end; requests may still come in. */
      readonly end?: () => void;
    }
  | { readonly kind: 'idle' }
  /** `reason`: what ended it, where that was not itself. */
  | { readonly kind: 'exit'; readonly code: number; readonly afterMs: number; readonly reason?: string };

export interface DemoImage {
  /** Whether a registry would have this tag. */
  readonly has: (tag: string) => boolean;
  readonly start: (surroundings: Surroundings) => Program;
}

/** `--port=80` or `--port 80` or `-port=80` among the arguments. */
export function flag(args: readonly string[], name: string): string | undefined {
  for (const [index, arg] of args.entries()) {
    const match = /^--?([^=]+)(?:=(.*))?$/s.exec(arg);
    if (match?.[1] === name) return match[2] ?? args[index + 1];
  }
  return undefined;
}

export function crash({ log }: Pick<Surroundings, 'log'>, line: string): Program {
  log(line);
  return { kind: 'exit', code: 1, afterMs: 0 };
}

/** What is sent. */
export interface Call {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  readonly timeoutMs: number;
  /** Certificates are not looked at. Absent: they are. */
  readonly insecure?: boolean;
  readonly http2?: boolean;
  /** Redirects are followed. Absent: they are the answer. */
  readonly follow?: boolean;
  /** Each call has a connection of its own. Absent: they are kept. */
  readonly fresh?: boolean;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Cut where it is longer than the client reads. */
  readonly body: string;
}

/** Why there is no answer, with the exit code that curl has for it. */
export class NoAnswer extends Error {
  readonly exitCode: number;
  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

export interface Client {
  /** Rejects with NoAnswer. Timeouts are real time. */
  readonly send: (call: Call, signal: AbortSignal) => Promise<Answer>;
  readonly close: () => void;
}

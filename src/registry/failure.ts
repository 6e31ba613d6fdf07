/**
 * Why there is no answer: `credentials` are wrong or missing; there is no such thing; the registry is `busy` and says when to come back; it cannot be
 * reached now; nothing is sent there, or its certificate is not accepted (`refused`); it says what cannot be (`strange`), or more than is read.
 */
export type FailureKind = 'credentials' | 'missing' | 'busy' | 'unreachable' | 'refused' | 'strange' | 'too-large';

export interface Failure {
  readonly kind: 'failed';
  readonly why: FailureKind;
  /** In our words; nothing of what the server wrote. */
  readonly reason: string;
  /** When it may be asked again. Absent: it is not said. */
  readonly retryAfterMs?: number;
}

/** Ends the work on one question. */
export class Failed extends Error {
  override readonly name = 'Failed';
  readonly kind: FailureKind;
  readonly retryAfterMs: number | undefined;

  constructor(kind: FailureKind, reason: string, pauseMs?: number) {
    super(reason);
    this.kind = kind;
    this.retryAfterMs = pauseMs;
  }
}

/**
 * Why there is no answer: `credentials` are wrong or missing; they cannot be had where they come from (`sign-in`); there is no such thing; the registry is `busy` and says when to come back; it cannot be
 * reached now; nothing is sent there, or its certificate is not accepted (`refused`); it says what cannot be (`strange`), or more than is read.
 */
export type FailureKind =
  | 'credentials'
  | 'sign-in'
  | 'missing'
  | 'busy'
  | 'unreachable'
  | 'refused'
  | 'strange'
  | 'too-large';

const ofRegistry: ReadonlySet<FailureKind> = new Set(['sign-in', 'busy', 'unreachable', 'refused']);

/** Whether it is the same for all repositories of a registry. */
export const isOfRegistry = (kind: FailureKind): boolean => ofRegistry.has(kind);

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

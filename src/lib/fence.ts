import { AgentError } from './errors.ts';

/**
 * Whether this process may write. A lease can be lost while an answer is waited for, so the fence is asked right before the write, and in
 * three places only: effects of canaries, what a sync writes, a push. Whoever gives out leases puts another fence here and touches no writer.
 */
export interface Fence {
  /** Throws LEASE_LOST: somebody else writes now, so whatever was decided here is not done. */
  assertHeld(): void;
}

/** There is one replica, and it may always write. */
export const alwaysHeld: Fence = { assertHeld: () => undefined };

/** What the agent does not do because another replica does it: nobody has to be told. */
export const isLeaseLost = (error: unknown): boolean => error instanceof AgentError && error.code === 'LEASE_LOST';

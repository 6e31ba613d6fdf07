import { AgentError } from './errors.ts';

/** One holding of the lease; whoever loses it and wins it again holds another one. Undefined: it is not held. */
export type Epoch = number | undefined;

/**
 * Whether this process may write. A lease can be lost while an answer is waited for, so the fence is asked right before the write, and in
 * three places only: effects of canaries, what a sync writes, a push. Whoever gives out leases puts another fence here and touches no writer.
 */
export interface Fence {
  /** The present one; noted where work begins that ends in a write: a tick, a sync, an attempt to push. */
  epoch(): Epoch;
  /** Throws LEASE_LOST where the lease is not held, or not since: somebody else wrote meanwhile, so whatever was decided in `begun` is not done. */
  assertHeld(begun: Epoch): void;
}

/** There is one replica, and it may always write. */
export const alwaysHeld: Fence = createFence(() => 0);

/** `held`: the present holding of the lease. */
export function createFence(held: () => Epoch): Fence {
  return {
    epoch: held,
    assertHeld(begun) {
      const now = held();
      if (now === undefined) throw new AgentError('LEASE_LOST', 'another replica of the agent writes now');
      if (now !== begun)
        throw new AgentError('LEASE_LOST', 'another replica of the agent has written since this was decided');
    },
  };
}

/** What the agent does not do because another replica does it: nobody has to be told. */
export const isLeaseLost = (error: unknown): boolean => error instanceof AgentError && error.code === 'LEASE_LOST';

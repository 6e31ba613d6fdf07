import { AgentError } from '../../src/lib/errors.ts';
import type { Fence } from '../../src/lib/fence.ts';

/** A fence that is held as long as a test says so, with how often it was asked. */
export function aFence(): Fence & { isHeld: boolean; asked: number } {
  return {
    isHeld: true,
    asked: 0,
    assertHeld() {
      this.asked += 1;
      if (!this.isHeld) throw new AgentError('LEASE_LOST', 'another replica of the agent writes now');
    },
  };
}

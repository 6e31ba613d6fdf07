import { gateAnnotations, type GateName, gatesOf } from '../../canary/gates.ts';
import { canaryRef } from '../../canary/owner.ts';
import type { Cluster, Reflection } from '../../cluster/cluster.ts';
import { AgentError } from '../../lib/errors.ts';

/** Field manager of gates that are opened and closed through the agent or its command line. */
const gateManager = 'serin-gate';

/** The gates of Canaries, as others may ask for them. */
export interface Gates {
  /** Undefined: there is no such Canary, or it is not looked after here. */
  stateOf(gate: GateName, namespace: string, name: string): 'open' | 'closed' | undefined;
  /** False: there is no such Canary. */
  set(
    gate: GateName,
    canary: { readonly namespace: string; readonly name: string; readonly open: boolean },
  ): Promise<boolean>;
}

export function createGates(
  { cluster, canaries }: { readonly cluster: Cluster; readonly canaries: Reflection },
  signal: AbortSignal,
): Gates {
  return {
    stateOf(gate, namespace, name) {
      const canary = canaries.get(namespace, name);
      return canary && gatesOf(canary)[gate];
    },
    async set(gate, { namespace, name, open }) {
      if (!canaries.get(namespace, name)) return false;
      return setGate(cluster, { gate, namespace, name, open }, signal);
    },
  };
}

/** Writes the state where it stays: on the Canary. False: there is none. */
export async function setGate(
  cluster: Cluster,
  { gate, namespace, name, open }: { gate: GateName; namespace: string; name: string; open: boolean },
  signal: AbortSignal,
): Promise<boolean> {
  const annotations = { [gateAnnotations[gate]]: open ? 'open' : 'closed' };
  try {
    await cluster.mergePatch(
      canaryRef({ namespace, name }),
      { metadata: { annotations } },
      { manager: gateManager },
      signal,
    );
    return true;
  } catch (error) {
    if (error instanceof AgentError && error.details['status'] === 404) return false;
    throw error;
  }
}

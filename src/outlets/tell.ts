import type { CanaryEvent, CanarySpec } from '../canary/types.ts';
import { keyOf } from '../lib/key.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { Outlets } from './outlet.ts';

/** Says something of a Canary to all outlets. `releaseId`: of which release; undefined: of none that is known. */
export type Tell = (
  canary: KubeObject,
  spec: Pick<CanarySpec, 'namespace' | 'name'> & Partial<CanarySpec>,
  event: CanaryEvent,
  releaseId: string | undefined,
) => void;

export function createTell(outlets: Pick<Outlets, 'tell'>): Tell {
  return (canary, spec, event, releaseId) =>
    outlets.tell({ kind: 'said', app: keyOf(spec), releaseId, canary, spec, event });
}

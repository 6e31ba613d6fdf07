import { type Json, jsonOf, textsOf } from '../../src/lib/json.ts';
import type { TargetKind, TrafficSplit } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import type { Happening } from './happenings.ts';
import type { KnativeService } from './knative.ts';
import type { Workload } from './workload.ts';

/** The API server did not do what an effect asked for: the tick ends there. */
export class Refused extends Error {}

export type ServiceRole = 'apex' | 'primary' | 'canary';

/** What stands in the cluster. Never changed, so that an older one can be kept and looked at. */
export interface Objects {
  readonly target: Workload | undefined;
  readonly primary: Workload | undefined;
  /** In place of the two above, where the target is a Service. */
  readonly targetService: KubeObject | undefined;
  readonly knative: KnativeService | undefined;
  readonly services: Readonly<Record<ServiceRole, KubeObject | undefined>>;
  readonly scaler: KubeObject | undefined;
  readonly primaryScaler: KubeObject | undefined;
  readonly split: TrafficSplit | undefined;
  readonly routeTrouble: string | undefined;
  readonly routeDrift: boolean;
  /** Texts of the ConfigMap and of the primary's copy; 0: there is none. */
  readonly config: number;
  readonly copy: number;
}

/** Somebody else has to do with the routes. */
export function rerouted(
  { split }: Objects,
  to: Extract<Happening, { kind: 'route' }>['to'],
  kind: TargetKind,
): Partial<Objects> {
  switch (to) {
    case 'drifts':
      return { routeDrift: split !== undefined };
    case 'vanishes':
      // Those of Knative are part of the target.
      return kind === 'Knative' ? {} : { split: undefined, routeDrift: false };
    case 'is refused':
      return { routeTrouble: 'the route was not accepted' };
    case 'is accepted':
      return { routeTrouble: undefined };
    case 'is set to 35':
      return split ? { split: { canaryWeight: 35, mirror: false } } : {};
  }
}

/** Named as the target is. */
export function serviceTo(app: string): KubeObject {
  const spec = {
    type: 'ClusterIP',
    selector: { app },
    ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 80 }],
  };
  return { apiVersion: 'v1', kind: 'Service', metadata: { name: 'app', namespace: 'demo' }, spec };
}

/** Which pods a Service selects. */
export function leadsTo(service: KubeObject | undefined): string | undefined {
  return textsOf(jsonOf(service?.['spec'])['selector'])['app'];
}

export function mergePatch(value: unknown, patch: unknown): Json {
  const merged: Record<string, unknown> = { ...jsonOf(value) };
  for (const [name, member] of Object.entries(jsonOf(patch))) {
    if (member === null) delete merged[name];
    else merged[name] = typeof member === 'object' ? mergePatch(merged[name], member) : member;
  }
  return merged;
}

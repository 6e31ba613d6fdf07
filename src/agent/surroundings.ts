import type { App } from '../canary/app.ts';
import { at, textsOf } from '../canary/json.ts';
import { selects } from '../canary/label-selector.ts';
import { neighbourhoodOf } from '../canary/neighbours.ts';
import { foreignApex, overlapOf } from '../canary/overlap.ts';
import { servicePorts } from '../canary/ports.ts';
import { targets } from '../canary/targets/registry.ts';
import type { CanarySpec } from '../canary/types.ts';
import type { KubeObject, Manifest } from '../manifest/types.ts';
import { workloadsOf } from './workloads.ts';

export interface Surrounding {
  readonly manifest: Manifest;
  readonly finding: {
    readonly field: string;
    readonly message: string;
    readonly hint?: string;
    readonly severity: 'error' | 'warning';
  };
}

/** What Git has beside an app, and what will be another thing than it seems as soon as the app has a primary. */
export function surroundingsOf(
  manifests: readonly Manifest[],
  apps: readonly App[],
  selectorLabels: readonly string[],
): (app: App, spec: CanarySpec) => readonly Surrounding[] {
  let services: ReadonlyMap<string, Manifest> | undefined;
  let neighbourhood: ReturnType<typeof neighbourhoodOf> | undefined;
  return (app, spec) => {
    const { target, canary } = app;
    const selector = target && targets[app.targetKind].selectorOf(target.object, selectorLabels);
    if (!target || !selector || selector.label === '') return [];
    services ??= servicesOf(manifests);
    neighbourhood ??= neighbourhoodOf(manifests, selectorLabels);
    const found: Surrounding[] = [];
    const tell = (
      manifest: Manifest,
      field: string,
      severity: 'error' | 'warning',
      message?: string,
      hint?: string,
    ) => {
      if (message === undefined) return;
      found.push({ manifest, finding: { field, message, severity, ...(hint === undefined ? {} : { hint }) } });
    };
    const workloads = workloadsOf(manifests, apps).get(spec.namespace) ?? [];
    tell(canary, 'spec.targetRef', 'error', overlapOf({ target: target.object, selector, workloads, selectorLabels }));
    const apex = services.get(`${spec.namespace}/${spec.service.name}`);
    tell(canary, 'spec.service.name', 'error', foreignApex(apex?.object, target.object, canary.object));
    const { remarks } = servicePorts({ spec, canary: canary.object, workload: target.object, apex: apex?.object });
    for (const remark of remarks) tell(canary, 'spec.service', 'warning', remark);
    for (const { manifest, field, message, hint } of neighbourhood.of(app, spec.service.name))
      tell(manifest, field, 'warning', message, hint);
    if (apex) tell(apex, 'spec.selector', 'warning', narrowed(apex.object, target.object, workloads));
    return found;
  };
}

/** A Service for several workloads, of which the Canary leaves it one. */
function narrowed(
  apex: KubeObject,
  target: KubeObject,
  workloads: readonly { readonly object: KubeObject }[],
): string | undefined {
  const matchLabels = textsOf(at(apex, 'spec', 'selector'));
  if (Object.keys(matchLabels).length === 0) return undefined;
  const other = workloads.find(
    ({ object }) =>
      object !== target && selects({ matchLabels }, textsOf(at(object, 'spec', 'template', 'metadata', 'labels'))),
  );
  if (!other) return undefined;
  const { kind, metadata } = other.object;
  return `leads to the pods of ${kind} ${metadata.name} too; as soon as the Canary is initialised, only to those of ${target.kind} ${target.metadata.name}`;
}

function servicesOf(manifests: readonly Manifest[]): ReadonlyMap<string, Manifest> {
  const services = manifests.filter(({ object }) => object.kind === 'Service' && object.apiVersion === 'v1');
  return new Map(
    services.map((manifest) => [
      `${manifest.object.metadata.namespace ?? ''}/${manifest.object.metadata.name}`,
      manifest,
    ]),
  );
}

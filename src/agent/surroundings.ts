import type { App } from '../canary/app.ts';
import { at, listOf, textsOf } from '../canary/json.ts';
import { selects } from '../canary/label-selector.ts';
import { neighbourhoodOf } from '../canary/neighbours.ts';
import { foreignApex, overlapOf } from '../canary/overlap.ts';
import { deadTargetPort, servicePorts } from '../canary/ports.ts';
import { targets } from '../canary/targets/registry.ts';
import type { CanarySpec } from '../canary/types.ts';
import { deadBackends } from '../manifest/checks/references.ts';
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
  let byNamespace: ReadonlyMap<string, readonly Manifest[]> | undefined;
  const ingresses = (): ReadonlyMap<string, readonly Manifest[]> => (byNamespace ??= ingressesOf(manifests));
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
    tell(canary, 'spec.service.targetPort', 'error', deadTargetPort(spec, target.object));
    tell(canary, 'spec.service', 'warning', undeclaredPort(spec, target.object, apex?.object));
    const input = { spec, canary: canary.object, workload: target.object, apex: apex?.object };
    const { ports, remarks } = servicePorts(input);
    for (const remark of remarks) tell(canary, 'spec.service', 'warning', remark);
    const { name } = spec.service;
    const generated = { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports } };
    for (const ingress of ingresses().get(spec.namespace) ?? [])
      for (const finding of deadBackends(ingress.object, (wanted) => (wanted === name ? generated : undefined)))
        tell(ingress, finding.field, 'warning', finding.message, finding.hint);
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

/** A number that no container declares, where all declare some: Kubernetes lets that be, and mostly nobody listens there. */
function undeclaredPort(spec: CanarySpec, target: KubeObject, apex: KubeObject | undefined): string | undefined {
  const { targetPort, raw } = spec.service;
  // What a Service led to before is led to further on.
  if (typeof targetPort !== 'number' || (apex && raw['targetPort'] === undefined)) return undefined;
  const declared = listOf(at(target, 'spec', 'template', 'spec', 'containers')).map(({ ports }) =>
    listOf(ports).map(({ containerPort }) => containerPort),
  );
  if (declared.some((ports) => ports.length === 0 || ports.includes(targetPort))) return undefined;
  const all = declared.flat().slice(0, 10).join(', ');
  return `leads to port ${targetPort} of the pods, which no container of ${target.kind} ${target.metadata.name} declares; they declare ${all}`;
}

function ingressesOf(manifests: readonly Manifest[]): ReadonlyMap<string, readonly Manifest[]> {
  const found = new Map<string, Manifest[]>();
  for (const manifest of manifests) {
    const { apiVersion, kind, metadata } = manifest.object;
    if (kind !== 'Ingress' || !apiVersion.startsWith('networking.k8s.io/')) continue;
    const { namespace = '' } = metadata;
    found.set(namespace, [...(found.get(namespace) ?? []), manifest]);
  }
  return found;
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

import { primaryName } from '../canary/names.ts';
import type { App } from '../canary/app.ts';
import { at, listOf, textsOf } from '../lib/json.ts';
import { isPartOf } from '../canary/labels.ts';
import { neighbourhoodOf } from '../canary/neighbours.ts';
import { labelsOf } from '../canary/labels.ts';
import { foreignApex, overlapOf } from '../canary/overlap.ts';
import { deadTargetPort, type ServicePorts, servicePorts } from '../canary/ports.ts';
import { targets } from '../canary/targets/registry.ts';
import type { CanarySpec } from '../canary/types.ts';
import { namespacedName } from '../lib/key.ts';
import { backendsOf, deadBackends } from '../manifest/checks/references.ts';
import type { KubeObject, Manifest } from '../manifest/types.ts';
import { type GitWorkloads, workloadsOf } from './workloads.ts';

export interface RelatedObject {
  readonly manifest: Manifest;
  readonly finding: {
    readonly field: string;
    readonly message: string;
    readonly hint?: string;
    readonly severity: 'error' | 'warning';
  };
}

/** What Git has beside an app, and what will be another thing than it seems as soon as the app has a primary. */
export function relatedObjectsOf(
  manifests: readonly Manifest[],
  apps: readonly App[],
  selectorLabels: readonly string[],
): (app: App, spec: CanarySpec) => readonly RelatedObject[] {
  let services: ReadonlyMap<string, Manifest> | undefined;
  let byService: ReadonlyMap<string, readonly Manifest[]> | undefined;
  const ingresses = (): ReadonlyMap<string, readonly Manifest[]> => (byService ??= ingressesOf(manifests));
  let neighbourhood: ReturnType<typeof neighbourhoodOf> | undefined;
  return (app, spec) => {
    const { target, canary } = app;
    const selector = target && targets[app.targetKind].selectorOf(target.object, selectorLabels);
    if (!target || !selector || selector.label === '') return [];
    services ??= servicesOf(manifests);
    neighbourhood ??= neighbourhoodOf(manifests, selectorLabels);
    const found: RelatedObject[] = [];
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
    const all = workloadsOf(manifests, apps, selectorLabels);
    const own = labelsOf(target.object);
    const workloads = [own, { ...own, [selector.label]: primaryName(selector.value) }].flatMap((labels) =>
      all.near(spec.namespace, labels),
    );
    tell(canary, 'spec.targetRef', 'error', overlapOf({ target: target.object, selector, workloads, selectorLabels }));
    const apex = services.get(namespacedName({ namespace: spec.namespace, name: spec.service.name }));
    const { wrong, ports } = servicesOfApp(app, spec, apex?.object);
    for (const [field, severity, message] of wrong) tell(canary, field, severity, message);
    const { name } = spec.service;
    const generated = { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports } };
    for (const ingress of ingresses().get(namespacedName({ namespace: spec.namespace, name })) ?? [])
      for (const finding of deadBackends(ingress.object, (wanted) => (wanted === name ? generated : undefined)))
        tell(ingress, finding.field, 'warning', finding.message, finding.hint);
    for (const { manifest, field, message, hint } of neighbourhood.of(app, spec.service.name))
      tell(manifest, field, 'warning', message, hint);
    if (apex) tell(apex, 'spec.selector', 'warning', narrowed(apex.object, target.object, all, selectorLabels));
    return found;
  };
}

type Wrong = readonly [field: string, severity: 'error' | 'warning', message: string | undefined];

interface AppServices {
  readonly wrong: readonly Wrong[];
  readonly ports: ServicePorts['ports'];
}

const lastServices = new WeakMap<
  App,
  AppServices & { readonly spec: CanarySpec; readonly apex: KubeObject | undefined }
>();

/** What comes of an app's own objects: found once for the same ones. */
function servicesOfApp(app: App, spec: CanarySpec, apex: KubeObject | undefined): AppServices {
  const last = lastServices.get(app);
  if (last?.spec === spec && last.apex === apex) return last;
  const canary = app.canary.object;
  const workload = app.target?.object ?? canary;
  const { ports, remarks } = servicePorts({ spec, canary, workload, apex });
  const all: readonly Wrong[] = [
    ['spec.service.name', 'error', foreignApex(apex, workload, canary)],
    ['spec.service.targetPort', 'error', deadTargetPort(spec, workload)],
    ['spec.service', 'warning', undeclaredPort(spec, workload, apex)],
    ...remarks.map((remark): Wrong => ['spec.service', 'warning', remark]),
  ];
  const found = { spec, apex, ports, wrong: all.filter(([, , message]) => message !== undefined) };
  lastServices.set(app, found);
  return found;
}

/** A Service for several workloads, of which the Canary leaves it one. */
function narrowed(
  apex: KubeObject,
  target: KubeObject,
  workloads: GitWorkloads,
  selectorLabels: readonly string[],
): string | undefined {
  const { namespace = '' } = apex.metadata;
  const selector = textsOf(at(apex, 'spec', 'selector'));
  if (Object.keys(selector).length === 0) return undefined;
  const isTold = selectorLabels.some((key) => Object.hasOwn(selector, key));
  const near = isTold ? workloads.near(namespace, selector) : workloads.in(namespace);
  const other = near.find(({ object }) => object !== target && isPartOf(selector, labelsOf(object)));
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

/** By namespace and name of the Services that they lead to. */
function ingressesOf(manifests: readonly Manifest[]): ReadonlyMap<string, readonly Manifest[]> {
  const found = new Map<string, Manifest[]>();
  for (const manifest of manifests) {
    const { apiVersion, kind, metadata } = manifest.object;
    if (kind !== 'Ingress' || !apiVersion.startsWith('networking.k8s.io/')) continue;
    for (const name of new Set(backendsOf(manifest.object))) {
      const place = namespacedName({ namespace: metadata.namespace, name });
      const ingresses = found.get(place);
      if (ingresses) ingresses.push(manifest);
      else found.set(place, [manifest]);
    }
  }
  return found;
}

function servicesOf(manifests: readonly Manifest[]): ReadonlyMap<string, Manifest> {
  const services = manifests.filter(({ object }) => object.kind === 'Service' && object.apiVersion === 'v1');
  return new Map(services.map((manifest) => [namespacedName(manifest.object.metadata), manifest]));
}

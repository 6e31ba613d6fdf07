import { groupOf, type KubeObject, type ObjectRef } from '../manifest/types.ts';
import { at, jsonOf, listOf, textOf, textsOf } from '../lib/json.ts';
import { isPartOf, labelsOf } from './labels.ts';
import { isPrimaryName } from './names.ts';
import { scalers } from './scalers/registry.ts';
import { madeFor } from './targets/knative.ts';
import { targetKindOf, targets } from './targets/registry.ts';
import type { AutoscalerSpec, TargetKind } from './types.ts';

/** Keeps a Canary that goes until it has handed back what it took. Flagger's. */
export const finalizer = 'finalizer.flagger.app';

/**
 * Which objects of others a Canary makes, takes over and looks at, by its spec as it is written: also one that cannot be understood has a
 * footprint. Whoever must keep off these objects asks here and knows nothing else of Canaries.
 */
export interface Footprint {
  readonly namespace: string;
  readonly targetKind: TargetKind;
  /** As it is named, in the version that it is named in. Absent: it names none. */
  readonly target?: ObjectRef;
  /** Name of its Services; the copies have it with an ending. Absent: its target leads its users without any. */
  readonly serviceName?: string;
  /** The Service by which users come, which it takes over. Absent: the target is that, or needs none. */
  readonly apex?: ObjectRef;
  /** The route of its users into which it writes weights. Absent: it makes its own. */
  readonly route?: ObjectRef;
  /** In the version that the agent speaks. Absent: it names none, or one of a kind that it does not know. */
  readonly autoscaler?: ObjectRef & { readonly kind: AutoscalerSpec['kind'] };
  /** Of the objects that it writes, or takes over; those that it makes have one of them with an ending. */
  readonly written: readonly string[];
  /** Of all that it refers to, and of its Services. */
  readonly watched: readonly string[];
  /** It hands back by itself what it took. */
  readonly handsBack: boolean;
}

export const isCanary = ({ apiVersion, kind }: Pick<ObjectRef, 'apiVersion' | 'kind'>): boolean =>
  kind === 'Canary' && groupOf(apiVersion) === 'flagger.app';

export function footprintOf(canary: KubeObject): Footprint {
  const { namespace = '' } = canary.metadata;
  const spec = jsonOf(canary['spec']);
  const { apiVersion = 'apps/v1', kind = 'Deployment', name: target } = textsOf(spec['targetRef']);
  const targetKind = targetKindOf(kind, apiVersion);
  const { services } = targets[targetKind];
  const service = nameIn(spec, 'service');
  const serviceName = services === 'none' ? undefined : (service ?? target);
  const autoscaler = autoscalerOf(spec['autoscalerRef'], namespace);
  const route = routeOf(spec['service'], namespace);
  const entrances = listOf(spec['ingressRefs']).map(({ name }) => textOf(name));
  return {
    namespace,
    targetKind,
    ...(target === undefined ? {} : { target: { apiVersion, kind, namespace, name: target } }),
    ...(serviceName === undefined ? {} : { serviceName }),
    ...(serviceName === undefined || services !== 'all'
      ? {}
      : { apex: { apiVersion: 'v1', kind: 'Service', namespace, name: serviceName } }),
    ...(route === undefined ? {} : { route }),
    ...(autoscaler === undefined ? {} : { autoscaler }),
    written: named([target, service, nameIn(spec, 'ingressRef'), nameIn(spec, 'routeRef'), ...entrances]),
    watched: named([
      ...entrances,
      textOf(at(spec, 'service', 'routeRef', 'name')),
      ...Object.keys(spec).map((field) =>
        field === 'service' || field.endsWith('Ref') ? nameIn(spec, field) : undefined,
      ),
    ]),
    handsBack: spec['revertOnDeletion'] === true,
  };
}

const nameIn = (spec: unknown, field: string): string | undefined => textOf(at(spec, field, 'name'));
const named = (names: readonly (string | undefined)[]): readonly string[] => [
  ...new Set(names.filter((name) => name !== undefined)),
];

function routeOf(service: unknown, namespace: string): ObjectRef | undefined {
  const { apiVersion = 'gateway.networking.k8s.io/v1', kind = 'HTTPRoute', name } = textsOf(at(service, 'routeRef'));
  return name === undefined ? undefined : { apiVersion, kind, namespace, name };
}

function autoscalerOf(value: unknown, namespace: string): Footprint['autoscaler'] {
  const { kind, name } = textsOf(value);
  const scaler = Object.values(scalers).find((one) => one.kind === kind);
  return scaler === undefined || name === undefined ? undefined : { ...scaler.ref, kind: scaler.kind, namespace, name };
}

/** Tells of an object whether its name is one under which the Canaries among these objects write. */
export function writtenByCanaries(objects: readonly KubeObject[]): (object: KubeObject) => boolean {
  const names = new Map<string, Set<string>>();
  for (const object of objects) {
    if (!isCanary(object)) continue;
    const { namespace, written } = footprintOf(object);
    const own = names.get(namespace) ?? new Set();
    for (const name of written) own.add(name);
    names.set(namespace, own);
  }
  return ({ metadata: { namespace = '', name } }) => {
    const own = names.get(namespace);
    if (!own || own.has(name)) return own !== undefined;
    for (let dash = name.indexOf('-'); dash >= 0; dash = name.indexOf('-', dash + 1))
      if (own.has(name.slice(0, dash))) return true;
    return false;
  };
}

/** The name by which Canaries know an object: what is made of a target concerns that. */
export function subjectName(object: KubeObject): string {
  return madeFor(object) ?? object.metadata.name;
}

/**
 * Whether a Canary has taken this Service over: it leads to a primary, also to that of a former target, and not to the pods of the target
 * themselves, whatever they are called. `target` undefined: it is not known, and the ending of a primary's labels alone tells.
 */
export function isTakenOver(service: KubeObject | undefined, target: KubeObject | undefined): boolean {
  const selector = textsOf(at(service, 'spec', 'selector'));
  if (!Object.values(selector).some(isPrimaryName)) return false;
  return target === undefined || !isPartOf(selector, labelsOf(target));
}

import type { ObjectRef } from '../../manifest/types.ts';
import type { CanarySpec } from '../types.ts';
import type { FieldChecks } from './field-checks.ts';

const versions = {
  Ingress: 'networking.k8s.io/v1',
  IngressRoute: 'traefik.io/v1alpha1',
  ApisixRoute: 'apisix.apache.org/v2',
} as const;
type EntranceKind = keyof typeof versions;

/** Kinds that a provider can split; the first is meant where an entrance names none. */
const kindsOf = new Map<string, readonly EntranceKind[]>([
  ['nginx', ['Ingress']],
  ['skipper', ['Ingress']],
  ['traefik', ['IngressRoute']],
  ['apisix', ['ApisixRoute']],
]);
const allKinds = Object.keys(versions) as EntranceKind[];

/** More are not taken: each is written at every step. */
const most = 50;

interface Around {
  readonly namespace: string;
  readonly provider: string;
  readonly check: FieldChecks;
}

/** `spec.ingressRef` as Flagger has it: the one entrance of an app. */
export function parseIngressRef(value: unknown, { namespace, check }: Around): Pick<CanarySpec, 'ingressRef'> {
  if (value === undefined || value === null) return {};
  const ref = parsed(value, 'spec.ingressRef', { namespace, check, kinds: ['Ingress', 'IngressRoute'] });
  return ref ? { ingressRef: ref } : {};
}

/**
 * `spec.ingressRefs`: several entrances of one app, whose weights move together. One that `ingressRef` or `routeRef` names beside them is the
 * first of them; else their first one stands for these.
 */
export function parseIngressRefs(
  value: unknown,
  named: Pick<CanarySpec, 'ingressRef' | 'routeRef'>,
  { namespace, provider, check }: Around,
): Pick<CanarySpec, 'ingressRefs' | 'ingressRef' | 'routeRef'> {
  const field = 'spec.ingressRefs';
  if (value === undefined || value === null) return named;
  const entries = check.list(value, field);
  if (entries.length === 0) return named;
  if (entries.length > most) {
    check.note(field, `has ${entries.length} entries, and ${most} are the most`);
    return named;
  }
  const kinds = kindsOf.get(provider) ?? allKinds;
  const refs = entries.flatMap((entry, index) => {
    const ref = parsed(entry, `${field}[${index}]`, { namespace, check, kinds });
    return ref ? [ref] : [];
  });
  const { ingressRef, routeRef } = named;
  const first = provider === 'apisix' ? routeRef : ingressRef;
  const others = first ? refs.filter(({ name }) => name !== first.name) : refs;
  const all = first ? [first, ...others] : others;
  refuseCollisions(refs, field, check);
  const [one] = all;
  if (!one) return named;
  const lead = one.kind === 'ApisixRoute' ? { routeRef: routeRef ?? one } : { ingressRef: ingressRef ?? one };
  return { ...named, ...lead, ingressRefs: all };
}

function refuseCollisions(refs: readonly ObjectRef[], field: string, check: FieldChecks): void {
  const seen = new Map<string, number>();
  for (const [index, { name }] of refs.entries()) {
    const before = seen.get(name);
    if (before !== undefined) check.note(`${field}[${index}].name`, `is named by ${field}[${before}], too`);
    else seen.set(name, index);
  }
  for (const [index, { name }] of refs.entries()) {
    const base = name.endsWith('-canary') ? name.slice(0, -'-canary'.length) : undefined;
    if (base !== undefined && seen.has(base))
      check.note(
        `${field}[${index}].name`,
        `is the copy for the canary of ${base}, which is an entrance, too`,
        'leave it out',
      );
  }
}

function parsed(
  value: unknown,
  field: string,
  { namespace, check, kinds }: Pick<Around, 'namespace' | 'check'> & { readonly kinds: readonly EntranceKind[] },
): ObjectRef | undefined {
  const ref = check.record(value, field);
  const name = check.text(ref['name'], `${field}.name`);
  if (name === undefined) {
    check.note(`${field}.name`, 'is required', `name the ${kinds[0] ?? 'Ingress'}`);
    return undefined;
  }
  const kind = check.oneOf(ref['kind'], `${field}.kind`, kinds) ?? kinds[0] ?? 'Ingress';
  const apiVersion = check.text(ref['apiVersion'], `${field}.apiVersion`) ?? versions[kind];
  return { apiVersion, kind, namespace, name };
}

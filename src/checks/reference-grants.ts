import type { CanarySpec } from '../canary/types.ts';
import { jsonOf, listOf, textOf } from '../lib/json.ts';
import { groupOf, type KubeObject, type Manifest } from '../manifest/types.ts';

const group = 'gateway.networking.k8s.io';

interface Finding {
  readonly field: string;
  readonly message: string;
  readonly hint: string;
  readonly severity: 'warning';
}

/**
 * Tells of Canaries of Gateway API which Services of other namespaces get copies of requests by a route that no ReferenceGrant in Git allows:
 * their Gateway would not take the route.
 */
export function grantFinder(manifests: readonly Manifest[]): (spec: CanarySpec) => readonly Finding[] {
  let grants: readonly KubeObject[] | undefined;
  return ({ provider, namespace, service: { raw, routeRef } }) => {
    if (!/^gatewayapi(:|$)/.test(provider) || routeRef) return [];
    return listOf(raw['mirror']).flatMap((entry, index): readonly Finding[] => {
      const { namespace: other, name, kind, group: of } = jsonOf(entry['backendRef']);
      const [to, inside] = [textOf(name), textOf(other)];
      if (to === undefined || inside === undefined || inside === namespace) return [];
      grants ??= manifests
        .map(({ object }) => object)
        .filter((object) => object.kind === 'ReferenceGrant' && groupOf(object.apiVersion) === group);
      const asked = { from: namespace, inside, group: textOf(of) ?? '', kind: textOf(kind) ?? 'Service', name: to };
      if (grants.some((grant) => allows(grant, asked))) return [];
      const message = `leads to ${asked.kind} ${to}.${inside}, which a route of ${namespace} may do only by a ReferenceGrant in ${inside}, and Git has none`;
      const hint = 'commit it, or be sure that the cluster has it';
      return [{ field: `spec.service.mirror[${index}].backendRef`, message, hint, severity: 'warning' }];
    });
  };
}

interface Asked {
  readonly from: string;
  readonly inside: string;
  readonly group: string;
  readonly kind: string;
  readonly name: string;
}

function allows({ metadata, spec }: KubeObject & { readonly spec?: unknown }, asked: Asked): boolean {
  const { from, to } = jsonOf(spec);
  return (
    metadata.namespace === asked.inside &&
    listOf(from).some(
      (one) => one['group'] === group && one['kind'] === 'HTTPRoute' && one['namespace'] === asked.from,
    ) &&
    listOf(to).some(
      (one) =>
        (one['group'] ?? '') === asked.group &&
        one['kind'] === asked.kind &&
        ((one['name'] ?? '') === '' || one['name'] === asked.name),
    )
  );
}

import { analysisFieldOf } from '../canary/analysis-field.ts';
import { isNothing } from '../canary/unused-fields.ts';
import { at, jsonOf, textOf } from '../lib/json.ts';
import type { KubeObject } from '../manifest/types.ts';
import { later, routers } from './registry.ts';
import type { Router } from './router.ts';

/** Which families of providers look at a field that not all do; none: only those that come later. `gatewayapi:v1` is of the family `gatewayapi`. */
const users: ReadonlyMap<string, ReadonlySet<string>> = (() => {
  const found = new Map<string, Set<string>>(later.fields.map((field) => [field, new Set()]));
  for (const { name, fields = [] } of Object.values(routers) as readonly Router[])
    for (const field of fields) found.set(field, (found.get(field) ?? new Set()).add(familyOf(name)));
  return found;
})();

interface Finding {
  readonly field: string;
  readonly message: string;
  readonly hint: string;
}

/** Fields of a Canary that its provider does not look at. `provider` is that of Canaries that name none. */
export function fieldsOfOthers(object: KubeObject, provider: string): readonly Finding[] {
  const spec = jsonOf(object['spec']);
  const used = textOf(spec['provider']) ?? provider;
  const analysis = analysisFieldOf(spec);
  return [...users].flatMap(([path, families]): readonly Finding[] => {
    if (families.has(familyOf(used))) return [];
    const shown = path.replace(/^spec\.analysis\./, `spec.${analysis}.`);
    if (isNothing(at({ spec }, ...shown.split('.')))) return [];
    const hint =
      families.size === 0
        ? 'only providers that are not supported yet use it'
        : `only ${[...families].join(', ')} use it`;
    return [{ field: shown, message: `has no effect with provider ${used}`, hint }];
  });
}

function familyOf(provider: string): string {
  return provider.split(':', 1)[0] ?? provider;
}

import { analysisFieldOf } from '../canary/analysis-field.ts';
import { isNothing } from '../canary/unused-fields.ts';
import { at, jsonOf, textOf } from '../lib/json.ts';
import type { KubeObject } from '../manifest/types.ts';
import { routers } from './registry.ts';
import type { Router } from './router.ts';

/** Which families of providers look at a field that not all do. `gatewayapi:v1` is of the family `gatewayapi`. */
const users: ReadonlyMap<string, ReadonlySet<string>> = (() => {
  const found = new Map<string, Set<string>>();
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
    return [
      { field: shown, message: `has no effect with provider ${used}`, hint: `only ${[...families].join(', ')} use it` },
    ];
  });
}

function familyOf(provider: string): string {
  return provider.split(':', 1)[0] ?? provider;
}

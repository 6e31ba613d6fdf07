import { identityKey } from '../manifest/identity.ts';
import type { LoadCache, LoadSettings } from '../manifest/load.ts';
import { isFluxKustomization, readFluxKustomization } from './flux-kustomization.ts';

/** ConfigMaps and Secrets that Kustomizations of Flux which are written in files take variables from, by identity. */
export function variableSources(said: LoadCache, { defaultNamespace }: LoadSettings): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const { parsed } of said.values())
    for (const manifest of parsed.manifests) {
      const flux = isFluxKustomization(manifest.object) ? readFluxKustomization(manifest) : undefined;
      if (typeof flux !== 'object') continue;
      for (const { kind, name, namespace = defaultNamespace } of flux.variables?.from ?? [])
        keys.add(identityKey({ apiVersion: 'v1', kind, namespace, name }));
    }
  return keys;
}

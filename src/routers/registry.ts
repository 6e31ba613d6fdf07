import { AgentError } from '../lib/errors.ts';
import { apisix } from './apisix.ts';
import { contour } from './contour.ts';
import { gatewayapi } from './gatewayapi.ts';
import { gloo } from './gloo.ts';
import { istio } from './istio.ts';
import { knative } from './knative.ts';
import { kubernetes } from './kubernetes.ts';
import { kuma } from './kuma.ts';
import { nginx } from './nginx.ts';
import type { Router } from './router.ts';
import { skipper } from './skipper.ts';
import { smi } from './smi.ts';
import { traefik } from './traefik.ts';

/** All routing providers, by the value of `spec.provider`. */
export const routers = {
  apisix,
  contour,
  'gatewayapi:v1': gatewayapi('v1'),
  'gatewayapi:v1beta1': gatewayapi('v1beta1'),
  gloo,
  istio,
  knative,
  kubernetes,
  kuma,
  linkerd: smi('linkerd', 'v1alpha1'),
  nginx,
  osm: smi('osm', 'v1alpha2'),
  skipper,
  'smi:v1alpha1': smi('smi:v1alpha1', 'v1alpha1'),
  'smi:v1alpha2': smi('smi:v1alpha2', 'v1alpha2'),
  'smi:v1alpha3': smi('smi:v1alpha3', 'v1alpha3'),
  traefik,
} as const satisfies Record<string, Router>;

type RouterName = keyof typeof routers;

/** Flagger's other providers: AWS ended App Mesh in September 2026. */
const NOT_YET = ['appmesh', 'appmesh:v1beta2'] as const;

/** Throws AgentError CANARY_INVALID where `providerProblem` says why. */
export function routerFor(provider: string): Router {
  const router = find(provider);
  if (!router) throw new AgentError('CANARY_INVALID', providerProblem(provider) ?? provider);
  return router;
}

/** Why `spec.provider` cannot be used; undefined where it can. */
export function providerProblem(provider: string): string | undefined {
  if (find(provider)) return undefined;
  const supported = Object.keys(routers);
  const known: readonly string[] = NOT_YET;
  if (known.includes(provider)) {
    return `spec.provider: ${provider} is not supported in this release; supported are ${supported.join(', ')}`;
  }
  const near = nearest(provider, [...supported, ...known]);
  const hint = near === undefined ? `supported are ${supported.join(', ')}` : `did you mean "${near}"?`;
  const shown = provider.length > longestWord ? `${provider.slice(0, longestWord)}…` : provider;
  return `spec.provider: unknown provider "${shown}"; ${hint}`;
}

function find(provider: string): Router | undefined {
  // The mesh after the version (`smi:v1alpha2:istio`) changes nothing that is written here.
  const name = /^smi:v1alpha[123]:/.test(provider) ? provider.split(':', 2).join(':') : provider;
  return Object.hasOwn(routers, name) ? routers[name as RouterName] : undefined;
}

/** Nobody meant anything by a longer word; to compare it would take long. */
const longestWord = 100;

function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > longestWord) return undefined;
  const lower = word.toLowerCase();
  const byPrefix = lower === '' ? undefined : candidates.find((candidate) => candidate.startsWith(`${lower}:`));
  if (byPrefix !== undefined) return byPrefix;
  const ranked = candidates
    .map((candidate) => ({ candidate, distance: editDistance(lower, candidate) }))
    .sort((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best && best.distance <= Math.max(2, Math.floor(best.candidate.length / 4)) ? best.candidate : undefined;
}

/** Levenshtein. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 0; i < a.length; i += 1) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j += 1) {
      const replace = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(replace, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

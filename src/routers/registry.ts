import { AgentError } from '../lib/errors.ts';
import { nearest } from '../lib/nearest.ts';
import { apisix } from './apisix.ts';
import { appmesh } from './appmesh.ts';
import { appmeshV1beta1 } from './appmesh-v1beta1.ts';
import { contour } from './contour.ts';
import { perEntrance } from './entrances.ts';
import { gatewayapi } from './gatewayapi.ts';
import { gloo } from './gloo.ts';
import { istio } from './istio.ts';
import { knative } from './knative.ts';
import { kubernetes } from './kubernetes.ts';
import { kuma } from './kuma.ts';
import { nginx } from './nginx.ts';
import type { Router, RouterSettings } from './router.ts';
import { skipper } from './skipper.ts';
import { smi } from './smi.ts';
import { traefik } from './traefik.ts';

/** All routing providers, by the value of `spec.provider`. */
export const routers = {
  apisix: perEntrance(apisix),
  appmesh: appmeshV1beta1('appmesh'),
  'appmesh:v1beta1': appmeshV1beta1('appmesh:v1beta1'),
  'appmesh:v1beta2': appmesh,
  contour,
  gatewayapi: gatewayapi('v1', 'gatewayapi'),
  'gatewayapi:v1': gatewayapi('v1'),
  'gatewayapi:v1beta1': gatewayapi('v1beta1'),
  gloo,
  istio,
  knative,
  kubernetes,
  kuma,
  linkerd: smi('linkerd', 'v1alpha1'),
  nginx: perEntrance(nginx),
  osm: smi('osm', 'v1alpha2'),
  skipper: perEntrance(skipper),
  'smi:v1alpha1': smi('smi:v1alpha1', 'v1alpha1'),
  'smi:v1alpha2': smi('smi:v1alpha2', 'v1alpha2'),
  'smi:v1alpha3': smi('smi:v1alpha3', 'v1alpha3'),
  traefik: perEntrance(traefik),
} as const satisfies Record<string, Router>;

type RouterName = keyof typeof routers;

/** Each once, in this order. */
const allRouters: readonly Router[] = Object.values(routers);

/** Settings that routers declare, at their defaults. */
export const defaultRouterSettings: RouterSettings = Object.freeze(
  Object.assign({}, ...allRouters.map(({ settings }) => settings)) as RouterSettings,
);

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
  const near = nearestProvider(provider, supported);
  const hint = near === undefined ? `supported are ${supported.join(', ')}` : `did you mean "${near}"?`;
  const shown = provider.length > longestWord ? `${provider.slice(0, longestWord)}…` : provider;
  return `spec.provider: unknown provider "${shown}"; ${hint}`;
}

function find(provider: string): Router | undefined {
  // The mesh after the version (`smi:v1alpha2:istio`) changes nothing that is written here.
  const name = /^smi:v1alpha[123]:/.test(provider) ? provider.split(':', 2).join(':') : provider;
  return Object.hasOwn(routers, name) ? routers[name as RouterName] : undefined;
}

/** Of a longer one only its beginning is shown. */
const longestWord = 100;

function nearestProvider(word: string, candidates: readonly string[]): string | undefined {
  const lower = word.toLowerCase();
  const byPrefix = lower === '' ? undefined : candidates.find((candidate) => candidate.startsWith(`${lower}:`));
  return byPrefix ?? nearest(word, candidates, ({ length }) => Math.max(2, Math.floor(length / 4)));
}

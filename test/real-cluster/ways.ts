import { join } from 'node:path';
import { type Kubectl, until } from './command.ts';

/** A real proxy, and the provider by which the agent leads users through it. */
export interface Way {
  readonly title: string;
  readonly provider: 'traefik' | 'contour' | 'gatewayapi:v1';
  /** Where users come in. */
  readonly url: string;
  /** The Gateway that routes belong to. Absent: the provider knows none. */
  readonly gateway?: { readonly name: string; readonly namespace: string };
  /** What the proxy does with each part of a route, beyond weights and headers. */
  readonly canMirror?: true;
  readonly canKeepUsers?: true;
}

export const traefik: Way = {
  title: "Traefik's own resources",
  provider: 'traefik',
  url: 'http://traefik.traefik/',
};

/** Traefik copies no requests and gives no cookies by single backends. */
export const traefikGateway: Way = {
  title: 'the Gateway API of Traefik',
  provider: 'gatewayapi:v1',
  url: 'http://traefik.traefik/',
  gateway: { name: 'traefik', namespace: 'traefik' },
};

export const contour: Way = {
  title: "Contour's own resources and Envoy",
  provider: 'contour',
  url: 'http://envoy.projectcontour/',
};

const contourGateway: Way = {
  title: 'the Gateway API of Contour, and Envoy',
  provider: 'gatewayapi:v1',
  url: 'http://envoy.contour-gateway/',
  gateway: { name: 'envoy', namespace: 'contour-gateway' },
  canMirror: true,
  canKeepUsers: true,
};

export const ways: readonly Way[] = [traefik, traefikGateway, contour, contourGateway];

const contourGatewayYaml = join(import.meta.dirname, 'contour-gateway.yaml');

/** The cluster has Traefik, and Contour with its own resources; a second Contour serves the Gateway API. */
export async function openWays(admin: Kubectl): Promise<{ close(): Promise<void> }> {
  await admin(['apply', '--server-side', '--filename', contourGatewayYaml]);
  const close = async (): Promise<void> => {
    await admin(['delete', '--ignore-not-found', '--wait=false', '--filename', contourGatewayYaml]);
  };
  try {
    await until('the Gateway of Contour is programmed', 60_000, async () => {
      const path = '--output=jsonpath={.status.conditions[?(@.type=="Programmed")].status}';
      return (await admin(['--namespace', 'contour-gateway', 'get', 'gateway', 'envoy', path])) === 'True';
    });
    await admin(['--namespace', 'contour-gateway', 'rollout', 'status', 'deployment/envoy', '--timeout=60s']);
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}

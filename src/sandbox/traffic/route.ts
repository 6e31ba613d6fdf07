import type { ServicePort } from './service-port.ts';
import type { IncomingHttpHeaders } from 'node:http';
import type { IngressLabels } from '../metrics/families.ts';
import type { RoutingObjects } from './routing-objects.ts';

/** What routing may look at. */
export interface RouteRequest {
  readonly method: string;
  /** Lower case, without the port. */
  readonly host: string;
  /** From the Host header; absent when it names none. */
  readonly port?: number;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** Which proxy's metrics tell of the request. */
export type Account =
  | { readonly proxy: 'traefik'; readonly service: string }
  | { readonly proxy: 'nginx'; readonly ingress: IngressLabels }
  | { readonly proxy: 'envoy'; readonly labels: Readonly<Record<string, string>> }
  | { readonly proxy: 'skipper'; readonly route: string }
  | { readonly proxy: 'apisix'; readonly route: string };

export interface HeaderEdit {
  readonly set: readonly (readonly [name: string, value: string])[];
  readonly add: readonly (readonly [name: string, value: string])[];
  readonly remove: readonly string[];
}

/** What happens to a request on its way. */
export interface Edits {
  readonly request: readonly HeaderEdit[];
  readonly response: readonly HeaderEdit[];
  readonly mirrors: readonly ServicePort[];
  readonly host?: string;
  /** Without the query, which stays. */
  readonly path?: string;
  readonly timeoutMs?: number;
}

export const noEdits: Edits = { request: [], response: [], mirrors: [] };

export type Decision =
  | { readonly kind: 'forward'; readonly to: ServicePort; readonly edits: Edits; readonly account?: Account }
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly reason: string;
      readonly headers?: Record<string, string>;
    };

/** What a routing rule may ask for while it decides. */
export interface Surroundings {
  readonly objects: RoutingObjects;
  /** Whether a ready pod stands behind the port. */
  readonly isReady: (target: ServicePort) => boolean;
  /** One of the choices by weight, exact over short windows; undefined when all weights are 0. `key` names the place of choice. */
  readonly pick: <T extends Weighted>(key: string, choices: readonly T[]) => T | undefined;
}

export interface Weighted {
  readonly id: string;
  readonly weight: number;
}

/** How exactly a rule names the host: the more exact one wins over rules of any kind. */
export type HostRank = 'exact' | 'wildcard' | 'any';

export function hostRank(pattern: string, host: string): HostRank | undefined {
  if (pattern === '' || pattern === '*') return 'any';
  const lower = pattern.toLowerCase();
  if (lower === host) return 'exact';
  return lower.startsWith('*.') && host.endsWith(lower.slice(1)) ? 'wildcard' : undefined;
}

/** `/foo` is the prefix of `/foo` and `/foo/bar`, not of `/foobar`. */
export function isPathPrefix(prefix: string, path: string): boolean {
  const bare = prefix.replace(/\/+$/, '');
  return path === bare || path.startsWith(`${bare}/`);
}

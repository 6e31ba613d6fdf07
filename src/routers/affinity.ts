import type { CanarySpec, SessionAffinitySpec, TrafficSplit } from '../canary/types.ts';
import type { RouteContext } from './router.ts';

/** Session affinity at one split, the same for all routers. */
export interface Stickiness {
  /** Who carries one of these cookies meets this share of the canary, in this order. */
  readonly sticky: readonly { readonly cookie: string; readonly canaryWeight: number }[];
  /** Who carries it is told to forget it. Absent: there is none. */
  readonly forget: { readonly cookie: string; readonly setCookie: string } | undefined;
  /** `Set-Cookie` of answers to everybody else, by who answered. */
  readonly canarySets: string | undefined;
  readonly primarySets: string | undefined;
}

const none: Stickiness = { sticky: [], forget: undefined, canarySets: undefined, primarySets: undefined };

/** While the canary has users they stay with it; when all are home again their cookie is taken back. */
export function stickinessOf({ spec, cookies }: RouteContext, { canaryWeight }: TrafficSplit): Stickiness {
  const affinity = spec.analysis.sessionAffinity;
  if (!affinity || !cookies) return none;
  const { current, previous } = cookies;
  // With all traffic on the canary nobody may be kept on a primary that perhaps does not answer.
  const primary = canaryWeight === 100 ? undefined : cookies.primary;
  if (canaryWeight === 0) {
    if (previous === undefined) return none;
    return { ...none, forget: { cookie: previous, setCookie: `${previous}; Max-Age=-1` } };
  }
  if (current === undefined) return none;
  return {
    sticky: [
      { cookie: current, canaryWeight: 100 },
      ...(primary === undefined ? [] : [{ cookie: primary, canaryWeight: 0 }]),
    ],
    forget: undefined,
    canarySets: setCookie(current, affinity.maxAgeSeconds, affinity),
    primarySets: primary === undefined ? undefined : setCookie(primary, intervalSeconds(spec), affinity),
  };
}

/** Matches a `Cookie` header that has this cookie, whatever else is in it. Flagger's pattern. */
export function cookiePattern(cookie: string): string {
  const at = cookie.indexOf('=');
  return `.*${escapeRegex(cookie.slice(0, at))}.*${escapeRegex(cookie.slice(at + 1))}.*`;
}

/** For RE2, which all proxies here speak. */
export function escapeRegex(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** Users on the primary are weighed anew at every step. */
function intervalSeconds({ analysis }: CanarySpec): number {
  return Math.floor(analysis.intervalMs / 1_000);
}

function setCookie(cookie: string, maxAgeSeconds: number, affinity: SessionAffinitySpec): string {
  const { domain, httpOnly, partitioned, path, sameSite, secure } = affinity;
  return [
    cookie,
    `Max-Age=${maxAgeSeconds}`,
    ...(domain === undefined ? [] : [`Domain=${domain}`]),
    ...(httpOnly ? ['HttpOnly'] : []),
    ...(partitioned ? ['Partitioned'] : []),
    ...(path === undefined ? [] : [`Path=${path}`]),
    ...(sameSite === undefined ? [] : [`SameSite=${sameSite}`]),
    ...(secure ? ['Secure'] : []),
  ].join('; ');
}

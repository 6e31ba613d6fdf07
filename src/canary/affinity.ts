import { canonicalJson, sha256Hex } from '../lib/hash.ts';
import type { CanarySpec, CanaryStatus, SessionCookies } from './types.ts';

/** What cookie values are made of. */
export interface CookieSource {
  readonly spec: CanarySpec;
  readonly status: CanaryStatus;
  /** Uid of the Canary. */
  readonly uid: string;
}

/**
 * The cookies that belong to this share of traffic; undefined where the Canary asks for none. While the canary has users they carry
 * the current one, which is forgotten when all go home.
 *
 * Values come from the release and the cookie before it, not from chance: when a route was written and the status that names its
 * cookie got lost, the next tick finds the same cookie, and nobody changes sides.
 *
 * The primary's cookie is never exchanged, whatever Flagger's guide says: it lasts one interval, so everybody on the primary is
 * weighed anew at least that often, and a new value would only send them to the canary sooner than the weights say.
 */
export function cookiesAt({ spec, status, uid }: CookieSource, canaryWeight: number): SessionCookies | undefined {
  const affinity = spec.analysis.sessionAffinity;
  if (!affinity) return undefined;
  const { cookieName, primaryCookieName } = affinity;
  const {
    sessionAffinityCookie: current,
    previousSessionAffinityCookie: previous,
    primarySessionAffinityCookie: primary,
  } = status;
  if (canaryWeight === 0) {
    const forgotten = current ?? previous;
    return {
      ...(forgotten === undefined ? {} : { previous: forgotten }),
      ...(primary === undefined ? {} : { primary }),
    };
  }
  // A cookie under another name is one of before the Canary was edited.
  const isKept = current?.startsWith(`${cookieName}=`) === true;
  const forgotten = isKept ? previous : (current ?? previous);
  const isPrimaryKept = primaryCookieName !== undefined && primary?.startsWith(`${primaryCookieName}=`) === true;
  return {
    current: isKept ? current : `${cookieName}=${letters([uid, status.lastAppliedSpec, forgotten])}`,
    ...(forgotten === undefined ? {} : { previous: forgotten }),
    ...(primaryCookieName === undefined
      ? {}
      : { primary: isPrimaryKept ? primary : `${primaryCookieName}=${letters([uid, 'primary'])}` }),
  };
}

/** `status` with these cookies and no others. */
export function withCookies(status: CanaryStatus, { current, previous, primary }: SessionCookies): CanaryStatus {
  const {
    sessionAffinityCookie: _current,
    previousSessionAffinityCookie: _previous,
    primarySessionAffinityCookie: _primary,
    ...rest
  } = status;
  return {
    ...rest,
    ...(current === undefined ? {} : { sessionAffinityCookie: current }),
    ...(previous === undefined ? {} : { previousSessionAffinityCookie: previous }),
    ...(primary === undefined ? {} : { primarySessionAffinityCookie: primary }),
  };
}

const alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/** Ten letters, as Flagger's. */
function letters(seed: readonly unknown[]): string {
  const hash = sha256Hex(canonicalJson(seed));
  return Array.from({ length: 10 }, (_, index) =>
    alphabet.charAt(Number.parseInt(hash.slice(4 * index, 4 * index + 4), 16) % alphabet.length),
  ).join('');
}

import { fetch as fetchOfUndici } from 'undici';
import { createDispatcher, type ProxySettings } from './dispatcher.ts';

export interface FetchOptions {
  /** PEM of certificate authorities. Absent: those that Node trusts. */
  readonly ca?: readonly string[];
  readonly proxy?: ProxySettings;
  readonly timeoutMs: number;
}

/** As far as libraries need it. */
export type Fetch = (url: string, init: { readonly signal?: AbortSignal | undefined }) => Promise<Response>;

/** `fetch` for libraries that want one, with the operator's certificates, proxy and times. */
export function createFetch({ ca, proxy, timeoutMs }: FetchOptions): Fetch {
  const dispatcher = createDispatcher({
    ...(ca ? { tls: { ca: [...ca] } } : {}),
    proxy,
    connectTimeoutMs: timeoutMs,
    headersTimeoutMs: timeoutMs,
    idleTimeoutMs: timeoutMs,
  });
  return async (url, init) => {
    const signal = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(init.signal ? [init.signal] : [])]);
    const answer = await fetchOfUndici(url, { ...init, signal, dispatcher });
    // The same thing by the type of Node's own one.
    return answer as unknown as Response;
  };
}

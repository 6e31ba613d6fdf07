import { isIP } from 'node:net';
import type { UiSettings } from '../settings.ts';

/** What a Host header names, in small letters and without a port. Undefined: it names nothing. */
function hostIn(header: string | undefined): string | undefined {
  const found = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(header ?? '');
  return (found?.[1] ?? found?.[2])?.toLowerCase();
}

/**
 * Whether a Host header is one by which this server may be asked. A page of a stranger, whose name was made to lead to this address (DNS
 * rebinding), names the stranger's host. An address is nobody's name, so no page can come by it that we did not send.
 */
export function isOwnHost({ url, hosts }: Pick<UiSettings, 'url' | 'hosts'>, header: string | undefined): boolean {
  const host = hostIn(header);
  if (host === undefined) return false;
  if (host === 'localhost' || isIP(host) !== 0) return true;
  return hosts.includes(host) || (url !== undefined && new URL(url).hostname === host);
}

/**
 * Whether the sender of a form is one of our own pages. `host`: the Host header, which was looked at. What a proxy says of the address that it was
 * asked by (X-Forwarded-Host) is not believed: the operator says it, by `url`.
 */
export function isOwnOrigin(
  { url }: Pick<UiSettings, 'url'>,
  { origin, host }: { readonly origin: string | undefined; readonly host: string | undefined },
): boolean {
  if (origin === undefined || !URL.canParse(origin)) return false;
  const sent = new URL(origin);
  if (url !== undefined && sent.origin === new URL(url).origin) return true;
  return sent.protocol === 'http:' && sent.host === host?.toLowerCase();
}

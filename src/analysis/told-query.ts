import { redact } from '../lib/redact.ts';
import { onOneLine } from '../metrics/http-provider.ts';
import type { MetricTarget } from '../metrics/provider.ts';

/** Longer ones are generated, and nobody reads them. */
const maxLength = 500;

/**
 * A query as evidence may tell it. Undefined: it is too long, or has in it what must not leave the agent: a value of the template's Secret or of its
 * headers, the provider's address, or what looks like a credential. What was left of it would be another query.
 */
export function toldQuery(
  query: string,
  { address, credentials = {}, headers = {} }: MetricTarget,
): string | undefined {
  if (query.length > 4 * maxLength) return undefined;
  const line = onOneLine(query);
  if (line.length > maxLength) return undefined;
  const secrets = [...Object.values(credentials), ...Object.values(headers).flat(), ...placesOf(address)];
  return redact(line, secrets) === line ? line : undefined;
}

/** The spellings of an address that say where a server is. A host of one word may be a word of the query. */
function placesOf(address: string): readonly string[] {
  if (!URL.canParse(address)) return address === '' ? [] : [address];
  const { host, hostname, username, password } = new URL(address);
  const words = [username, password].flatMap((word) => (word === '' ? [] : [word, decodeURIComponent(word)]));
  return [
    address,
    ...words,
    ...(host === hostname && !hostname.includes('.') ? [] : [host]),
    ...(hostname.includes('.') ? [hostname] : []),
  ];
}

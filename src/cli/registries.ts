import type { Settings } from '../config/settings.ts';
import type { AddressRules } from '../lib/http/addresses.ts';
import type { Clock } from '../lib/clock.ts';
import { createHttp, type HttpOptions } from '../lib/http/client.ts';
import { createRegistryClient, type RegistryClient, type RegistryRequest } from '../registry/client.ts';
import { version } from '../lib/version.ts';

/** The longest answer of a registry that is read: fifty thousand tags on one page. */
const maxAnswerBytes = 8 * 1024 * 1024;

/** The way to registries of images. */
export function openRegistries(
  raw: Pick<Settings, 'registry-plain-http'>,
  options: {
    readonly clock: Clock;
    readonly addresses?: AddressRules;
    readonly proxy?: NonNullable<HttpOptions['proxy']>;
    readonly onRequest?: (request: RegistryRequest) => void;
  },
): { readonly client: RegistryClient; close(): Promise<void> } {
  const { clock, addresses, proxy, onRequest } = options;
  const plainHttp = new Set(raw['registry-plain-http']);
  const http = createHttp({
    userAgent: `serin/${version}`,
    maxBytes: maxAnswerBytes,
    ...(addresses ? { addresses } : {}),
    // The operator has named these.
    trusted: [...plainHttp].map((registry) => `http://${registry}`),
    ...(proxy ? { proxy } : {}),
  });
  const client = createRegistryClient({ http, clock, maxAnswerBytes, plainHttp, ...(onRequest ? { onRequest } : {}) });
  return { client, close: () => http.close() };
}

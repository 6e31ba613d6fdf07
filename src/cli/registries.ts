import { readFile } from 'node:fs/promises';
import type { Settings } from '../config/settings.ts';
import type { AddressRules } from '../lib/http/addresses.ts';
import type { Clock } from '../lib/clock.ts';
import { createHttp, type HttpOptions } from '../lib/http/client.ts';
import type { CloudDeps } from '../registry/clouds/cloud.ts';
import { createClouds } from '../registry/clouds/clouds.ts';
import { createIdentity, type Identity } from '../registry/clouds/identity.ts';
import { createCredentialHelpers } from '../registry/credential-helper.ts';
import { firstOf } from '../registry/keychain.ts';
import { createOwnKeys } from '../registry/own-keys.ts';
import { createRegistryClient, type RegistryClient, type RegistryRequest } from '../registry/client.ts';
import { version } from '../lib/version.ts';

/** The longest answer of a registry that is read: fifty thousand tags on one page. */
const maxAnswerBytes = 8 * 1024 * 1024;
const maxTokenBytes = 100_000;
const cloudTimeoutMs = 10_000;

/** The way to registries of images. */
export function openRegistries(
  raw: Pick<Settings, 'registry-plain-http'> & Partial<Pick<Settings, 'registry-config-file' | 'registry-clouds'>>,
  options: {
    readonly clock: Clock;
    readonly addresses?: AddressRules;
    readonly proxy?: NonNullable<HttpOptions['proxy']>;
    readonly onRequest?: (request: RegistryRequest) => void;
    /** PEM certificates of authorities beside those that Node trusts. Absent: none. */
    readonly ca?: string;
    /** What credential helpers get, and where clouds say who the agent is. Absent: nothing. */
    readonly environment?: Readonly<Record<string, string | undefined>>;
  },
): { readonly client: RegistryClient; readonly identity: Identity; close(): Promise<void> } {
  const { clock, addresses, proxy, onRequest, ca, environment = {} } = options;
  const plainHttp = new Set(raw['registry-plain-http']);
  const http = createHttp({
    userAgent: `serin/${version}`,
    maxBytes: maxAnswerBytes,
    ...(addresses ? { addresses } : {}),
    // The operator has named these.
    trusted: [...plainHttp].map((registry) => `http://${registry}`),
    ...(proxy ? { proxy } : {}),
    ...(ca === undefined ? {} : { ca }),
  });
  // The address of whatever answers on the node is the operator's to name, by the environment of the pod.
  const local = createHttp({
    userAgent: `serin/${version}`,
    maxBytes: maxTokenBytes,
    addresses: { mayLoopback: true, allowed: ['0.0.0.0/0', '::/0'] },
  });
  const cloudDeps: CloudDeps = {
    clock,
    http,
    local,
    environment,
    readFile: (path) => readFile(path, 'utf8'),
    timeoutMs: cloudTimeoutMs,
  };
  const clouds = createClouds({
    names: new Set(raw['registry-clouds']),
    baseOf: (registry) => `${plainHttp.has(registry) ? 'http' : 'https'}://${registry}`,
    ...cloudDeps,
  });
  const file = raw['registry-config-file'] ?? '';
  const helpers = createCredentialHelpers({ clock, environment: withoutOwn(environment) });
  const own = firstOf(file === '' ? undefined : createOwnKeys(file, helpers), clouds);
  const client = createRegistryClient({
    http,
    clock,
    maxAnswerBytes,
    plainHttp,
    own,
    ...(onRequest ? { onRequest } : {}),
  });
  return {
    client,
    identity: createIdentity(cloudDeps),
    async close() {
      await Promise.all([http.close(), local.close()]);
    },
  };
}

/** Settings of the agent may be secrets, and are nobody's business. */
const withoutOwn = (
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('SERIN_')));

import { jsonOf } from '../../lib/json.ts';
import type { Credentials } from '../docker-config.ts';
import type { Lasting } from '../renewed.ts';
import { type Cloud, type CloudDeps, fileText, jsonAnswer, lifeUntil, needed, wordIn } from './cloud.ts';

const keptMs = 30 * 60_000;
const name = { entra: 'Microsoft Entra', registry: 'the exchange of tokens of the registry' } as const;

/**
 * Azure Container Registry: a token of Microsoft Entra (workload identity: AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE, or
 * AZURE_CLIENT_SECRET instead of the file) is exchanged at the registry for a refresh token, which gives a token for each repository.
 */
export function createAzure(deps: CloudDeps, baseOf: (registry: string) => string): Cloud {
  return {
    keyOf: (registry) =>
      /^[a-z0-9]{2,60}(?:-[a-z0-9]{1,20})?\.(?:[a-z0-9]{1,40}\.)?azurecr\.(?:io|cn|us)$/.test(registry)
        ? registry
        : undefined,
    async fetch(registry, signal) {
      const access = await entraToken(deps, signal);
      return refreshToken(deps, { registry, base: baseOf(registry), access }, signal);
    },
  };
}

async function entraToken(deps: CloudDeps, signal: AbortSignal): Promise<string> {
  const { http, environment, timeoutMs } = deps;
  const authority = environment['AZURE_AUTHORITY_HOST'] ?? 'https://login.microsoftonline.com/';
  const who = 'nothing says who the agent is to Azure';
  const tenant = needed(deps, ['AZURE_TENANT_ID'], who);
  const file = environment['AZURE_FEDERATED_TOKEN_FILE'] ?? '';
  const proof: Readonly<Record<string, string>> =
    file === ''
      ? { client_secret: needed(deps, ['AZURE_CLIENT_SECRET', 'AZURE_FEDERATED_TOKEN_FILE'], who) }
      : {
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
          client_assertion: await fileText(deps, file, 'AZURE_FEDERATED_TOKEN_FILE'),
        };
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: needed(deps, ['AZURE_CLIENT_ID'], who),
    scope: 'https://containerregistry.azure.net/.default',
    ...proof,
  });
  const url = `${authority.replace(/\/$/, '')}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`;
  const answer = await http.request(
    { method: 'POST', url, headers: formHeaders, body: form.toString(), timeoutMs },
    signal,
  );
  const { access_token: token } = jsonAnswer(answer, name.entra, 'the identity of the agent is not accepted');
  return wordIn(token, name.entra);
}

const formHeaders = { 'content-type': 'application/x-www-form-urlencoded' };

async function refreshToken(
  { clock, http, environment, timeoutMs }: CloudDeps,
  { registry, base, access }: { readonly registry: string; readonly base: string; readonly access: string },
  signal: AbortSignal,
): Promise<Lasting<Credentials>> {
  const form = new URLSearchParams({
    grant_type: 'access_token',
    service: registry,
    tenant: environment['AZURE_TENANT_ID'] ?? '',
    access_token: access,
  });
  const answer = await http.request(
    { method: 'POST', url: `${base}/oauth2/exchange`, headers: formHeaders, body: form.toString(), timeoutMs },
    signal,
  );
  const { refresh_token: refresh } = jsonAnswer(
    answer,
    name.registry,
    'the identity of the agent may not pull from it',
  );
  const token = wordIn(refresh, name.registry);
  return { value: { kind: 'identity', token }, lifeMs: lifeUntil(endOf(token), clock.now(), keptMs) };
}

/** When a token ends by its own words; nobody but the registry can check them, and it does. */
function endOf(token: string): number {
  try {
    const { exp } = jsonOf(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')));
    return typeof exp === 'number' ? exp * 1_000 : Number.NaN;
  } catch {
    return Number.NaN;
  }
}

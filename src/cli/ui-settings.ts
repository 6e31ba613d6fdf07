import { readFile } from 'node:fs/promises';
import type { Settings } from '../config/settings.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { isReadable } from '../lib/http/plain-http.ts';
import { parseGroups, parseTokens } from '../ui/auth/rights-files.ts';
import type { OidcSettings, UiSettings } from '../ui/settings.ts';

/** What settings say of the dashboard. Undefined: there is none. `namespace`: the agent's own. Throws CONFIG_INVALID. */
export async function uiSettings(raw: Settings, namespace: string): Promise<UiSettings | undefined> {
  const port = raw.ui;
  if (port === undefined) return undefined;
  const url = publicUrl(raw['ui-url']);
  const oidc = oidcSettings(raw, url);
  const tokenFile = raw['ui-token-file'] || undefined;
  const anonymous = raw['ui-anonymous'];
  if (anonymous === 'none' && tokenFile === undefined && !raw['ui-kubernetes'] && !oidc)
    throw invalid(
      '--ui: nobody could sign in; name --ui-token-file or --ui-oidc-issuer, set --ui-kubernetes true, or let everybody who reaches it read by --ui-anonymous read',
    );
  if (tokenFile !== undefined) parseTokens(tokenFile, await readText('--ui-token-file', tokenFile));
  if (oidc?.rightsFile !== undefined)
    parseGroups(oidc.rightsFile, await readText('--ui-oidc-rights-file', oidc.rightsFile));
  const services = ['serin', 'serin-dashboard'].flatMap((name) => {
    const inNamespace = `${name}.${namespace}`;
    return [name, inNamespace, `${inNamespace}.svc`, `${inNamespace}.svc.cluster.local`];
  });
  return {
    port,
    host: anonymous === 'operate' ? '127.0.0.1' : undefined,
    url,
    hosts: [...services, ...raw['ui-hosts']].map((host) => host.toLowerCase()),
    anonymous,
    tokenFile,
    kubernetes: raw['ui-kubernetes'],
    oidc,
  };
}

/** Without a slash at its end. */
function publicUrl(text: string): string | undefined {
  if (text === '') return undefined;
  const example = 'write it like https://deploy.example.com/serin';
  if (!URL.canParse(text)) throw invalid(`--ui-url: "${text.slice(0, 200)}" is no address; ${example}`);
  const { protocol, origin, pathname, search, hash, username } = new URL(text);
  if (!['http:', 'https:'].includes(protocol) || search !== '' || hash !== '' || username !== '')
    throw invalid(`--ui-url: only scheme, host and path are named; ${example}`);
  if (!/^[\w./~-]*$/.test(pathname))
    throw invalid(`--ui-url: its path has letters that are no part of one; ${example}`);
  return `${origin}${pathname.replace(/\/+$/, '')}`;
}

function oidcSettings(raw: Settings, url: string | undefined): OidcSettings | undefined {
  const issuer = raw['ui-oidc-issuer'];
  if (issuer === '') return undefined;
  if (!URL.canParse(issuer) || !/^https?:$/.test(new URL(issuer).protocol))
    throw invalid(
      `--ui-oidc-issuer: "${issuer.slice(0, 200)}" is no address; write it like https://accounts.example.com`,
    );
  if (isReadable(issuer))
    throw invalid('--ui-oidc-issuer: it is plain HTTP, so everybody on the way could sign in; use https');
  if (url === undefined)
    throw invalid('--ui-oidc-issuer: --ui-url is needed, too: the provider sends browsers back to it');
  if (raw['ui-oidc-client-id'] === '') throw invalid('--ui-oidc-issuer: --ui-oidc-client-id is needed, too');
  const scopes = raw['ui-oidc-scopes'];
  return {
    issuer,
    clientId: raw['ui-oidc-client-id'],
    clientSecretFile: raw['ui-oidc-client-secret-file'] || undefined,
    scopes: scopes.includes('openid') ? scopes : ['openid', ...scopes],
    nameClaim: raw['ui-oidc-name-claim'],
    groupsClaim: raw['ui-oidc-groups-claim'],
    rightsFile: raw['ui-oidc-rights-file'] || undefined,
    caFile: raw['ui-oidc-ca-file'] || undefined,
  };
}

const invalid = (message: string): AgentError => new AgentError('CONFIG_INVALID', message);

async function readText(setting: string, path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AgentError('CONFIG_INVALID', `${setting}: ${path} cannot be read: ${messageOf(cause)}`, { cause });
  });
}

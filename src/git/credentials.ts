import { readFile } from 'node:fs/promises';
import { AgentError } from '../lib/errors.ts';

/** How the agent signs in. A token file is read again for every request, so that a rotated token is used at once. */
export type GitAuth =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  | { readonly kind: 'bearer'; readonly token: string }
  /** `username` defaults to the one in the URL, else `git`, which GitHub, GitLab, Gitea and Bitbucket accept beside a token. */
  | { readonly kind: 'token-file'; readonly path: string; readonly username?: string };

export interface RemoteAddress {
  /** Without credentials, query, fragment and trailing slash: safe to show. */
  readonly url: string;
  readonly auth: GitAuth | undefined;
}

/** Takes credentials out of the URL; explicit ones win over those in the URL. */
export function parseRemote(text: string, auth: GitAuth | undefined): RemoteAddress {
  if (!URL.canParse(text)) throw new AgentError('CONFIG_INVALID', 'the Git URL is not a URL (https://host/path.git)');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new AgentError('CONFIG_INVALID', `the Git URL must begin with https:// or http://, not ${url.protocol}//`);
  }
  const embedded: GitAuth | undefined =
    url.username === '' && url.password === ''
      ? undefined
      : { kind: 'basic', username: decoded(url.username), password: decoded(url.password) };
  return {
    url: `${url.origin}${url.pathname.replace(/\/+$/, '')}`,
    auth: joined(auth, decoded(url.username)) ?? embedded,
  };
}

/** Whoever writes `https://bot@host` and names a token file means both. */
function joined(auth: GitAuth | undefined, username: string): GitAuth | undefined {
  const isNamed = auth?.kind === 'token-file' && auth.username !== undefined && auth.username !== defaultUser;
  return auth?.kind === 'token-file' && !isNamed && username !== '' ? { ...auth, username } : auth;
}

/** A percent sign that stands for itself is left alone. */
function decoded(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
}

/** The Authorization header's value; undefined without credentials. */
export async function authorization(auth: GitAuth | undefined): Promise<string | undefined> {
  switch (auth?.kind) {
    case undefined:
      return undefined;
    case 'basic':
      return basic(auth.username, auth.password);
    case 'bearer':
      return `Bearer ${auth.token}`;
    case 'token-file':
      return basic(auth.username || defaultUser, await readToken(auth.path));
  }
}

/** What must not be told to anybody: password or token, and the header that they are sent in. Empty where they cannot be read. */
export async function credentialTexts(auth: GitAuth | undefined): Promise<readonly string[]> {
  const header = await authorization(auth).catch(() => undefined);
  const value = header?.replace(/^\S+ /, '') ?? '';
  if (value === '') return [];
  if (auth?.kind === 'bearer') return [value];
  const pair = Buffer.from(value, 'base64').toString('utf8');
  return [value, pair.slice(pair.indexOf(':') + 1)].filter((text) => text !== '');
}

const defaultUser = 'git';

const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;

async function readToken(path: string): Promise<string> {
  let token: string;
  try {
    token = (await readFile(path, 'utf8')).trim();
  } catch (cause) {
    throw new AgentError('GIT_AUTH', `the Git token file ${path} cannot be read`, { cause });
  }
  if (token === '') throw new AgentError('GIT_AUTH', `the Git token file ${path} is empty`);
  return token;
}

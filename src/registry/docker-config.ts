import { isRecord } from '../lib/json.ts';
import { own } from '../lib/own.ts';

/** What a registry is signed in to with. */
export type Credentials =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string }
  /** Exchanged for a token of each repository. */
  | { readonly kind: 'identity'; readonly token: string };

/** Credentials by registry, as a Secret of type `kubernetes.io/dockerconfigjson` holds them. */
export interface DockerConfig {
  /** The most specific ones for a repository; undefined: none. */
  lookUp(registry: string, repository: string): Credentials | undefined;
  /** Name of the program that knows them (`credHelpers`, else `credsStore`); undefined: none is named. Only whoever runs the agent may name programs. */
  helperFor(registry: string): string | undefined;
}

const maxLength = 1_048_576;
const maxEntries = 1_000;

interface Entry {
  /** `ghcr.io`, `*.azurecr.io:443`. */
  readonly host: string;
  /** Path in it; empty: all of it. */
  readonly path: string;
  readonly credentials: Credentials;
}

/**
 * Reads a Docker configuration, also in the form of `.dockercfg`, as the kubelet does: `https://index.docker.io/v1/` is Docker Hub, `*` stands for a
 * part of a host, and of several the longest counts. Nothing of its text is in the problem.
 */
export function readDockerConfig(text: string): DockerConfig | { readonly problem: string } {
  if (text.length > maxLength) return { problem: 'it is longer than a Secret can be' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'it is no JSON' };
  }
  if (!isRecord(value)) return { problem: 'it is no map' };
  const auths = own(value, 'auths') ?? (own(value, 'credHelpers') || own(value, 'credsStore') ? {} : value);
  if (!isRecord(auths)) return { problem: 'its "auths" is no map' };
  const entries = Object.entries(auths)
    .slice(0, maxEntries)
    .flatMap(([key, auth]): readonly Entry[] => {
      const credentials = isRecord(auth) ? credentialsOf(auth) : undefined;
      return credentials ? [{ ...placeOf(key), credentials }] : [];
    })
    .sort((a, b) => b.path.length - a.path.length || Number(a.host.includes('*')) - Number(b.host.includes('*')));
  const named = own(value, 'credHelpers');
  const helpers = new Map(
    Object.entries(isRecord(named) ? named : {})
      .slice(0, maxEntries)
      .flatMap(([key, helper]) => (isText(helper) ? [[placeOf(key).host, helper] as const] : [])),
  );
  const store = own(value, 'credsStore');
  return {
    helperFor: (registry) => helpers.get(registry.toLowerCase()) ?? (isText(store) ? store : undefined),
    lookUp: (registry, repository) =>
      entries.find(({ host, path }) => {
        const isBelow = path === '' || repository === path || repository.startsWith(`${path}/`);
        return isBelow && hostFits(host, registry.toLowerCase());
      })?.credentials,
  };
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

function placeOf(key: string): { readonly host: string; readonly path: string } {
  const [host = '', ...path] = key.replace(/^https?:\/\//i, '').split('/');
  const names = path.filter((name) => name !== '');
  // The paths of the API's own versions are no repositories.
  if (names.length === 1 && /^v[12]$/.test(names[0] ?? '')) names.pop();
  const lower = host.toLowerCase();
  return {
    host: ['index.docker.io', 'registry-1.docker.io', 'registry.hub.docker.com'].includes(lower) ? 'docker.io' : lower,
    path: names.join('/'),
  };
}

/** `*` stands for letters within one part of the host. The port has to be the same. */
function hostFits(pattern: string, host: string): boolean {
  if (!pattern.includes('*')) return pattern === host;
  const [wanted, parts] = [pattern.split('.'), host.split('.')];
  if (wanted.length !== parts.length) return false;
  return wanted.every((part, index) => {
    const name = parts[index] ?? '';
    const [head = '', tail, ...more] = part.split('*');
    if (tail === undefined) return part === name;
    return (
      more.length === 0 && name.length >= head.length + tail.length && name.startsWith(head) && name.endsWith(tail)
    );
  });
}

function credentialsOf(auth: Readonly<Record<string, unknown>>): Credentials | undefined {
  const [identity, username, password, pair] = ['identitytoken', 'username', 'password', 'auth'].map((name) => {
    const value = own(auth, name);
    return typeof value === 'string' && value !== '' ? value : undefined;
  });
  if (identity !== undefined) return { kind: 'identity', token: identity };
  if (username !== undefined && password !== undefined) return { kind: 'basic', username, password };
  const decoded = pair === undefined ? '' : Buffer.from(pair, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon <= 0) return undefined;
  return {
    kind: 'basic',
    username: decoded.slice(0, colon),
    password: decoded.slice(colon + 1).replace(/[\r\n]+$/, ''),
  };
}

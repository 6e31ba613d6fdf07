import { namespacedName } from '../lib/key.ts';
import type { Steps } from '../lib/turns.ts';
import { isObject } from '../manifest/edit-value.ts';
import type { Manifest } from '../manifest/types.ts';
import type { ChartCredentials } from './chart.ts';
import type { ValueSources } from './helm-values.ts';
import { liveConfig, textsOf } from './live-configs.ts';

/** Of a HelmRepository or an OCIRepository; `pullSecret`: of a HelmRelease that names this Secret. Undefined: it names none; a text says why they cannot be had. */
export function* chartCredentials(
  { object, origin }: Manifest,
  url: string,
  sources: ValueSources,
  pullSecret?: string,
): Steps<ChartCredentials | undefined | string> {
  const spec = object['spec'];
  if (!isObject(spec)) return undefined;
  const { provider, secretRef, certSecretRef, passCredentials, insecure } =
    pullSecret === undefined ? spec : { secretRef: { name: pullSecret } };
  const shown = pullSecret === undefined ? `the ${object.kind} of its chart` : 'its chart';
  if (provider !== undefined && provider !== '' && provider !== 'generic')
    return `${shown} has a provider, which is not followed: give it a secretRef`;
  if (passCredentials === true) return `${shown} has passCredentials: credentials go to no other server than its own`;
  if (insecure === true && (!url.startsWith('oci://') || isOpen(url.replace(/^oci:/, 'http:'))))
    return `${shown} is insecure, which is followed of registries within the cluster only`;
  const { namespace = '' } = object.metadata;
  const texts = function* (ref: unknown, field: string): Steps<ReadonlyMap<string, string> | string> {
    const name = isObject(ref) ? ref['name'] : undefined;
    if (typeof name !== 'string') return `${shown} has a ${field} without a name`;
    const what = `${field} names the Secret ${namespacedName({ namespace, name: name.slice(0, 100) })}`;
    const written = sources.manifests.find(
      ({ object: { apiVersion, kind, metadata } }) =>
        apiVersion === 'v1' && kind === 'Secret' && metadata.name === name && metadata.namespace === namespace,
    );
    if (written?.locked) return `${shown}: ${what}, which cannot be decrypted`;
    const found = written?.object ?? (yield* liveConfig({ kind: 'Secret', namespace, name }, origin.path, sources));
    if (typeof found === 'string') return `${shown}: ${what}, ${found}`;
    return found ? textsOf(found) : `${shown}: ${what}, which is neither in Git nor in the cluster`;
  };
  let credentials: ChartCredentials | undefined = insecure === true ? { isPlain: true } : undefined;
  for (const [ref, field] of [
    [secretRef, pullSecret === undefined ? 'secretRef' : 'chartPullSecret'],
    [certSecretRef, 'certSecretRef'],
  ] as const) {
    if (ref === undefined || ref === null) continue;
    const found = yield* texts(ref, field);
    if (typeof found === 'string') return found;
    const part = field !== 'certSecretRef' ? { ...loginIn(found, url), ...tlsIn(found) } : tlsIn(found);
    if (Object.keys(part).length === 0) return `${shown}: the Secret of its ${field} holds nothing for ${hostOf(url)}`;
    credentials = { ...credentials, ...part };
  }
  if (credentials?.password !== undefined && isOpen(url))
    return `${shown} has credentials, and its URL is plain HTTP: everybody on the way could read them`;
  return credentials;
}

function loginIn(texts: ReadonlyMap<string, string>, url: string): ChartCredentials {
  const [username, password] = [texts.get('username'), texts.get('password')];
  if (username !== undefined && password !== undefined) return { username: username.trim(), password: password.trim() };
  const docker = texts.get('.dockerconfigjson');
  if (docker === undefined) return {};
  try {
    const config: unknown = JSON.parse(docker);
    const auths = isObject(config) && isObject(config['auths']) ? config['auths'] : {};
    const own = Object.entries(auths).find(([server]) => isServer(server, hostOf(url)))?.[1];
    if (!isObject(own)) return {};
    if (typeof own['username'] === 'string' && typeof own['password'] === 'string')
      return { username: own['username'], password: own['password'] };
    const pair = typeof own['auth'] === 'string' ? Buffer.from(own['auth'], 'base64').toString('utf8') : '';
    const colon = pair.indexOf(':');
    return colon < 0 ? {} : { username: pair.slice(0, colon), password: pair.slice(colon + 1) };
  } catch {
    return {};
  }
}

/** Names of today, and those that Flux took before. */
function tlsIn(texts: ReadonlyMap<string, string>): ChartCredentials {
  const [ca, cert, key] = [
    texts.get('ca.crt') ?? texts.get('caFile'),
    texts.get('tls.crt') ?? texts.get('certFile'),
    texts.get('tls.key') ?? texts.get('keyFile'),
  ];
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined || key === undefined ? {} : { cert, key }),
  };
}

/** `https://registry.example.com/v2/` and `registry.example.com` are one. */
const isServer = (server: string, host: string): boolean =>
  server
    .replace(/^https?:\/\//, '')
    .split('/', 1)[0]
    ?.toLowerCase() === host;

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : '');

/** Plain HTTP to somewhere else than within the cluster or the machine. */
function isOpen(url: string): boolean {
  if (!url.startsWith('http://')) return false;
  return !/^(?:localhost|127(?:\.\d+){3}|\[::1\]|(?:[\w-]+\.){1,3}svc(?:\.cluster\.local)?)$/.test(
    new URL(url).hostname,
  );
}

import type { ClusterSource } from './source.ts';
import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { AgentError, messageOf } from '../lib/errors.ts';
import { createDispatcher, type Dispatcher } from '../lib/http/dispatcher.ts';
import { limitBounds } from './concurrency-limit.ts';
import { type Access, plainAccess } from './plain-access.ts';

export interface Connection {
  /** Base URL without a trailing slash. */
  readonly server: string;
  /** Its two parts, as requests need them: `https://host:6443` and the path before all others, mostly ''. */
  readonly origin: string;
  readonly prefix: string;
  /** Credentials and dispatchers to use now; tokens and certificates are looked at again every minute and after a 401. */
  credentials(): Promise<Credentials>;
  /** The server refused `used`: the next call reads the kubeconfig, tokens and certificates again. */
  renew(used: Credentials): void;
  close(): Promise<void>;
}

export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  /** Short requests over connections that are kept. Flow control says how many are under way; none waits here. */
  readonly calls: Dispatcher;
  /** One connection per watch, no body timeout. */
  readonly watches: Dispatcher;
}

const refreshMs = 60_000;

/** The first file that names something has it; the current context is the first one's that has any. */
function loadAll(loaded: KubeConfig, paths: readonly string[]): void {
  const [first = '', ...others] = paths;
  loaded.loadFromFile(first);
  for (const path of others) {
    const next = new (loaded.constructor as typeof KubeConfig)();
    next.loadFromFile(path);
    loaded.mergeConfig(next);
  }
}

function noCluster(where: string, source: ClusterSource, config: Access): string {
  const named = 'context' in source ? source.context : undefined;
  const all = config.getContexts?.().map(({ name }) => name) ?? [];
  const has = all.length === 0 ? 'it has none' : `it has ${all.join(', ')}`;
  if (named === undefined) return `${where} names no current cluster; name a context with --context (${has})`;
  return all.includes(named)
    ? `--context ${named}: ${where} has this context, but not the cluster that it names`
    : `--context ${named}: there is no such context in ${where}; ${has}`;
}

/**
 * Plugins and identity providers come from @kubernetes/client-node, see plain-access.ts; the connections are ours, because the
 * library opens a new one for every call.
 */
export async function openConnection(source: ClusterSource, now: () => number): Promise<Connection> {
  const load = async (): Promise<Access> => {
    const plain = plainAccess(source);
    if (plain) return plain;
    // Loaded here and not at the top: it takes half a second and much memory that most need not spend.
    const { KubeConfig } = await import('@kubernetes/client-node');
    const loaded = new KubeConfig();
    if (source.kind === 'files') loadAll(loaded, source.paths);
    else if (source.kind === 'in-cluster' || source.kind === 'service-account') loaded.loadFromCluster();
    else if (source.kind === 'text') loaded.loadFromString(source.text);
    else loaded.loadFromFile(source.path);
    if ('context' in source && source.context !== undefined) loaded.setCurrentContext(source.context);
    return loaded;
  };
  const where =
    source.kind === 'file' ? source.path : source.kind === 'files' ? source.paths.join(', ') : 'the kubeconfig';
  let config: Access;
  try {
    config = await load();
  } catch (cause) {
    throw new AgentError('CONFIG_INVALID', `${where} cannot be read: ${messageOf(cause)}`, { cause });
  }
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new AgentError('CONFIG_INVALID', noCluster(where, source, config));
  const server = cluster.server.replace(/\/+$/, '');
  if (!URL.canParse(server))
    throw new AgentError(
      'CONFIG_INVALID',
      `the kubeconfig's server is no URL: ${server}; it begins with https:// or http://`,
    );
  const { origin, pathname } = new URL(server);

  let current: { readonly key: string; readonly value: Credentials } | undefined;
  let readAtMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<Credentials> | undefined;
  let isRefused = false;

  const read = async (): Promise<Credentials> => {
    if (isRefused) {
      isRefused = false;
      try {
        // The library keeps what it read inside of a KubeConfig.
        config = await load();
      } catch {
        // Somebody may be writing the file just now: the old one is as good as none, and the next refusal comes back here.
      }
    }
    const options: RequestOptions = {};
    await config.applyToHTTPSOptions(options);
    const headers: Record<string, string> = {};
    for (const [name, value] of Object.entries(options.headers ?? {}))
      headers[name.toLowerCase()] = String(value).trim();
    if (typeof options.auth === 'string')
      headers['authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    const tls = {
      ca: options.ca,
      cert: options.cert,
      key: options.key,
      servername: cluster.tlsServerName,
      rejectUnauthorized: !cluster.skipTLSVerify,
    };
    const key = JSON.stringify([tls.ca, tls.cert, tls.key].map(String));
    readAtMs = now();
    if (current && current.key === key) {
      current = { key, value: { ...current.value, headers } };
      return current.value;
    }
    const common = { tls, connectTimeoutMs: 10_000, headersTimeoutMs: 30_000 };
    const value = {
      headers,
      calls: createDispatcher({ ...common, connections: limitBounds.most, idleTimeoutMs: 30_000 }),
      watches: createDispatcher(common),
    };
    const old = current?.value;
    current = { key, value };
    // Requests under way end on the old connections; nobody waits for that.
    void old?.calls.close();
    void old?.watches.close();
    return value;
  };

  return {
    server,
    origin,
    prefix: pathname.replace(/\/$/, ''),
    credentials: () => {
      if (current && now() - readAtMs < refreshMs) return Promise.resolve(current.value);
      reading ??= read().finally(() => {
        reading = undefined;
      });
      return reading;
    },
    renew: (used) => {
      // Many requests are refused at once; the first of them has the credentials renewed.
      if (current && current.value !== used) return;
      isRefused = true;
      readAtMs = Number.NEGATIVE_INFINITY;
    },
    close: async () => {
      await Promise.all([current?.value.calls.destroy(), current?.value.watches.destroy()]);
    },
  };
}

import { readFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { parse } from 'yaml';

export type Json = Record<string, unknown>;

/** An object as tests read it: whatever is in there, without ceremony. */
export interface Seen {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace: string;
    uid: string;
    resourceVersion: string;
    creationTimestamp: string;
    generation?: number;
    deletionTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    finalizers?: string[];
    ownerReferences?: { name: string; uid: string; kind: string; controller?: boolean }[];
    managedFields?: { manager: string; operation: string; subresource?: string; fieldsV1: Json }[];
    continue?: string;
    remainingItemCount?: number;
  };
  spec: Json;
  status: Json;
  data?: Record<string, string>;
  items: Seen[];
  reason: string;
  message: string;
  code: number;
  details: { causes: { reason: string; message: string; field: string }[]; name: string; kind: string; group?: string };
  [field: string]: unknown;
}

export interface Answer {
  readonly status: number;
  readonly body: Seen;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface WatchEvent {
  readonly type: string;
  readonly object: Seen;
}

interface Watching {
  /** Resolves with all events so far as soon as `enough` says so. */
  until(enough: (events: readonly WatchEvent[]) => boolean): Promise<readonly WatchEvent[]>;
  /** Resolves when the server has ended the stream. */
  readonly ended: Promise<void>;
  stop(): void;
}

/** A cluster over plain HTTP(S), with no client library between the tests and the wire. */
export interface ClusterApi {
  call(method: string, path: string, body?: unknown, options?: CallOptions): Promise<Answer>;
  watch(path: string, options?: CallOptions): Promise<Watching>;
  close(): Promise<void>;
}

interface CallOptions {
  readonly contentType?: string;
  readonly accept?: string;
}

interface Kubeconfig {
  readonly 'current-context'?: string;
  readonly contexts?: readonly { name: string; context: { cluster: string; user?: string } }[];
  readonly clusters: readonly { name: string; cluster: Record<string, string> }[];
  readonly users?: readonly { name: string; user?: Record<string, string> }[];
}

const patience = 30_000;

function fromConfig(entry: Record<string, string>, field: string): Buffer | undefined {
  const data = entry[`${field}-data`];
  if (data !== undefined) return Buffer.from(data, 'base64');
  const file = entry[field];
  return file === undefined ? undefined : readFileSync(file);
}

/** The cluster that kubectl means too; never just any of those in the file. */
function currentContext(config: Kubeconfig): { cluster: Record<string, string>; user: Record<string, string> } {
  const name = config['current-context'];
  const context = config.contexts?.find((one) => one.name === name)?.context;
  const cluster = config.clusters.find((one) => one.name === context?.cluster)?.cluster;
  if (!cluster) throw new Error('the kubeconfig has no current context that leads to a cluster');
  const user = config.users?.find((one) => one.name === context?.user)?.user ?? {};
  if (user.exec !== undefined) throw new Error('the contract suite knows certificates and tokens, but no exec plugins');
  return { cluster, user };
}

export function openApi(kubeconfigPath: string): ClusterApi {
  const config = parse(readFileSync(kubeconfigPath, 'utf8')) as Kubeconfig;
  const { cluster, user } = currentContext(config);
  const ca = fromConfig(cluster, 'certificate-authority');
  const cert = fromConfig(user, 'client-certificate');
  const key = fromConfig(user, 'client-key');
  const agent = new Agent({
    connect: { ...(ca ? { ca } : {}), ...(cert && key ? { cert, key } : {}), rejectUnauthorized: ca !== undefined },
    bodyTimeout: 0,
  });
  const authorization = user.token === undefined ? {} : { authorization: `Bearer ${user.token}` };
  const send = async (method: string, path: string, body: unknown, options: CallOptions, signal?: AbortSignal) =>
    request(`${cluster.server ?? ''}${path}`, {
      method: method as 'GET',
      dispatcher: agent,
      headers: {
        accept: options.accept ?? 'application/json',
        'user-agent': 'contract',
        ...authorization,
        ...(body === undefined ? {} : { 'content-type': options.contentType ?? 'application/json' }),
      },
      body: body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body),
      ...(signal ? { signal } : {}),
    });
  return {
    async call(method, path, body, options = {}) {
      const response = await send(method, path, body, options);
      const text = await response.body.text();
      const isJson = String(response.headers['content-type']).includes('json');
      return {
        status: response.statusCode,
        headers: response.headers,
        body: (isJson ? JSON.parse(text) : { message: text }) as Seen,
      };
    },
    async watch(path, options = {}) {
      const stop = new AbortController();
      const response = await send('GET', path, undefined, options, stop.signal);
      return follow(response.body, stop);
    },
    close: () => agent.destroy(),
  };
}

function follow(body: AsyncIterable<Buffer>, stop: AbortController): Watching {
  const events: WatchEvent[] = [];
  const listeners = new Set<() => void>();
  const ended = (async () => {
    let rest = '';
    try {
      for await (const chunk of body) {
        const lines = `${rest}${chunk.toString('utf8')}`.split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') events.push(JSON.parse(line) as WatchEvent);
        for (const listener of listeners) listener();
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    }
  })();
  return {
    ended,
    stop: () => stop.abort(),
    until: (enough) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          listeners.delete(look);
          reject(new Error(`not seen in time; events so far: ${JSON.stringify(events.map(brief))}`));
        }, patience);
        const look = (): void => {
          if (!enough(events)) return;
          clearTimeout(timer);
          listeners.delete(look);
          resolve([...events]);
        };
        listeners.add(look);
        look();
      }),
  };
}

const brief = ({ type, object }: WatchEvent): string => `${type} ${object.metadata.name}`;

/** Asks again until the answer is right; fails with the last answer. */
export async function eventually<T>(
  ask: () => Promise<T>,
  right: (value: T) => boolean,
  what: string,
  withinMs: number = patience,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const value = await ask();
    if (right(value)) return value;
    if (Date.now() > deadline) throw new Error(`${what} did not come about; last seen: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

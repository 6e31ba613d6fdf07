import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createListener } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawn } from './spawn.ts';

/** A registry of images on loopback, over HTTP, which images are pushed to by its API. */
export interface ImageRegistry {
  /** `127.0.0.1:PORT` */
  readonly registry: string;
  /** What serves it: the program of the distribution project where the machine has it, else the sandbox itself. */
  readonly kind: 'docker-registry' | 'sandbox';
  /** Pushes an image that nothing is in but its tag; gives the digest of its manifest. */
  push(repository: string, tag: string): Promise<string>;
  stop(): Promise<void>;
}

/** `dir`: for what it stores. */
export async function startImageRegistry(dir: string): Promise<ImageRegistry> {
  const { port, kind, stop } = (await startProgram(dir)) ?? (await startOwn());
  const base = `http://127.0.0.1:${port}/v2`;
  return { registry: `127.0.0.1:${port}`, kind, push: (...image) => pushImage(base, ...image), stop };
}

interface Started extends Pick<ImageRegistry, 'kind' | 'stop'> {
  readonly port: number;
}

const digestOf = (content: string | Buffer): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;

const configType = 'application/vnd.oci.image.config.v1+json';
const manifestType = 'application/vnd.oci.image.manifest.v1+json';

async function pushImage(base: string, repository: string, tag: string): Promise<string> {
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    created: new Date().toISOString(),
    config: { Labels: { version: tag } },
    rootfs: { type: 'layers', diff_ids: [] },
  });
  const begun = await fetch(`${base}/${repository}/blobs/uploads/`, { method: 'POST' });
  const upload = new URL(begun.headers.get('location') ?? '', base);
  upload.searchParams.set('digest', digestOf(config));
  await put(upload.href, config, 'application/octet-stream');
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: configType, digest: digestOf(config), size: config.length },
    layers: [],
  });
  await put(`${base}/${repository}/manifests/${tag}`, manifest, manifestType);
  return digestOf(manifest);
}

async function put(url: string, body: string, type: string): Promise<void> {
  const answer = await fetch(url, { method: 'PUT', body, headers: { 'content-type': type } });
  await answer.text();
  if (answer.status !== 201) throw new Error(`the registry answers ${answer.status} to PUT ${new URL(url).pathname}`);
}

const longestStartMs = 10_000;

/** Undefined: the machine has no such program. */
async function startProgram(dir: string): Promise<Started | undefined> {
  const port = await freePort();
  await mkdir(dir, { recursive: true });
  const config = join(dir, 'registry.json');
  // JSON is YAML.
  await writeFile(
    config,
    JSON.stringify({
      version: 0.1,
      log: { level: 'error', accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: join(dir, 'store') } },
      http: { addr: `127.0.0.1:${port}` },
    }),
  );
  const env = { PATH: process.env['PATH'], OTEL_TRACES_EXPORTER: 'none' };
  const child = spawn('docker-registry', ['serve', config], { stdio: ['ignore', 'ignore', 'ignore'], env });
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()));
  let isGone = false;
  void gone.then(() => (isGone = true));
  for (const untilMs = Date.now() + longestStartMs; !isGone && Date.now() < untilMs; await sleep(25)) {
    const answer = await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined);
    if (answer?.status !== 200) continue;
    await answer.text();
    const stop = async (): Promise<void> => {
      child.kill('SIGTERM');
      await gone;
    };
    return { port, kind: 'docker-registry', stop };
  }
  if (!isGone) child.kill('SIGKILL');
  return undefined;
}

async function freePort(): Promise<number> {
  const listener = createListener().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  listener.close();
  await once(listener, 'close');
  return port;
}

interface Stored {
  readonly type: string;
  readonly content: Buffer;
}

/** In memory, as much of the distribution API as pushing one image and looking at tags takes. */
async function startOwn(): Promise<Started> {
  const blobs = new Map<string, Stored>();
  const repositories = new Map<string, Map<string, Stored>>();
  const server = createServer((request, response) => {
    answer(request, response, blobs, repositories).catch(() => response.writeHead(500).end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { port, kind: 'sandbox', stop: () => closed(server) };
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  blobs: Map<string, Stored>,
  repositories: Map<string, Map<string, Stored>>,
): Promise<void> {
  const { method = 'GET', headers } = request;
  const url = new URL(request.url ?? '/', 'http://registry');
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const content = Buffer.concat(chunks);
  const type = headers['content-type'] ?? 'application/octet-stream';
  const send = (status: number, more: Readonly<Record<string, string>> = {}, body: string | Buffer = ''): void =>
    void response.writeHead(status, more).end(method === 'HEAD' ? undefined : body);
  const found = (stored: Stored | undefined): void =>
    stored
      ? send(200, { 'content-type': stored.type, 'docker-content-digest': digestOf(stored.content) }, stored.content)
      : send(404, { 'content-type': 'application/json' }, '{"errors":[{"code":"NOT_FOUND"}]}');
  const [, repository = '', what, name = ''] =
    /^\/v2\/(.+?)\/(blobs\/uploads|blobs|manifests|tags)\/([^/]*)$/.exec(url.pathname) ?? [];
  const tags = repositories.get(repository) ?? new Map<string, Stored>();
  switch (`${method} ${what ?? ''}`) {
    case 'POST blobs/uploads':
      return send(202, { location: `/v2/${repository}/blobs/uploads/1` });
    case 'PUT blobs/uploads':
      if (url.searchParams.get('digest') !== digestOf(content)) return send(400);
      blobs.set(digestOf(content), { type, content });
      return send(201);
    case 'PUT manifests':
      repositories.set(repository, tags.set(name, { type, content }));
      blobs.set(digestOf(content), { type, content });
      return send(201, { 'docker-content-digest': digestOf(content) });
    case 'GET tags': {
      if (!repositories.has(repository)) return found(undefined);
      const text = JSON.stringify({ name: repository, tags: [...tags.keys()].toSorted() });
      const etag = `"${digestOf(text)}"`;
      return headers['if-none-match'] === etag
        ? send(304)
        : send(200, { 'content-type': 'application/json', etag }, text);
    }
    case 'GET manifests':
    case 'HEAD manifests':
      return found(tags.get(name) ?? blobs.get(name));
    case 'GET blobs':
    case 'HEAD blobs':
      return found(blobs.get(name));
    default:
      return url.pathname === '/v2/' ? send(200) : send(404);
  }
}

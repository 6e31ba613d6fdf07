import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ownPlatform } from '../../src/cli/own-platform.ts';
import { startServer, type TestServer } from './http-server.ts';

/** A registry in memory that answers as the distribution API asks; for what a real one cannot be made to do, and where there is none. */
export interface RegistryDouble extends TestServer {
  /** `127.0.0.1:PORT` */
  readonly registry: string;
  /** Puts an image there; the digest of its manifest. */
  push(repository: string, tag: string, options?: PushOptions): Promise<string>;
  /** As `before`, from now on, and after it. */
  answerFirst(answer: (request: IncomingMessage, response: ServerResponse, body: string) => boolean): void;
}

export interface PushOptions {
  readonly created?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Makes it an index. */
  readonly platforms?: readonly string[];
  /** What an image without an index is for. Absent: the machine that it runs on. */
  readonly architecture?: string;
  /** Makes images with one time differ. */
  readonly seed?: string;
}

export interface DoubleOptions {
  readonly signIn?: {
    readonly kind: 'basic' | 'bearer';
    readonly username: string;
    readonly password: string;
    readonly identityToken?: string;
  };
  /** How pages are told; absent: by Link. */
  readonly pages?: 'link' | 'last' | 'none';
  /** Its answers begin with a look at this; true: it has answered. */
  readonly before?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

interface Stored {
  readonly type: string;
  readonly body: string;
}

const indexType = 'application/vnd.oci.image.index.v1+json';
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
export const digestOf = (body: string): string => `sha256:${createHash('sha256').update(body).digest('hex')}`;

const own = ownPlatform.split('/')[1] ?? '';

/** What is stored for an image: its configuration, its manifest and, for several platforms, its index. */
export function imageOf(
  tag: string,
  { created = '2026-01-02T03:04:05Z', labels = {}, platforms, architecture = own, seed = '' }: PushOptions = {},
): {
  readonly blobs: readonly string[];
  readonly manifests: readonly Stored[];
} {
  const config = JSON.stringify({
    architecture,
    os: 'linux',
    created,
    config: { Labels: labels },
    rootfs: { type: 'layers', diff_ids: [] },
    seed,
  });
  const manifest: Stored = {
    type: manifestType,
    body: JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: config.length },
      layers: [],
      annotations: { tag },
    }),
  };
  if (!platforms) return { blobs: [config], manifests: [manifest] };
  const entries = platforms.map((platform) => {
    const [os, architecture] = platform.split('/');
    return {
      mediaType: manifestType,
      digest: digestOf(manifest.body),
      size: manifest.body.length,
      platform: { os, architecture },
    };
  });
  const index: Stored = {
    type: indexType,
    body: JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests: entries }),
  };
  return { blobs: [config], manifests: [manifest, index] };
}

export async function startRegistryDouble({
  signIn,
  pages = 'link',
  before,
}: DoubleOptions = {}): Promise<RegistryDouble> {
  const tags = new Map<string, Map<string, Stored>>();
  const stored = new Map<string, Stored>();
  const valid = new Set<string>();
  let first: Parameters<RegistryDouble['answerFirst']>[0] = () => false;
  const server = await startServer((request, response, body) => {
    if (before?.(request, response) === true || first(request, response, body)) return;
    const url = new URL(request.url ?? '', 'http://x');
    const send = (status: number, content: string, headers: Record<string, string> = {}): void =>
      void response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(request.method === 'HEAD' ? undefined : content);
    if (url.pathname === '/token') {
      const form = new URLSearchParams(body);
      const isIdentity = signIn?.identityToken !== undefined && form.get('refresh_token') === signIn.identityToken;
      const pair = `Basic ${Buffer.from(`${signIn?.username ?? ''}:${signIn?.password ?? ''}`).toString('base64')}`;
      if (!isIdentity && request.headers.authorization !== pair) return send(401, '{}');
      const scope = form.get('scope') ?? url.searchParams.get('scope') ?? '';
      const token = Buffer.from(`${scope} ${valid.size}`).toString('base64url');
      valid.add(`Bearer ${token}`);
      return send(200, JSON.stringify({ token, expires_in: 300 }));
    }
    if (signIn) {
      const pair = `Basic ${Buffer.from(`${signIn.username}:${signIn.password}`).toString('base64')}`;
      const given = request.headers.authorization ?? '';
      const isIn = signIn.kind === 'basic' ? given === pair : valid.has(given);
      const challenge =
        signIn.kind === 'basic'
          ? 'Basic realm="here"'
          : `Bearer realm="${server.url}/token",service="double",scope="repository:all:pull,push"`;
      if (!isIn) return send(401, '{}', { 'www-authenticate': challenge });
    }
    const [, repository = '', kind, name = ''] =
      /^\/v2\/(.+)\/(tags|manifests|blobs)\/([^/]+)$/.exec(url.pathname) ?? [];
    const known = tags.get(repository);
    if (!known) return send(404, '{"errors":[{"code":"NAME_UNKNOWN"}]}');
    if (kind === 'tags') {
      const all = [...known.keys()].sort((a, b) => (a < b ? -1 : 1));
      const last = url.searchParams.get('last') ?? '';
      const size = pages === 'none' ? all.length : Number(url.searchParams.get('n') ?? all.length);
      const rest = all.filter((tag) => pages === 'none' || tag > last);
      const page = rest.slice(0, size);
      const link = `</v2/${repository}/tags/list?last=${page.at(-1) ?? ''}&n=${size}>; rel="next"`;
      const text = JSON.stringify({ name: repository, tags: page });
      const etag = `"${digestOf(text)}"`;
      if (request.headers['if-none-match'] === etag) return send(304, '');
      return send(200, text, { etag, ...(pages === 'link' && page.length < rest.length ? { link } : {}) });
    }
    const found = (kind === 'manifests' ? known.get(name) : undefined) ?? stored.get(name);
    if (!found) return send(404, '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}');
    return send(200, found.body, { 'content-type': found.type, 'docker-content-digest': digestOf(found.body) });
  });
  return {
    ...server,
    registry: server.url.replace('http://', ''),
    answerFirst(answer) {
      first = answer;
    },
    async push(repository, tag, options) {
      const { blobs, manifests } = imageOf(tag, options);
      for (const blob of blobs) stored.set(digestOf(blob), { type: 'application/octet-stream', body: blob });
      for (const manifest of manifests) stored.set(digestOf(manifest.body), manifest);
      const top = manifests.at(-1);
      if (!top) throw new Error('no manifest');
      tags.set(repository, (tags.get(repository) ?? new Map<string, Stored>()).set(tag, top));
      return Promise.resolve(digestOf(top.body));
    },
  };
}

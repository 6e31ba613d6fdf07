import { jsonOf } from '../lib/json.ts';
import { createHash } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { retryAfterMs } from '../lib/http/retry-after.ts';
import { messageOf } from '../lib/errors.ts';
import { type Http, type HttpResponse, LastingHttpFailure } from '../lib/http/http.ts';
import { type ImageReference, isDigest, isTag, showReference } from '../images/reference.ts';
import { createAuthorizer } from './authorizer.ts';
import { Failed, type Failure, type FailureKind } from './failure.ts';
import type { Keychain } from './keychain.ts';
import { nextPage } from './link.ts';
import { createPace, type Pace, type PaceSettings, usualPauseMs } from './pace.ts';

export interface RegistryOptions {
  /** Cuts answers at `maxAnswerBytes`; its rules say which addresses may be asked. */
  readonly http: Http;
  readonly clock: Clock;
  /** What `http` cuts answers at. */
  readonly maxAnswerBytes: number;
  /** Registries that are spoken to without TLS. */
  readonly plainHttp?: ReadonlySet<string>;
  readonly pace?: PaceSettings;
  /** Told of each request that was sent. Absent: nobody is. */
  readonly onRequest?: (request: RegistryRequest) => void;
  /** Tags that are asked for at once. */
  readonly pageSize?: number;
  readonly timeoutMs?: number;
  /** Credentials of the agent's own, which count where those that a question comes with say nothing. Absent: there are none. */
  readonly own?: Keychain;
}

export interface RegistryRequest {
  readonly registry: string;
  /** The status, or `no answer`. */
  readonly result: string;
}

interface TagList {
  readonly tags: readonly string[];
  /** To ask again with; absent: the registry gave none, or the list has several pages. */
  readonly etag?: string;
}

type Answered<Value> = { readonly kind: 'answer'; readonly value: Value } | Failure;

/** Registries by the OCI distribution API. Nothing throws but an aborted signal; a reason names registry and repository, and no secret. */
export interface RegistryClient {
  /** All tags, or why not all: never a part of them. `unchanged`: as with the etag that was asked with. */
  tags(image: ImageReference, ask: Asking, signal: AbortSignal): Promise<Answered<TagList | 'unchanged'>>;
  /** The digest that the image's tag has; null: the registry does not say. */
  digest(image: ImageReference, ask: Asking, signal: AbortSignal): Promise<Answered<string | null>>;
  /** When its publisher says that the image's tag was made, in milliseconds; null: nothing says it. */
  created(image: ImageReference, ask: Asking & Platform, signal: AbortSignal): Promise<Answered<number | null>>;
  /** Platforms (`linux/amd64`) that the image's digest, or else its tag, is for; null: nothing says it. */
  platforms(
    image: ImageReference & { readonly digest?: string },
    ask: Asking,
    signal: AbortSignal,
  ): Promise<Answered<readonly string[] | null>>;
}

interface Asking {
  /** Absent: anonymous. */
  readonly credentials?: Keychain;
  readonly etag?: string;
}

/** Which image of an index is looked at, where it has that; absent: linux on amd64. */
interface Platform {
  readonly os?: string;
  readonly architecture?: string;
}

const maxPages = 200;
const maxTags = 50_000;
const maxListBytes = 16 * 1024 * 1024;
const manifestTypes = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** What every registry gives at once. More is asked for where it is taken: only of a list on one page it can be asked whether it has changed. */
const usualPageSize = 1_000;
const tooManyAsked = new Set([400, 405, 422]);
const maxModest = 2_000;

/** Names under which a registry is spoken to, where that is another one. */
const servers: ReadonlyMap<string, string> = new Map([['docker.io', 'registry-1.docker.io']]);

export function createRegistryClient(options: RegistryOptions): RegistryClient {
  const { clock, maxAnswerBytes, plainHttp = new Set(), pageSize = 10_000, timeoutMs = 20_000 } = options;
  const { onRequest = () => undefined } = options;
  const paceSettings = options.pace ?? { burst: 10, perSecond: 5 };
  const paces = new Map<string, Pace>();
  /** Registries that give no pages of that size. */
  const modest = new Set<string>();
  /** Requests of one registry, its token server and its store of blobs among them. */
  const counting = (registry: string): Http => ({
    async request(request, signal) {
      try {
        const answer = await options.http.request(request, signal);
        onRequest({ registry, result: String(answer.status) });
        return answer;
      } catch (error) {
        if (!signal.aborted) onRequest({ registry, result: 'no answer' });
        throw error;
      }
    },
  });
  const authorizer = createAuthorizer({
    http: counting,
    clock,
    timeoutMs,
    ...(options.own ? { own: options.own } : {}),
  });

  const paceOf = (registry: string): Pace => {
    const known = paces.get(registry);
    if (known) return known;
    const fresh = createPace(paceSettings, clock);
    paces.set(registry, fresh);
    return fresh;
  };

  /** One request, signed in to where the registry asks for it. Failures are told; 304 is an answer. */
  const ask = async (
    image: ImageReference,
    request: Asked,
    asking: Asking,
    signal: AbortSignal,
  ): Promise<HttpResponse> => {
    const { registry, repository } = image;
    const subject = { registry, repository, isPlain: plainHttp.has(registry), credentials: asking.credentials };
    const send = async (authorization: string | undefined): Promise<HttpResponse> => {
      const pauseMs = await paceOf(registry).turn(signal);
      if (pauseMs !== undefined) throw new Failed('busy', 'it asked for a pause, which is not over', pauseMs);
      const headers = { ...request.headers, ...(authorization === undefined ? {} : { authorization }) };
      const answer = await counting(registry).request(
        {
          method: request.method,
          url: request.url.href,
          headers,
          timeoutMs,
          ...(request.isBlob === true ? { redirects: 'returned' as const } : {}),
        },
        signal,
      );
      if (answer.status === 429 || (answer.status === 503 && answer.headers['retry-after'] !== undefined)) {
        const pause = retryAfterMs(answer.headers['retry-after'], clock.now()) ?? usualPauseMs;
        paceOf(registry).refused(pause);
        throw new Failed('busy', `it answers ${answer.status}: there were too many requests`, pause);
      }
      return answer;
    };
    const signedIn = async (sign: () => Promise<string | undefined>): Promise<string | undefined> => {
      try {
        return await sign();
      } catch (error) {
        if (error instanceof Failed && error.kind === 'credentials') authorizer.refused(subject);
        throw error;
      }
    };
    const known = await signedIn(() => authorizer.known(subject, signal));
    const first = await send(known);
    // Rights may have been given since.
    if (first.status === 403) authorizer.refused(subject);
    if (first.status !== 401) return first;
    if (known !== undefined) authorizer.forget(subject);
    const challenge = first.headers['www-authenticate'] ?? '';
    const answer = await send(await signedIn(() => authorizer.answer(subject, challenge, signal)));
    if (isRefusal(answer.status)) authorizer.refused(subject);
    return answer;
  };

  const whole = (answer: HttpResponse, what: string): HttpResponse => {
    if (answer.body.length >= maxAnswerBytes || Buffer.byteLength(answer.body) >= maxAnswerBytes - 3)
      throw new Failed('too-large', `${what} is larger than ${maxAnswerBytes} bytes`);
    return answer;
  };

  const baseOf = ({ registry, repository }: ImageReference): URL =>
    new URL(`${plainHttp.has(registry) ? 'http' : 'https'}://${servers.get(registry) ?? registry}/v2/${repository}/`);

  const manifestAt = async (
    image: ImageReference,
    name: string,
    asking: Asking,
    signal: AbortSignal,
  ): Promise<HttpResponse> => {
    const url = new URL(`manifests/${name}`, baseOf(image));
    const answer = await ask(image, { method: 'GET', url, headers: { accept: manifestTypes } }, asking, signal);
    return whole(expected(answer), 'the manifest');
  };

  const configAt = async (
    image: ImageReference,
    digest: string,
    asking: Asking,
    signal: AbortSignal,
  ): Promise<HttpResponse> => {
    const url = new URL(`blobs/${digest}`, baseOf(image));
    const answer = await ask(image, { method: 'GET', url, isBlob: true }, asking, signal);
    const { location } = answer.headers;
    if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined)
      return whole(expected(answer), 'the configuration');
    const target = URL.canParse(location, url.href) ? new URL(location, url.href) : undefined;
    if (!target || (target.protocol !== 'https:' && !plainHttp.has(image.registry)))
      throw new Failed('strange', 'it redirects to where nothing is asked');
    // Stores of blobs are other servers, which get nothing of ours: no credentials, no second redirect.
    const stored = await counting(image.registry).request(
      { method: 'GET', url: target.href, timeoutMs, redirects: 'returned' },
      signal,
    );
    return whole(expected(stored), 'the configuration');
  };

  const answered = async <Value>(
    image: ImageReference,
    signal: AbortSignal,
    work: () => Promise<Value>,
  ): Promise<Answered<Value>> => {
    try {
      return { kind: 'answer', value: await work() };
    } catch (error) {
      if (signal.aborted) throw error;
      const { registry, repository, tag } = image;
      const name = showReference({ registry, repository, ...(tag === undefined ? {} : { tag }) });
      return failureOf(name, error);
    }
  };

  const listOf = async (
    image: ImageReference,
    size: number,
    asking: Asking,
    signal: AbortSignal,
  ): Promise<TagList | 'unchanged' | 'too many asked for'> => {
    const first = new URL(`tags/list?n=${size}`, baseOf(image));
    const tags = new Set<string>();
    const seen = new Set<string>();
    let bytes = 0;
    let etag: string | undefined;
    for (let page: URL | undefined = first; page; ) {
      if (seen.has(page.href)) throw new Failed('strange', 'its pages lead round in a circle');
      if (seen.size >= maxPages) throw new Failed('too-large', `the list has more than ${maxPages} pages`);
      seen.add(page.href);
      const conditional = seen.size === 1 && asking.etag !== undefined ? { 'if-none-match': asking.etag } : {};
      const answer = await ask(
        image,
        { method: 'GET', url: page, headers: { accept: 'application/json', ...conditional } },
        asking,
        signal,
      );
      if (answer.status === 304 && seen.size === 1 && asking.etag !== undefined) return 'unchanged';
      if (seen.size === 1 && size > usualPageSize && tooManyAsked.has(answer.status)) return 'too many asked for';
      const { body, headers } = whole(expected(answer), 'a page of the list');
      bytes += body.length;
      if (bytes > maxListBytes)
        throw new Failed('too-large', `the list is larger than ${maxListBytes / 1024 / 1024} MiB`);
      const found = tagsIn(body);
      const before = tags.size;
      for (const tag of found) tags.add(tag);
      if (tags.size > maxTags) throw new Failed('too-large', `the list has more than ${maxTags} tags`);
      const next = nextPage(headers['link'], page);
      if (next === 'strange') throw new Failed('strange', 'its next page is of another list or another server');
      if (seen.size === 1 && !next) etag = headers['etag'];
      page = next ?? following(page, found, size, tags.size > before);
      if (page && !next) etag = undefined;
    }
    return { tags: [...tags], ...(etag === undefined || etag.length > 1_000 ? {} : { etag }) };
  };

  return {
    tags: (image, asking, signal) =>
      answered(image, signal, async () => {
        const { registry } = image;
        if (!modest.has(registry)) {
          const list = await listOf(image, pageSize, asking, signal);
          if (list !== 'too many asked for') return list;
          if (modest.size < maxModest) modest.add(registry);
        }
        const list = await listOf(image, Math.min(pageSize, usualPageSize), asking, signal);
        if (list === 'too many asked for') throw new Failed('strange', 'it takes no number of tags for a page');
        return list;
      }),

    digest: (image, asking, signal) =>
      answered(image, signal, async () => {
        const url = new URL(`manifests/${tagOf(image)}`, baseOf(image));
        const answer = await ask(image, { method: 'HEAD', url, headers: { accept: manifestTypes } }, asking, signal);
        const said = answer.headers['docker-content-digest'];
        if (answer.status === 200 && said !== undefined && isDigest(said)) return said;
        if (answer.status !== 200 && answer.status !== 405) expected(answer);
        const { body } = await manifestAt(image, tagOf(image), asking, signal);
        // Read as UTF-8: what was none has another digest by now.
        return body.includes('\uFFFD') ? null : `sha256:${createHash('sha256').update(body).digest('hex')}`;
      }),

    created: (image, { os = 'linux', architecture = 'amd64', ...asking }, signal) =>
      answered(image, signal, async () => {
        let manifest = jsonIn((await manifestAt(image, tagOf(image), asking, signal)).body);
        const { manifests } = manifest;
        if (Array.isArray(manifests)) {
          const entries = manifests.map(jsonOf);
          const wanted = entries.find(({ platform }) => platformIn(platform) === `${os}/${architecture}`);
          // Images of one index are made together; whether one runs here is another question.
          const entry = wanted ?? entries.find(({ platform }) => platformIn(platform) !== undefined);
          if (!entry) throw new Failed('missing', 'its index has no image');
          const time = timeIn(entry['annotations']);
          if (time !== undefined) return time;
          manifest = jsonIn((await manifestAt(image, digestIn(entry), asking, signal)).body);
        }
        const time = timeIn(manifest['annotations']);
        if (time !== undefined) return time;
        const config = jsonIn((await configAt(image, digestIn(jsonOf(manifest['config'])), asking, signal)).body);
        return timeIn(jsonOf(config['config'])['Labels']) ?? timeOf(config['created']) ?? null;
      }),

    platforms: (image, asking, signal) =>
      answered(image, signal, async () => {
        const manifest = jsonIn((await manifestAt(image, image.digest ?? tagOf(image), asking, signal)).body);
        const { manifests, config } = manifest;
        if (Array.isArray(manifests)) {
          const all = manifests.slice(0, maxPlatforms).flatMap((one) => platformIn(jsonOf(one)['platform']) ?? []);
          return manifests.length > 0 && all.length === 0 ? null : [...new Set(all)];
        }
        // Manifests of the first version.
        if (config === undefined) return null;
        const own = platformIn(jsonIn((await configAt(image, digestIn(jsonOf(config)), asking, signal)).body));
        return own === undefined ? null : [own];
      }),
  };
}

const maxPlatforms = 100;

/** `linux/arm64`; undefined: it says none, as what lies beside an image (`unknown/unknown`). */
function platformIn(value: unknown): string | undefined {
  const { os, architecture } = jsonOf(value);
  const isName = (text: unknown): text is string =>
    typeof text === 'string' && /^[a-z0-9_-]{1,30}$/.test(text) && text !== 'unknown';
  return isName(os) && isName(architecture) ? `${os}/${architecture}` : undefined;
}

const isRefusal = (status: number): boolean => status === 401 || status === 403;

interface Asked {
  readonly method: 'GET' | 'HEAD';
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly isBlob?: boolean;
}

function tagOf({ tag }: ImageReference): string {
  if (tag === undefined) throw new Failed('missing', 'no tag is named');
  return tag;
}

/** Pages of registries that give fewer tags than they are asked for. */
const usualPages = new Set([20, 50, 100, 200, 250, 500, 1_000]);

/** Where a full page says nothing of a next one, what comes behind its last tag is asked for: some registries divide lists so. */
function following(page: URL, found: readonly string[], pageSize: number, isNew: boolean): URL | undefined {
  const last = found.at(-1);
  const isFull = found.length === pageSize || usualPages.has(found.length);
  if (!isFull || last === undefined || !isNew) return undefined;
  const next = new URL(page);
  next.searchParams.set('last', last);
  return next;
}

function expected(answer: HttpResponse): HttpResponse {
  const { status } = answer;
  if (status === 200) return answer;
  throw new Failed(...kindOf(status));
}

function kindOf(status: number): [kind: FailureKind, reason: string] {
  if (status === 401 || status === 403)
    return ['credentials', `it answers ${status}: the credentials, or none, may not read it`];
  if (status === 404) return ['missing', 'it answers 404: there is no such repository or tag, or it may not be seen'];
  if (status >= 500) return ['unreachable', `it answers ${status}`];
  return ['strange', `it answers ${status}`];
}

function tagsIn(body: string): readonly string[] {
  const { tags } = jsonIn(body);
  // A repository whose tags were all deleted.
  if (tags === null || tags === undefined) return [];
  if (!Array.isArray(tags)) throw new Failed('strange', 'its list of tags is none');
  return tags.filter((tag): tag is string => typeof tag === 'string' && isTag(tag));
}

function jsonIn(body: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Told below.
  }
  throw new Failed('strange', 'its answer is no JSON, or only a part of it');
}

function digestIn({ digest }: Readonly<Record<string, unknown>>): string {
  if (typeof digest === 'string' && isDigest(digest)) return digest;
  throw new Failed('strange', 'its manifest names no digest');
}

function timeIn(labels: unknown): number | undefined {
  const record = jsonOf(labels);
  return timeOf(record['org.opencontainers.image.created']) ?? timeOf(record['org.label-schema.build-date']);
}

/** Images that were made reproducible say 1970, which says nothing. */
function timeOf(value: unknown): number | undefined {
  if (typeof value !== 'string' || value.length > 100) return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) || ms <= 86_400_000 ? undefined : ms;
}

function failureOf(name: string, error: unknown): Failure {
  if (error instanceof Failed) {
    const { kind: why, message, retryAfterMs: pauseMs } = error;
    return {
      kind: 'failed',
      why,
      reason: `${name}: ${message}`,
      ...(pauseMs === undefined ? {} : { retryAfterMs: pauseMs }),
    };
  }
  return {
    kind: 'failed',
    why: error instanceof LastingHttpFailure ? 'refused' : 'unreachable',
    reason: `${name}: ${messageOf(error)}`,
  };
}

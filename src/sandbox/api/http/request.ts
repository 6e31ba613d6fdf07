import type { IncomingMessage } from 'node:http';
import { parse as parseYaml } from 'yaml';
import { Failure, badRequest, unsupportedMedia } from '../failure.ts';
import type { Json } from '../json.ts';
import { isObject } from '../json.ts';
import type { ProtobufTable } from '../protobuf.ts';
import { decodeProtobuf } from '../protobuf.ts';
import type { WriteContext } from '../write-context.ts';

/** A request as the handlers see it. */
export interface ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly accept: string;
  readonly contentType: string;
  readonly userAgent: string;
  readonly body: Buffer;
}

export interface Reply {
  readonly status: number;
  readonly body: Json | string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly contentType?: string;
}

export const reply = (status: number, body: Json | string): Reply => ({ status, body });

const maxBodyBytes = 3 * 1024 * 1024;

export async function readRequest(incoming: IncomingMessage): Promise<ApiRequest> {
  const url = new URL(incoming.url ?? '/', 'http://cluster');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBodyBytes)
      throw new Failure(413, 'RequestEntityTooLarge', 'Request entity too large: limit is 3145728');
    chunks.push(chunk);
  }
  return {
    method: incoming.method ?? 'GET',
    path: decodeURIComponent(url.pathname),
    query: url.searchParams,
    accept: incoming.headers.accept ?? '*/*',
    contentType: incoming.headers['content-type'] ?? 'application/json',
    userAgent: incoming.headers['user-agent'] ?? '',
    body: Buffer.concat(chunks),
  };
}

/** The body as JSON, whichever of JSON, YAML or Kubernetes' protobuf it came as; undefined without a body. */
export function bodyOf(request: ApiRequest, protobuf: ProtobufTable): unknown {
  if (request.body.length === 0) return undefined;
  const type = request.contentType.split(';')[0]?.trim() ?? '';
  if (type === 'application/vnd.kubernetes.protobuf') return decodeProtobuf(request.body, protobuf);
  if (!/^application\/([-\w.]+\+)?(json|yaml)$/.test(type)) {
    throw unsupportedMedia(
      'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
    );
  }
  const text = request.body.toString('utf8');
  try {
    // JSON is YAML too, and most clients send it, but a YAML reader takes ten times as long for it.
    return type.includes('yaml') && !text.startsWith('{') ? parseYaml(text) : JSON.parse(text);
  } catch (error) {
    throw badRequest(`the body cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function objectBody(request: ApiRequest, protobuf: ProtobufTable): Json {
  const body = bodyOf(request, protobuf);
  if (!isObject(body)) throw badRequest('Request body is expected to hold an object');
  return body;
}

/** Who writes: as told by the request, else the program's name from User-Agent. */
function managerOf(request: ApiRequest): string {
  return request.query.get('fieldManager') ?? (request.userAgent.split('/')[0] || 'unknown');
}

export function writeContextOf(
  request: ApiRequest,
  subresource: 'status' | 'scale' | undefined,
): WriteContext & { warnings: string[] } {
  const validation = request.query.get('fieldValidation') ?? 'Warn';
  if (validation !== 'Strict' && validation !== 'Warn' && validation !== 'Ignore') {
    throw badRequest(
      `fieldValidation: Unsupported value: "${validation}": supported values: "Ignore", "Strict", "Warn"`,
    );
  }
  return {
    manager: managerOf(request),
    ...(subresource === undefined ? {} : { subresource }),
    dryRun: isDryRun(request.query.getAll('dryRun')),
    fieldValidation: validation,
    warnings: [],
  };
}

export function isDryRun(values: readonly string[]): boolean {
  if (values.some((value) => value !== 'All')) throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(values)}`);
  return values.length > 0;
}

/** What of Accept this server can answer with. */
export type View =
  | { readonly kind: 'object' }
  | { readonly kind: 'table'; readonly include: 'Metadata' | 'None' | 'Object' }
  | { readonly kind: 'partial' };

export function viewOf(request: ApiRequest): View {
  for (const range of request.accept.split(',')) {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim());
    if (type !== 'application/json' && type !== '*/*' && type !== 'application/*') continue;
    const as = parameters.find((parameter) => parameter.startsWith('as='))?.slice(3);
    if (as === 'Table') {
      const include = request.query.get('includeObject');
      return { kind: 'table', include: include === 'None' || include === 'Object' ? include : 'Metadata' };
    }
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') return { kind: 'partial' };
    if (as === undefined) return { kind: 'object' };
  }
  if (request.accept.includes('application/yaml')) return { kind: 'object' };
  const supported = 'application/json, application/yaml, application/vnd.kubernetes.protobuf';
  throw new Failure(406, 'NotAcceptable', `only the following media types are accepted: ${supported}`);
}

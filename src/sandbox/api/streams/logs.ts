import type { ServerResponse } from 'node:http';
import type { LogLine, PodInside, RunLog, StoredObject } from '../../types.ts';
import { badRequest } from '../failure.ts';
import type { Reply } from '../http/request.ts';
import { containerOf, waitingReason } from './container.ts';

interface LogQuery {
  readonly follow: boolean;
  readonly timestamps: boolean;
  readonly tailLines?: number;
  readonly sinceMs?: number;
  readonly limitBytes?: number;
}

/** What `kubectl logs` asks for; undefined when the answer goes on in `response` until the container ends or the client leaves. */
export function answerLog(
  pod: StoredObject,
  inside: PodInside | undefined,
  query: URLSearchParams,
  nowMs: number,
  response: ServerResponse,
): Reply | undefined {
  const container = containerOf(pod, query.get('container') ?? '');
  const previous = isTrue(query.get('previous'));
  const run = inside?.log(container, previous);
  if (!run) throw badRequest(missing(pod, container, previous));
  const asked = readQuery(query, nowMs);
  const contentType = 'text/plain';
  if (!asked.follow) return { status: 200, body: textOf(run, asked), contentType };
  follow(run, asked, response, contentType);
  return undefined;
}

function missing(pod: StoredObject, container: string, previous: boolean): string {
  const { name } = pod.metadata;
  if (previous) return `previous terminated container "${container}" in pod "${name}" not found`;
  const reason = waitingReason(pod, container) ?? 'ContainerCreating';
  const why = /^(ErrImagePull|ImagePullBackOff)$/.test(reason) ? 'trying and failing to pull image' : reason;
  return `container "${container}" in pod "${name}" is waiting to start: ${why}`;
}

function readQuery(query: URLSearchParams, nowMs: number): LogQuery {
  const number = (name: string, least: number): number | undefined => {
    const text = query.get(name);
    if (text === null) return undefined;
    if (/^\d+$/.test(text) && Number(text) >= least) return Number(text);
    throw badRequest(`${name}: Invalid value: ${JSON.stringify(text)}: must be greater than or equal to ${least}`);
  };
  const tailLines = number('tailLines', 0);
  const limitBytes = number('limitBytes', 1);
  const seconds = number('sinceSeconds', 1);
  const since = query.get('sinceTime');
  const sinceMs = seconds === undefined ? (since === null ? undefined : Date.parse(since)) : nowMs - seconds * 1_000;
  return {
    follow: isTrue(query.get('follow')),
    timestamps: isTrue(query.get('timestamps')),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceMs === undefined || Number.isNaN(sinceMs) ? {} : { sinceMs }),
  };
}

const isTrue = (text: string | null): boolean => text === 'true' || text === '1';

const lineOf = ({ atMs, text }: LogLine, { timestamps }: LogQuery): string =>
  timestamps ? `${new Date(atMs).toISOString().replace('Z', '000000Z')} ${text}\n` : `${text}\n`;

function textOf({ lines }: RunLog, query: LogQuery): string {
  const { tailLines, sinceMs, limitBytes } = query;
  const recent = sinceMs === undefined ? lines : lines.filter(({ atMs }) => atMs >= sinceMs);
  const shown = tailLines === undefined ? recent : recent.slice(Math.max(0, recent.length - tailLines));
  const text = shown.map((line) => lineOf(line, query)).join('');
  return limitBytes === undefined ? text : Buffer.from(text).subarray(0, limitBytes).toString('utf8');
}

function follow(run: RunLog, query: LogQuery, response: ServerResponse, contentType: string): void {
  response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-cache, private' });
  response.flushHeaders();
  response.write(textOf(run, query));
  const stop = run.follow(
    (line) => void response.write(lineOf(line, query)),
    () => response.end(),
  );
  response.on('close', stop);
}

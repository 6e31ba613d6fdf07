import { parseGoDuration } from '../../../lib/duration.ts';
import { createRequestMetrics } from './histogram.ts';
import { type AppReply, type AppRequest, crash, type DemoImage, flag, type Program } from './image.ts';
import type { Surroundings } from './image.ts';

/** A small web service with faults to order, after https://github.com/stefanprodan/podinfo. */
export const podinfo: DemoImage = {
  has: (tag) => /^(v?\d+(\.\d+){1,2}([-+].*)?|crash.*)$/.test(tag) && !tag.startsWith('0.0.0-missing'),
  start: startPodinfo,
};

type Setting =
  | 'VERSION'
  | 'PORT'
  | 'FAIL_RATE'
  | 'DELAY'
  | 'READY_AFTER'
  | 'NO_METRICS'
  | 'CONFIG_PATH'
  | 'PODINFO_UI_MESSAGE'
  | 'PODINFO_UI_COLOR';
type Settings = Readonly<Partial<Record<Setting, string>>>;

/** Tags that are broken by themselves, as settings of the same program. */
const faultyTags: Readonly<Record<string, Settings>> = {
  '1.4.2': { FAIL_RATE: '1' },
  '2.1.2': { NO_METRICS: 'true' },
  '3.1.2': { FAIL_RATE: '1' },
  '3.1.3': { DELAY: '800ms' },
  '3.1.4': { READY_AFTER: '24h' },
};

function startPodinfo(surroundings: Surroundings): Program {
  const { tag, args, clock, log, pod, readFile } = surroundings;
  // As podinfo's own flag: so many megabytes are taken at the start.
  const stressBytes = Number(flag(args, 'stress-memory') ?? '0') * 1_000_000;
  if (stressBytes > (surroundings.memoryLimit ?? Number.POSITIVE_INFINITY))
    return { kind: 'exit', code: 137, afterMs: 0, reason: 'OOMKilled' };
  if (tag.startsWith('crash')) return crash(surroundings, `podinfo ${tag} cannot start: this version is broken`);
  const env: Settings = { VERSION: tag.replace(/^v/, ''), ...faultyTags[tag], ...surroundings.env };
  const failRate = Number(env.FAIL_RATE ?? '0');
  if (Number.isNaN(failRate)) return crash(surroundings, `FAIL_RATE: cannot parse "${env.FAIL_RATE}"`);
  const delayMs = parseGoDuration(env.DELAY ?? '0s');
  if (delayMs === undefined) return crash(surroundings, `DELAY: invalid duration "${env.DELAY}"`);
  const readyAfterMs = parseGoDuration(env.READY_AFTER ?? '0s');
  if (readyAfterMs === undefined) return crash(surroundings, `READY_AFTER: invalid duration "${env.READY_AFTER}"`);

  const version = env.VERSION ?? tag;
  const port = Number(flag(args, 'port') ?? env.PORT ?? '9898');
  const startedMs = clock.now();
  const metrics = createRequestMetrics();
  let ready: boolean | undefined;
  const isReady = (): boolean => ready ?? clock.now() - startedMs >= readyAfterMs;
  const message = (): string => {
    const file = env.CONFIG_PATH === undefined ? undefined : readFile(`${env.CONFIG_PATH.replace(/\/$/, '')}/message`);
    return file?.trim() ?? env.PODINFO_UI_MESSAGE ?? `greetings from podinfo v${version}`;
  };

  const quiet = ({ method, path }: AppRequest): AppReply | undefined => {
    if (path === '/healthz') return { status: 200, body: { status: 'OK' }, quiet: true };
    if (path === '/readyz') {
      return isReady()
        ? { status: 200, body: { status: 'OK' }, quiet: true }
        : { status: 503, body: { status: 'not ready' }, quiet: true };
    }
    if (path === '/readyz/enable' || path === '/readyz/disable') {
      if (method !== 'POST') return { status: 405, body: '', quiet: true };
      ready = path.endsWith('enable');
      return { status: 200, body: '', quiet: true };
    }
    return path === '/metrics' ? { status: 200, body: metrics.text(), quiet: true } : undefined;
  };
  const answer = (request: AppRequest): AppReply => {
    if (Math.random() < failRate) return { status: 500, body: { error: 'injected fault' } };
    const root = { hostname: pod.name, version, message: message(), color: env.PODINFO_UI_COLOR ?? '#34577c' };
    return route(request, root, env);
  };

  log(`podinfo ${version} on :${port}`);
  return {
    kind: 'serve',
    ports: [port, Number(flag(args, 'port-metrics') ?? port)],
    handle(request) {
      const probe = quiet(request);
      if (probe) return probe;
      // The version answers whatever is wrong with the rest, so that one can ask a broken pod what it is.
      if (request.path === '/version') return { status: 200, body: { version, commit: 'unknown' } };
      const reply = answer(request);
      const totalMs = delayMs + (reply.delayMs ?? 0);
      // Nothing that is scraped tells of it, as where a release has lost its metrics.
      if (env.NO_METRICS === 'true')
        return { ...reply, headers: { 'x-version': version }, delayMs: totalMs, quiet: true };
      metrics.observe(request.method, request.path, reply.status, totalMs / 1_000);
      return { ...reply, headers: { 'x-version': version }, delayMs: totalMs };
    },
  };
}

function route({ method, path, body }: AppRequest, root: unknown, env: Settings): AppReply {
  const [, first = '', second = ''] = path.split('/');
  switch (first) {
    case '':
      return { status: 200, body: root };
    case 'env':
      return { status: 200, body: Object.entries(env).map(([name, value]) => `${name}=${value}`) };
    case 'status': {
      const code = Number(second);
      const status = Number.isInteger(code) && code >= 200 && code <= 599 ? code : 400;
      return { status, body: { status } };
    }
    case 'delay': {
      const seconds = Number(second);
      if (second === '' || !(seconds >= 0)) return { status: 400, body: { error: `invalid delay "${second}"` } };
      return { status: 200, body: { delay: seconds }, delayMs: seconds * 1_000 };
    }
    case 'echo':
      return { status: 202, body, headers: { 'content-type': 'text/plain; charset=utf-8' } };
    case 'token':
      if (method !== 'POST') return { status: 405, body: { error: 'method not allowed' } };
      return { status: 200, body: { token: Buffer.from(body || 'anonymous').toString('base64url') } };
    default:
      return { status: 404, body: { error: 'not found' } };
  }
}

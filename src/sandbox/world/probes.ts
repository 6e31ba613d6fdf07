import { request } from 'node:http';
import { connect } from 'node:net';
import type { Clock } from '../../lib/clock.ts';
import type { Container, Probe } from './kinds.ts';

/** Where a port of the container really listens; undefined: nothing does. */
export type Listening = (port: number) => number | undefined;

export interface ProbeOptions {
  readonly clock: Clock;
  readonly container: Container;
  readonly probe: Probe;
  readonly podIp: string;
  listening: Listening;
  /** Called on each passing of a threshold; `failure` says why, undefined is success. */
  readonly decided: (failure: string | undefined) => void;
  /** Called on each failed try. */
  readonly failed: (failure: string) => void;
}

/** Asks again and again, in the clock's time. The returned function ends it. */
export function startProbe(options: ProbeOptions): () => void {
  const { clock, probe, decided, failed } = options;
  const { initialDelaySeconds = 0, periodSeconds = 10, successThreshold = 1, failureThreshold = 3 } = probe;
  const stopped = new AbortController();
  let cancel = (): void => undefined;
  let streak = { ok: true, length: 0 };

  const note = (failure: string | undefined): void => {
    if (stopped.signal.aborted) return;
    const ok = failure === undefined;
    streak = { ok, length: streak.ok === ok ? streak.length + 1 : 1 };
    if (failure !== undefined) failed(failure);
    if (streak.length >= (ok ? successThreshold : failureThreshold)) decided(failure);
    if (!stopped.signal.aborted) cancel = clock.after(periodSeconds * 1_000, run);
  };
  const run = (): void => {
    void ask(options, stopped.signal).then(note);
  };
  cancel = clock.after(initialDelaySeconds * 1_000, run);
  return () => {
    stopped.abort();
    cancel();
  };
}

/** Why the probe failed; undefined when it succeeded. Never rejects. */
async function ask(
  { probe, container, podIp, listening }: ProbeOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  // Real time, whatever the clock says: a fast clock does not make loopback faster.
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1_000;
  const { httpGet, exec, tcpSocket, grpc } = probe;
  if (httpGet) {
    const port = portNumber(container, httpGet.port);
    const path = httpGet.path ?? '/';
    const headers = Object.fromEntries((httpGet.httpHeaders ?? []).map(({ name, value }) => [name, value]));
    return get({ url: `http://${podIp}:${port}${path}`, port: listening(port), path, headers, timeoutMs, signal });
  }
  if (exec) return askCommand(exec.command ?? [], listening, timeoutMs, signal);
  const port = portNumber(container, tcpSocket?.port ?? grpc?.port ?? 0);
  const real = listening(port);
  if (real === undefined) return `dial tcp ${podIp}:${port}: connect: connection refused`;
  return tryConnect(real, timeoutMs);
}

function portNumber(container: Container, port: number | string): number {
  return typeof port === 'number' ? port : (container.ports?.find(({ name }) => name === port)?.containerPort ?? 0);
}

/** Commands that ask the container itself over HTTP: `podcli check http HOST:PORT/PATH`, wget and curl of a URL. */
async function askCommand(
  command: readonly string[],
  listening: Listening,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const program = command[0]?.replace(/^.*\//, '') ?? '';
  if (program === 'true') return undefined;
  if (program === 'false') return '';
  const target = /^(?:http:\/\/)?(?:localhost|127\.0\.0\.1)(?::(\d+))?(\/.*)?$/.exec(command.at(-1) ?? '');
  if (!target || !['podcli', 'wget', 'curl'].includes(program)) {
    return `the embedded cluster cannot run the command "${command.join(' ')}"`;
  }
  const port = Number(target[1] ?? '80');
  const path = target[2] ?? '/';
  return get({ url: `http://localhost:${port}${path}`, port: listening(port), path, headers: {}, timeoutMs, signal });
}

interface Get {
  readonly url: string;
  readonly port: number | undefined;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

function get({ url, port, path, headers, timeoutMs, signal }: Get): Promise<string | undefined> {
  const { host } = new URL(url);
  if (port === undefined) return Promise.resolve(`Get "${url}": dial tcp ${host}: connect: connection refused`);
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, path, agent: false, timeout: timeoutMs, signal } as const;
    const asking = request({ ...options, headers: { 'user-agent': 'kube-probe/1.34', ...headers } }, (response) => {
      const status = response.statusCode ?? 0;
      response.resume();
      resolve(status >= 200 && status < 400 ? undefined : `HTTP probe failed with statuscode: ${status}`);
    });
    asking.once('timeout', () => {
      resolve(`Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`);
      asking.destroy();
    });
    asking.once('error', (error) => resolve(`Get "${url}": ${error.message}`));
    asking.end();
  });
}

function tryConnect(port: number, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, timeout: timeoutMs });
    const done = (failure?: string): void => {
      socket.destroy();
      resolve(failure);
    };
    socket.once('connect', () => done());
    socket.once('timeout', () => done('dial tcp: i/o timeout'));
    socket.once('error', (error) => done(error.message));
  });
}

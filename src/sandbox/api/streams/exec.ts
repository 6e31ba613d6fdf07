import type { ExecResult, PodInside } from '../../types.ts';
import { createInput, type SpdyStream } from './spdy.ts';
import type { WebSocketConnection } from './websocket.ts';

export interface ExecRequest {
  readonly container: string;
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly tty: boolean;
}

/** Where the parts of a session go, whichever way it is carried. */
interface Session {
  readonly input: AsyncIterable<Buffer> | undefined;
  out(bytes: Buffer): void;
  err(bytes: Buffer): void;
  /** The last word: a Status as JSON. */
  result(status: string): void;
}

/** Runs the command; undefined where its container does not run. */
function run(pod: PodInside, request: ExecRequest, session: Session, signal: AbortSignal): Promise<void> | undefined {
  const { container, command, tty } = request;
  // On a terminal a line ends with both.
  const bytes = (text: string): Buffer => Buffer.from(tty ? text.replace(/(?<!\r)\n/g, '\r\n') : text);
  const streams = {
    ...(session.input ? { input: session.input } : {}),
    out: (text: string): void => session.out(bytes(text)),
    err: (text: string): void => (tty ? session.out(bytes(text)) : session.err(bytes(text))),
    tty,
  };
  return pod.exec(container, command, streams, signal)?.then(
    (result) => session.result(JSON.stringify(statusOf(result))),
    (error: unknown) => session.result(JSON.stringify(statusOf({ failure: String(error) }))),
  );
}

function statusOf(result: ExecResult): unknown {
  if ('failure' in result) {
    const message = `Internal error occurred: error executing command in container: ${result.failure}`;
    return { metadata: {}, status: 'Failure', message, reason: 'InternalError', code: 500 };
  }
  if (result.exitCode === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${result.exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(result.exitCode) }] },
  };
}

/** A stream a part, told apart by the header `streamtype`; begins when all are there. */
export function execOverSpdy(
  pod: PodInside,
  request: ExecRequest,
  signal: AbortSignal,
  onEnd: () => void,
): (stream: SpdyStream) => void {
  const { stdin, stdout, stderr, tty } = request;
  const wanted = [
    'error',
    ...(stdin ? ['stdin'] : []),
    ...(stdout ? ['stdout'] : []),
    ...(stderr && !tty ? ['stderr'] : []),
  ];
  const streams = new Map<string, SpdyStream>();
  return (stream) => {
    const type = stream.headers['streamtype'] ?? '';
    streams.set(type, stream);
    if (!wanted.includes(type) || !wanted.every((name) => streams.has(name))) return;
    const session: Session = {
      input: streams.get('stdin')?.input,
      out: (bytes) => streams.get('stdout')?.write(bytes),
      err: (bytes) => streams.get('stderr')?.write(bytes),
      result(status) {
        streams.get('error')?.write(Buffer.from(status));
        for (const one of streams.values()) one.end();
      },
    };
    void run(pod, request, session, signal)?.finally(onEnd);
  };
}

const channels = { stdin: 0, stdout: 1, stderr: 2, error: 3, close: 255 };

/** One message a chunk, its first byte tells the part; `closed` is to be called when the client has gone. */
export function execOverWebSocket(
  pod: PodInside,
  request: ExecRequest,
  socket: () => WebSocketConnection,
  signal: AbortSignal,
): { readonly begin: () => void; readonly onMessage: (bytes: Buffer) => void; readonly closed: () => void } {
  const stdin = createInput();
  const send = (channel: number, bytes: Buffer): void => socket().send(Buffer.concat([Buffer.from([channel]), bytes]));
  const session: Session = {
    input: request.stdin ? stdin.input : undefined,
    out: (bytes) => request.stdout && send(channels.stdout, bytes),
    err: (bytes) => request.stderr && send(channels.stderr, bytes),
    result: (status) => send(channels.error, Buffer.from(status)),
  };
  return {
    begin: () => void run(pod, request, session, signal)?.finally(() => socket().end()),
    onMessage(bytes) {
      const [channel] = bytes;
      if (channel === channels.stdin) stdin.push(bytes.subarray(1));
      else if (channel === channels.close && bytes[1] === channels.stdin) stdin.finish();
    },
    closed: () => stdin.finish(),
  };
}

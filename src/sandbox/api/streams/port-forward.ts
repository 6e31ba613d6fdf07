import { connect } from 'node:net';
import type { PodInside } from '../../types.ts';
import type { SpdyStream } from './spdy.ts';

/** Joins a data stream and an error stream of one request with a port of the pod. */
export function portForward(pod: PodInside): (stream: SpdyStream) => void {
  const errors = new Map<string, SpdyStream>();
  return (stream) => {
    const { streamtype, requestid = '', port = '' } = stream.headers;
    if (streamtype === 'error') errors.set(requestid, stream);
    else if (streamtype === 'data') join(pod, Number(port), stream, errors.get(requestid));
    if (streamtype === 'data') errors.delete(requestid);
  };
}

function join(pod: PodInside, port: number, data: SpdyStream, errors: SpdyStream | undefined): void {
  const fail = (why: string): void => {
    errors?.write(
      Buffer.from(`error forwarding port ${port}: failed to connect to localhost:${port} inside the pod: ${why}`),
    );
    errors?.end();
    data.end();
  };
  const address = pod.address(port);
  if (!address) return fail('connection refused');
  const socket = connect(address.port, address.host);
  let failed = false;
  socket.on('data', (bytes) => data.write(bytes));
  socket.on('error', (error) => {
    failed = true;
    fail(error.message);
  });
  socket.on('close', () => {
    if (failed) return;
    data.end();
    errors?.end();
  });
  void forward(data, socket);
}

async function forward(data: SpdyStream, socket: NodeJS.WritableStream): Promise<void> {
  for await (const bytes of data.input) socket.write(bytes);
  socket.end();
}

import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'undici';
import type { Dispatcher } from './dispatcher.ts';

export interface StreamedAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Chunks as they come; has to be read or dropped. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Reads what is left, and forgets it. */
  drop(): Promise<void>;
}

/** A GET whose answer is read while it comes. Ends with the signal, also amid the answer. Rejects with undici's error, or the signal's reason. */
export async function openStream(
  dispatcher: Dispatcher,
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<StreamedAnswer> {
  const { statusCode, headers: received, body } = await request(url, { dispatcher, signal, headers });
  return { status: statusCode, headers: received, body, drop: () => body.dump() };
}

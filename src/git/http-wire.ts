import type { Answer, Transport } from './transport.ts';
import { excerpt, type GitService, type Refusal, type Wire, type WireAnswer } from './wire.ts';

/** Smart HTTP: one request for the advertisement, one for each call. */
export function createHttpWire(transport: Transport): Wire {
  return {
    url: transport.url,
    close: () => transport.close(),

    async advertise({ service, version, timeoutMs, maxBytes }, signal) {
      const answer = await transport.exchange(
        {
          method: 'GET',
          path: `/info/refs?service=git-${service}`,
          headers: protocolHeader(version),
          timeoutMs,
          maxBytes,
        },
        signal,
      );
      return judged(answer, `application/x-git-${service}-advertisement`);
    },

    async call({ service, version, body, timeoutMs, maxBytes }, signal) {
      const answer = await transport.exchange(
        {
          method: 'POST',
          path: `/git-${service}`,
          headers: {
            ...protocolHeader(version),
            'content-type': `application/x-git-${service}-request`,
            accept: `application/x-git-${service}-result`,
          },
          body,
          timeoutMs,
          maxBytes,
        },
        signal,
      );
      return judged(answer, resultType(service));
    },
  };
}

const protocolHeader = (version: 0 | 2): Readonly<Record<string, string>> =>
  version === 2 ? { 'git-protocol': 'version=2' } : {};

/** A report of a push is told by what it says: proxies that change its type are lived with. */
const resultType = (service: GitService): string =>
  service === 'receive-pack' ? '' : `application/x-git-${service}-result`;

function judged({ status, contentType, body }: Answer, expected: string): WireAnswer {
  if (status !== 200) return { kind: 'refusal', why: whyOf(status), label: `HTTP ${status}`, said: excerpt(body) };
  if (contentType.trim().toLowerCase().startsWith(expected)) return { kind: 'answer', body };
  return { kind: 'refusal', why: 'stranger', label: `answered ${contentType || 'no content type'}`, said: '' };
}

function whyOf(status: number): Refusal['why'] {
  if (status === 401 || status === 403) return 'credentials';
  if (status === 404 || status === 410) return 'missing';
  if (status === 413) return 'size';
  if (status === 429) return 'busy';
  // A proxy gives up while Git behind it may still finish.
  return status === 408 || status >= 500 ? 'failed' : 'other';
}

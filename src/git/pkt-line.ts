import { AgentError } from '../lib/errors.ts';

/** Git's packet lines: four hex digits of length, then the payload. https://git-scm.com/docs/protocol-common */
export const FLUSH = Buffer.from('0000');
export const DELIMITER = Buffer.from('0001');

export type Packet =
  | { readonly kind: 'data'; readonly payload: Buffer }
  | { readonly kind: 'flush' | 'delimiter' | 'response-end' };

export function pktLine(payload: string | Uint8Array): Buffer {
  const bytes = Buffer.from(payload);
  return Buffer.concat([Buffer.from((bytes.length + 4).toString(16).padStart(4, '0')), bytes]);
}

/** Rejects an answer that ends in the middle of a packet, and the server's own `ERR` packets. */
export function* readPackets(bytes: Buffer): Generator<Packet> {
  let at = 0;
  while (at < bytes.length) {
    const head = bytes.toString('latin1', at, at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(head)) throw malformed(`no packet length but ${JSON.stringify(head)}`);
    const length = Number.parseInt(head, 16);
    if (length < 4) {
      at += 4;
      yield { kind: length === 0 ? 'flush' : length === 1 ? 'delimiter' : 'response-end' };
      continue;
    }
    if (at + length > bytes.length) throw malformed('the answer ends in the middle of a packet');
    const payload = bytes.subarray(at + 4, at + length);
    at += length;
    if (payload.toString('latin1', 0, 4) === 'ERR ') throw refusal(payload.toString('utf8', 4).trim());
    yield { kind: 'data', payload };
  }
}

export const textOf = (payload: Buffer): string => payload.toString('utf8').replace(/\n$/, '');

export interface Sideband {
  readonly data: Buffer;
  /** What the server wrote for people. */
  readonly progress: string;
  /** The server gave up with this text. */
  readonly fatal?: string;
}

/** Joins the bands until the next flush. Without a flush the answer was cut off. */
export function readSideband(packets: Iterator<Packet>): Sideband {
  const data: Buffer[] = [];
  const progress: Buffer[] = [];
  for (let next = packets.next(); !next.done; next = packets.next()) {
    const packet = next.value;
    if (packet.kind !== 'data') return { data: Buffer.concat(data), progress: text(progress) };
    const content = packet.payload.subarray(1);
    const band = packet.payload[0];
    if (band === 1) data.push(content);
    else if (band === 2) progress.push(content);
    else if (band === 3) return { data: Buffer.concat(data), progress: text(progress), fatal: text([content]) };
    else throw malformed(`unknown side band ${band}`);
  }
  throw malformed('the answer was cut off');
}

/** Progress lines overwrite themselves with carriage returns; the last state of each is kept. */
function text(chunks: readonly Buffer[]): string {
  const lines = Buffer.concat(chunks).toString('utf8').split('\n');
  return lines
    .map((line) => line.slice(line.replace(/\r$/, '').lastIndexOf('\r') + 1).trim())
    .filter((line) => line !== '')
    .join('\n');
}

export const malformed = (what: string): AgentError =>
  new AgentError('GIT_PROTOCOL', `the Git server's answer cannot be read: ${what}`);

function refusal(text: string): AgentError {
  const missing = /not our ref|not found|does not (appear|exist)/i.test(text);
  // A repository that cannot be seen at the moment is another thing than a commit that nobody has.
  const details = /not our ref/i.test(text)
    ? { missing: 'commit' }
    : /\bnot valid\b/.test(text)
      ? { isNotGiven: true }
      : {};
  return new AgentError(missing ? 'GIT_NOT_FOUND' : 'GIT_PROTOCOL', `the Git server says: ${text.slice(0, 500)}`, {
    details,
  });
}

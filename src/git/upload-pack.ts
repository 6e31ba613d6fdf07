import { AgentError } from '../lib/errors.ts';
import { DELIMITER, FLUSH, malformed, type Packet, pktLine, readPackets, readSideband, textOf } from './pkt-line.ts';
import { readAdvert } from './ref-advert.ts';
import type { Answer, Transport } from './transport.ts';

export interface WireLimits {
  readonly pollTimeoutMs: number;
  readonly fetchTimeoutMs: number;
  readonly pushTimeoutMs: number;
  readonly maxPackBytes: number;
}

export interface ServerRef {
  readonly oid: string;
  /** What an annotated tag points at in the end. */
  readonly peeled: string | undefined;
}

export interface FetchWish {
  readonly wants: readonly string[];
  /** Commits whose whole trees are here. */
  readonly haves: readonly string[];
  /** Those of our commits that stand without their parents. */
  readonly shallow: readonly string[];
  readonly depth: number;
}

/** `bytes` is undefined where the server found nothing to send. */
export interface FetchedPack {
  readonly bytes: Buffer | undefined;
}

/** The reading half of smart HTTP: protocol 2, or the old ref advertisement where a server knows nothing newer. */
export interface UploadPack {
  /** All refs that begin with one of the prefixes. One request once the server's abilities are known. */
  listRefs(prefixes: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, ServerRef>>;
  /** False: only whole clones of a branch are possible. */
  canFetchCommits(signal: AbortSignal): Promise<boolean>;
  fetch(wish: FetchWish, signal: AbortSignal): Promise<FetchedPack>;
}

/** Ref listings are small; this is 100,000 refs of an old-protocol server. */
const MAX_REFS_BYTES = 32 * 1024 * 1024;
const SERVICE = 'git-upload-pack';

type Abilities = { readonly version: 2; readonly fetch: string } | { readonly version: 0 };

export function createUploadPack(transport: Transport, limits: WireLimits): UploadPack {
  let known: Abilities | undefined;

  const advert = async (signal: AbortSignal): Promise<{ abilities: Abilities; packets: Packet[] }> => {
    const path = `/info/refs?service=${SERVICE}`;
    const answer = await retried(signal, () =>
      transport.exchange(
        {
          method: 'GET',
          path,
          headers: { 'git-protocol': 'version=2' },
          timeoutMs: limits.pollTimeoutMs,
          maxBytes: MAX_REFS_BYTES,
        },
        signal,
      ),
    );
    assertReadable(answer, transport.url, `application/x-${SERVICE}-advertisement`);
    const packets = [...readPackets(answer.body)];
    const abilities = abilitiesOf(packets);
    known = abilities;
    return { abilities, packets };
  };

  const command = async (lines: readonly Buffer[], signal: AbortSignal, fetching: boolean): Promise<Buffer> => {
    const answer = await retried(signal, () =>
      transport.exchange(
        {
          method: 'POST',
          path: `/${SERVICE}`,
          headers: {
            'git-protocol': 'version=2',
            'content-type': `application/x-${SERVICE}-request`,
            accept: `application/x-${SERVICE}-result`,
          },
          body: Buffer.concat(lines),
          timeoutMs: fetching ? limits.fetchTimeoutMs : limits.pollTimeoutMs,
          maxBytes: fetching ? limits.maxPackBytes : MAX_REFS_BYTES,
        },
        signal,
      ),
    );
    // The server may have been replaced by another one: ask again what it can do.
    if (answer.status !== 200) known = undefined;
    assertReadable(answer, transport.url, `application/x-${SERVICE}-result`);
    return answer.body;
  };

  return {
    async listRefs(prefixes, signal) {
      const wanted = (refs: ReadonlyMap<string, ServerRef>): ReadonlyMap<string, ServerRef> =>
        new Map([...refs].filter(([name]) => prefixes.some((prefix) => name.startsWith(prefix))));
      if (known?.version !== 2) {
        const { abilities, packets } = await advert(signal);
        if (abilities.version === 0) return wanted(readAdvert(packets, SERVICE).refs);
      }
      const lines = [
        pktLine('command=ls-refs\n'),
        DELIMITER,
        pktLine('peel\n'),
        ...prefixes.map((prefix) => pktLine(`ref-prefix ${prefix}\n`)),
        FLUSH,
      ];
      return wanted(readRefLines(await command(lines, signal, false)));
    },

    async canFetchCommits(signal) {
      return (known ?? (await advert(signal)).abilities).version === 2;
    },

    async fetch({ wants, haves, shallow, depth }, signal) {
      const abilities = known ?? (await advert(signal)).abilities;
      if (abilities.version !== 2) throw malformed('the server does not speak protocol version 2');
      if (!abilities.fetch.split(' ').includes('shallow')) throw malformed('the server does not offer shallow fetches');
      const lines = [
        'thin-pack',
        'ofs-delta',
        'no-progress',
        ...wants.map((oid) => `want ${oid}`),
        ...shallow.map((oid) => `shallow ${oid}`),
        `deepen ${depth}`,
        ...haves.map((oid) => `have ${oid}`),
        'done',
      ].map((line) => pktLine(`${line}\n`));
      return readPack(await command([pktLine('command=fetch\n'), DELIMITER, ...lines, FLUSH], signal, true));
    },
  };
}

function abilitiesOf(packets: readonly Packet[]): Abilities {
  const lines = packets.flatMap((packet) => (packet.kind === 'data' ? [textOf(packet.payload)] : []));
  if (!lines.includes('version 2')) return { version: 0 };
  const format = lines.find((line) => line.startsWith('object-format='));
  if (format && format !== 'object-format=sha1') {
    throw new AgentError('GIT_PROTOCOL', `the repository uses ${format}; only sha1 is supported`);
  }
  return { version: 2, fetch: lines.find((line) => line.startsWith('fetch='))?.slice('fetch='.length) ?? '' };
}

function readRefLines(body: Buffer): Map<string, ServerRef> {
  const refs = new Map<string, ServerRef>();
  for (const packet of readPackets(body)) {
    if (packet.kind !== 'data') return refs;
    const [oid = '', name = '', ...attributes] = textOf(packet.payload).split(' ');
    const peeled = attributes.find((attribute) => attribute.startsWith('peeled:'))?.slice('peeled:'.length);
    refs.set(name, { oid, peeled });
  }
  throw malformed('the list of refs was cut off');
}

function readPack(body: Buffer): FetchedPack {
  const packets = readPackets(body);
  for (let next = packets.next(); !next.done; next = packets.next()) {
    const packet = next.value;
    if (packet.kind !== 'data' || textOf(packet.payload) !== 'packfile') continue;
    const { data, fatal } = readSideband(packets);
    if (fatal !== undefined) throw malformed(`the server gave up: ${fatal.slice(0, 500)}`);
    return { bytes: data };
  }
  return { bytes: undefined };
}

/** Reading is harmless to repeat, and a kept connection may have died unnoticed. */
async function retried(signal: AbortSignal, exchange: () => Promise<Answer>): Promise<Answer> {
  try {
    return await exchange();
  } catch (error) {
    if (signal.aborted || !isClosedConnection(error)) throw error;
    return exchange();
  }
}

function isClosedConnection(error: unknown): boolean {
  const cause = error instanceof AgentError ? error.cause : undefined;
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET';
}

/** Maps an HTTP status of a reading request to an AgentError. */
export function assertReadable({ status, contentType, body }: Answer, url: string, expected: string): void {
  if (status === 200 && contentType.startsWith(expected)) return;
  const said = status === 200 ? '' : excerpt(body);
  if (status === 401 || status === 403) {
    throw new AgentError('GIT_AUTH', `${url}: the Git server refuses the credentials (HTTP ${status})${said}`);
  }
  if (status === 404 || status === 410) {
    throw new AgentError(
      'GIT_NOT_FOUND',
      `${url}: no such repository, or the credentials may not see it (HTTP ${status})${said}`,
    );
  }
  if (status === 200) {
    throw new AgentError('GIT_PROTOCOL', `${url}: not a Git server (answered ${contentType || 'no content type'})`);
  }
  const code = status === 429 || status >= 500 ? 'GIT_UNREACHABLE' : 'GIT_PROTOCOL';
  throw new AgentError(code, `${url}: the Git server answers HTTP ${status}${said}`);
}

/** What a server said for people, in one line. */
export function excerpt(body: Buffer): string {
  const text = body
    .toString('utf8', 0, 2_000)
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return text === '' ? '' : `: ${text.slice(0, 300)}`;
}

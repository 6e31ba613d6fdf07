import { AgentError } from '../lib/errors.ts';
import { DELIMITER, FLUSH, malformed, type Packet, pktLine, readPackets, readSideband, textOf } from './pkt-line.ts';
import { assertSha1, foreignFormat, readAdvert } from './ref-advert.ts';
import { readableBody, type Wire, type WireAnswer } from './wire.ts';

export interface WireLimits {
  readonly pollTimeoutMs: number;
  readonly fetchTimeoutMs: number;
  readonly pushTimeoutMs: number;
  readonly maxPackBytes: number;
  /** Larger files are not read anyway, so a server that can leave them out does. */
  readonly maxFileBytes: number;
}

export interface ServerRef {
  readonly oid: string;
  /** What an annotated tag points at in the end. */
  readonly peeled: string | undefined;
}

interface FetchWish {
  readonly wants: readonly string[];
  /** Commits whose whole trees are here. */
  readonly haves: readonly string[];
  /** Those of our commits that stand without their parents. */
  readonly shallow: readonly string[];
  readonly depth: number;
  /** Commits without their trees and files. Ignored where the server cannot leave anything out. Absent: everything. */
  readonly onlyCommits?: boolean;
}

/** `bytes` is undefined where the server found nothing to send. */
interface FetchedPack {
  readonly bytes: Buffer | undefined;
}

/** The reading half: protocol 2, or 0 where a server, or what stands before it, knows nothing newer. */
export interface UploadPack {
  /** All refs that begin with one of the prefixes. One request once the server's abilities are known. */
  listRefs(prefixes: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, ServerRef>>;
  /** False: a server may give branch tips only, and commits below them by depth. */
  givesAnyCommit(signal: AbortSignal): Promise<boolean>;
  /** Whether commits can be had without their trees. */
  canFilter(signal: AbortSignal): Promise<boolean>;
  fetch(wish: FetchWish, signal: AbortSignal): Promise<FetchedPack>;
}

/** Ref listings are small; this is 100,000 refs of an old-protocol server. */
const MAX_REFS_BYTES = 32 * 1024 * 1024;
const SERVICE = 'upload-pack';

type Abilities =
  | { readonly version: 2; readonly fetch: readonly string[] }
  | { readonly version: 0; readonly capabilities: readonly string[] };

export function createUploadPack(wire: Wire, limits: WireLimits): UploadPack {
  let known: Abilities | undefined;
  /** A proxy lets through that protocol 2 is asked for with the advertisement, and not with what is called. */
  let isVersionLost = false;

  const advert = async (signal: AbortSignal): Promise<{ abilities: Abilities; packets: Packet[] }> => {
    const question = {
      service: SERVICE,
      version: isVersionLost ? 0 : 2,
      timeoutMs: limits.pollTimeoutMs,
      maxBytes: MAX_REFS_BYTES,
    } as const;
    const answer = await retried(signal, () => wire.advertise(question, signal));
    const packets = [...readPackets(readableBody(answer, wire.url))];
    const abilities = abilitiesOf(packets);
    known = abilities;
    return { abilities, packets };
  };

  const post = async (lines: readonly Buffer[], signal: AbortSignal, fetching: boolean): Promise<Buffer> => {
    const call = {
      service: SERVICE,
      version: known?.version ?? 0,
      body: Buffer.concat(lines),
      timeoutMs: fetching ? limits.fetchTimeoutMs : limits.pollTimeoutMs,
      maxBytes: fetching ? limits.maxPackBytes : MAX_REFS_BYTES,
    } as const;
    const answer = await retried(signal, () => wire.call(call, signal));
    // The server may have been replaced by another one: ask again what it can do.
    if (answer.kind === 'refusal' && answer.why !== 'stranger') known = undefined;
    return readableBody(answer, wire.url);
  };

  const abilities = async (signal: AbortSignal): Promise<Abilities> => known ?? (await advert(signal)).abilities;

  const fetchAs = async (abilities: Abilities, wish: FetchWish, signal: AbortSignal): Promise<Buffer> =>
    post(
      abilities.version === 2
        ? fetchCommand(abilities.fetch, wish, limits.maxFileBytes)
        : oldWish(abilities.capabilities, wish, limits.maxFileBytes),
      signal,
      true,
    ).catch((error: unknown) => {
      if (!(error instanceof AgentError) || error.code !== 'GIT_TOO_LARGE') throw error;
      throw new AgentError(
        'GIT_TOO_LARGE',
        `${error.message}; or raise --git-max-download, and the pod's memory with it`,
        {
          cause: error,
        },
      );
    });

  return {
    async listRefs(prefixes, signal) {
      const wanted = (refs: ReadonlyMap<string, ServerRef>): ReadonlyMap<string, ServerRef> =>
        new Map([...refs].filter(([name]) => prefixes.some((prefix) => name.startsWith(prefix))));
      if (known?.version !== 2) {
        const { abilities, packets } = await advert(signal);
        if (abilities.version === 0) return wanted(readAdvert(packets, `git-${SERVICE}`).refs);
      }
      const lines = [
        pktLine('command=ls-refs\n'),
        DELIMITER,
        pktLine('peel\n'),
        ...prefixes.map((prefix) => pktLine(`ref-prefix ${prefix}\n`)),
        FLUSH,
      ];
      const body = await post(lines, signal, false);
      if (!isOldAnswer(body)) return wanted(readRefLines(body));
      isVersionLost = true;
      const { packets } = await advert(signal);
      return wanted(readAdvert(packets, `git-${SERVICE}`).refs);
    },

    async givesAnyCommit(signal) {
      return (await abilities(signal)).version === 2;
    },

    async canFilter(signal) {
      return offered(await abilities(signal)).includes('filter');
    },

    async fetch(wish, signal) {
      const body = await fetchAs(await abilities(signal), wish, signal);
      if (!isOldAnswer(body) || known?.version !== 2) return readPack(body);
      isVersionLost = true;
      return readPack(await fetchAs((await advert(signal)).abilities, wish, signal));
    },
  };
}

function abilitiesOf(packets: readonly Packet[]): Abilities {
  const lines = packets.flatMap((packet) => (packet.kind === 'data' ? [textOf(packet.payload)] : []));
  if (!lines.includes('version 2'))
    return { version: 0, capabilities: readAdvert(packets, `git-${SERVICE}`).capabilities };
  const valueOf = (name: string): string | undefined =>
    lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1);
  const format = valueOf('object-format') ?? 'sha1';
  if (format !== 'sha1') throw foreignFormat(format);
  return { version: 2, fetch: valueOf('fetch')?.split(' ') ?? [] };
}

/** A server of protocol 0 takes a command of protocol 2 for a wish that it cannot read, and mostly says nothing. */
const isOldAnswer = (body: Buffer): boolean =>
  body.length === 0 || /^[0-9a-f]{4}ERR .*expected to get/is.test(body.toString('latin1', 0, 500));

const offered = (abilities: Abilities): readonly string[] =>
  abilities.version === 2 ? abilities.fetch : abilities.capabilities;

/** What stands behind the wants: boundaries and what is left out, and after them what is here. */
function wishLines(
  features: readonly string[],
  { haves, shallow, depth, onlyCommits = false }: FetchWish,
  maxFileBytes: number,
): readonly [before: readonly string[], haves: readonly string[]] {
  const filter = features.includes('filter')
    ? [`filter ${onlyCommits ? 'tree:0' : `blob:limit=${maxFileBytes + 1}`}`]
    : [];
  const before = [...shallow.map((oid) => `shallow ${oid}`), `deepen ${depth}`, ...filter];
  return [before, haves.map((oid) => `have ${oid}`)];
}

function fetchCommand(features: readonly string[], wish: FetchWish, maxFileBytes: number): readonly Buffer[] {
  if (!features.includes('shallow')) throw malformed('the server does not offer shallow fetches');
  const [before, haves] = wishLines(features, wish, maxFileBytes);
  const wants = wish.wants.map((oid) => `want ${oid}`);
  const lines = ['thin-pack', 'ofs-delta', 'no-progress', ...wants, ...before, ...haves, 'done'];
  return [pktLine('command=fetch\n'), DELIMITER, ...lines.map((line) => pktLine(`${line}\n`)), FLUSH];
}

const OLD_ABILITIES: readonly string[] = ['side-band-64k', 'thin-pack', 'ofs-delta', 'no-progress', 'filter'];

/** The same in protocol 0, where abilities stand behind the first wish. */
function oldWish(capabilities: readonly string[], wish: FetchWish, maxFileBytes: number): readonly Buffer[] {
  if (!capabilities.includes('shallow')) throw malformed('the server does not offer shallow fetches');
  if (!capabilities.includes('side-band-64k')) throw malformed('the server does not offer side bands');
  const asked = OLD_ABILITIES.filter((name) => capabilities.includes(name)).join(' ');
  const [before, haves] = wishLines(capabilities, wish, maxFileBytes);
  const wants = wish.wants.map((oid, at) => `want ${oid}${at === 0 ? ` ${asked}` : ''}`);
  const lines = (texts: readonly string[]): Buffer[] => texts.map((line) => pktLine(`${line}\n`));
  return [...lines([...wants, ...before]), FLUSH, ...lines([...haves, 'done'])];
}

function readRefLines(body: Buffer): Map<string, ServerRef> {
  const refs = new Map<string, ServerRef>();
  for (const packet of readPackets(body)) {
    if (packet.kind !== 'data') return refs;
    const [oid = '', name = '', ...attributes] = textOf(packet.payload).split(' ');
    assertSha1(oid);
    const peeled = attributes.find((attribute) => attribute.startsWith('peeled:'))?.slice('peeled:'.length);
    refs.set(name, { oid, peeled });
  }
  throw malformed('the list of refs was cut off');
}

/** The pack of an answer of either protocol: what comes before it tells of commits that are here already, and of boundaries. */
function readPack(body: Buffer): FetchedPack {
  const packets = readPackets(body);
  for (let next = packets.next(); !next.done; next = packets.next()) {
    const packet = next.value;
    if (packet.kind !== 'data') continue;
    // Lines are letters; a band is a number.
    const isBand = (packet.payload[0] ?? 0) in BANDS;
    if (!isBand) continue;
    const { data, fatal } = readSideband(from(packet, packets));
    if (fatal !== undefined) throw malformed(`the server gave up: ${fatal.slice(0, 500)}`);
    return { bytes: data };
  }
  return { bytes: undefined };
}

const BANDS = { 1: 'data', 2: 'progress', 3: 'error' };

function* from(first: Packet, rest: Iterator<Packet>): Generator<Packet> {
  yield first;
  for (let next = rest.next(); !next.done; next = rest.next()) yield next.value;
}

/** Reading is harmless to repeat, and a kept connection may have died unnoticed. */
async function retried(signal: AbortSignal, exchange: () => Promise<WireAnswer>): Promise<WireAnswer> {
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

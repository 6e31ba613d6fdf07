import { AgentError } from '../lib/errors.ts';
import { FLUSH, type Packet, pktLine, readPackets, readSideband, textOf } from './pkt-line.ts';
import { readAdvert } from './ref-advert.ts';
import { failurePhase } from './transport-failures.ts';
import type { WireLimits } from './upload-pack.ts';
import { readableBody, type Refusal, type Wire } from './wire.ts';

export const NO_OBJECT = '0'.repeat(40);

/** `before` is the value that the ref must have for the update to happen; NO_OBJECT: it must not exist. */
export interface RefUpdate {
  readonly ref: string;
  readonly before: string;
  readonly after: string;
}

/** What came back of one push request, before anybody judges it. */
export type PushAnswer =
  | {
      readonly kind: 'report';
      readonly unpack: string;
      readonly refs: ReadonlyMap<string, string>;
      readonly remoteText: string;
    }
  | Refusal
  /** The server may have acted. */
  | { readonly kind: 'lost'; readonly reason: string };

interface Abilities {
  /** Whether several refs can be updated all or none: then nothing more need be asked before a push. */
  readonly atomic: boolean;
  /** Where refs stood when the server was asked just now, without what tags point at. Absent: it was asked before. */
  readonly refs?: ReadonlyMap<string, { readonly oid: string }>;
}

/** The writing half: protocol 0, the only one that there is. */
export interface ReceivePack {
  /** Asks, unless that is known. A refusal instead: the server lets nobody write. */
  abilities(signal: AbortSignal): Promise<Abilities | Refusal>;
  /** Undefined: the server was not asked yet. */
  readonly known: Abilities | undefined;
  /** One request. Rejects only when the server cannot have seen it, and with the signal's reason. */
  push(updates: readonly RefUpdate[], pack: Uint8Array, signal: AbortSignal): Promise<PushAnswer>;
}

const SERVICE = 'receive-pack';
const MAX_ADVERT_BYTES = 32 * 1024 * 1024;
const MAX_REPORT_BYTES = 4 * 1024 * 1024;
/** Those that say "you may not", as opposed to "not now". */
const FINAL: readonly Refusal['why'][] = ['credentials', 'missing'];

export function createReceivePack(wire: Wire, limits: WireLimits): ReceivePack {
  let known: readonly string[] | undefined;

  return {
    get known() {
      return known && { atomic: known.includes('atomic') };
    },

    async abilities(signal) {
      let refs: Abilities['refs'];
      if (!known) {
        const question = {
          service: SERVICE,
          version: 0,
          timeoutMs: limits.pollTimeoutMs,
          maxBytes: MAX_ADVERT_BYTES,
        } as const;
        const answer = await wire.advertise(question, signal);
        if (answer.kind === 'refusal' && FINAL.includes(answer.why)) return answer;
        const advert = readAdvert([...readPackets(readableBody(answer, wire.url))], `git-${SERVICE}`);
        known = advert.capabilities;
        refs = advert.refs;
      }
      return { atomic: known.includes('atomic'), ...(refs && { refs }) };
    },

    async push(updates, pack, signal) {
      const offered = known ?? [];
      const wanted = ['report-status', 'side-band-64k', ...(updates.length > 1 ? ['atomic'] : [])];
      const capabilities = [...wanted.filter((name) => offered.includes(name)), 'agent=git/serin'].join(' ');
      const commands = updates.map(({ before, after, ref }, index) =>
        pktLine(`${before} ${after} ${ref}${index === 0 ? `\0 ${capabilities}` : ''}`),
      );
      try {
        const answer = await wire.call(
          {
            service: SERVICE,
            version: 0,
            body: Buffer.concat([...commands, FLUSH, pack]),
            timeoutMs: limits.pushTimeoutMs,
            maxBytes: MAX_REPORT_BYTES,
          },
          signal,
        );
        if (answer.kind === 'refusal') {
          known = undefined;
          return answer;
        }
        return readReport(answer.body, capabilities.includes('side-band-64k'));
      } catch (error) {
        if (signal.aborted || failurePhase(error) === 'connect' || !(error instanceof AgentError)) throw error;
        return { kind: 'lost', reason: error.message };
      }
    },
  };
}

function readReport(body: Buffer, banded: boolean): PushAnswer {
  let packets: Iterable<Packet> = readPackets(body);
  let remoteText = '';
  if (banded) {
    const { data, progress, fatal } = readSideband(readPackets(body));
    remoteText = [progress, fatal ?? ''].filter((text) => text !== '').join('\n');
    packets = readPackets(data);
  }
  let unpack: string | undefined;
  const refs = new Map<string, string>();
  for (const packet of packets) {
    if (packet.kind !== 'data') break;
    const line = textOf(packet.payload);
    const [word, name = ''] = line.split(' ', 2);
    if (word === 'unpack') unpack = line.slice('unpack '.length);
    else if (word === 'ok') refs.set(name, 'ok');
    else if (word === 'ng') refs.set(name, line.slice(`ng ${name} `.length));
  }
  if (unpack === undefined) {
    const said = remoteText === '' ? '' : `: ${remoteText.slice(0, 300)}`;
    return { kind: 'lost', reason: `the server did not report what it did${said}` };
  }
  return { kind: 'report', unpack, refs, remoteText };
}

import type { ClientChannel } from 'ssh2';
import { AgentError } from '../../lib/errors.ts';
import { FLUSH, pktLine } from '../pkt-line.ts';
import { excerpt, type GitService, type Refusal, type WireAnswer } from '../wire.ts';
import { AdvertReader } from './advert-reader.ts';

export interface Talk {
  readonly service: GitService;
  readonly version: 0 | 2;
  /** Undefined: the advertisement is what was wanted. */
  readonly body: Uint8Array | undefined;
  readonly maxBytes: number;
  /** The longest silence inside an answer that has begun. */
  readonly idleTimeoutMs: number;
  /** For messages. */
  readonly host: string;
  /** Told when the request leaves: from now on the server may have seen it. */
  readonly onSending: () => void;
  /** Whether the connection still stands. */
  readonly isAlive: () => boolean;
}

/** Ref listings are small; this is 100,000 refs. */
const LONGEST_ADVERT = 32 * 1024 * 1024;
/** Words that people are told with are kept so far. */
const LONGEST_WORDS = 4_096;

/**
 * One run of a Git service, as git talks to it over SSH: its advertisement up to the first flush, then one request, then the answer until it
 * ends. Rejects with AgentError, or with the signal's reason.
 */
export function talk(channel: ClientChannel, talk: Talk, signal: AbortSignal): Promise<WireAnswer> {
  const { service, version, body, maxBytes, idleTimeoutMs, host, onSending, isAlive } = talk;
  const advert = new AdvertReader();
  const answer: Buffer[] = [];
  const words: Buffer[] = [];
  let [received, worded] = [0, 0];
  let exit: number | string | undefined;
  let isSent = false;
  let idle: NodeJS.Timeout | undefined;

  return new Promise((resolve, reject) => {
    const settle = (result: WireAnswer | Error): void => {
      clearTimeout(idle);
      signal.removeEventListener('abort', abort);
      channel.removeAllListeners('data');
      channel.stderr.removeAllListeners('data');
      if (!(result instanceof Error)) return resolve(result);
      channel.close();
      reject(result);
    };
    const abort = (): void => settle(signal.reason as Error);
    const failed = (what: string): AgentError =>
      new AgentError('GIT_UNREACHABLE', `${host}: ${what}`, {
        // Reading is asked again once after it.
        cause: Object.assign(new Error(what), { code: 'ECONNRESET' }),
        details: { phase: isSent ? 'answer' : 'connect' },
      });
    const refusal = (why: Refusal['why']): Refusal => ({
      kind: 'refusal',
      why,
      label: exit === undefined ? 'no exit code' : `exit code ${exit}`,
      said: excerpt(Buffer.concat(words)),
    });
    /** The advertisement has come: what is wanted of the service is told. */
    const answerAdvert = (): void => {
      const isOther = version === 2 && !advert.isVersion2;
      if (body === undefined || isOther) {
        // Nothing more is wanted.
        channel.write(FLUSH);
        return settle({ kind: 'answer', body: body === undefined ? advertised(advert.bytes()) : Buffer.alloc(0) });
      }
      isSent = true;
      received = 0;
      onSending();
      channel.write(body);
      if (service === 'receive-pack') channel.end();
      else if (version === 2) channel.write(FLUSH);
    };
    const silent = (): void => settle(failed('the answer stalled'));
    const count = (bytes: number): boolean => {
      received += bytes;
      if (isSent && answer.length > 0) {
        clearTimeout(idle);
        idle = setTimeout(silent, idleTimeoutMs);
      }
      const most = isSent || body === undefined ? maxBytes : LONGEST_ADVERT;
      if (received <= most) return true;
      settle(
        new AgentError(
          'GIT_TOO_LARGE',
          `the answer of ${host} is larger than ${Math.round(most / 1048576)} MiB: keep large files out of the repository, or follow a smaller one`,
        ),
      );
      return false;
    };

    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    channel.on('data', (chunk: Buffer) => {
      if (isSent) answer.push(chunk);
      if (!count(chunk.length) || isSent) return;
      const state = advert.push(chunk);
      if (state === 'garbage')
        return settle({
          kind: 'refusal',
          why: 'stranger',
          label: 'it began with something else than Git does',
          said: excerpt(advert.bytes()),
        });
      if (state === 'whole') answerAdvert();
    });
    channel.stderr.on('data', (chunk: Buffer) => {
      if (!count(chunk.length) || worded >= LONGEST_WORDS) return;
      words.push(chunk.subarray(0, LONGEST_WORDS - worded));
      worded += chunk.length;
    });
    const ended = (): void => {
      const written = isSent ? answer.length : advert.bytes().length;
      // Without an exit code the service may have been cut off by what is between.
      if (exit === undefined && (written === 0 || !isAlive()))
        return settle(failed('the connection was closed before the answer was complete'));
      if (!isSent) {
        const begun = advert.bytes();
        // A line of an error that Git itself sent is read where adverts are.
        return settle(begun.length > 0 ? { kind: 'answer', body: begun } : refusal(whyOf(Buffer.concat(words))));
      }
      if (answer.length > 0) return settle({ kind: 'answer', body: Buffer.concat(answer) });
      settle(exit === 0 && service === 'upload-pack' ? { kind: 'answer', body: Buffer.alloc(0) } : refusal('failed'));
    };
    channel.once('close', (code?: number | null, signalName?: string) => {
      // The event `exit` may have come before anybody could listen.
      exit = code ?? signalName;
      // Words beside the answer may still be on their way here.
      setImmediate(ended);
    });
  });
}

/** Of a repository without refs git says nothing at all in protocol 0, where over HTTP it lists its abilities all the same. */
const advertised = (bytes: Buffer): Buffer =>
  bytes.equals(FLUSH) ? Buffer.concat([pktLine(`${'0'.repeat(40)} capabilities^{}\0`), FLUSH]) : bytes;

/** What servers say for people where a service does not begin. None of it is a promise; what nobody knows is asked again. */
function whyOf(words: Buffer): Refusal['why'] {
  const said = words.toString('utf8');
  if (
    /not found|does(n't| not) (appear|exist)|no such (project|repo|file)|could not (be found|find)|unknown repo/i.test(
      said,
    )
  )
    return 'missing';
  if (
    /denied|read[- ]only|not (allowed|permitted|authori[sz]ed)|forbidden|unauthori[sz]ed|access rights|deploy key/i.test(
      said,
    )
  )
    return 'credentials';
  if (/not a git|unknown command|not recogni[sz]ed|command not found/i.test(said)) return 'stranger';
  return 'busy';
}

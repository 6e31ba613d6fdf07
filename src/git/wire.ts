import { AgentError } from '../lib/errors.ts';

/** What a Git server offers: `upload-pack` to read, `receive-pack` to write. */
export type GitService = 'upload-pack' | 'receive-pack';

export interface Question {
  readonly service: GitService;
  /** Git's protocol that is asked for. The server may answer in 0 all the same. */
  readonly version: 0 | 2;
  /** Until the last byte of the answer. */
  readonly timeoutMs: number;
  /** A longer answer is GIT_TOO_LARGE. */
  readonly maxBytes: number;
}

interface Call extends Question {
  readonly body: Uint8Array;
}

/** What the service itself wrote, in packet lines. */
interface ServiceAnswer {
  readonly kind: 'answer';
  readonly body: Buffer;
}

/**
 * Something before the service said no. `credentials` and `missing`: a person has to act. `size`: the request is too large. `busy`: not now, and
 * nothing was done. `failed`: not now, and it may have been done. `stranger`: what answers is no Git server. `other`: refused for another reason.
 */
export interface Refusal {
  readonly kind: 'refusal';
  readonly why: 'credentials' | 'missing' | 'size' | 'busy' | 'failed' | 'stranger' | 'other';
  /** How the wire names the answer, such as `HTTP 503` or `exit code 128`. */
  readonly label: string;
  /** What the server said for people, in one line; empty: nothing. */
  readonly said: string;
}

export type WireAnswer = ServiceAnswer | Refusal;

/**
 * The way to one repository on one Git server: HTTP or SSH. Both methods reject with AgentError: GIT_UNREACHABLE, whose detail `phase` is
 * `connect` while the server cannot have seen the request and `answer` afterwards, GIT_TOO_LARGE, GIT_AUTH, GIT_PROTOCOL; or with the signal's reason.
 */
export interface Wire {
  /** Of the repository, without credentials: safe to show. */
  readonly url: string;
  /** What the service begins with: its abilities, and in protocol 0 all refs. */
  advertise(question: Question, signal: AbortSignal): Promise<WireAnswer>;
  /** One request of the service and its whole answer. */
  call(call: Call, signal: AbortSignal): Promise<WireAnswer>;
  close(): Promise<void>;
}

/** What the service wrote, where it was asked to be read from. Throws of a refusal. */
export function readableBody(answer: WireAnswer, url: string): Buffer {
  if (answer.kind === 'answer') return answer.body;
  throw refusalError(answer, url);
}

function refusalError({ why, label, said }: Refusal, url: string): AgentError {
  const because = said === '' ? '' : `: ${said}`;
  switch (why) {
    case 'credentials':
      return new AgentError('GIT_AUTH', `${url}: the Git server refuses the credentials (${label})${because}`);
    case 'missing':
      return new AgentError(
        'GIT_NOT_FOUND',
        `${url}: no such repository, or the credentials may not see it (${label})${because}`,
      );
    case 'stranger':
      return new AgentError('GIT_PROTOCOL', `${url}: not a Git server (${label})${because}`);
    case 'busy':
    case 'failed':
      return new AgentError('GIT_UNREACHABLE', `${url}: the Git server answers ${label}${because}`);
    case 'size':
    case 'other':
      return new AgentError('GIT_PROTOCOL', `${url}: the Git server answers ${label}${because}`);
  }
}

/** What a server said for people, in one short line. */
export function excerpt(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 2_000)).toString('utf8');
  return text
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 300);
}

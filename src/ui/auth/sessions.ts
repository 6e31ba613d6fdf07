import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../lib/clock.ts';
import { LatestUsed } from '../../lib/latest-used.ts';
import type { Flash } from '../told.ts';
import type { Identity } from './identity.ts';

/** Who comes by a cookie. */
export interface Visit {
  /** What the cookie says, signed. */
  readonly cookie: string;
  /** What forms of this visit have to say. Another text each time: what is compressed with a guess must not tell whether it was right. */
  csrf(): string;
  /** Undefined: nobody has signed in by it. */
  readonly identity: Identity | undefined;
}

export interface Sessions {
  /** The visit of a cookie; undefined: it is none of ours. */
  visit(cookie: string | undefined): Visit | undefined;
  /** A visit of somebody who is not known. Nothing is kept of it. */
  begin(): Visit;
  /** A visit of its own for somebody who has just proven who he is: what the browser had before gets no right by it. */
  signIn(identity: Identity): Visit;
  /** The identity was looked at anew. */
  renew(visit: Visit, identity: Identity): void;
  signOut(visit: Visit): void;
  isCsrf(visit: Visit, told: string | undefined): boolean;
  /** What the next page of a visit tells once. */
  leave(visit: Visit, flash: Flash): void;
  takeFlash(visit: Visit): Flash | undefined;
}

interface SessionTimes {
  /** After so long a session ends, whatever is done. */
  readonly wholeMs: number;
  /** After so long without a request. */
  readonly idleMs: number;
}

const usualTimes: SessionTimes = { wholeMs: 12 * 3_600_000, idleMs: 3_600_000 };
const mostSessions = 10_000;
const mostFlashes = 1_000;

interface Kept {
  readonly identity: Identity;
  readonly endsAtMs: number;
  usedAtMs: number;
}

/**
 * Sessions are kept in memory, so that signing out ends one; they end with the process. The cookie is an id that nobody guesses with our
 * signature, so that what is not ours costs no more than that.
 */
export function createSessions(clock: Pick<Clock, 'elapsed'>, { wholeMs, idleMs } = usualTimes): Sessions {
  const key = randomBytes(32);
  const signed = (what: string, text: string): string =>
    createHmac('sha256', key).update(`${what}\n${text}`).digest('base64url');
  const isSame = (one: string, other: string): boolean => {
    const [a, b] = [Buffer.from(one), Buffer.from(other)];
    return a.length === b.length && timingSafeEqual(a, b);
  };
  const kept = new LatestUsed<Kept>(mostSessions);
  const flashes = new LatestUsed<Flash>(mostFlashes);
  const visitOf = (id: string, identity: Identity | undefined): Visit => ({
    cookie: `${id}.${signed('session', id)}`,
    csrf: () => masked(Buffer.from(signed('csrf', id), 'base64url')),
    identity,
  });
  const idOf = ({ cookie }: Visit): string => cookie.split('.', 1)[0] ?? '';
  const newId = (): string => randomBytes(24).toString('base64url');

  return {
    visit(cookie) {
      const [id = '', signature = '', ...more] = (cookie ?? '').split('.');
      if (!/^[\w-]{32}$/.test(id) || more.length > 0 || !isSame(signature, signed('session', id))) return undefined;
      const session = kept.get(id);
      const nowMs = clock.elapsed();
      if (!session || nowMs >= session.endsAtMs || nowMs - session.usedAtMs >= idleMs) {
        kept.delete(id);
        return visitOf(id, undefined);
      }
      session.usedAtMs = nowMs;
      return visitOf(id, session.identity);
    },
    begin: () => visitOf(newId(), undefined),
    signIn(identity) {
      const id = newId();
      const nowMs = clock.elapsed();
      kept.set(id, { identity, endsAtMs: nowMs + wholeMs, usedAtMs: nowMs });
      return visitOf(id, identity);
    },
    renew(visit, identity) {
      const session = kept.get(idOf(visit));
      if (session) kept.set(idOf(visit), { ...session, identity });
    },
    signOut(visit) {
      kept.delete(idOf(visit));
      flashes.delete(idOf(visit));
    },
    isCsrf: (visit, told) => isSame(unmasked(told ?? ''), signed('csrf', idOf(visit))),
    leave: (visit, flash) => flashes.set(idOf(visit), flash),
    takeFlash(visit) {
      const flash = flashes.get(idOf(visit));
      flashes.delete(idOf(visit));
      return flash;
    },
  };
}

const xor = (one: Buffer, other: Buffer): Buffer => Buffer.from(one.map((byte, at) => byte ^ (other[at] ?? 0)));

function masked(secret: Buffer): string {
  const mask = randomBytes(secret.length);
  return Buffer.concat([mask, xor(secret, mask)]).toString('base64url');
}

function unmasked(text: string): string {
  if (text.length > 200) return '';
  const both = Buffer.from(text, 'base64url');
  const half = both.length / 2;
  return Number.isInteger(half) ? xor(both.subarray(half), both.subarray(0, half)).toString('base64url') : '';
}

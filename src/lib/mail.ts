import { connect, isIP, type LookupFunction, type Socket } from 'node:net';
import { createTransport } from 'nodemailer';
import { type AddressRules, addressCheck, hostRefusal } from './http/addresses.ts';
import { guardedLookup, refusedTarget } from './http/client.ts';
import { causesOf, codeOf, connectionFailure, isTls } from './http/failures.ts';
import { TargetRefused } from './http/http.ts';
import type { Tried } from './http/retry.ts';

/** A server that takes mail. */
export interface MailServer {
  readonly host: string;
  readonly port: number;
  /** `starttls`: it begins in the clear and has to change to TLS before anything is said. `none`: nobody signs in. */
  readonly tls: 'implicit' | 'starttls' | 'none';
  /** Absent: nobody signs in. Never sent without TLS. */
  readonly login?: { readonly user: string; readonly password: string };
}

export interface Mail {
  /** `serin@example.org`, or `Serin <serin@example.org>`. */
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
}

/** Sends a mail; rejects only when the signal aborts. What a server says is told to nobody. */
export type Mailer = (server: MailServer, mail: Mail, signal: AbortSignal) => Promise<Tried<'arrived'>>;

const timeoutMs = 10_000;

/** Servers are named by others, so the same addresses are refused as over HTTP. */
export function createMailer({
  addresses,
  ca,
}: {
  readonly addresses: AddressRules;
  /** PEM certificates of authorities that are trusted in the place of those that Node trusts. Absent: these. */
  readonly ca?: string;
}): Mailer {
  const check = addressCheck(addresses);
  const lookup = guardedLookup(check);
  return async (server, mail, signal) => {
    signal.throwIfAborted();
    const { host, port, tls, login } = server;
    if (tls === 'none' && login) return { reason: 'the server would be told the password without TLS', mayPass: false };
    const why = hostRefusal(host, check);
    if (why !== undefined) return { reason: refusedTarget(why).message, mayPass: false };
    const opened: Socket[] = [];
    const transport = createTransport({
      host,
      port,
      secure: tls === 'implicit',
      requireTLS: tls === 'starttls',
      ignoreTLS: tls === 'none',
      ...(login ? { auth: { user: login.user, pass: login.password } } : {}),
      tls: { ...(isIP(host) === 0 ? { servername: host } : {}), ...(ca === undefined ? {} : { ca }) },
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      disableFileAccess: true,
      disableUrlAccess: true,
      getSocket: (_options: unknown, done: (error: Error | null, found?: { readonly connection: Socket }) => void) =>
        open(host, port, lookup, opened, done),
    });
    const end = (): void => {
      for (const socket of opened) socket.destroy();
    };
    signal.addEventListener('abort', end, { once: true });
    try {
      await transport.sendMail({ from: mail.from, to: [...mail.to], subject: mail.subject, text: mail.text });
      return { value: 'arrived' };
    } catch (error) {
      signal.throwIfAborted();
      return failureOf(error);
    } finally {
      signal.removeEventListener('abort', end);
      transport.close();
      end();
    }
  };
}

/** Over an address that may be asked. */
function open(
  host: string,
  port: number,
  lookup: LookupFunction,
  opened: Socket[],
  done: (error: Error | null, found?: { readonly connection: Socket }) => void,
): void {
  const socket = connect({ host, port, lookup });
  opened.push(socket);
  const late = setTimeout(() => socket.destroy(new Error('it does not answer')), timeoutMs);
  const failed = (error: Error): void => {
    clearTimeout(late);
    done(error);
  };
  socket.once('error', failed);
  socket.once('connect', () => {
    clearTimeout(late);
    socket.off('error', failed);
    // nodemailer listens from now on; what comes behind its back ends the same.
    socket.on('error', () => undefined);
    done(null, { connection: socket });
  });
}

/** In words of ours. */
function failureOf(error: unknown): { readonly reason: string; readonly mayPass: boolean } {
  const refused = causesOf(error).find((one) => one instanceof TargetRefused);
  if (refused) return { reason: refused.message, mayPass: false };
  const { responseCode, code, originalCode } = error as Readonly<Record<string, unknown>>;
  if (code === 'EAUTH') return { reason: 'the server does not take username and password', mayPass: false };
  if (typeof responseCode === 'number' && responseCode >= 400 && responseCode < 600)
    return { reason: `status ${responseCode}`, mayPass: responseCode < 500 };
  // nodemailer writes codes of its own over those of the system.
  const first = typeof originalCode === 'string' ? [originalCode] : [];
  for (const one of [...first, ...causesOf(error).flatMap((cause) => codeOf(cause) ?? [])]) {
    const failure = connectionFailure(one);
    if (failure) return { reason: failure.reason, mayPass: true };
    if (one !== 'ETLS' && isTls(one)) return { reason: `TLS: ${one}`, mayPass: false };
  }
  if (code === 'ETLS') return { reason: 'the server offers no TLS', mayPass: false };
  return { reason: code === 'ETIMEDOUT' ? 'no answer in time' : 'the mail could not be sent', mayPass: true };
}

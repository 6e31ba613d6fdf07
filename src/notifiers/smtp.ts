import { plainLine } from '../lib/plain-text.ts';
import type { Mail, MailServer } from '../lib/mail.ts';
import { type Alert, type Channel, type MailNotifier, subjectOf } from './notifier.ts';

const marks = { info: '', warn: 'WARNING ', error: 'FAILED ' } as const;
const longestSubject = 200;
const address = /^(?:[^<>@,\r\n]{1,100}<)?[^\s<>@,"']{1,100}@[^\s<>@,"']{1,253}>?$/;

/**
 * Mail. The address is `smtps://HOST` (TLS from the beginning) or `smtp://HOST` (STARTTLS, which has to be there; `?tls=none` does without, and then nobody signs in). `channel` is to
 * whom, `username` from whom; the Secret may have `username` and `password`.
 */
export const smtp: MailNotifier = {
  name: 'smtp',
  about: {
    title: 'Mail (SMTP)',
    url: 'https://www.rfc-editor.org/rfc/rfc5321',
    notes:
      'address smtps://HOST, or smtp://HOST with STARTTLS; channel is the addressee, username the sender; username and password in its Secret',
  },
  schemes: ['smtps', 'smtp'],
  problem({ channel, username, proxy, tls, login }) {
    if (recipients(channel).length === 0 || !recipients(channel).every((one) => address.test(one)))
      return ['spec.channel', 'is no address of mail, nor several with commas between them: releases@example.org'];
    if (!address.test(username))
      return ['spec.username', 'is no address of mail: it is who sends, as serin@example.org'];
    if (proxy !== undefined) return ['spec.proxy', 'has no effect: mail goes through no HTTP proxy'];
    if (tls === 'none' && login)
      return ['spec.address', 'asks for no TLS (tls=none), and a password is sent over TLS alone'];
    return undefined;
  },
  mail(alert, channel) {
    return { server: serverOf(channel), mail: mailOf(alert, channel) };
  },
};

const recipients = (channel: string): readonly string[] =>
  channel.split(',').flatMap((one) => (one.trim() === '' ? [] : [one.trim()]));

/** Of an address that has been checked. */
function serverOf({ address: url, login }: Channel): MailServer {
  const { protocol, hostname, port, username, password, searchParams } = new URL(url);
  const isImplicit = protocol === 'smtps:';
  const tls = isImplicit ? 'implicit' : searchParams.get('tls') === 'none' ? 'none' : 'starttls';
  const inUrl =
    username === '' ? undefined : { user: decodeURIComponent(username), password: decodeURIComponent(password) };
  const known = login ?? inUrl;
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (isImplicit ? 465 : 587) : Number(port),
    tls,
    ...(known ? { login: known } : {}),
  };
}

function mailOf(alert: Alert, { channel, username }: Channel): Mail {
  const { severity, message, fields } = alert;
  const details = fields.map(({ name, value }) => `${name}: ${value}`);
  return {
    from: username,
    to: recipients(channel),
    subject: `${marks[severity]}${subjectOf(alert)}: ${plainLine(message)}`.slice(0, longestSubject),
    text: [message, '', `Canary: ${subjectOf(alert)}`, ...details, ''].join('\n'),
  };
}

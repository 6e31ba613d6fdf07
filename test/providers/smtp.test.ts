import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterEach, describe, expect, it } from 'vitest';
import { createMailer } from '../../src/lib/mail.ts';
import { alertProviderProblems } from '../../src/notifiers/check-provider.ts';
import type { Alert, Channel } from '../../src/notifiers/notifier.ts';
import { sendAlert } from '../../src/notifiers/send.ts';
import { smtp } from '../../src/notifiers/smtp.ts';
import { anAlert } from '../conformance/describe-notifier.ts';
import { deadUrl } from '../helpers/http-server.ts';
import { skippingClock } from '../helpers/skipping-clock.ts';

const tlsFile = (name: string): string => readFileSync(join(import.meta.dirname, '../../fixtures/tls', name), 'utf8');
const identity = { cert: tlsFile('localhost.cert.pem'), key: tlsFile('localhost.key.pem') };
const { signal } = new AbortController();
const opened: SMTPServer[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((server) => new Promise<void>((resolve) => server.close(() => resolve()))));
});

interface Taken {
  readonly from: string;
  readonly to: readonly string[];
  readonly text: string;
  readonly user: string | undefined;
  readonly isSecure: boolean;
}

/** A real SMTP server, which takes this user alone where it wants one. */
async function startMail(options: SMTPServerOptions & { readonly user?: string } = {}) {
  const { user, ...more } = options;
  const taken: Taken[] = [];
  const server = new SMTPServer({
    ...identity,
    authOptional: user === undefined,
    logger: false,
    onAuth: ({ username, password }, _session, done) =>
      username === user && password === 'pass-word' ? done(null, { user }) : done(new Error('topsecret')),
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        taken.push({
          from: mailFrom ? mailFrom.address : '',
          to: rcptTo.map(({ address }) => address),
          text: Buffer.concat(chunks).toString(),
          user: session.user as string | undefined,
          isSecure: session.secure,
        });
        done();
      });
    },
    ...more,
  });
  server.on('error', () => undefined);
  opened.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  return { port, taken };
}

const channelTo = (address: string, more: Partial<Channel> = {}): Channel => ({
  address,
  channel: 'ops@example.test, Boss <boss@example.test>',
  username: 'Serin <serin@example.test>',
  ...more,
});
async function send(channel: Channel, alert: Alert = anAlert, ca = identity.cert) {
  const clock = skippingClock();
  const mailer = createMailer({ addresses: { mayLoopback: true }, ...(ca === 'nobody' ? {} : { ca }) });
  const http = { request: () => Promise.reject(new Error('nobody is asked over HTTP')) };
  const failure = await sendAlert(smtp, alert, channel, { http, clock, mailer, random: () => 0.5 }, signal);
  return { failure, waits: clock.waits };
}

describe('alerts by mail', () => {
  it('say in their subject what happened where, and the details in their order', async () => {
    const { port, taken } = await startMail();
    const failed = {
      ...anAlert,
      severity: 'error' as const,
      message: 'success rate 53.42% < 99%\nBcc: evil@example.test',
    };
    expect((await send(channelTo(`smtp://localhost:${port}`), failed)).failure).toBeUndefined();
    const [mail] = taken;
    expect(mail).toMatchObject({
      from: 'serin@example.test',
      to: ['ops@example.test', 'boss@example.test'],
      isSecure: true,
    });
    const [head = '', ...parts] = (mail?.text ?? '').split('\r\n\r\n');
    const body = parts.join('\r\n\r\n');
    expect(head).toContain('Subject: FAILED app.demo: success rate 53.42% < 99%');
    expect(head).not.toMatch(/^Bcc:/m);
    const places = [failed.message.split('\n')[0] ?? '', ...anAlert.fields.map(({ value }) => value)].map((part) =>
      body.indexOf(part),
    );
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places[0]).toBe(0);
  });

  it('go over TLS from the beginning, with a user where the Secret has one', async () => {
    const { port, taken } = await startMail({ secure: true, user: 'ann' });
    const login = { user: 'ann', password: 'pass-word' };
    expect((await send(channelTo(`smtps://localhost:${port}`, { login }))).failure).toBeUndefined();
    expect((await send(channelTo(`smtps://ann:pass-word@localhost:${port}`))).failure).toBeUndefined();
    expect(taken.map(({ user, isSecure }) => [user, isSecure])).toEqual([
      ['ann', true],
      ['ann', true],
    ]);
    const refused = await send(channelTo(`smtps://localhost:${port}`, { login: { user: 'ann', password: 'x' } }));
    expect(refused).toEqual({ failure: 'the server does not take username and password', waits: [] });
  });

  it('are never sent in the clear by a server that should have STARTTLS and has not, nor is a password', async () => {
    const { port, taken } = await startMail({
      hideSTARTTLS: true,
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
    });
    const login = { user: 'ann', password: 'pass-word' };
    expect((await send(channelTo(`smtp://localhost:${port}`))).failure).toMatch(/TLS|status 5\d\d/);
    expect((await send(channelTo(`smtp://localhost:${port}?tls=none`, { login }))).failure).toBe(
      'the server would be told the password without TLS',
    );
    expect(taken).toEqual([]);
    expect((await send(channelTo(`smtp://localhost:${port}?tls=none`))).failure).toBeUndefined();
    expect(taken.map(({ isSecure }) => isSecure)).toEqual([false]);
  });

  it('go to no server whose certificate nobody vouches for', async () => {
    const { port, taken } = await startMail();
    const { failure, waits } = await send(channelTo(`smtp://localhost:${port}`), anAlert, 'nobody');
    expect(failure).toMatch(/^TLS: [A-Z_]+$/);
    expect(waits).toEqual([]);
    // Of another host.
    expect((await send(channelTo(`smtp://127.0.0.2:${port}`))).failure).not.toBeUndefined();
    expect(taken).toEqual([]);
  });

  it.each([
    [451, 3],
    [550, 0],
  ])('are tried again where the server is only busy: %i', async (responseCode, waits) => {
    const { port } = await startMail({
      onRcptTo: (_address, _session, done) => done(Object.assign(new Error('topsecret'), { responseCode })),
    });
    const sent = await send(channelTo(`smtp://localhost:${port}`));
    expect(sent.failure).toBe(`status ${responseCode}`);
    expect(sent.waits).toHaveLength(waits);
  });

  it('are given up where nobody listens, or where nothing is sent to', async () => {
    const port = new URL(await deadUrl()).port;
    expect((await send(channelTo(`smtp://127.0.0.1:${port}`))).failure).toBe('connection refused');
    const guarded = createMailer({ addresses: { mayLoopback: false } });
    const server = { host: '127.0.0.1', port: 25, tls: 'none' } as const;
    const mail = { from: 'a@b', to: ['c@d'], subject: 's', text: 't' };
    for (const host of ['127.0.0.1', 'localhost', '169.254.169.254', 'metadata.google.internal'])
      expect(await guarded({ ...server, host }, mail, signal)).toMatchObject({
        mayPass: false,
        reason: expect.stringContaining('is not asked') as unknown,
      });
  });

  it('end with their signal', async () => {
    const stop = new AbortController();
    const { port } = await startMail({ onConnect: () => stop.abort(new Error('stopped')) });
    const mailer = createMailer({ addresses: { mayLoopback: true }, ca: identity.cert });
    const mail = { from: 'a@b', to: ['c@d'], subject: 's', text: 't' };
    await expect(mailer({ host: 'localhost', port, tls: 'starttls' }, mail, stop.signal)).rejects.toThrow('stopped');
  });
});

describe('an AlertProvider of type smtp', () => {
  const problems = (spec: Readonly<Record<string, unknown>>) =>
    alertProviderProblems({
      apiVersion: 'flagger.app/v1beta1',
      kind: 'AlertProvider',
      metadata: { name: 'a' },
      spec: {
        type: 'smtp',
        channel: 'ops@example.test',
        username: 'serin@example.test',
        address: 'smtps://mail.example.test',
        ...spec,
      },
    }).map(({ field }) => field);

  it('is taken as it should be written', () => {
    expect(problems({})).toEqual([]);
    expect(problems({ address: 'smtp://mail.example.test:2525?tls=none' })).toEqual([]);
    expect(problems({ channel: 'a@b.c, Ops Team <ops@b.c>', username: 'Serin <serin@b.c>' })).toEqual([]);
  });

  it.each([
    ['spec.address', { address: 'https://mail.example.test' }],
    ['spec.address', { address: 'mail.example.test' }],
    ['spec.address', { address: 'smtp://ann:x@mail.example.test?tls=none' }],
    ['spec.channel', { channel: 'general' }],
    ['spec.channel', { channel: 'a@b.c,\nBcc: x@y.z' }],
    ['spec.channel', { channel: undefined }],
    ['spec.username', { username: 'flagger' }],
    ['spec.username', { username: undefined }],
    ['spec.proxy', { proxy: 'http://proxy:3128' }],
  ])('is refused by its field: %s', (field, spec) => {
    expect(problems(spec)).toEqual([field]);
  });
});

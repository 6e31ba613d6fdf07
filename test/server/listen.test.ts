import { createServer, type RequestListener } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../src/lib/log.ts';
import { answer, callerLimits, createApp, createLimitedServer, listen, listenerOf } from '../../src/server/listen.ts';

it('a connection that cannot be taken is told, and does not end the agent', async () => {
  const lines: string[] = [];
  const log = createLogger('info', (line) => lines.push(line));
  const server = createServer((_request, response) => response.end('here'));
  const running = await listen(server, { port: 0, host: '127.0.0.1', setting: '--port', log });
  try {
    for (let times = 0; times < 2; times += 1) server.emit('error', new Error('accept EMFILE'));
    expect(lines.map((line) => (JSON.parse(line) as { reason: string }).reason)).toEqual([
      'accept EMFILE',
      'accept EMFILE',
    ]);
    expect(await (await fetch(`http://127.0.0.1:${running.port}`)).text()).toBe('here');
  } finally {
    await running.close();
  }
});

const large = 'x'.repeat(50_000_000);
const plain: RequestListener = (request, response) => {
  request.resume();
  response.end(request.url === '/large' ? large : 'here');
};
const app = createApp(() => answer(500, 'broken'));
app.all('/large', () => answer(200, large));
app.all('/', async ({ req }) => answer(200, `${(await req.text()).slice(0, 0)}here`));

describe.each([
  ['a plain listener', plain],
  ['an app', listenerOf(app)],
])('callers of %s', (_kind, listener) => {
  const limits = { headersMs: 300, requestMs: 600, answerMs: 900 };
  const log = createLogger('silent');

  it.each([
    ['says nothing', () => undefined],
    ['sends its first line and nothing more', (socket: Socket) => void socket.write('GET / HTTP/1.1\r\n')],
    [
      'sends a header now and then',
      (socket: Socket) => {
        socket.write('GET / HTTP/1.1\r\n');
        return setInterval(() => socket.write('x-a: b\r\n'), 50);
      },
    ],
    [
      'sends its body byte by byte',
      (socket: Socket) => {
        socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10000\r\n\r\n');
        return setInterval(() => socket.write('x'), 50);
      },
    ],
    [
      'takes no answer',
      (socket: Socket) => {
        socket.pause();
        socket.write('GET /large HTTP/1.1\r\nhost: a\r\n\r\n');
      },
    ],
  ])('one that %s is cut off, and others are answered', async (_, act) => {
    const server = createLimitedServer(listener, limits);
    const running = await listen(server, { port: 0, host: '127.0.0.1', setting: '--port', log });
    const closed: number[] = [];
    server.on('connection', (socket) => {
      const started = performance.now();
      socket.once('close', () => closed.push(performance.now() - started));
    });
    const caller = connect(running.port, '127.0.0.1');
    caller.on('error', () => undefined);
    const timer = act(caller);
    try {
      await sleep(50);
      expect(await (await fetch(`http://127.0.0.1:${running.port}`, { headers: { connection: 'close' } })).text()).toBe(
        'here',
      );
      const until = performance.now() + 5_000;
      while (closed.length < 2 && performance.now() < until) await sleep(20);
      expect(closed).toHaveLength(2);
    } finally {
      clearInterval(timer ?? undefined);
      caller.destroy();
      await running.close();
    }
  });

  it('have only so many connections from one address', async () => {
    const server = createLimitedServer(listener, { connectionsOfOne: 3 });
    const running = await listen(server, { port: 0, host: '127.0.0.1', setting: '--port', log });
    const callers = Array.from({ length: 10 }, () => connect(running.port, '127.0.0.1').on('error', () => undefined));
    try {
      const until = performance.now() + 5_000;
      const left = (): number => callers.filter(({ closed, destroyed }) => !closed && !destroyed).length;
      while (left() !== 3 && performance.now() < until) {
        for (const caller of callers) caller.resume();
        await sleep(20);
      }
      expect(left()).toBe(3);
      for (const caller of callers) caller.destroy();
      await sleep(50);
      expect(await (await fetch(`http://127.0.0.1:${running.port}`)).text()).toBe('here');
    } finally {
      for (const caller of callers) caller.destroy();
      await running.close();
    }
  });

  it('are looked at so often that their limits are what they say', () => {
    const server = createLimitedServer((_request, response) => response.end());
    expect(server).toMatchObject({ headersTimeout: callerLimits.headersMs, requestTimeout: callerLimits.requestMs });
    expect(server.maxConnections).toBe(1_024);
  });
});

describe('an app', () => {
  /** All that comes back on a connection over which `text` is sent. */
  const sent = async (port: number, text: string): Promise<string> => {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    socket.end(text);
    let back = '';
    for await (const chunk of socket) back += String(chunk);
    return back;
  };

  it('answers callers that name no host, and refuses those that name none that there can be', async () => {
    const running = await listen(createLimitedServer(listenerOf(app)), {
      port: 0,
      host: '127.0.0.1',
      setting: '--port',
      log: createLogger('silent'),
    });
    try {
      expect(await sent(running.port, 'GET / HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nhere$/);
      expect(await sent(running.port, 'GET / HTTP/1.1\r\nhost: a b\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    } finally {
      await running.close();
    }
  });

  it('says nothing on its own of callers that leave', async () => {
    const said = (['log', 'info', 'warn', 'error'] as const).map((name) => vi.spyOn(console, name));
    const running = await listen(createLimitedServer(listenerOf(app)), {
      port: 0,
      host: '127.0.0.1',
      setting: '--port',
      log: createLogger('silent'),
    });
    try {
      for (const text of [
        'GET /large HTTP/1.1\r\nhost: a\r\n\r\n',
        'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10000\r\n\r\nx',
        'POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
      ]) {
        const socket = connect(running.port, '127.0.0.1').on('error', () => undefined);
        socket.write(text);
        await sleep(50);
        socket.resetAndDestroy();
      }
      await sleep(50);
      expect(said.flatMap(({ mock }) => mock.calls)).toEqual([]);
    } finally {
      await running.close();
      for (const spy of said) spy.mockRestore();
    }
  });
});

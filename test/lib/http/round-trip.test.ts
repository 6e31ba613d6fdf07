import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent, type Dispatcher } from 'undici';
import { afterEach, expect, it } from 'vitest';
import { type Exchange, roundTrip } from '../../../src/lib/http/round-trip.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** Answers nobody before `open` is called; tells what it was asked for. */
async function aSlowServer(): Promise<{ origin: string; asked: string[]; open: () => void }> {
  const asked: string[] = [];
  const waiting: (() => void)[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    waiting.push(() => response.end('done'));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, asked, open: () => waiting.splice(0).forEach((answer) => answer()) };
}

const get = (origin: string, path: string): Exchange => ({
  origin,
  path,
  method: 'GET',
  headers: {},
  timeoutMs: 20_000,
  late: 'late',
});

it('lets go of a request that waits for a connection at once, and never sends it', async () => {
  const { origin, asked, open } = await aSlowServer();
  const dispatcher = new Agent({ connections: 1, pipelining: 1 });
  closing.push(() => dispatcher.destroy());
  const lasting = new AbortController().signal;
  const first = roundTrip(dispatcher, get(origin, '/first'), lasting);
  const stop = new AbortController();
  const second = roundTrip(dispatcher, get(origin, '/second'), stop.signal);
  stop.abort(new Error('not needed any more'));
  await expect(second).rejects.toThrow('not needed any more');
  const third = roundTrip(dispatcher, get(origin, '/third'), lasting);
  for (; asked.length < 1; ) await new Promise((resolve) => setTimeout(resolve, 5));
  open();
  expect((await first).body).toBe('done');
  for (; asked.length < 2; ) await new Promise((resolve) => setTimeout(resolve, 5));
  open();
  expect(await third).toMatchObject({ status: 200, body: 'done' });
  expect(asked).toEqual(['/first', '/third']);
});

it('leaves nothing behind where a request cannot even be made', async () => {
  const broken = {
    dispatch: () => {
      throw new Error('no such dispatcher');
    },
  } as unknown as Dispatcher;
  const stop = new AbortController();
  let listeners = 0;
  const signal = Object.create(stop.signal, {
    aborted: { value: false },
    addEventListener: { value: () => (listeners += 1) },
    removeEventListener: { value: () => (listeners -= 1) },
  }) as AbortSignal;
  await expect(roundTrip(broken, get('http://127.0.0.1:1', '/'), signal)).rejects.toThrow('no such dispatcher');
  expect(listeners).toBe(0);
});

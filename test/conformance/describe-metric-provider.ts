import { afterEach, describe, expect, it } from 'vitest';
import type { HttpRequest, HttpResponse } from '../../src/lib/http/http.ts';
import { createHttp } from '../../src/lib/http/client.ts';
import {
  maxPoints,
  type MetricProvider,
  type MetricQuery,
  type MetricTarget,
  type ProviderIo,
  type Reading,
  type SeriesQuery,
  type SeriesReading,
} from '../../src/metrics/provider.ts';
import { type Answer, deadUrl, startServer, type TestServer } from '../helpers/http-server.ts';

const never = new AbortController().signal;
/** Whatever is signed is signed at this time. */
const clock = { now: () => 1e12 };

/** What a provider of one request sends. */
export async function requestOf(provider: MetricProvider, query: MetricQuery): Promise<HttpRequest> {
  const sent: HttpRequest[] = [];
  const request = async (one: HttpRequest): Promise<HttpResponse> => {
    sent.push(one);
    return { status: 500, headers: {}, body: '' };
  };
  await provider.measure(query, { http: { request }, clock }, never);
  const [first] = sent;
  if (!first || sent.length > 1) throw new Error(`${sent.length} requests`);
  return first;
}

/** What a provider of one request makes of an answer. */
export function readingOf(
  provider: MetricProvider,
  { status = 200, headers = {}, body }: Partial<HttpResponse> & Pick<HttpResponse, 'body'>,
): Promise<Reading> {
  const address = provider.address ?? 'http://metrics:1';
  const credentials = Object.fromEntries((provider.secretKeys ?? []).map((key) => [key, 'x']));
  const query = { query: 'q', address, nowMs: 0, windowMs: 60_000, ...(provider.secretKeys ? { credentials } : {}) };
  return provider.measure(query, { http: { request: async () => ({ status, headers, body }) }, clock }, never);
}

export interface ProviderCase {
  readonly title: string;
  readonly provider: MetricProvider;
  readonly query: string;
  /** A Secret with all that the provider may want; its values must stand in no error. */
  readonly credentials: Readonly<Record<string, string>>;
  /** Of a server's answer with 200, and what is read in it. */
  readonly answers: readonly (readonly [what: string, body: unknown, reading: Partial<Reading>])[];
  /** Of its answers. Absent: the server says none. */
  readonly contentType?: string;
  /** `METHOD path` of the question, at 1 000 000 000 000 ms and with a window of a minute. */
  readonly asks: string;
  /** Where it tells values over a time. Absent: it has none to tell of a query as it stands. */
  readonly series?: {
    /** `METHOD path` of the question, of the ten minutes before 1 000 000 000 000 ms, a minute apart. */
    readonly asks: string;
    /** Likewise of a year, a second apart: no more than `maxPoints` may come. */
    readonly asksOfAYear: string;
    /** An answer with these points, each a time in seconds and a value as this kind of server writes it. */
    readonly answer: (points: readonly (readonly [seconds: number, value: number | null])[]) => unknown;
    readonly answers: readonly (readonly [what: string, body: unknown, reading: Partial<SeriesReading>])[];
  };
  /** `METHOD path` of the probe, and an answer that says that it is online. */
  readonly probe: { readonly asks: string; readonly answer: unknown };
  /** What else its target says. */
  readonly more?: Partial<MetricTarget>;
  /** Of the world, beside HTTP. */
  readonly io?: Partial<ProviderIo>;
  /** The body of the question. Absent: none, or it is not looked at. */
  readonly body?: string;
  /** Headers that have to go along. */
  readonly headers?: Readonly<Record<string, string>>;
}

const word = 'topsecret';

/** What every metrics provider must do, whatever its server is like; against a real server. */
export function describeMetricProvider(given: ProviderCase): void {
  const { provider, query, credentials } = given;
  const io = { http: createHttp({ maxBytes: 200_000, userAgent: 'test' }), clock, ...given.io };
  const opened: TestServer[] = [];
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((server) => server.close()));
  });
  const serve = async (answer: Answer): Promise<TestServer> => {
    const server = await startServer(answer);
    opened.push(server);
    return server;
  };
  const target = (address: string): MetricTarget => ({ ...given.more, address, credentials });
  const questionTo = (address: string): MetricQuery => ({
    ...target(address),
    query,
    nowMs: 1e12,
    windowMs: 60_000,
  });
  const measured = async (answer: Answer): Promise<Reading> =>
    provider.measure(questionTo((await serve(answer)).url), io, never);
  const overTime = (address: string, more: Partial<SeriesQuery> = {}): SeriesQuery => ({
    ...questionTo(address),
    fromMs: 1e12 - 600_000,
    stepMs: 60_000,
    ...more,
  });
  const seriesOf = async (answer: Answer): Promise<SeriesReading> => {
    if (!provider.series) throw new Error('it tells no series');
    return provider.series(overTime((await serve(answer)).url), io, never);
  };
  const probed = async (answer: Answer): Promise<Reading> =>
    provider.probe(target((await serve(answer)).url), io, never);
  const isQuiet = (reading: Reading | SeriesReading): void => {
    const text = JSON.stringify(reading);
    for (const secret of [word, ...Object.values(credentials)]) expect(text).not.toContain(secret);
    expect(text.length).toBeLessThan(250);
  };

  describe(`metrics provider ${given.title}`, () => {
    it('asks once, with its credentials in headers alone', async () => {
      const server = await serve((_, response) => response.writeHead(500).end());
      await provider.measure(questionTo(`${server.url}/prefix/?x=1`), io, never);
      const [asked, ...rest] = server.requests;
      expect(rest).toEqual([]);
      expect(`${asked?.method} ${asked?.path}`).toBe(given.asks.replace(' /', ' /prefix/'));
      expect(asked?.headers).toMatchObject(given.headers ?? {});
      if (given.body !== undefined) expect(asked?.body).toBe(given.body);
    });

    it('is online where it answers its probe', async () => {
      const { answer } = given.probe;
      const server = await serve((_, response) =>
        response.end(typeof answer === 'string' ? answer : JSON.stringify(answer)),
      );
      const reading = await provider.probe(target(server.url), io, never);
      expect(reading).toEqual({ kind: 'value', value: 1 });
      expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([given.probe.asks]);
      expect(server.requests[0]?.headers).toMatchObject(given.headers ?? {});
    });

    it.each(given.answers)('reads %s', async (_what, body, wanted) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const headers = given.contentType === undefined ? {} : { 'content-type': given.contentType };
      const reading = await measured((_request, response) => response.writeHead(200, headers).end(text));
      expect(reading).toMatchObject(wanted);
      isQuiet(reading);
    });

    const { series } = given;
    it(`${series ? 'tells' : 'does not tell'} values over a time`, () => {
      expect(provider.series !== undefined).toBe(series !== undefined);
    });

    if (series) {
      it('asks once for values over a time, with its credentials in headers alone', async () => {
        const server = await serve((_, response) => response.writeHead(500).end());
        await provider.series?.(overTime(`${server.url}/prefix/?x=1`), io, never);
        await provider.series?.(overTime(server.url, { fromMs: 1e12 - 3.1536e10, stepMs: 1_000 }), io, never);
        const [asked, ofAYear, ...rest] = server.requests;
        expect(rest).toEqual([]);
        expect(`${asked?.method} ${asked?.path}`).toBe(series.asks.replace(' /', ' /prefix/'));
        expect(`${ofAYear?.method} ${ofAYear?.path}`).toBe(series.asksOfAYear);
        expect(asked?.headers).toMatchObject(given.headers ?? {});
        for (const { path } of server.requests)
          for (const secret of Object.values(credentials)) expect(path).not.toContain(secret.trim());
      });

      it('gives points oldest first, without holes, and not more than may be', async () => {
        const told = [
          [999_999_460, 2],
          [999_999_400, 1.5],
          [999_999_520, null],
          [999_999_580, 0],
        ] as const;
        const points = [
          { atMs: 999_999_400_000, value: 1.5 },
          { atMs: 999_999_460_000, value: 2 },
          { atMs: 999_999_580_000, value: 0 },
        ];
        const reading = await seriesOf((_request, response) => response.end(JSON.stringify(series.answer(told))));
        expect(reading).toEqual({ kind: 'series', points });
        const many = Array.from({ length: 3_000 }, (_, at) => [at, at] as const);
        const all = await seriesOf((_request, response) => response.end(JSON.stringify(series.answer(many))));
        if (all.kind !== 'series') throw new Error(all.kind);
        expect(all.points).toHaveLength(maxPoints);
        expect(all.points.at(-1)).toEqual({ atMs: 2_999_000, value: 2_999 });
        const none = await seriesOf((_request, response) => response.end(JSON.stringify(series.answer([]))));
        expect(none).toMatchObject({ kind: 'no-data', cause: 'noSeries' });
      });

      it.each(series.answers)('reads over a time %s', async (_what, body, wanted) => {
        const reading = await seriesOf((_request, response) => response.end(JSON.stringify(body)));
        expect(reading).toMatchObject(wanted);
        isQuiet(reading);
      });

      it('rejects a question over a time where nobody answers, and ends with its signal', async () => {
        await expect(provider.series?.(overTime(await deadUrl()), io, never)).rejects.toThrow();
        const stop = new AbortController();
        const server = await serve(() => stop.abort(new Error('stopped')));
        await expect(provider.series?.(overTime(server.url), io, stop.signal)).rejects.toThrow();
      });
    }

    const reads = series ? [measured, seriesOf] : [measured];
    it.each([
      ['nothing', ''],
      ['a page for people', `<!doctype html><p>${word}`],
      ['null', 'null'],
      ['a number', '1'],
      ['a text', `"${word}"`],
      ['an object of something else', `{"${word}":[]}`],
      ['half of an answer', '{"'],
      ['deep lists', `${'['.repeat(50_000)}${']'.repeat(50_000)}`],
      ['names of everything', `{"__proto__":{"${word}":1},"constructor":null}`],
    ])('takes %s for no value', async (_what, body) => {
      for (const read of reads) {
        const reading = await read((_request, response) => response.end(body));
        expect(reading.kind).toBe('refused');
        isQuiet(reading);
      }
    });

    it.each([
      [400, false],
      [401, false],
      [403, false],
      [404, false],
      [408, true],
      [429, true],
      [500, true],
      [503, true],
    ])('tells of status %i whether it passes (%s), and quotes nobody', async (status, passing) => {
      for (const read of [...reads, probed]) {
        const reading = await read((_request, response) => response.writeHead(status).end(`{"error":"${word}"}`));
        expect(reading).toMatchObject({ kind: 'refused', passing, reason: expect.stringContaining(`${status}`) });
        isQuiet(reading);
      }
    });

    it('rejects where nobody answers', async () => {
      const dead = await deadUrl();
      await expect(provider.measure(questionTo(dead), io, never)).rejects.toThrow();
      await expect(provider.probe(target(dead), io, never)).rejects.toThrow();
    });

    it('ends with its signal', async () => {
      const stop = new AbortController();
      const server = await serve(() => stop.abort(new Error('stopped')));
      await expect(provider.measure(questionTo(server.url), io, stop.signal)).rejects.toThrow();
    });

    it('refuses what it cannot use, without showing it', () => {
      for (const address of [
        ...(provider.hasOwnAddress ? [] : ['']),
        'metrics:9090',
        `ftp://${word}`,
        `http://${word}:port`,
      ]) {
        const check = (): void => provider.check(target(address));
        expect(check).toThrow('no http or https URL');
        expect(check).not.toThrow(word);
      }
      expect(() => provider.check(target(provider.address ?? 'https://metrics'))).not.toThrow();
      for (const key of provider.secretKeys ?? []) {
        const { [key]: _gone, ...others } = credentials;
        expect(() => provider.check({ address: 'https://metrics', credentials: others })).toThrow(
          `the secret needs the key ${key}`,
        );
      }
    });
  });
}

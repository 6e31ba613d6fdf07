import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { createListingStore } from '../../../src/agent/images/listing-store.ts';
import { createListings, type Listings, type WantedRepository, wantedKey } from '../../../src/agent/images/listings.ts';
import { accessOf, createPullSecrets } from '../../../src/agent/images/pull-secrets.ts';
import { openRegistries } from '../../../src/cli/registries.ts';
import { openCluster } from '../../../src/cluster/client.ts';
import type { Cluster } from '../../../src/cluster/cluster.ts';
import { readReference } from '../../../src/images/reference.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { createLogger, type Logger } from '../../../src/lib/log.ts';
import { startSandbox } from '../../../src/sandbox/sandbox.ts';
import type { Sandbox } from '../../../src/sandbox/types.ts';
import { eventually } from '../../helpers/eventually.ts';
import { startServer } from '../../helpers/http-server.ts';
import { type ManualClock, manualClock } from '../../helpers/manual-clock.ts';
import { type DoubleOptions, type RegistryDouble, startRegistryDouble } from '../../helpers/registry-double.ts';
import { writeFile } from 'node:fs/promises';
import { removeDir, tempDir } from '../../helpers/temp-repo.ts';
import { join } from 'node:path';

const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

const minuteMs = 60_000;
const intervalMs = 5 * minuteMs;

interface World {
  readonly cluster: Cluster;
  readonly sandbox: Sandbox;
  readonly clock: ManualClock;
  readonly lines: string[];
  readonly log: Logger;
}

async function world(): Promise<World> {
  const sandbox = await startSandbox({ clock: systemClock, podStartMs: 10 });
  opened.push(() => sandbox.stop());
  const dir = await tempDir();
  opened.push(() => removeDir(dir));
  const path = join(dir, 'kubeconfig');
  await writeFile(path, sandbox.kubeconfig);
  const lines: string[] = [];
  const log = createLogger('debug', (line) => void lines.push(line));
  const cluster = await openCluster(
    { kind: 'file', path },
    { clock: systemClock, log: createLogger('error', () => undefined) },
  );
  opened.push(() => cluster.close());
  const { signal } = new AbortController();
  for (const name of ['serin', 'test'])
    await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, { manager: 'test' }, signal);
  return { cluster, sandbox, clock: manualClock(), lines, log };
}

/** Listings that run until they are stopped, as after a start of the agent. */
function begin(
  { cluster, clock, log }: World,
  registry: string,
): { readonly listings: Listings; stop(): Promise<void> } {
  const ending = new AbortController();
  const registries = openRegistries({ 'registry-plain-http': [registry] }, { clock });
  const listings = createListings({
    client: registries.client,
    clock,
    log,
    pullSecrets: createPullSecrets({ cluster, log }),
    store: createListingStore(cluster, 'serin'),
    intervalMs,
    random: () => 0,
  });
  const done = listings.run(ending.signal);
  const stop = async (): Promise<void> => {
    ending.abort(new Error('stopped'));
    await done;
    await registries.close();
  };
  opened.push(stop);
  return { listings, stop };
}

function wantedOf(
  registry: string,
  repository: string,
  podSpec: Record<string, unknown> = {},
): [string, WantedRepository] {
  const reference = readReference(`${registry}/${repository}`);
  if ('problem' in reference) throw new Error(reference.problem);
  const wanted = { reference, access: accessOf('test', podSpec) };
  return [wantedKey(wanted), wanted];
}

async function double(options: DoubleOptions = {}): Promise<RegistryDouble & { readonly asked: string[] }> {
  const asked: string[] = [];
  const server = await startRegistryDouble({
    ...options,
    before(request, response) {
      asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
      return options.before?.(request, response) ?? false;
    },
  });
  opened.push(() => server.close());
  return { ...server, asked };
}

describe('What registries have', () => {
  it('is asked for by nobody who does not want to know, and more and more rarely while it does not change', async () => {
    const here = await world();
    const server = await double();
    await server.push('team/app', '1.0.0');
    const { listings } = begin(here, server.registry);
    here.clock.advance(intervalMs);
    await sleep(50);
    expect(server.asked).toEqual([]);
    const [key, wanted] = wantedOf(server.registry, 'team/app');
    listings.want('default', new Map([[key, wanted]]));
    await eventually('a first list', () => listings.known(key)?.tags.join() === '1.0.0');
    const minutes: number[] = [];
    for (let minute = 1; minute <= 180; minute += 1) {
      const before = server.asked.length;
      const wasAskedMs = listings.known(key)?.askedAtMs;
      here.clock.advance(minuteMs);
      // Whoever is due is asked at once.
      await sleep(2);
      if (server.asked.length > before) {
        await eventually('the answer', () => listings.known(key)?.askedAtMs !== wasAskedMs);
        minutes.push(minute);
      }
    }
    // At most a fifth of a request in each interval after an hour, and it is not forgotten.
    expect(minutes.filter((at) => at > 60).length).toBeLessThanOrEqual(120 / 5 / 5);
    expect(minutes.filter((at) => at > 60).length).toBeGreaterThan(1);
    await server.push('team/app', '1.0.1');
    expect(listings.poke(({ repository }) => repository === 'team/app')).toBe(1);
    await eventually('the new tag', () => listings.known(key)?.tags.length === 2);
    expect(listings.known(key)?.intervalMs).toBe(intervalMs);
    listings.want('default', new Map());
    const before = server.asked.length;
    for (let minute = 0; minute < 60; minute += 1) here.clock.advance(minuteMs);
    await sleep(50);
    expect(server.asked.length).toBe(before);
  });

  it('is kept over a restart, and nothing that is fresh is asked again', async () => {
    const here = await world();
    const server = await double();
    for (const tag of ['1.0.0', '1.0.1']) await server.push('team/app', tag);
    const first = begin(here, server.registry);
    const wanted = new Map([wantedOf(server.registry, 'team/app')]);
    const [key = ''] = wanted.keys();
    first.listings.want('default', wanted);
    await eventually('a list', () => first.listings.known(key) !== undefined);
    first.listings.ask(key, 'digest', ['1.0.1']);
    await eventually('a digest', () => first.listings.known(key)?.digests.size === 1);
    first.listings.took(key, '1.0.1');
    const before = first.listings.known(key);
    here.clock.advance(20_000);
    await eventually('it is kept', () => here.sandbox.store.list('v1', 'Secret').length > 0);
    await first.stop();
    const asked = server.asked.length;

    here.clock.advance(minuteMs);
    const second = begin(here, server.registry);
    second.listings.want('default', wanted);
    await eventually('it is known', () => second.listings.known(key) !== undefined);
    const after = second.listings.known(key);
    expect(after).toMatchObject({ tags: before?.tags, askedAtMs: before?.askedAtMs, taken: before?.taken });
    expect({ ...after?.memory.firstSeenMs }).toEqual({ ...before?.memory.firstSeenMs });
    await sleep(30);
    expect(server.asked.length).toBe(asked);
    here.clock.advance(4 * minuteMs);
    await eventually('the next list, on its day', () => server.asked.length === asked + 1);
  });

  it('is asked anew where what was kept cannot be read', async () => {
    const here = await world();
    const server = await double();
    await server.push('team/app', '1.0.0');
    const wanted = new Map([wantedOf(server.registry, 'team/app')]);
    const [key = ''] = wanted.keys();
    const { signal } = new AbortController();
    for (const [shard, tags] of [
      ['0', 'bm90aGluZw=='],
      ['1', Buffer.from('{"version":1}').toString('base64')],
    ] as const)
      await here.cluster.apply(
        {
          apiVersion: 'v1',
          kind: 'Secret',
          metadata: {
            namespace: 'serin',
            name: `serin-image-tags-${shard}`,
            labels: { 'serin.dev/image-tags': 'true' },
          },
          data: { tags },
        },
        { manager: 'test' },
        signal,
      );
    const { listings } = begin(here, server.registry);
    listings.want('default', wanted);
    await eventually('a list', () => listings.known(key)?.tags.join() === '1.0.0');
  });
});

type Respond = (request: IncomingMessage, response: ServerResponse) => void;
const status =
  (code: number, headers: Record<string, string> = {}, body = 'secret-of-the-server'): Respond =>
  (_, response) =>
    void response.writeHead(code, headers).end(body);

describe('A registry that does not answer as it should', () => {
  it.each<[what: string, answer: Respond, told: RegExp]>([
    ['401', status(401, { 'www-authenticate': 'Basic realm="x"' }), /asks for a password, and none is known/],
    ['403', status(403), /answers 403/],
    ['404', status(404), /answers 404/],
    ['429', status(429, { 'retry-after': '600' }), /answers 429/],
    ['503', status(503), /answers 503/],
    ['a redirect to another server', status(302, { location: 'http://elsewhere.example/v2/' }), /another server/],
    ['half an answer', status(200, {}, '{"tags": ["1.0.0", "1.'), /no JSON, or only a part/],
    [
      'pages in a circle',
      (request, response) =>
        void response.writeHead(200, { link: `<${request.url ?? ''}>; rel="next"` }).end('{"tags": ["1.0.0"]}'),
      /circle/,
    ],
    ['a list of 20 MB', status(200, {}, `{"tags": ["${'1.0.0", "'.repeat(2_500_000)}"]}`), /larger than/],
    ['no list at all', status(200, {}, '{"tags": "all"}'), /list of tags is none/],
  ])('is told once, and nothing of it is known: %s', async (_what, answer, told) => {
    const here = await world();
    let count = 0;
    const server = await startServer((request, response) => {
      count += 1;
      answer(request, response);
    });
    opened.push(() => server.close());
    const registry = server.url.replace('http://', '');
    const { listings } = begin(here, registry);
    const wanted = new Map([wantedOf(registry, 'team/app')]);
    const [key = ''] = wanted.keys();
    listings.want('default', wanted);
    await eventually('three tries', () => {
      here.clock.advance(minuteMs);
      return count >= 3 && listings.trouble(key) !== undefined;
    });
    expect(listings.known(key)).toBeUndefined();
    expect(listings.trouble(key)).toMatch(told);
    const warned = here.lines.filter((line) => line.includes('"warn"'));
    expect(warned).toHaveLength(1);
    expect(warned[0]).toMatch(told);
    expect(here.lines.join('\n')).not.toContain('secret-of-the-server');
  });

  it('keeps what is known, and is listed again when it answers', async () => {
    const here = await world();
    let isDown = false;
    const server = await double({
      before(_request, response) {
        if (isDown) response.writeHead(500).end();
        return isDown;
      },
    });
    await server.push('team/app', '1.0.0');
    const { listings } = begin(here, server.registry);
    const wanted = new Map([wantedOf(server.registry, 'team/app')]);
    const [key = ''] = wanted.keys();
    listings.want('default', wanted);
    await eventually('a list', () => listings.known(key) !== undefined);
    isDown = true;
    listings.poke(() => true);
    here.clock.advance(2_000);
    await eventually('trouble', () => listings.trouble(key) !== undefined);
    expect(listings.known(key)?.tags).toEqual(['1.0.0']);
    isDown = false;
    here.clock.advance(31 * minuteMs);
    await eventually('no trouble', () => listings.trouble(key) === undefined);
    expect(here.lines.filter((line) => line.includes('can be listed again'))).toHaveLength(1);
  });
});

describe('What is told of a registry in trouble', () => {
  const warned = ({ lines }: World): readonly string[] => lines.filter((line) => line.includes('"warn"'));

  it('is told once for all its repositories, however its answers change, and once when all are back', async () => {
    const here = await world();
    let count = 0;
    let isDown = true;
    const server = await double({
      before(request, response) {
        if (!isDown) return false;
        count += 1;
        // Two ways of being unreachable by turns.
        if (count % 2 === 0) response.writeHead(500 + (count % 5)).end();
        else request.socket.destroy();
        return true;
      },
    });
    const names = ['team/a', 'team/b', 'team/c', 'team/d'];
    for (const name of names) await server.push(name, '1.0.0');
    const { listings } = begin(here, server.registry);
    const wanted = new Map(names.map((name) => wantedOf(server.registry, name)));
    listings.want('default', wanted);
    await eventually('each was asked often', () => {
      here.clock.advance(minuteMs);
      return count >= 16;
    });
    expect(warned(here)).toHaveLength(1);
    isDown = false;
    await eventually('all are back', () => {
      here.clock.advance(minuteMs);
      return [...wanted.keys()].every((key) => listings.known(key) !== undefined);
    });
    const back = here.lines.filter((line) => line.includes('can be listed again'));
    expect(back).toHaveLength(1);
    expect(back[0]).toContain(`Tags of ${server.registry} can be listed again`);
    isDown = true;
    listings.poke(() => true);
    here.clock.advance(minuteMs);
    await eventually('it is down once more', () => warned(here).length === 2);
  });

  it('is told once of a tag that is listed and cannot be looked at, which is asked again with the next list only', async () => {
    const here = await world();
    let heads = 0;
    let isGone = true;
    const server = await double({
      before(request, response) {
        if (request.url?.includes('/manifests/') !== true) return false;
        heads += 1;
        if (isGone) response.writeHead(404).end();
        return isGone;
      },
    });
    await server.push('team/app', '1.0.0');
    const { listings } = begin(here, server.registry);
    const wanted = new Map([wantedOf(server.registry, 'team/app')]);
    const [key = ''] = wanted.keys();
    listings.want('default', wanted);
    for (let round = 0; round < 3; round += 1) {
      const askedAtMs = listings.known(key)?.askedAtMs;
      here.clock.advance(31 * minuteMs);
      await eventually(
        'a list',
        () => listings.known(key) !== undefined && listings.known(key)?.askedAtMs !== askedAtMs,
      );
      listings.ask(key, 'digest', ['1.0.0']);
      await eventually('a failure', () => listings.trouble(key) !== undefined);
      expect(listings.trouble(key)).toContain('team/app:1.0.0: it answers 404');
      // As every look does that still needs it.
      for (let look = 0; look < 10; look += 1) listings.ask(key, 'digest', ['1.0.0']);
      await sleep(10);
      expect(heads).toBe(round + 1);
    }
    expect(warned(here)).toHaveLength(1);
    isGone = false;
    here.clock.advance(31 * minuteMs);
    await eventually('it is asked again', () => listings.trouble(key) === undefined);
    listings.ask(key, 'digest', ['1.0.0']);
    await eventually('an answer', () => listings.known(key)?.digests.has('1.0.0') === true);
    expect(listings.trouble(key)).toBeUndefined();
  });

  it('has a platform that was asked for kept over a restart', async () => {
    const here = await world();
    const server = await double();
    const digest = await server.push('team/app', '1.0.0', { platforms: ['linux/arm64', 'unknown/unknown'] });
    const wanted = new Map([wantedOf(server.registry, 'team/app')]);
    const [key = ''] = wanted.keys();
    const first = begin(here, server.registry);
    first.listings.want('default', wanted);
    await eventually('a list', () => first.listings.known(key) !== undefined);
    first.listings.ask(key, 'digest', ['1.0.0']);
    await eventually('a digest', () => first.listings.known(key)?.digests.has('1.0.0') === true);
    first.listings.ask(key, 'platforms', ['1.0.0']);
    await eventually('platforms', () => first.listings.known(key)?.platforms.size === 1);
    here.clock.advance(20_000);
    await eventually('it is kept', () => here.sandbox.store.list('v1', 'Secret').length > 0);
    await first.stop();
    const second = begin(here, server.registry);
    second.listings.want('default', wanted);
    await eventually('it is known', () => second.listings.known(key) !== undefined);
    expect(second.listings.known(key)?.platforms).toEqual(new Map([[digest, ['linux/arm64']]]));
  });
});

describe('Credentials for registries', () => {
  const password = 'word-of-the-test';
  const signIn = { kind: 'bearer' as const, username: 'ana', password };
  const secret = (name: string, registry: string, pass = password) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace: 'test', name },
    type: 'kubernetes.io/dockerconfigjson',
    data: {
      '.dockerconfigjson': Buffer.from(
        JSON.stringify({ auths: { [registry]: { username: 'ana', password: pass } } }),
      ).toString('base64'),
    },
  });

  it('are those of the workload and of its service account, and stand in no line of the log and in nothing that is kept', async () => {
    const here = await world();
    const server = await double({ signIn });
    await server.push('team/app', '1.0.0');
    const { signal } = new AbortController();
    const apply = (object: object): Promise<unknown> =>
      here.cluster.apply(object as Parameters<Cluster['apply']>[0], { manager: 'test' }, signal);
    await apply(secret('of-workload', server.registry));
    await apply(secret('of-account', server.registry));
    await apply(secret('wrong', server.registry, 'other-of-the-test'));
    await apply({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { namespace: 'test', name: 'puller' },
      imagePullSecrets: [{ name: 'of-account' }],
    });
    const { listings } = begin(here, server.registry);
    const [byWorkload, byAccount, byNobody, byWrong] = [
      wantedOf(server.registry, 'team/app', { imagePullSecrets: [{ name: 'missing' }, { name: 'of-workload' }] }),
      wantedOf(server.registry, 'team/app', { serviceAccountName: 'puller' }),
      wantedOf(server.registry, 'team/app'),
      wantedOf(server.registry, 'team/app', { imagePullSecrets: [{ name: 'wrong' }] }),
    ];
    listings.want('default', new Map([byWorkload, byAccount, byNobody, byWrong]));
    for (const [key] of [byWorkload, byAccount])
      await eventually('a list', () => listings.known(key)?.tags.join() === '1.0.0');
    for (const [key] of [byNobody, byWrong]) {
      await eventually('a refusal', () => listings.trouble(key) !== undefined);
      expect(listings.known(key)).toBeUndefined();
    }
    here.clock.advance(20_000);
    await eventually('it is kept', () =>
      here.sandbox.store.list('v1', 'Secret').some(({ metadata }) => metadata.namespace === 'serin'),
    );
    const kept = here.sandbox.store.list('v1', 'Secret').filter(({ metadata }) => metadata.namespace === 'serin');
    const words = [password, 'other-of-the-test', Buffer.from(`ana:${password}`).toString('base64')];
    for (const word of words) expect(`${here.lines.join('\n')}${JSON.stringify(kept)}`).not.toContain(word);
  });
});

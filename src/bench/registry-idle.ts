import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGitServer } from '../sandbox/git-server.ts';
import { startSandbox } from '../sandbox/sandbox.ts';
import { type AgentProcess, startAgentProcess } from './agent-process.ts';
import { type Measured, spreadOf } from './spread.ts';

const repositories = 200;
const tagsOfEach = 2_000;
/** As many registries, so that the pace of each, which is not compressed, holds nobody up. */
const registries = 20;
/** Stands for five minutes: an hour is a minute. */
const intervalMs = 5_000;
const hourMs = 12 * intervalMs;
const patienceMs = 120_000;

/** What it costs to know of many images that nothing is new. The time of the registries is compressed, so CPU is more than it is. */
export async function idleRegistries(signal: AbortSignal): Promise<readonly Measured[]> {
  const root = await mkdtemp(join(tmpdir(), 'serin-bench-'));
  const closing: (() => Promise<unknown>)[] = [() => rm(root, { recursive: true, force: true, maxRetries: 3 })];
  try {
    const asked = new Requests();
    const places: string[] = [];
    for (let at = 0; at < registries; at += 1) {
      const server = await startRegistry(asked);
      closing.push(() => server.close());
      places.push(server.registry);
    }
    const git = await startGitServer({ root: join(root, 'git') });
    closing.push(() => git.stop());
    await git.createRepo('config', { files: { 'apps/all.yaml': manifests(places) } });
    const sandbox = await startSandbox({ podStartMs: 50 });
    closing.push(() => sandbox.stop());
    const kubeconfig = join(root, 'kubeconfig');
    await writeFile(kubeconfig, sandbox.kubeconfig);
    const start = (): AgentProcess => {
      const agent = startAgentProcess({
        'git-url': git.repoUrl('config'),
        'git-dir': join(root, 'mirror'),
        'image-interval': `${intervalMs / 1_000}s`,
        'registry-plain-http': places.join(','),
        'resync-schedule': '0 0 1 1 *',
        kubeconfig,
        port: '0',
        'log-level': 'warn',
      });
      closing.push(() => agent.stop());
      return agent;
    };
    const first = start();
    await asked.until(() => asked.of.size === repositories, first, signal);
    const listedAtMs = performance.now();
    asked.clear();
    await sleep(hourMs, undefined, { signal });
    const adapting = asked.clear();
    const [before, sinceMs] = [await first.usage(), performance.now()];
    await sleep(hourMs, undefined, { signal });
    const after = await first.usage();
    const elapsedMs = performance.now() - sinceMs;
    const resting = asked.clear();
    await first.stop();

    const second = start();
    const beganMs = performance.now();
    // As long as the agent before it was not: whatever it asks for now is due.
    await sleep(intervalMs, undefined, { signal });
    second.throwIfEnded();
    const again = asked.clear();
    const share = (performance.now() - beganMs) / intervalMs;
    const perInterval = (counts: ReadonlyMap<string, number>, ms: number): readonly number[] =>
      Array.from({ length: repositories }, (_, at) => ((counts.get(nameOf(at)) ?? 0) * intervalMs) / ms);
    return [
      {
        what: 'requests of a repository in an interval, in the first hour',
        unit: '',
        spread: spreadOf(perInterval(adapting.all, sinceMs - listedAtMs)),
        goal: { kind: 'below', value: 1 },
      },
      {
        what: 'requests of all repositories by their number, in an interval of the second hour',
        unit: '',
        spread: spreadOf([mean(perInterval(resting.all, elapsedMs))]),
        goal: { kind: 'below', value: 0.2 },
      },
      {
        what: 'of those, not conditional',
        unit: '',
        spread: spreadOf([adapting.whole + resting.whole]),
        goal: { kind: 'exactly', value: 0 },
      },
      {
        what: 'of all repositories, asked within an interval of a restart',
        unit: '',
        spread: spreadOf([[...again.all.values()].length / repositories / share]),
        goal: { kind: 'below', value: 0.3 },
      },
      {
        what: 'CPU of one core, sixty times compressed',
        unit: ' %',
        spread: spreadOf([((after.cpuMs - before.cpuMs) / elapsedMs) * 100]),
      },
      {
        what: 'CPU a request',
        unit: ' ms',
        spread: spreadOf([(after.cpuMs - before.cpuMs) / Math.max(1, sum([...resting.all.values()]))]),
      },
      {
        what: 'memory (RSS)',
        unit: ' MB',
        spread: spreadOf([after.rssBytes / 1_000_000]),
        goal: { kind: 'below', value: 300 },
      },
    ];
  } finally {
    for (const close of closing.toReversed()) await close();
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0);
const mean = (values: readonly number[]): number => sum(values) / Math.max(1, values.length);
const nameOf = (at: number): string => `team/app-${at}`;

/** Requests by repository. */
class Requests {
  of = new Map<string, number>();
  /** Those that were no question whether something has changed. */
  whole = 0;

  add(repository: string, isConditional: boolean): void {
    this.of.set(repository, (this.of.get(repository) ?? 0) + 1);
    if (!isConditional) this.whole += 1;
  }
  clear(): { readonly all: ReadonlyMap<string, number>; readonly whole: number } {
    const counted = { all: this.of, whole: this.whole };
    this.of = new Map();
    this.whole = 0;
    return counted;
  }
  async until(isSo: () => boolean, agent: AgentProcess, signal: AbortSignal): Promise<void> {
    const deadlineMs = performance.now() + patienceMs;
    while (!isSo()) {
      agent.throwIfEnded();
      if (performance.now() > deadlineMs) throw new Error(`only ${this.of.size} repositories were asked for`);
      await sleep(100, undefined, { signal });
    }
  }
}

async function startRegistry(asked: Requests): Promise<{ readonly registry: string; close(): Promise<void> }> {
  const tags = Array.from({ length: tagsOfEach }, (_, at) => `1.${Math.floor(at / 50)}.${at % 50}`);
  const body = JSON.stringify({ tags });
  const etag = `"${createHash('sha256').update(body).digest('hex')}"`;
  const server = createServer((request, response) => {
    const [, repository = ''] = /^\/v2\/(.+)\/tags\/list/.exec(request.url ?? '') ?? [];
    const isConditional = request.headers['if-none-match'] !== undefined;
    asked.add(repository, isConditional);
    if (request.headers['if-none-match'] === etag) response.writeHead(304, { etag }).end();
    else response.writeHead(200, { 'content-type': 'application/json', etag }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    registry: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** Workloads without pods, each at the newest of its tags. */
function manifests(places: readonly string[]): string {
  const newest = `1.${tagsOfEach / 50 - 1}.49`;
  const objects = Array.from({ length: repositories }, (_, at) =>
    JSON.stringify({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {
        namespace: 'default',
        name: `app-${at}`,
        annotations: { 'fluxcd.io/automated': 'true', 'fluxcd.io/tag.app': 'semver:*' },
      },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: `app-${at}` } },
        template: {
          metadata: { labels: { app: `app-${at}` } },
          spec: { containers: [{ name: 'app', image: `${places[at % places.length] ?? ''}/${nameOf(at)}:${newest}` }] },
        },
      },
    }),
  );
  return objects.join('\n---\n');
}

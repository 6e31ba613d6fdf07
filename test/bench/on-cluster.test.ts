import { describe, expect, it } from 'vitest';
import { kubeconfigWith } from '../../src/bench/agent-access.ts';
import { countCores, holdServer } from '../../src/bench/api-server.ts';
import { startRelay } from '../../src/bench/relay.ts';
import { startServer } from '../helpers/http-server.ts';
import { samplesOf, sumOf } from '../../src/bench/exposition.ts';
import { flaggerFigures } from '../../src/bench/flagger-figures.ts';
import type { Round } from '../../src/bench/fleet-round.ts';
import { figuresOf, isMissed, requestRows, rowsOf } from '../../src/bench/round-table.ts';
import { createTimeline, distributionOf } from '../../src/bench/timeline.ts';
import { measureMachine } from '../../src/bench/machine-share.ts';
import type { Used } from '../../src/bench/usage-probe.ts';
import { exitCodes } from '../../src/cli/context.ts';
import { runCommandLine } from '../../src/cli/command-line.ts';

const startMs = Date.parse('2026-03-01T10:00:00Z');
const line = (afterMs: number, canary: string, msg: string): string =>
  JSON.stringify({ level: 'info', ts: new Date(startMs + afterMs).toISOString(), canary, msg });
const messages = [
  [200, 'New revision detected! Scaling up web.test'],
  [10_200, 'Starting canary analysis for web.test'],
  [10_200, 'Advance web.test canary weight 10'],
  [20_300, 'Advance web.test canary weight 20'],
  [41_000, 'Copying web.test template spec to web-primary.test'],
  [51_000, 'Routing all traffic to primary'],
  [61_000, 'Promotion completed! Scaling down web.test'],
] as const;

describe('the times of a release', () => {
  it('are told by log, watches and loader together', () => {
    const timeline = createTimeline();
    timeline.scaledUp('web', startMs - 500);
    timeline.changed('web', startMs);
    for (const [afterMs, message] of messages) timeline.line(line(afterMs, 'web.test', message));
    timeline.line('no JSON, but "canary":');
    timeline.line(line(0, 'other.test', 'Starting canary analysis for other.test'));
    timeline.scaledUp('web', startMs + 300);
    timeline.scaledUp('web', startMs + 9_000);
    timeline.weighted('web', startMs + 10_250);
    expect(timeline.finishedCount).toBe(0);
    timeline.finished('web', startMs + 61_100);
    expect(timeline.finishedCount).toBe(1);
    const times = timeline.times(['web']);
    expect(times.told.max).toBe(0.2);
    expect(times.noticed.max).toBe(0.3);
    expect(times.firstWeight.mean).toBe(10.25);
    expect(times.finished.p95).toBe(61.1);
    expect(times.wholeSeconds).toBe(61.1);
    expect(times.stepGap.max).toBe(20.7);
    expect(times.lostTicks).toBe(1);
    expect(times.failed).toBe(0);
  });

  it('begin with the request, also where the log is faster than its answer', () => {
    const timeline = createTimeline();
    for (const [afterMs, message] of messages) timeline.line(line(afterMs, 'web.test', message));
    timeline.changed('web', startMs + 150);
    for (const what of ['scaledUp', 'weighted', 'finished'] as const) timeline[what]('web', startMs + 100);
    const { told, noticed } = timeline.times(['web']);
    expect([told.max, noticed.max]).toEqual([0.05, 0]);
  });

  it('of an app that was not seen to the end are an error', () => {
    const timeline = createTimeline();
    timeline.changed('web', startMs);
    expect(() => timeline.times(['web'])).toThrow('the release of web was not seen as a whole');
  });

  it('have a median, a mean, a 95th percentile and a maximum', () => {
    const values = Array.from({ length: 100 }, (_, at) => at + 1);
    expect(distributionOf(values)).toEqual({ median: 51, mean: 50.5, p95: 96, max: 100 });
  });
});

describe("Prometheus' text format", () => {
  const text = [
    '# HELP requests_total Requests',
    'requests_total{verb="patch",resource="canaries/status"} 9',
    'requests_total{verb="create",resource="events",note="a \\"b\\" } c"} 1.5e1 1700000000',
    'requests_total_more 3',
    'cpu_seconds_total 0.25',
    'broken{x="y"} NaN',
  ].join('\n');

  it('is read for the metrics that are asked for', () => {
    const samples = samplesOf(text, ['requests_total', 'cpu_seconds_total', 'broken']);
    expect(samples).toHaveLength(3);
    expect(samples[1]?.labels).toEqual({ verb: 'create', resource: 'events', note: 'a "b" } c' });
    expect(sumOf(samples, 'requests_total')).toBe(24);
    expect(sumOf(samples, 'requests_total', { verb: 'patch' })).toBe(9);
    expect(sumOf(samples, 'cpu_seconds_total')).toBe(0.25);
    expect(sumOf(samples, 'unknown')).toBe(0);
  });
});

describe("the agent's kubeconfig", () => {
  it('is the same cluster with a token of its own', () => {
    const given = [
      'current-context: b',
      'contexts: [{ name: a, context: { cluster: one } }, { name: b, context: { cluster: two, user: admin } }]',
      'clusters:',
      '  - { name: one, cluster: { server: https://one } }',
      '  - { name: two, cluster: { server: https://two, certificate-authority: pki/ca.crt } }',
      'users: [{ name: admin, user: { client-key-data: c2VjcmV0 } }]',
    ].join('\n');
    const made = kubeconfigWith(given, '/etc/kube', 'the-token');
    expect(made).toContain('server: https://two');
    expect(made).toContain('certificate-authority: /etc/kube/pki/ca.crt');
    expect(made).toContain('token: the-token');
    expect(made).not.toContain('c2VjcmV0');
    expect(() => kubeconfigWith('clusters: []', '/', 'x')).toThrow('names no current cluster');
  });
});

describe('the table of a round', () => {
  const used: Used = {
    seconds: 60,
    cpuMs: 600,
    requests: 0,
    byKind: {},
    rejected: 0,
    ticks: 6_000,
    lateTicks: 0,
    meanLatenessMs: 25,
    rssMedianMib: 150,
    rssPeakMib: 190,
    apiServerCpuMs: 1_000,
  };
  const byKind = { 'patch canaries/status': 9_000, 'create events': 10_000, 'patch traefikservices': 6_000 };
  const one = (value: number) => ({ median: value, mean: value, p95: value, max: value });
  const round: Round = {
    canaries: 1_000,
    way: 'cluster',
    server: 'plain',
    serverCores: 2,
    readyBy: 'deployments',
    initialisedSeconds: 30,
    rest: used,
    release: { ...used, cpuMs: 45_000, requests: 25_010, byKind },
    times: {
      told: one(0.1),
      noticed: one(0.15),
      firstWeight: one(10.2),
      finished: one(81),
      wholeSeconds: 90,
      changeSeconds: 5,
      stepGap: one(10.4),
      lostTicks: 0,
      failed: 0,
    },
  };
  const figure = (what: string, of: Round = round) => figuresOf(of).find((each) => each.what === what);

  it('is per canary and interval, or per promotion', () => {
    expect(figure('at rest: CPU per canary and interval')?.value).toBe(0.1);
    expect(figure('at rest: ticks not done')?.value).toBe(0);
    expect(figure('CPU per promotion')?.value).toBe(45);
    expect(figure('API requests per promotion, events included')?.value).toBe(25.01);
    expect(figure('API requests per promotion without events')?.value).toBe(15);
    expect(figure('events written, of 10 per promotion')?.value).toBe(100);
  });

  it('tells how many times as much each Flagger takes, and which goal is missed', () => {
    const [header, ...rows] = rowsOf(round);
    expect(header).toEqual(['', 'Serin', 'Flagger, default flags', '×', 'Flagger, best flags', '×', 'goal', '']);
    for (const row of rows) expect(row).toHaveLength(8);
    const row = (what: string) => rows.find(([first]) => first === what)?.slice(1);
    expect(row('CPU per promotion')).toEqual(['45 ms', '82.3 ms', '1.83', '61.5 ms', '1.37', '≤ 30 ms', 'MISSED']);
    expect(row('at rest: API requests per canary and interval')).toEqual([
      '0',
      '10.8',
      '∞',
      '10.7',
      '∞',
      '≤ 0.001',
      'met',
    ]);
    expect(
      figuresOf(round)
        .filter(isMissed)
        .map(({ what }) => what),
    ).toEqual(['CPU per promotion']);
    expect(requestRows(round)).toEqual([
      ['create events', '10'],
      ['patch canaries/status', '9'],
      ['patch traefikservices', '6'],
    ]);
  });

  it('holds the time that all take against what the API server needs for them', () => {
    const busy = { ...round, release: { ...round.release, apiServerCpuMs: 240_000 } };
    const whole = (of: Round) => figure('first change → all promoted', of);
    expect(figure('floor: CPU of the API server over its 2 cores', busy)?.value).toBe(120);
    expect(figure('first change → all promoted, as times that floor', busy)?.value).toBe(0.75);
    expect(whole(round)?.atMost).toBe(100);
    expect(whole(busy)?.atMost).toBe(156);
    const held = { ...busy, server: 'one-core', serverCores: 1 } as const;
    expect(whole(held)?.atMost).toBe(312);
    expect(figure('floor: CPU of the API server over its core', held)?.value).toBe(240);
  });

  it('tells who used the machine, and how fast it could have been with what others left of it', () => {
    const cpuMs = { 'API server': 200_000, etcd: 40_000, controllers: 60_000, agent: 60_000, benchmark: 40_000 };
    const machine = { cores: 2, seconds: 250, cpuMs, othersMs: 50_000, idleMs: 50_000 };
    const shared = {
      ...round,
      release: { ...used, machine },
      times: { ...round.times, wholeSeconds: 244 },
    };
    expect(figure('CPU on this machine per promotion: controllers', shared)?.value).toBe(60);
    expect(figure('CPU on this machine: other programs, of all cores', shared)?.value).toBe(10);
    expect(figure('CPU on this machine: idle', shared)?.value).toBe(10);
    // 250 s of one core are used by all but the API server: it is left another one.
    expect(figure('cores that were left for the API server, of 2', shared)?.value).toBe(1);
    // 400 s of work, and others leave 1.8 cores.
    const floor = figure('floor of this machine: CPU of all of these over the cores that others left', shared)?.value;
    expect(floor).toBeCloseTo(222.2, 1);
    const ratio = figure('first change → all promoted, as times that floor of the machine', shared)?.value;
    expect(ratio).toBeCloseTo(1.098, 2);
    const far = { ...machine, cpuMs: { agent: 60_000 } };
    const elsewhere = { ...shared, release: { ...used, machine: far } };
    expect(figure('CPU on this machine per promotion: etcd', elsewhere), 'it runs elsewhere').toBeUndefined();
  });

  it('reads from the machine what this process has used of it', async () => {
    const end = await measureMachine(0);
    for (const fromMs = performance.now(); performance.now() - fromMs < 300; ) JSON.parse('[1, 2, 3]');
    const share = await end();
    if (process.platform !== 'linux') return expect(share).toBeUndefined();
    expect(share?.cpuMs.benchmark).toBeGreaterThan(20);
    expect(share?.cpuMs.agent).toBeUndefined();
    expect(share?.seconds).toBeGreaterThan(0.29);
  });

  it('calls it a miss where one waits more than two intervals longer than the others, also of a slow server', () => {
    const finished = { ...one(120), max: 141 };
    const late = {
      ...round,
      server: 'far',
      times: { ...round.times, finished, stepGap: one(25), lostTicks: 2 },
    } as const;
    const missed = figuresOf(late).filter(isMissed);
    expect(missed.map(({ what }) => what)).toEqual(['change → promoted, max beyond the median']);
    expect(figure('latest step, beyond its interval', late)?.value).toBe(15);
  });

  it('of a fleet of another size has no goals, of one that Flagger was not measured with no Flagger', () => {
    expect(rowsOf({ ...round, canaries: 100 })[0]).toEqual(['', 'Serin', 'Flagger, default flags', '×']);
    expect(rowsOf({ ...round, canaries: 7 })[0]).toEqual(['', 'Serin']);
    expect([...flaggerFigures.keys()]).toEqual([10, 100, 1_000]);
  });

  it('with Git counts what was written there', () => {
    const outcomes = { commits: 1_000, tags: 1_000, secondsAfterLast: 2 };
    expect(figure('outcomes: commits', { ...round, way: 'git', outcomes })?.value).toBe(1_000);
    expect(figure('outcomes: commits')).toBeUndefined();
  });
});

describe('the API server of the benchmark', () => {
  it('has as many cores as its process may use', () => {
    expect(['0', '0-1', '0-3,6', '2,4'].map(countCores)).toEqual([1, 2, 5, 2]);
  });

  it('is told where it cannot be held to one core', async () => {
    const none = () => Promise.resolve(undefined);
    await expect(holdServer('one-core', undefined, none)).rejects.toThrow(/no kube-apiserver runs on this machine/);
    expect((await holdServer('far', 3, none)).cores).toBe(3);
  });

  it('is as far away as its relay says, watches too', async () => {
    const server = await startServer((_, response) => {
      response.writeHead(201, { 'x-own': 'yes' });
      response.write('first ');
      setTimeout(() => response.end('second'), 20);
    });
    const relay = await startRelay(server.url, { delayMs: 60 });
    try {
      const startedMs = performance.now();
      const answer = await fetch(`${relay.url}/api?x=1`, { method: 'POST', body: 'what' });
      expect(performance.now() - startedMs).toBeGreaterThanOrEqual(59);
      expect([answer.status, answer.headers.get('x-own')]).toEqual([201, 'yes']);
      expect(await answer.text()).toBe('first second');
      expect(performance.now() - startedMs).toBeGreaterThanOrEqual(79);
      expect(server.requests).toMatchObject([{ method: 'POST', path: '/api?x=1', body: 'what' }]);
      expect(relay.count()).toBe(1);
    } finally {
      await relay.close();
      await server.close();
    }
  });
});

describe('serin bench --cluster', () => {
  const serin = async (...argv: string[]) => {
    const stderr: string[] = [];
    const code = await runCommandLine({
      argv: ['bench', '--cluster', ...argv],
      environment: { KUBECONFIG: '/nowhere/kubeconfig' },
      stdout: { write: () => true },
      stderr: { write: (text) => stderr.push(text) },
      signal: new AbortController().signal,
    });
    return { code, stderr: stderr.join('') };
  };

  it.each([
    ['sizes', ['--canaries', '10,many'], /--canaries: "10,many" is no list of sizes/],
    ['a way', ['--way', 'mail'], /--way: "mail" is none of both, cluster, git/],
    ['a time', ['--rest', '1'], /--rest: "1" is no number of seconds from 10 on/],
    ['a server', ['--server', 'plain,fast'], /--server: "plain,fast" is no list of plain, one-core, far/],
    ['its cores', ['--server-cores', 'all'], /--server-cores: "all" is no number of cores/],
    ['a kubeconfig', [], /\/nowhere\/kubeconfig/],
  ])('says what is wrong with %s', async (_, argv, text) => {
    const { code, stderr } = await serin(...argv);
    expect(code).toBe(exitCodes.usage);
    expect(stderr).toMatch(text);
  });
});

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { openRepo } from '../git/open-repo.ts';
import type { GitRepo, Revision } from '../git/repo.ts';
import { commitWithGit } from '../sandbox/git-command.ts';
import { startGitServer } from '../sandbox/git-server.ts';
import { installCrds, startSandbox } from '../sandbox/sandbox.ts';
import type { SandboxStore } from '../sandbox/types.ts';
import { type AgentProcess, startAgentProcess } from './agent-process.ts';
import { samplesOf, sumOf } from './exposition.ts';
import { freePort } from './free-port.ts';
import { type Measured, spreadOf } from './spread.ts';
import * as unit from './unit-repo.ts';

/** The programs, as paths, and the agent's own way from a commit to objects. */
export interface RenderingParts {
  readonly kustomize: string;
  readonly helm: string;
  follow(repo: GitRepo): Follower;
}

export interface Follower {
  /** What a commit says: how many objects, and what is wrong. */
  at(revision: Revision): Promise<{ readonly objects: number; readonly problems: readonly string[] }>;
  /** How often a program was asked to render. */
  runs(): number;
  close(): Promise<void>;
}

const rounds = 5;
const patienceMs = 300_000;
const definitions = new URL('../../manifests/crds/', import.meta.url);
const run = promisify(execFile);

/** 300 overlays on 30 bases and 200 releases of charts: by the agent, and by the programs one after the other. */
export async function renderedUnits(signal: AbortSignal, parts: RenderingParts): Promise<readonly Measured[]> {
  for (const program of [parts.kustomize, parts.helm]) await run(program, ['version'], { signal });
  return [...(await followed(signal, parts)), ...(await applied(signal, parts))];
}

/** From a poll to objects, and how many programs were started for it. */
async function followed(signal: AbortSignal, parts: RenderingParts): Promise<readonly Measured[]> {
  const root = await mkdtemp(join(tmpdir(), 'serin-bench-'));
  const server = await startGitServer({ root: join(root, 'git') });
  try {
    const files = unit.unitFiles();
    const bare = await server.createRepo('units', { files });
    const byHandMs = await oneAfterTheOther(join(root, 'checkout'), files, parts, signal);
    const repo = await openRepo({ url: server.repoUrl('units'), branch: 'main', dir: join(root, 'mirror') });
    const follower = parts.follow(repo);
    const follow = async (): Promise<Took> => {
      const [before, runs] = [performance.now(), follower.runs()];
      const tip = await repo.poll(signal);
      if (!tip) throw new Error('the branch is gone');
      const { objects, problems } = await follower.at(tip);
      if (objects !== unit.unitObjects || problems.length > 0)
        throw new Error(`${unit.unitObjects} objects were expected, ${objects} are there: ${problems[0] ?? ''}`);
      return { ms: performance.now() - before, runs: follower.runs() - runs };
    };
    const push = async (path: string, text: string): Promise<Took> => {
      await commitWithGit(bare, { files: { [path]: text }, message: `change ${path}` });
      return await follow();
    };
    try {
      const first = await follow();
      const [overlay, release, base, unrelated]: Took[][] = [[], [], [], []];
      for (let round = 1; round <= rounds; round += 1) {
        overlay?.push(await push(unit.overlayPath(round * 37), unit.overlay(round * 37, round)));
        release?.push(await push(unit.releasePath(round * 31), unit.release(round * 31, round)));
        base?.push(await push(unit.basePath(round), unit.base(round, round)));
        unrelated?.push(await push('README.md', `Five hundred units, once more: ${round}.\n`));
      }
      return rowsOf({ byHandMs, first, overlay, release, base, unrelated });
    } finally {
      await follower.close();
      await repo.close();
    }
  } finally {
    await server.stop();
    await rm(root, { recursive: true, force: true });
  }
}

interface Took {
  readonly ms: number;
  readonly runs: number;
}

interface AllTook {
  readonly byHandMs: number;
  readonly first: Took;
  readonly overlay: readonly Took[] | undefined;
  readonly release: readonly Took[] | undefined;
  readonly base: readonly Took[] | undefined;
  readonly unrelated: readonly Took[] | undefined;
}

function rowsOf({ byHandMs, first, ...changes }: AllTook): readonly Measured[] {
  const { overlay = [], release = [], base = [], unrelated = [] } = changes;
  const times = (took: readonly Took[]): readonly number[] => took.map(({ ms }) => byHandMs / ms);
  const runs = (took: readonly Took[]): readonly number[] => took.map((each) => each.runs);
  const milliseconds = (took: readonly Took[]): readonly number[] => took.map(({ ms }) => ms);
  const ofOne = { kind: 'at least', value: 50 } as const;
  return [
    { what: 'the programs for all, one after the other (once)', unit: ' s', spread: spreadOf([byHandMs / 1_000]) },
    { what: 'first look at all (once)', unit: ' s', spread: spreadOf([first.ms / 1_000]) },
    { what: 'first look: runs of the programs (once)', unit: '', spread: spreadOf([first.runs]) },
    { what: 'one changed overlay', unit: ' ms', spread: spreadOf(milliseconds(overlay)) },
    { what: 'one changed overlay: times as fast as all', unit: '×', spread: spreadOf(times(overlay)), goal: ofOne },
    { what: 'one changed release', unit: ' ms', spread: spreadOf(milliseconds(release)) },
    { what: 'one changed release: times as fast as all', unit: '×', spread: spreadOf(times(release)), goal: ofOne },
    { what: 'one changed base, of ten overlays', unit: ' ms', spread: spreadOf(milliseconds(base)) },
    { what: 'an unrelated commit', unit: ' ms', spread: spreadOf(milliseconds(unrelated)) },
    {
      what: 'an unrelated commit: runs of the programs',
      unit: '',
      spread: spreadOf(runs(unrelated)),
      goal: { kind: 'exactly', value: 0 },
    },
  ];
}

/** Milliseconds. */
async function oneAfterTheOther(
  folder: string,
  files: Readonly<Record<string, string>>,
  { kustomize, helm }: RenderingParts,
  signal: AbortSignal,
): Promise<number> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  await writeFile(join(folder, 'values.yaml'), unit.valuesOf(0));
  const options = { cwd: folder, signal, maxBuffer: 64 * 1024 * 1024 };
  const before = performance.now();
  for (let at = 0; at < unit.overlays; at += 1) await run(kustomize, ['build', unit.overlayFolder(at)], options);
  for (let at = 0; at < unit.releases; at += 1) {
    const args = ['template', unit.releaseName(at), unit.chartFolder(at), '--namespace', unit.unitNamespace];
    await run(helm, [...args, '--values', 'values.yaml'], options);
  }
  return performance.now() - before;
}

const canaries = 20;
const canaryNamespace = 'watched';
const lateness = 'serin_tick_lateness_seconds';
const sampleMs = 250;

/** The real agent, which looks at canaries under way while it renders and applies all for the first time. */
async function applied(signal: AbortSignal, parts: RenderingParts): Promise<readonly Measured[]> {
  const root = await mkdtemp(join(tmpdir(), 'serin-bench-'));
  const closing: (() => Promise<unknown>)[] = [() => rm(root, { recursive: true, force: true, maxRetries: 3 })];
  try {
    const git = await startGitServer({ root: join(root, 'git') });
    closing.push(() => git.stop());
    const bare = await git.createRepo('units', { files: { 'canaries.yaml': canaryTexts(1) } });
    const sandbox = await startSandbox({ podStartMs: 50 });
    closing.push(() => sandbox.stop());
    for (const name of await readdir(definitions))
      await installCrds(sandbox.apiUrl, await readFile(new URL(name, definitions), 'utf8'));
    const kubeconfig = join(root, 'kubeconfig');
    await writeFile(kubeconfig, sandbox.kubeconfig);
    const port = await freePort();
    const agent = startAgentProcess({
      'git-url': git.repoUrl('units'),
      'git-dir': join(root, 'mirror'),
      'git-poll-interval': '1s',
      'min-interval': '1s',
      kustomize: parts.kustomize,
      helm: parts.helm,
      write: 'none',
      'resync-schedule': '0 0 1 1 *',
      kubeconfig,
      port: String(port),
      'log-level': 'warn',
    });
    closing.push(() => agent.stop());
    const { store } = sandbox;
    const push = async (files: Readonly<Record<string, string>>): Promise<void> =>
      void (await commitWithGit(bare, { files, message: 'a change' }));
    await until(() => phases(store, 'Initialized') === canaries, 'the canaries', agent, signal);
    await push({ 'canaries.yaml': canaryTexts(2) });
    await until(() => phases(store, 'Progressing') === canaries, 'their releases', agent, signal);
    await sleep(3_000, undefined, { signal });

    const before = await ticksOf(port);
    const rest = (await agent.usage()).rssBytes;
    const startedMs = performance.now();
    const memory = sampling(agent);
    await push(unit.unitFiles());
    await until(() => deployed(store) === unit.overlays + unit.releases, 'all units', agent, signal);
    const seconds = (performance.now() - startedMs) / 1_000;
    const peak = await memory();
    const after = await ticksOf(port);
    const ticks = after.all - before.all;
    return [
      { what: 'push → all 500 units applied by the agent (once)', unit: ' s', spread: spreadOf([seconds]) },
      { what: 'looks at canaries meanwhile', unit: '', spread: spreadOf([ticks]) },
      {
        what: 'looks that were more than 1 s late',
        unit: '',
        spread: spreadOf([ticks - (after.inTime - before.inTime)]),
        goal: { kind: 'exactly', value: 0 },
      },
      {
        what: 'how late they were in the mean',
        unit: ' ms',
        spread: spreadOf([((after.sum - before.sum) / Math.max(ticks, 1)) * 1_000]),
      },
      { what: 'memory of the agent before (RSS)', unit: ' MB', spread: spreadOf([rest / 1e6]) },
      { what: 'memory of the agent meanwhile (RSS)', unit: ' MB', spread: spreadOf(peak.map((bytes) => bytes / 1e6)) },
    ];
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

/** Bytes, again and again until it is asked for them. */
function sampling(agent: AgentProcess): () => Promise<readonly number[]> {
  const bytes: number[] = [];
  const stop = new AbortController();
  const done = (async () => {
    while (!stop.signal.aborted) {
      // It may have ended: that is told elsewhere.
      await agent.usage().then(
        ({ rssBytes }) => void bytes.push(rssBytes),
        () => undefined,
      );
      await sleep(sampleMs, undefined, { signal: stop.signal }).catch(() => undefined);
    }
  })();
  return async () => {
    stop.abort(new Error('measured'));
    await done;
    return bytes;
  };
}

interface Ticks {
  readonly all: number;
  readonly inTime: number;
  readonly sum: number;
}

async function ticksOf(port: number): Promise<Ticks> {
  const names = ['count', 'sum', 'bucket'].map((part) => `${lateness}_${part}`);
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const samples = samplesOf(text, names);
  return {
    all: sumOf(samples, `${lateness}_count`),
    inTime: sumOf(samples, `${lateness}_bucket`, { le: '1' }),
    sum: sumOf(samples, `${lateness}_sum`),
  };
}

const phases = (store: SandboxStore, phase: string): number =>
  store
    .list('flagger.app/v1beta1', 'Canary', canaryNamespace)
    .filter((canary) => (canary['status'] as { phase?: string } | undefined)?.phase === phase).length;

const deployed = (store: SandboxStore): number => store.list('apps/v1', 'Deployment', unit.unitNamespace).length;

async function until(isDone: () => boolean, what: string, agent: AgentProcess, signal: AbortSignal): Promise<void> {
  const deadlineMs = Date.now() + patienceMs;
  while (!isDone()) {
    agent.throwIfEnded();
    if (Date.now() > deadlineMs) throw new Error(`${what} did not come within ${patienceMs / 1_000} s`);
    await sleep(50, undefined, { signal });
  }
}

/** Releases that go on for as long as it is measured. */
function canaryTexts(version: number): string {
  const namespace = `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${canaryNamespace} }\n`;
  const one = (name: string): string => `apiVersion: apps/v1
kind: Deployment
metadata: { name: ${name}, namespace: ${canaryNamespace} }
spec:
  replicas: 1
  selector: { matchLabels: { app: ${name} } }
  template:
    metadata: { labels: { app: ${name} } }
    spec:
      containers:
      - { name: app, image: "registry.k8s.io/pause:3.${version}" }
---
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: ${name}, namespace: ${canaryNamespace} }
spec:
  provider: kubernetes
  targetRef: { apiVersion: apps/v1, kind: Deployment, name: ${name} }
  service: { port: 80 }
  analysis: { interval: 1s, threshold: 5, iterations: 100000 }
`;
  return [namespace, ...Array.from({ length: canaries }, (_, at) => one(`app-${at}`))].join('---\n');
}

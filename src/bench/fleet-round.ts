import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { ClusterClient } from '../cluster/client.ts';
import type { Cluster, Reflection } from '../cluster/cluster.ts';
import type { Http } from '../lib/http/http.ts';
import type { KubeObject } from '../manifest/types.ts';
import { commitWithGit, runGit } from '../sandbox/git-command.ts';
import type { GitServer } from '../sandbox/git-server.ts';
import { type AgentProcess, startAgentProcess } from './agent-process.ts';
import type { Server } from './api-server.ts';
import { appObjects, fleetNames, imageOf, intervalMs } from './fleet.ts';
import { freePort } from './free-port.ts';
import { removeNamespace } from './remove-namespace.ts';
import { startStandIn } from './stand-in.ts';
import { createTimeline, type ReleaseTimes, type Timeline } from './timeline.ts';
import { createUsageProbe, type Used } from './usage-probe.ts';

/** How the images change: somebody patches the targets, as Flagger was measured, or one commit does. */
export type Way = 'cluster' | 'git';

export interface RoundStage {
  readonly cluster: ClusterClient;
  readonly git: GitServer;
  readonly http: Http;
  readonly metricsServer: string;
  /** The agent's. */
  readonly kubeconfigPath: string;
  readonly agentNamespace: string;
  readonly folder: string;
  readonly restSeconds: number;
  readonly server: Server;
  /** That the API server may use. */
  readonly serverCores: number;
  readonly say: (text: string) => void;
}

export interface Round {
  readonly canaries: number;
  readonly way: Way;
  readonly server: Server;
  readonly serverCores: number;
  readonly readyBy: 'deployments' | 'pods';
  readonly initialisedSeconds: number;
  readonly rest: Used;
  readonly release: Used;
  readonly times: ReleaseTimes;
  /** Commits and tags that tell the outcomes, and how long after the last end they were all there. Only with Git. */
  readonly outcomes?: { readonly commits: number; readonly tags: number; readonly secondsAfterLast: number };
}

const calmMs = intervalMs + 3_000;
const calmPartMs = 3_000;
const calmPatienceMs = 120_000;
const initialisePatienceMs = 600_000;
const releasePatienceMs = 900_000;
const parallel = 16;
/** A change of all at once is no attack: a tool that goes through them, four at a time. */
const changesAtOnce = 4;
const manager = 'serin-bench';

/** A fresh namespace and a fresh agent: initialise, rest, release all at once. */
export async function fleetRound(stage: RoundStage, canaries: number, way: Way, stop: AbortSignal): Promise<Round> {
  const { cluster, git, say } = stage;
  const namespace = `serin-bench-${way}-${canaries}${stage.server === 'plain' ? '' : `-${stage.server}`}`;
  const names = fleetNames(canaries);
  const ending = new AbortController();
  const signal = AbortSignal.any([stop, ending.signal]);
  setMaxListeners(0, signal);
  const timeline = createTimeline();
  let agent: AgentProcess | undefined;
  let isBare = false;
  try {
    await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }, { manager }, signal);
    const standIn = await startStandIn(cluster, namespace, signal);
    isBare = standIn.mode === 'deployments';
    const phases = watchFleet(cluster, namespace, standIn.deployments, timeline, signal);
    const repoPath = await git.createRepo(namespace, { files: { 'README.md': 'A benchmark.\n' } });
    if (way === 'git') await commitFleet(repoPath, namespace, names, 1);
    else await inParallel(names, (name) => createApp(cluster, appObjects(namespace, name, 1), signal));
    const port = await freePort();
    const startedMs = performance.now();
    agent = startAgentProcess(agentSettings(stage, namespace, port), (line) => timeline.line(line));
    const probe = createUsageProbe(agent, `http://127.0.0.1:${port}/metrics`, cluster, stage.http);
    const own = agent;
    const until = (count: () => number, what: string, patienceMs: number): Promise<void> =>
      reach({ count, goal: canaries, what, patienceMs, agent: own, say }, signal);

    await until(() => phases.count('Initialized'), 'initialised', initialisePatienceMs);
    const initialisedSeconds = (performance.now() - startedMs) / 1_000;
    const pending = async (): Promise<void> => {
      while ((await probe.own('serin_outcomes_pending', signal)) > 0) await sleep(250, undefined, { signal });
    };
    await pending();
    await sleep(calmMs, undefined, { signal });
    await calm(() => probe.own('serin_kubernetes_requests_total', signal), signal);

    say(`at rest for ${stage.restSeconds} s`);
    const endRest = await probe.begin(signal);
    await sleep(stage.restSeconds * 1_000, undefined, { signal });
    const rest = await endRest(signal);

    say('all images change');
    const before = way === 'git' ? await countOutcomes(repoPath) : undefined;
    const endRelease = await probe.begin(signal);
    if (way === 'git') {
      const atMs = Date.now();
      for (const name of names) timeline.changed(name, atMs);
      await commitFleet(repoPath, namespace, names, 2);
    } else await inParallel(names, (name) => changeImage(cluster, namespace, name, timeline, signal), changesAtOnce);
    await until(() => timeline.finishedCount, 'promoted', releasePatienceMs);
    const finishedMs = performance.now();
    await pending();
    const secondsAfterLast = (performance.now() - finishedMs) / 1_000;
    await sleep(calmMs, undefined, { signal });
    const release = await endRelease(signal);
    const after = before && (await countOutcomes(repoPath));
    return {
      canaries,
      way,
      server: stage.server,
      serverCores: stage.serverCores,
      readyBy: standIn.mode,
      initialisedSeconds,
      rest,
      release,
      times: timeline.times(names),
      ...(before && after
        ? {
            outcomes: {
              commits: after.commits - before.commits,
              tags: after.tags - before.tags,
              secondsAfterLast,
            },
          }
        : {}),
    };
  } finally {
    await agent?.stop();
    ending.abort(new Error('measured'));
    say('cleaning up');
    await removeNamespace(cluster, namespace, isBare, AbortSignal.timeout(120_000)).catch((error: unknown) =>
      say(`${namespace} could not be removed: ${String(error)}`),
    );
  }
}

function agentSettings(stage: RoundStage, namespace: string, port: number): Record<string, string> {
  return {
    'git-url': stage.git.repoUrl(namespace),
    'git-dir': join(stage.folder, namespace),
    kubeconfig: stage.kubeconfigPath,
    // Canaries that others have on this cluster are none of our business.
    namespace,
    'agent-namespace': stage.agentNamespace,
    'metrics-server': stage.metricsServer,
    // The full comparison, once an hour by default, is no resting.
    'resync-schedule': '0 0 1 1 *',
    port: String(port),
  };
}

interface Phases {
  count(phase: string): number;
}

/** What everybody can see of the canaries, told to the timeline as it happens. */
function watchFleet(
  cluster: Cluster,
  namespace: string,
  deployments: Reflection,
  timeline: Timeline,
  signal: AbortSignal,
): Phases {
  const phaseOf = ({ status }: KubeObject): string => (status as { phase?: string } | undefined)?.phase ?? '';
  const slim = ({ apiVersion, kind, metadata: { name, resourceVersion = '' }, status }: KubeObject): KubeObject => ({
    apiVersion,
    kind,
    metadata: { name, namespace, resourceVersion },
    status: { phase: phaseOf({ apiVersion, kind, metadata: { name }, status }) },
  });
  const canaries = cluster.reflect(
    { apiVersion: 'flagger.app/v1beta1', kind: 'Canary' },
    { namespace, project: slim },
    signal,
  );
  canaries.onChange(({ object }) => {
    if (phaseOf(object) === 'Succeeded') timeline.finished(object.metadata.name, Date.now());
  });
  const routes = cluster.reflect({ apiVersion: 'traefik.io/v1alpha1', kind: 'TraefikService' }, { namespace }, signal);
  routes.onChange(({ object }) => {
    const spec = object['spec'] as { weighted?: { services?: { name: string; weight?: number }[] } } | undefined;
    const services = spec?.weighted?.services ?? [];
    const isWeighted = services.some(({ name, weight = 0 }) => name.endsWith('-canary') && weight > 0);
    if (isWeighted) timeline.weighted(object.metadata.name, Date.now());
  });
  deployments.onChange(({ object }) => {
    const { replicas = 0 } = (object['spec'] ?? {}) as { replicas?: number };
    if (replicas > 0) timeline.scaledUp(object.metadata.name, Date.now());
  });
  return { count: (phase) => canaries.list().filter((canary) => phaseOf(canary) === phase).length };
}

/** Events may wait for a slow API server: it is at rest when they have been written, and what still comes then is no rest. */
async function calm(requests: () => Promise<number>, signal: AbortSignal): Promise<void> {
  const untilMs = Date.now() + calmPatienceMs;
  for (let before = await requests(); Date.now() < untilMs; ) {
    await sleep(calmPartMs, undefined, { signal });
    const now = await requests();
    if (now === before) return;
    before = now;
  }
}

async function createApp(cluster: Cluster, objects: readonly KubeObject[], signal: AbortSignal): Promise<void> {
  for (const object of objects) await cluster.create(object, { manager }, signal);
}

async function changeImage(
  cluster: Cluster,
  namespace: string,
  name: string,
  timeline: Timeline,
  signal: AbortSignal,
): Promise<void> {
  const ref = { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name };
  const operation = { op: 'replace', path: '/spec/template/spec/containers/0/image', value: imageOf(2) } as const;
  // Counted from the request, not from its answer.
  timeline.changed(name, Date.now());
  await cluster.jsonPatch(ref, [operation], { manager }, signal);
}

/** Fifty apps a file. */
async function commitFleet(path: string, namespace: string, names: readonly string[], version: number): Promise<void> {
  const files: Record<string, string> = {};
  for (let from = 0; from < names.length; from += 50) {
    const objects = names.slice(from, from + 50).flatMap((name) => appObjects(namespace, name, version));
    files[`apps/from-${String(from).padStart(4, '0')}.yaml`] = objects.map((object) => stringify(object)).join('---\n');
  }
  await commitWithGit(path, { files, message: `version ${version}` });
}

async function countOutcomes(path: string): Promise<{ readonly commits: number; readonly tags: number }> {
  const commits = await runGit(['-C', path, 'rev-list', '--count', '--grep=^Verdict: promoted', 'main']);
  const tags = await runGit(['-C', path, 'tag', '--list', 'releases/*']);
  return { commits: Number(commits), tags: tags.split('\n').filter((line) => line !== '').length };
}

async function reach(
  {
    count,
    goal,
    what,
    patienceMs,
    agent,
    say,
  }: {
    readonly count: () => number;
    readonly goal: number;
    readonly what: string;
    readonly patienceMs: number;
    readonly agent: AgentProcess;
    readonly say: (text: string) => void;
  },
  signal: AbortSignal,
): Promise<void> {
  const startedMs = Date.now();
  for (let saidMs = startedMs; count() < goal; ) {
    agent.throwIfEnded();
    if (Date.now() - startedMs > patienceMs)
      throw new Error(`only ${count()} of ${goal} canaries were ${what} within ${patienceMs / 1_000} s`);
    if (Date.now() - saidMs >= 10_000) {
      say(`${count()} of ${goal} ${what}`);
      saidMs = Date.now();
    }
    await sleep(100, undefined, { signal });
  }
}

async function inParallel<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  limit: number = parallel,
): Promise<void> {
  const left = [...items].reverse();
  const worker = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item);
  };
  await Promise.all(Array.from({ length: limit }, worker));
}

export async function writeKubeconfig(folder: string, text: string): Promise<string> {
  const path = join(folder, 'kubeconfig');
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

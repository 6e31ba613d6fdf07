import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster, Reflection } from '../cluster/cluster.ts';
import { commitWithGit, runGit } from '../sandbox/git-command.ts';
import { type Measured, spreadOf } from './spread.ts';

const rounds = 5;
const intervalSeconds = 1;
const namespace = 'quotes';
const app = 'quotesbackend';
const patienceMs = 60_000;

/** One release of the demo's app, in milliseconds since the push landed. */
interface Release {
  readonly detectedMs: number;
  readonly weightMs: number;
}

/** Where it is measured: the demo's app, released by an agent from a bare repository. */
interface Stage {
  readonly repoPath: string;
  readonly cluster: Cluster;
  stop(): Promise<void>;
}

/** Pushes good versions one after the other and looks at the canary and its route as everybody can. */
export async function firstStep(
  signal: AbortSignal,
  setStage: (signal: AbortSignal) => Promise<Stage>,
): Promise<readonly Measured[]> {
  const stage = await setStage(signal);
  const stop = new AbortController();
  try {
    const watched = AbortSignal.any([signal, stop.signal]);
    const views = openViews(stage.cluster, watched);
    await commit(stage, 'apps/canary.yaml', (text) =>
      text
        .replace('interval: 2s', 'interval: 1s')
        .replace('stepWeight: 20', 'stepWeight: 50')
        .replace('maxWeight: 60', 'maxWeight: 50'),
    );
    await until(() => settled(views), 'the first version', signal);
    const releases: Release[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      await until(() => settled(views), `the end of release ${round - 1}`, signal);
      // Pushes at any moment of the poll, as people's are.
      await sleep((round * 370) % 1_000, undefined, { signal });
      releases.push(await release(stage, views, round, signal));
    }
    const steps = releases.map(({ weightMs }) => weightMs / 1_000 - intervalSeconds);
    return [
      {
        what: 'push → new revision detected',
        unit: ' s',
        spread: spreadOf(releases.map(({ detectedMs }) => detectedMs / 1_000)),
      },
      {
        what: 'push → first weight in the route',
        unit: ' s',
        spread: spreadOf(releases.map(({ weightMs }) => weightMs / 1_000)),
      },
      {
        what: 'push → first weight, without the interval of 1 s that the analysis waits',
        unit: ' s',
        spread: spreadOf(steps),
        goal: { kind: 'below', value: 1 },
      },
    ];
  } finally {
    stop.abort(new Error('measured'));
    await stage.stop();
  }
}

interface Views {
  readonly canaries: Reflection;
  readonly routes: Reflection;
}

function openViews(cluster: Cluster, signal: AbortSignal): Views {
  const of = (apiVersion: string, kind: string): Reflection =>
    cluster.reflect({ apiVersion, kind }, { namespace }, signal);
  return { canaries: of('flagger.app/v1beta1', 'Canary'), routes: of('gateway.networking.k8s.io/v1', 'HTTPRoute') };
}

const phaseOf = ({ canaries }: Views): string =>
  (canaries.get(namespace, app)?.['status'] as { phase?: string } | undefined)?.phase ?? '';
const settled = (views: Views): boolean => ['Initialized', 'Succeeded'].includes(phaseOf(views));

function weightOf({ routes }: Views): number {
  const spec = routes.get(namespace, app)?.['spec'] as
    | { rules?: { backendRefs?: { name: string; weight?: number }[] }[] }
    | undefined;
  const refs = spec?.rules?.flatMap(({ backendRefs }) => backendRefs ?? []) ?? [];
  return refs.find(({ name }) => name === `${app}-canary`)?.weight ?? 0;
}

async function release(stage: Stage, views: Views, round: number, signal: AbortSignal): Promise<Release> {
  const times: { detectedMs?: number; weightMs?: number } = {};
  const tag = round % 2 === 1 ? 2 : 1;
  let startedMs = performance.now();
  const look = (): void => {
    const sinceMs = performance.now() - startedMs;
    if (!settled(views)) times.detectedMs ??= sinceMs;
    if (weightOf(views) > 0) times.weightMs ??= sinceMs;
  };
  const forget = [views.canaries.onChange(look), views.routes.onChange(look)];
  try {
    await commit(
      stage,
      'apps/quotes.yaml',
      (text) => text.replace(/quotesbackend:\d/, `quotesbackend:${tag}`),
      () => {
        startedMs = performance.now();
      },
    );
    await until(() => times.weightMs !== undefined, `the first weight of release ${round}`, signal);
  } finally {
    for (const end of forget) end();
  }
  const { detectedMs, weightMs } = times;
  if (detectedMs === undefined || weightMs === undefined) throw new Error(`release ${round} was not seen to begin`);
  return { detectedMs, weightMs };
}

/** As a push would move the branch, and no sooner than `onLand`. */
async function commit(
  { repoPath }: Stage,
  path: string,
  edit: (text: string) => string,
  onLand: () => void = () => undefined,
): Promise<void> {
  const text = await runGit(['-C', repoPath, 'show', `main:${path}`]);
  onLand();
  await commitWithGit(repoPath, { files: { [path]: edit(text) }, message: `change ${path}` });
}

async function until(reached: () => boolean, what: string, signal: AbortSignal): Promise<void> {
  const deadlineMs = Date.now() + patienceMs;
  while (!reached()) {
    if (Date.now() > deadlineMs) throw new Error(`waited ${patienceMs / 1_000} s in vain for ${what}`);
    await sleep(20, undefined, { signal });
  }
}

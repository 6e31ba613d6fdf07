import { readdirSync, readFileSync } from 'node:fs';
import { namedText } from '../../src/canary/evidence-text.ts';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Answer, Effect, Question } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { parseGoDuration } from '../../src/lib/duration.ts';
import { createModelCluster } from '../helpers/model-cluster.ts';
import { createRollout, type TickRecord } from '../helpers/rollout.ts';
import { createTargetWorld } from '../helpers/target-world.ts';

/** One thing that happens at a time since the Canary was made. */
interface StoryEvent {
  readonly at: string;
  readonly image?: string;
  readonly config?: string;
  /** Percent that the success rate is from now on, or why there is none. */
  readonly metrics?: number | 'none' | 'NaN' | 'unreachable' | 'invalid';
  readonly open?: string;
  readonly close?: string;
  readonly down?: string;
  readonly up?: string;
  /** New pods of this Deployment do not answer; those of before do. */
  readonly break?: string;
  readonly suspend?: boolean;
  readonly skipAnalysis?: boolean;
  readonly delete?: boolean;
}
interface Story {
  /** `spec`; of a Deployment where it names no target. */
  readonly canary: Readonly<Record<string, unknown>> & { readonly targetRef?: { readonly kind: string } };
  /** What stands beside the target. */
  readonly objects?: readonly KubeObject[];
  readonly events: readonly StoryEvent[];
  readonly until: string;
}

const folder = join(import.meta.dirname, '../../fixtures/rollouts');
const stories = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

/** Plays a story and writes down every tick in which something happened. */
function play({ canary, objects = [], events, until }: Story): string {
  const { targetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' }, ...rest } = canary;
  const canarySpec = { targetRef, service: { port: 80 }, ...rest };
  const world = createModelCluster({ canarySpec, replicas: 2 });
  for (const object of objects) world.apply({ kind: 'write', object, over: undefined });
  world.brokenImages.add('example.org/app:2.0.0-broken').add('example.org/app:0.9.0-broken');
  const isEverywhere = canarySpec.targetRef.kind === 'DaemonSet';
  const nodes = isEverywhere ? createTargetWorld({ canarySpec, target: aDaemonSet('1.0.0') }) : undefined;
  const stage = nodes ?? world;
  const closed = new Set<string>();
  let metrics: StoryEvent['metrics'] = 100;
  const answer = (question: Question): Answer => {
    if (question.kind === 'metrics-online') return { kind: 'value', value: 1 };
    if (question.kind === 'hook')
      return closed.has(question.hook.name) ? { kind: 'rejected', reason: 'closed' } : { kind: 'passed' };
    if (metrics === 'none')
      return { kind: 'no-data', cause: 'noSeries', reason: 'running query failed: no values found' };
    if (metrics === 'NaN')
      return { kind: 'no-data', cause: 'noTraffic', reason: 'running query failed: the result is NaN' };
    if (metrics === 'unreachable')
      return { kind: 'unreachable', text: 'Prometheus query failed: running query failed: connection refused' };
    if (metrics === 'invalid')
      return {
        kind: 'invalid',
        text: 'Metric template errors.demo error: metrictemplate.flagger.app "errors" not found',
      };
    return { kind: 'value', value: Number(metrics) };
  };
  const rollout = createRollout({ world: stage, answer });
  const startMs = stage.nowMs;
  const lines: string[] = [];
  let shown = 0;
  const show = (): void => {
    for (const tick of rollout.ticks.slice(shown)) lines.push(...linesOf(tick, startMs));
    shown = rollout.ticks.length;
  };
  const patchSpec = (change: Readonly<Record<string, unknown>>): void => {
    stage.canary = { ...stage.canary, spec: { ...(stage.canary['spec'] as object), ...change } };
  };
  for (const { at, ...event } of events) {
    rollout.run(startMs + (parseGoDuration(at) ?? 0));
    show();
    lines.push(
      `${at.padStart(5)}  ${Object.entries(event)
        .map(([what, value]) => `${what} ${String(value)}`)
        .join(', ')}`,
    );
    const { image } = event;
    if (image && nodes) nodes.push((spec) => withTag(spec, image));
    else if (image) world.setImage(`example.org/app:${image}`);
    if (event.config) world.setConfig(event.config);
    if (event.metrics !== undefined) metrics = event.metrics;
    if (event.open) closed.delete(event.open);
    if (event.close) closed.add(event.close);
    if (event.down) world.downDeployments.add(event.down);
    if (event.up) for (const set of [world.downDeployments, world.brokenDeployments]) set.delete(event.up);
    if (event.break) (nodes?.broken ?? world.brokenDeployments).add(event.break);
    if (event.suspend !== undefined) patchSpec({ suspend: event.suspend });
    if (event.skipAnalysis !== undefined) patchSpec({ skipAnalysis: event.skipAnalysis });
    if (event.delete)
      stage.canary = {
        ...stage.canary,
        metadata: { ...stage.canary.metadata, deletionTimestamp: '2026-01-01T00:00:20Z' },
      };
  }
  rollout.run(startMs + (parseGoDuration(until) ?? 0));
  show();
  return `${lines.join('\n')}\n`;
}

const aDaemonSet = (tag: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'app', namespace: 'demo' },
  spec: {
    selector: { matchLabels: { app: 'app' } },
    updateStrategy: { type: 'RollingUpdate' },
    template: {
      metadata: { labels: { app: 'app' } },
      spec: { containers: [{ name: 'app', image: `example.org/app:${tag}` }] },
    },
  },
});

const withTag = (spec: object, tag: string): Record<string, unknown> =>
  JSON.parse(JSON.stringify(spec).replace(/(example.org\/app:)[^"]*/, `$1${tag}`)) as Record<string, unknown>;

function linesOf({ atMs, before, status, effects, decision }: TickRecord, startMs: number): string[] {
  if (effects.length === 0 && !decision.status) return [];
  const { phase, canaryWeight, failedChecks, iterations, analysis } = status;
  const state = `${phase} weight ${canaryWeight} failed ${failedChecks} iterations ${iterations}${analysis?.mark ? ` ${analysis.mark}` : ''}`;
  const changed = before.phase === phase ? '' : ` (was ${before.phase || 'new'})`;
  return [
    `${`${(atMs - startMs) / 1_000}s`.padStart(5)}  ${state}${changed}`,
    ...effects.map((effect) => `         ${textOf(effect)}`),
  ];
}

function textOf(effect: Effect): string {
  switch (effect.kind) {
    case 'event':
      return `${effect.event.level === 'error' ? 'Error' : effect.event.type}: ${effect.event.message}`;
    case 'log':
      return `log: ${effect.message}`;
    case 'alert':
      return `alert ${effect.severity}: ${effect.message}`;
    case 'write':
      return `${effect.over ? 'update' : 'create'} ${effect.object.kind} ${effect.object.metadata.name}`;
    case 'copy-config':
      return `copy ${effect.key}`;
    case 'join-copy':
      return `own ${effect.copy}`;
    case 'leave-copy':
      return `own ${effect.copy} no more`;
    case 'remove-scaler':
      return `remove ${effect.object.kind} ${effect.object.metadata.name}`;
    case 'withdraw-release':
      return 'withdraw the release';
    case 'scale-target':
      return `scale target to ${effect.replicas}`;
    case 'restore-route':
      return 'restore route';
    case 'prepare-route':
    case 'reconcile-route':
      return 'reconcile route';
    case 'set-route':
      return `route ${100 - effect.split.canaryWeight}/${effect.split.canaryWeight}${effect.split.mirror ? ' mirrored' : ''}${cookiesOf(effect)}`;
    case 'call-hook':
      return `call ${effect.hook.name}`;
    case 'begin-release':
      return effect.restarted ? 'begin release (restarted)' : 'begin release';
    case 'end-release':
      return `end release: ${effect.verdict}${effect.failedCheck ? `, ${namedText(effect.failedCheck)}` : ''}`;
  }
}

function cookiesOf({ cookies = {} }: Effect & { readonly kind: 'set-route' }): string {
  return Object.entries(cookies)
    .map(([which, cookie]) => `, ${which} cookie ${cookie}`)
    .join('');
}

describe('rollouts', () => {
  it.each(stories)('%s goes as it is written down', async (name) => {
    const story = parse(readFileSync(join(folder, name), 'utf8')) as Story;
    await expect(play(story)).toMatchFileSnapshot(join(folder, name.replace(/\.yaml$/, '.txt')));
  });
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Answer, Question } from '../../src/canary/types.ts';
import { createModelCluster, type ModelCluster } from '../helpers/model-cluster.ts';
import { createRollout, type Rollout } from '../helpers/rollout.ts';

/** Recorded from Flagger 1.44.0 on a real API server; see fixtures/golden. */
interface Recording {
  readonly canarySpec: Readonly<Record<string, unknown>>;
  readonly actions: readonly { readonly t: number; readonly what: string }[];
  readonly log: readonly { readonly t: number; readonly msg: string }[];
  readonly status: readonly Readonly<Record<string, unknown>>[];
  readonly weights: readonly Readonly<Record<string, unknown>>[];
}

function recording(name: string): Recording {
  return JSON.parse(readFileSync(join(import.meta.dirname, `../../fixtures/golden/${name}.json`), 'utf8')) as Recording;
}

/** Lines that the shell adds to what the core decides, and Istio's own. */
const shellLine = /^(Synced |\w+ \S+ (created|synced)$|Canary \S+ uses HTTP service$)/;

function replay(
  name: string,
  answer: (question: Question, world: ModelCluster) => Answer = good,
): { rollout: Rollout; world: ModelCluster; gold: Recording } {
  const gold = recording(name);
  const world = createModelCluster({ canarySpec: gold.canarySpec });
  world.brokenImages.add('example.org/app:2.0.0-notready');
  const open = new Set<string>();
  const rollout = createRollout({
    world,
    answer: (question) =>
      question.kind === 'hook' && !open.has(question.hook.name)
        ? { kind: 'rejected', reason: 'closed' }
        : answer(question, world),
  });
  rollout.run(world.nowMs + 20_000);
  const startMs = world.nowMs;
  for (const { t, what } of gold.actions) {
    rollout.run(startMs + Math.ceil(t) * 1_000);
    const [, tag] = /^set image of deployment app to tag (\S+)$/.exec(what) ?? [];
    const [, gate] = /^gate (\S+) opens$/.exec(what) ?? [];
    if (tag !== undefined) world.setImage(`example.org/app:${tag}`);
    else if (gate !== undefined) open.add(gate);
    else if (what.startsWith('change ConfigMap')) world.setConfig('two');
  }
  rollout.run(world.nowMs + 160_000);
  return { rollout, world, gold };
}

function good({ kind }: Question): Answer {
  return kind === 'metric' ? { kind: 'value', value: 100 } : { kind: 'passed' };
}

function linesOf({ ticks }: Rollout): string[] {
  return ticks.flatMap(({ effects }) =>
    effects.flatMap((effect) =>
      effect.kind === 'event' ? [effect.event.message] : effect.kind === 'log' ? [effect.message] : [],
    ),
  );
}
const goldLines = ({ log }: Recording): string[] => log.map(({ msg }) => msg).filter((msg) => !shellLine.test(msg));
const distinct = (lines: readonly string[]): string[] => lines.filter((line, index) => line !== lines[index - 1]);

/** Phase, weight, failed checks, iterations and condition: one line for each change. */
function statusLine(status: Readonly<Record<string, unknown>>): string {
  const { phase, canaryWeight, failedChecks, iterations, conditions } = status;
  const [condition] = (conditions ?? []) as { status?: string; reason?: string; message?: string }[];
  return `${String(phase)} ${String(canaryWeight)} ${String(failedChecks)} ${String(iterations)} ${condition?.status} ${condition?.reason} ${condition?.message}`;
}
const statusesOf = ({ ticks }: Rollout): string[] => distinct(ticks.map(({ status }) => statusLine({ ...status })));
const goldStatuses = ({ status }: Recording): string[] =>
  distinct(status.filter(({ phase }) => phase !== undefined).map(statusLine));

const weightsOf = ({ ticks }: Rollout): number[] =>
  ticks.flatMap(({ effects }) =>
    effects.flatMap((effect) => (effect.kind === 'set-route' ? [effect.split.canaryWeight] : [])),
  );
const goldWeights = ({ weights }: Recording): number[] =>
  weights.slice(1).map((entry) => Number(entry['app-canary'] ?? entry['0:app-canary'] ?? 0));

describe('recordings of Flagger 1.44', () => {
  const bad = (question: Question): Answer =>
    question.kind === 'metric' ? { kind: 'value', value: 42 } : good(question);
  const silent = (question: Question): Answer =>
    question.kind === 'metric'
      ? { kind: 'no-data', cause: 'noSeries', reason: 'running query failed: no values found' }
      : good(question);

  it.each([
    ['promotion.traefik', good],
    ['step-promotion.traefik', good],
    ['configmap.traefik', good],
    ['blue-green.traefik', good],
    ['ab-testing.istio', good],
    ['new-revision.traefik', good],
    ['rollback-checks.traefik', bad],
    ['metrics-empty.traefik', silent],
  ])('gives the lines, the statuses and the weights of %s', (name, answer) => {
    const { rollout, gold } = replay(name, answer);
    expect(linesOf(rollout)).toEqual(goldLines(gold));
    expect(statusesOf(rollout)).toEqual(goldStatuses(gold));
    expect(weightsOf(rollout)).toEqual(goldWeights(gold));
  });

  it('waits at the gate before a rollout', () => {
    const { rollout, gold } = replay('gate-rollout.traefik');
    expect(linesOf(rollout)).toEqual(goldLines(gold));
    expect(statusesOf(rollout)).toEqual(goldStatuses(gold));
  });

  it('waits at the gate before a promotion, but keeps saying what weight the users get', () => {
    const { rollout, gold } = replay('gate-promotion.traefik');
    expect(linesOf(rollout)).toEqual(goldLines(gold));
    expect(weightsOf(rollout)).toEqual(goldWeights(gold));
    // Flagger shows weight 0 and iterations -1 while half of the users are on the canary.
    const shown = (line: string): string => line.replace(/^(WaitingPromotion|Promoting) 0 0 -1 /, '$1 50 0 0 ');
    expect(statusesOf(rollout)).toEqual(goldStatuses(gold).map(shown));
  });

  it('gives up on a canary that never gets ready', () => {
    const { rollout, gold } = replay('rollback-deadline.traefik');
    const shown = distinct(linesOf(rollout)).filter((line) => !line.includes('exceeded its progress deadline'));
    expect(shown).toEqual(distinct(goldLines(gold)));
    expect(statusesOf(rollout)).toEqual(goldStatuses(gold));
  });

  it('says once what the plain provider makes of steps, and moves the users for real', () => {
    const { rollout, gold } = replay('promotion.kubernetes');
    const notice = /^(Progressive traffic is not|Setting canaryAnalysis)/;
    const moved = ['Routing all traffic to canary', 'Routing all traffic to primary'];
    expect(linesOf(rollout).filter((line) => !moved.includes(line) && !notice.test(line))).toEqual(
      goldLines(gold).filter((line) => !notice.test(line)),
    );
    expect(linesOf(rollout).filter((line) => notice.test(line))).toEqual(
      goldLines(gold)
        .filter((line) => notice.test(line))
        .slice(0, 2),
    );
    expect(linesOf(rollout).filter((line) => moved.includes(line))).toEqual(moved);
    expect(statusesOf(rollout)).toEqual(goldStatuses(gold));
  });

  it('waits for the primary where the analysis is skipped', () => {
    const gold = recording('skip-analysis.traefik');
    const { rollout } = replay('skip-analysis.traefik');
    expect(linesOf(rollout).filter((line) => !line.startsWith('app-primary.demo not ready'))).toEqual(goldLines(gold));
    expect(statusesOf(rollout).filter((line) => !line.startsWith('Promoting'))).toEqual(goldStatuses(gold));
  });
});

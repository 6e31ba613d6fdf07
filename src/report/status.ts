import { analysisOf } from '../canary/analysis-state.ts';
import { parseCanary } from '../canary/parse.ts';
import { isUnderAnalysis, isUnderWay } from '../canary/phase.ts';
import { type ConfirmType, type PersonRequest, requestsOf, toldRequest } from '../canary/requests.ts';
import { parseStatus } from '../canary/status.ts';
import { strategyOf } from '../canary/strategy.ts';
import type { CanarySpec, CanaryStatus } from '../canary/types.ts';
import { AgentError } from '../lib/errors.ts';
import { at, jsonOf, textOf } from '../lib/json.ts';
import { plainText } from '../lib/plain-text.ts';
import { oneLine } from '../release/plain-text.ts';
import { requestFor, told, toldRelease } from './told-release.ts';
import type { ActName, AppFacts, AppStatus, Group, Held, ShownRelease, ToldEvent, Wait } from './types.ts';

/** A canary in first steps longer than this needs somebody. */
const slowMs = 15 * 60_000;

/** The Canary's spec as the agent follows it. A text: why it cannot be understood. */
export function specOf(facts: Pick<AppFacts, 'canary' | 'provider'>): CanarySpec | string {
  try {
    return parseCanary(facts.canary, { provider: facts.provider, minIntervalMs: 0 });
  } catch (error) {
    if (error instanceof AgentError) return oneLine(error.message, 600);
    throw error;
  }
}

/** How it stands with an app, in short. `nowMs`: for what is late. */
export function statusOf(facts: AppFacts, nowMs: number): AppStatus {
  const { canary } = facts;
  const spec = specOf(facts);
  const status = parseStatus(canary);
  const release = toldRelease(facts);
  const names = requestFor(facts, status);
  const held = heldOf(canary, spec, status, names);
  const sinceMs = timeOf(status.lastTransitionTime);
  const gate = typeof spec === 'string' ? undefined : awaitedGate(status, spec);
  const waits = waitOf({ spec, status, held, gate, sinceMs, nowMs });
  const failed = failedOf(status, release);
  const needsPerson = needOf({ facts, spec, status, release, held, gate, sinceMs, nowMs });
  const isMoving = isUnderWay(status.phase) || status.phase === 'Initializing' || status.phase === 'Terminating';
  const group: Group = needsPerson
    ? 'needs-person'
    : held
      ? 'held'
      : isMoving || status.phase === 'Waiting'
        ? 'moving'
        : failed
          ? 'failed'
          : 'resting';
  const strategy = typeof spec === 'string' ? undefined : spec.analysis.strategy;
  const base = {
    namespace: canary.metadata.namespace ?? '',
    name: canary.metadata.name,
    target: targetOf(canary['spec']),
    labels: plainLabels(canary.metadata.labels ?? {}),
    phase: status.phase,
    group,
    strategy: typeof spec === 'string' ? ('unknown' as const) : strategyOf(spec),
    weight: shownWeight(status, spec),
    steps: strategy?.kind === 'canary' ? strategy.steps : [],
    ...(strategy && strategy.kind !== 'canary'
      ? { rounds: { passed: Math.min(status.iterations, strategy.iterations), of: strategy.iterations } }
      : {}),
    failedChecks: { count: status.failedChecks, threshold: typeof spec === 'string' ? 0 : spec.analysis.threshold },
    ...(sinceMs === undefined ? {} : { sinceMs }),
    ...(typeof spec === 'string' ? {} : { intervalMs: spec.analysis.intervalMs }),
    ...(release ? { release } : {}),
    requestFor: isUnderWay(status.phase) || status.phase === 'Waiting' ? names : '',
    isMoving,
    ...(held ? { held } : {}),
    ...(waits ? { waits } : {}),
    ...(gate === undefined ? {} : { gate }),
    ...(failed ? { failed } : {}),
    ...(needsPerson ? { needsPerson } : {}),
  };
  return { ...base, line: lineOf(base) };
}

/** Which gate of a person it waits for. Undefined: none. */
export function awaitedGate(status: CanaryStatus, { analysis }: CanarySpec): ConfirmType | undefined {
  const has = (type: ConfirmType): boolean => analysis.webhooks.some((hook) => hook.type === type);
  switch (status.phase) {
    case 'Waiting':
      return has('confirm-rollout') ? 'confirm-rollout' : undefined;
    case 'WaitingPromotion':
      return has('confirm-promotion') ? 'confirm-promotion' : undefined;
    case 'Progressing':
      return analysis.strategy.kind === 'canary' &&
        analysisOf(status).mark === 'halted' &&
        has('confirm-traffic-increase')
        ? 'confirm-traffic-increase'
        : undefined;
    default:
      return undefined;
  }
}

function heldOf(
  canary: AppFacts['canary'],
  spec: CanarySpec | string,
  status: CanaryStatus,
  names: string,
): Held | undefined {
  if (typeof spec !== 'string' && spec.suspend) return { cause: 'suspended' };
  if (!isUnderAnalysis(status.phase) && status.phase !== 'Waiting') return undefined;
  const request = requestsOf(canary).get('hold');
  if (request && request.release === names && request.isOver !== true) return askedHold(request);
  const { held } = analysisOf(status);
  return held && isUnderAnalysis(status.phase) ? { cause: held.cause, sinceMs: held.sinceMs } : undefined;
}

const askedHold = ({ by, reason, atMs }: PersonRequest): Held => ({
  cause: 'person',
  by,
  ...(reason === '' ? {} : { reason }),
  ...(atMs === undefined ? {} : { sinceMs: atMs }),
});

interface Standing {
  readonly spec: CanarySpec | string;
  readonly status: CanaryStatus;
  readonly held: Held | undefined;
  readonly gate: ConfirmType | undefined;
  readonly sinceMs: number | undefined;
  readonly nowMs: number;
}

function waitOf({ spec, status, held, gate, sinceMs }: Standing): Wait | undefined {
  if (typeof spec === 'string') return { what: 'a Canary that can be understood' };
  if (held?.cause === 'suspended') return { what: 'spec.suspend to be taken away' };
  if (held?.cause === 'person') return { what: `whoever holds it (${held.by ?? 'somebody'})` };
  if (gate !== undefined) return { what: `approval of ${gate}` };
  const deadlineMs = spec.progressDeadlineSeconds * 1_000;
  if (held?.cause === 'unknown')
    return { what: 'metrics that tell something', ...until(held.sinceMs, deadlineMs), end: 'is rolled back' };
  if (held?.cause === 'unpromotable')
    return { what: 'a primary that can get it', ...until(held.sinceMs, deadlineMs), end: 'is rolled back' };
  switch (status.phase) {
    case '':
    case 'Initializing':
      return { what: 'its primary to be ready' };
    case 'Waiting':
      return { what: 'its turn' };
    case 'Progressing':
    case 'WaitingPromotion':
      return { what: 'the next look', ...until(sinceMs, spec.analysis.intervalMs) };
    case 'Promoting':
      return { what: 'the primary to run the new version', ...until(sinceMs, deadlineMs) };
    case 'Finalising':
      return { what: 'the end of the promotion' };
    default:
      return undefined;
  }
}

const until = (sinceMs: number | undefined, ms: number): { readonly untilMs?: number } =>
  sinceMs === undefined ? {} : { untilMs: sinceMs + ms };

interface NeedInput extends Standing {
  readonly facts: AppFacts;
  readonly release: ShownRelease | undefined;
}

function needOf(input: NeedInput): AppStatus['needsPerson'] {
  const { facts, spec, status, release, held, gate, sinceMs, nowMs } = input;
  if (typeof spec === 'string') return need(`the Canary cannot be understood: ${spec}`, ['set']);
  if (status.phase === 'Failed' && status.canaryWeight > 0)
    return need(`${status.canaryWeight}% of users are with the version that failed: the primary does not answer`, []);
  if (release?.outcome?.blocked !== undefined)
    return need(`its outcome cannot be written to Git: ${release.outcome.blocked}`, []);
  if (held?.cause === 'suspended') return undefined;
  if (held?.cause === 'person')
    return need(
      `held at ${status.canaryWeight}% ${toldRequest({ by: held.by ?? 'somebody', reason: held.reason ?? '' })}${failedChecks(status, spec)}`,
      ['resume', 'promote', 'abort'],
    );
  if (gate !== undefined) {
    const hook = spec.analysis.webhooks.find(({ type }) => type === gate);
    return need(`waits for approval (${gate}${hook ? ` ${told(hook.name)}` : ''})`, ['approve', 'abort']);
  }
  if (held?.cause === 'unpromotable')
    return need(`it has passed, and the primary cannot get it: ${lastWarning(facts) ?? 'see its events'}`, ['abort']);
  if (held?.cause === 'unknown')
    return need(`checks find nothing out: ${lastWarning(facts) ?? 'metrics are not known'}`, ['abort']);
  const isStarting = status.phase === 'Initializing' || status.phase === '';
  if (isStarting && sinceMs !== undefined && nowMs - sinceMs > slowMs)
    return need(`it does not come up: ${lastWarning(facts) ?? 'its primary is not ready'}`, []);
  return undefined;
}

const failedChecks = ({ failedChecks: count }: CanaryStatus, { analysis }: CanarySpec): string =>
  count === 0 ? '' : `, ${count} of ${analysis.threshold} checks failed`;

const need = (why: string, acts: readonly ActName[]): NonNullable<AppStatus['needsPerson']> => ({
  why: oneLine(why, 400),
  acts,
});

/** What was complained about last. */
export function lastWarning({ events = [] }: Pick<AppFacts, 'events'>): string | undefined {
  let last: ToldEvent | undefined;
  for (const event of events) if (event.type === 'Warning' && (!last || event.atMs >= last.atMs)) last = event;
  return last && told(last.message);
}

function failedOf(status: CanaryStatus, release: ShownRelease | undefined): AppStatus['failed'] {
  if (status.phase !== 'Failed') return undefined;
  const { outcome } = release ?? {};
  const atMs = outcome?.atMs ?? timeOf(status.lastTransitionTime);
  const what = outcome?.verdict === 'rolled-back' ? (outcome.failedCheck ?? 'its analysis') : 'its analysis';
  return { what, ...(atMs === undefined ? {} : { atMs }) };
}

/** Users of an A/B test come with its first round, which its status does not show. */
function shownWeight(status: CanaryStatus, spec: CanarySpec | string): number {
  if (typeof spec === 'string' || !isUnderWay(status.phase)) return status.canaryWeight;
  const { strategy } = spec.analysis;
  if (strategy.kind === 'canary' || status.canaryWeight > 0) return status.canaryWeight;
  const first = strategy.kind === 'ab-testing' ? 0 : strategy.iterations;
  return isUnderAnalysis(status.phase) && status.iterations > first ? 100 : 0;
}

function lineOf(app: Omit<AppStatus, 'line'>): string {
  const { phase, weight, steps, rounds, failedChecks, needsPerson, waits, failed, strategy } = app;
  if (needsPerson) return needsPerson.why;
  const checks = failedChecks.count === 0 ? '' : `, ${failedChecks.count} of ${failedChecks.threshold} checks failed`;
  switch (phase) {
    case '':
      return 'not looked at yet';
    case 'Initializing':
      return 'the primary is being made';
    case 'Waiting':
      return `a new version waits for ${waits?.what ?? 'its turn'}`;
    case 'Progressing':
    case 'WaitingPromotion': {
      const what = rounds ? `round ${rounds.passed} of ${rounds.of}` : `${weight}% of ${steps.at(-1) ?? 100}%`;
      return `${strategy === 'none' ? 'no analysis' : what}${checks}, waits for ${waits?.what ?? 'the next look'}`;
    }
    case 'Promoting':
      return `passed, the primary gets the new version${weight > 0 ? `, ${weight}% of users still with the canary` : ''}`;
    case 'Finalising':
      return 'passed, all users are with the primary';
    case 'Succeeded':
      return 'promoted';
    case 'Failed':
      return `rolled back: ${failed?.what ?? 'its analysis failed'}`;
    case 'Initialized':
      return 'at rest';
    case 'Terminating':
      return 'gives back what it took';
    case 'Terminated':
      return 'gone';
  }
}

function targetOf(spec: unknown): AppStatus['target'] {
  const target = jsonOf(at(spec, 'targetRef'));
  return { kind: told(textOf(target['kind']) ?? ''), name: told(textOf(target['name']) ?? '') };
}

const mostLabels = 30;

const plainLabels = (labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(labels)
      .slice(0, mostLabels)
      .map(([name, value]) => [plainText(name), plainText(value)]),
  );

function timeOf(text: string | undefined): number | undefined {
  const ms = Date.parse(text ?? '');
  return Number.isFinite(ms) ? ms : undefined;
}

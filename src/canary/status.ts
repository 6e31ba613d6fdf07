import { isUnderWay } from './phase.ts';
import { perObject } from '../lib/memo.ts';
import type { KubeObject } from '../manifest/types.ts';
import { jsonOf, listOf, numberOf, textOf, textsOf } from '../lib/json.ts';
import { analysisOf, formerAnalysis, parseAnalysis, renderAnalysis } from './analysis-state.ts';
import type { AnalysisState, CanaryCondition, CanaryStatus, Hold, Phase } from './types.ts';

const phases: readonly Phase[] = [
  'Initializing',
  'Initialized',
  'Waiting',
  'Progressing',
  'WaitingPromotion',
  'Promoting',
  'Finalising',
  'Succeeded',
  'Failed',
  'Terminating',
  'Terminated',
];

const cookieFields = [
  'sessionAffinityCookie',
  'previousSessionAffinityCookie',
  'primarySessionAffinityCookie',
] as const;

/** A Canary's status; whatever is missing or strange counts as never written. */
export const parseStatus: (object: KubeObject) => CanaryStatus = perObject((object) => {
  const status = jsonOf(object['status']);
  const lastTransitionTime = textOf(status['lastTransitionTime']);
  const given = listOf(status['conditions']);
  const conditions = given.flatMap(parseCondition);
  const phase = phases.find((one) => one === status['phase']) ?? '';
  const columns = {
    failedChecks: numberOf(status['failedChecks']) ?? 0,
    iterations: numberOf(status['iterations']) ?? 0,
    lastAppliedSpec: textOf(status['lastAppliedSpec']) ?? '',
  };
  const analysis = readAnalysis(given, columns, lastTransitionTime);
  return {
    phase,
    failedChecks: analysis.failedChecks,
    canaryWeight: numberOf(status['canaryWeight']) ?? 0,
    iterations: analysis.iterations,
    lastAppliedSpec: columns.lastAppliedSpec,
    lastPromotedSpec: textOf(status['lastPromotedSpec']) ?? '',
    ...(status['trackedConfigs'] === undefined ? {} : { trackedConfigs: textsOf(status['trackedConfigs']) }),
    ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }),
    ...(conditions.length === 0 ? {} : { conditions }),
    analysis,
    ...readOnHold(given),
    ...Object.fromEntries(cookieFields.flatMap((field) => (textOf(status[field]) ? [[field, status[field]]] : []))),
  };
});

/**
 * `status` as it is written, by a merge patch: with `before` (what the server has) members that went away become null,
 * which a merge patch needs in order to forget them.
 */
export function renderStatus(status: CanaryStatus, before?: CanaryStatus): Record<string, unknown> {
  const { phase, failedChecks, canaryWeight, iterations, lastAppliedSpec, lastPromotedSpec, trackedConfigs } = status;
  const gone = Object.keys(before?.trackedConfigs ?? {}).filter((key) => trackedConfigs?.[key] === undefined);
  const configs = trackedConfigs && { ...trackedConfigs, ...Object.fromEntries(gone.map((key) => [key, null])) };
  return {
    phase,
    failedChecks,
    canaryWeight,
    iterations,
    ...(lastAppliedSpec === '' ? {} : { lastAppliedSpec }),
    ...(lastPromotedSpec === '' ? {} : { lastPromotedSpec }),
    trackedConfigs: configs ?? null,
    ...(status.lastTransitionTime === undefined ? {} : { lastTransitionTime: status.lastTransitionTime }),
    ...(status.conditions === undefined
      ? {}
      : {
          conditions: [
            ...status.conditions,
            ...heldCondition(status),
            ...onHoldCondition(status),
            ...drainCondition(status),
            ...analysisCondition(status),
          ],
        }),
    ...renderCookies(status, before),
  };
}

function renderCookies(status: CanaryStatus, before: CanaryStatus | undefined): Record<string, string | null> {
  const changed = cookieFields.filter((field) => status[field] !== undefined || before?.[field] !== undefined);
  return Object.fromEntries(changed.map((field) => [field, status[field] ?? null]));
}

/** Puts time and condition on a status that a tick has made; `before` where nothing differs. */
export function stamped(before: CanaryStatus, after: CanaryStatus, targetKind: string, nowMs: number): CanaryStatus {
  if (sameStatus(before, after)) return before;
  const now = rfc3339(nowMs);
  const { status, message } = conditionOf(after.phase, targetKind);
  const [previous] = before.conditions ?? [];
  const isSame = previous?.status === status && previous.reason === after.phase;
  const condition: CanaryCondition = {
    type: 'Promoted',
    status,
    reason: after.phase,
    message,
    lastUpdateTime: now,
    lastTransitionTime: previous?.status === status ? previous.lastTransitionTime : now,
  };
  return { ...after, lastTransitionTime: now, conditions: isSame ? [previous] : [condition] };
}

function sameStatus(a: CanaryStatus, b: CanaryStatus): boolean {
  return (
    a.phase === b.phase &&
    a.canaryWeight === b.canaryWeight &&
    sameAnalysis(analysisOf(a), analysisOf(b)) &&
    a.onHold?.release === b.onHold?.release &&
    a.onHold?.told === b.onHold?.told &&
    a.lastAppliedSpec === b.lastAppliedSpec &&
    a.lastPromotedSpec === b.lastPromotedSpec &&
    cookieFields.every((field) => a[field] === b[field]) &&
    sameConfigs(a.trackedConfigs, b.trackedConfigs)
  );
}

/** Nothing of it that is decided by is another. Looks alone are no reason to write a status. */
function sameAnalysis(a: AnalysisState, b: AnalysisState): boolean {
  return (
    a.failedChecks === b.failedChecks &&
    a.iterations === b.iterations &&
    a.mark === b.mark &&
    a.drainsSinceMs === b.drainsSinceMs &&
    a.held?.sinceMs === b.held?.sinceMs &&
    a.held?.cause === b.held?.cause
  );
}

/** Absent and empty differ: absent means that tracking is off. */
function sameConfigs(
  a: Readonly<Record<string, string>> | undefined,
  b: Readonly<Record<string, string>> | undefined,
): boolean {
  if (a === undefined || b === undefined) return a === b;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}

/** Flagger's words for each phase. */
function conditionOf(phase: Phase, kind: string): Pick<CanaryCondition, 'status' | 'message'> {
  switch (phase) {
    case 'Initialized':
      return { status: 'True', message: `${kind} initialization completed.` };
    case 'Waiting':
    case 'WaitingPromotion':
      return { status: 'Unknown', message: 'Waiting for approval.' };
    case 'Progressing':
      return { status: 'Unknown', message: 'New revision detected, progressing canary analysis.' };
    case 'Promoting':
      return { status: 'Unknown', message: 'Canary analysis completed, starting primary rolling update.' };
    case 'Finalising':
      return { status: 'Unknown', message: 'Canary analysis completed, routing all traffic to primary.' };
    case 'Succeeded':
      return { status: 'True', message: 'Canary analysis completed successfully, promotion finished.' };
    case 'Failed':
      return { status: 'False', message: `Canary analysis failed, ${kind} scaled to zero.` };
    default:
      return { status: 'Unknown', message: `New ${kind} detected, starting initialization.` };
  }
}

function parseCondition(entry: Readonly<Record<string, unknown>>): CanaryCondition[] {
  const { type, status, reason, message, lastUpdateTime, lastTransitionTime } = entry;
  if (type !== 'Promoted' || (status !== 'True' && status !== 'False' && status !== 'Unknown')) return [];
  return [
    {
      type,
      status,
      reason: textOf(reason) ?? '',
      message: textOf(message) ?? '',
      lastUpdateTime: textOf(lastUpdateTime) ?? '',
      lastTransitionTime: textOf(lastTransitionTime) ?? '',
    },
  ];
}

/** Stands only while it is held, so that people see it. */
function heldCondition({ analysis }: CanaryStatus): readonly object[] {
  if (!analysis?.held) return [];
  const { sinceMs, cause } = analysis.held;
  const since = rfc3339(sinceMs);
  return [{ type: 'Held', status: 'True', ...holds[cause], lastUpdateTime: since, lastTransitionTime: since }];
}

/** Stands only while a person holds it. */
function onHoldCondition({ onHold }: CanaryStatus): readonly object[] {
  if (!onHold) return [];
  const { release, told, sinceMs } = onHold;
  const since = rfc3339(sinceMs);
  const message = `${onHoldWords[0]}${release}${onHoldWords[1]}${told}`;
  return [
    { type: 'OnHold', status: 'True', reason: 'AskedFor', message, lastUpdateTime: since, lastTransitionTime: since },
  ];
}

const onHoldWords = ['Release ', ' is held '] as const;

/** What the condition says: an agent that cannot read the release's record knows by it whom the hold is meant for. */
function readOnHold(conditions: readonly Readonly<Record<string, unknown>>[]): Pick<CanaryStatus, 'onHold'> {
  const condition = conditions.find(({ type, status }) => type === 'OnHold' && status === 'True');
  const said = textOf(condition?.['message']) ?? '';
  const sinceMs = Date.parse(textOf(condition?.['lastTransitionTime']) ?? '');
  const [head, middle] = onHoldWords;
  if (said.length > 600 || said.slice(0, head.length) !== head || !Number.isFinite(sinceMs)) return {};
  const rest = said.slice(head.length);
  const end = rest.indexOf(middle);
  if (end <= 0) return {};
  return { onHold: { release: rest.slice(0, end), told: rest.slice(end + middle.length), sinceMs } };
}

/** Stands only while pods stay for what is still open, also of a status at rest. */
function drainCondition({ analysis }: CanaryStatus): readonly object[] {
  if (analysis?.drainsSinceMs === undefined) return [];
  const since = rfc3339(analysis.drainsSinceMs);
  const message = "The target's pods have no users any more and stay until spec.scaleDownDelay is over.";
  const times = { lastUpdateTime: since, lastTransitionTime: since };
  return [{ type: 'Draining', status: 'True', reason: 'ScaleDownDelay', message, ...times }];
}

/** Stands only while a release is under way, so that a status at rest is Flagger's. */
function analysisCondition({ analysis, phase, lastTransitionTime }: CanaryStatus): readonly object[] {
  // Of a status without a time it would not be known whether it is of the same write.
  if (!analysis || !isUnderWay(phase) || lastTransitionTime === undefined) return [];
  return [
    {
      type: 'Analysis',
      status: 'True',
      reason: reasons[analysis.mark ?? 'none'],
      message: renderAnalysis(analysis),
      lastUpdateTime: lastTransitionTime,
      lastTransitionTime: rfc3339(analysis.sinceMs),
    },
  ];
}

const reasons = { none: 'Judged', prepared: 'Prepared', halted: 'AwaitsTrafficIncrease' } as const;

const holds = {
  unknown: {
    reason: 'MetricsUnknown',
    message: 'Checks find nothing out: the canary keeps its share, and nothing counts until metrics are known again.',
  },
  unpromotable: {
    reason: 'Unpromotable',
    message: 'The canary has passed, and the primary cannot get its version: events say why. It keeps its share.',
  },
} as const;

/** What the status keeps of it, or what its columns tell where somebody else has written since: a former agent, Flagger, or a person. */
function readAnalysis(
  conditions: readonly Readonly<Record<string, unknown>>[],
  columns: Pick<CanaryStatus, 'failedChecks' | 'iterations' | 'lastAppliedSpec'>,
  lastTransitionTime: string | undefined,
): AnalysisState {
  const kept = conditions.find(({ type }) => type === 'Analysis');
  const isOfThisWrite = kept !== undefined && textOf(kept['lastUpdateTime']) === lastTransitionTime;
  const state = isOfThisWrite ? parseAnalysis(textOf(kept['message']) ?? '', columns) : undefined;
  const drain = conditions.find(({ type, status }) => type === 'Draining' && status === 'True');
  const drainsSinceMs = Date.parse(textOf(drain?.['lastTransitionTime']) ?? '');
  return {
    ...(state ?? formerAnalysis(columns, heldSince(conditions), Date.parse(lastTransitionTime ?? ''))),
    ...(Number.isFinite(drainsSinceMs) ? { drainsSinceMs } : {}),
  };
}

function heldSince(conditions: readonly Readonly<Record<string, unknown>>[]): Hold | undefined {
  const held = conditions.find(({ type, status }) => type === 'Held' && status === 'True');
  const sinceMs = Date.parse(textOf(held?.['lastTransitionTime']) ?? '');
  if (!Number.isFinite(sinceMs)) return undefined;
  return { sinceMs, cause: held?.['reason'] === holds.unpromotable.reason ? 'unpromotable' : 'unknown' };
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

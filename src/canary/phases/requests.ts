import { failedEnough } from '../analysis-state.ts';
import { type PersonRequest, type RequestName, requestsOf, toldRequest } from '../requests.ts';
import type { AskedAct, WebhookType } from '../types.ts';
import { copyObstacle } from './primary-write.ts';
import { canaryReadiness, primaryReadiness } from './health.ts';
import { lacksScaler } from './scaling.ts';
import { normal, type Stage, type Tick, update } from './tick.ts';

/** Whoever asks has another clock than whoever obeys. */
const slackMs = 5_000;

/** What somebody asks of the very release that the status is of. Undefined: nothing, or of another one. */
export function asked(
  { seen, status, analysis }: Pick<Tick, 'seen' | 'status' | 'analysis'>,
  name: RequestName,
): PersonRequest | undefined {
  const request = requestsOf(seen.canary).get(name);
  if (!request || request.isOver || !mayBeAsked(status)) return undefined;
  const { underWay = '' } = seen;
  if (underWay !== '') return request.release === underWay ? request : undefined;
  // Its record cannot be read, or it has none: what it is held for stands in its status.
  if (name === 'hold' && request.release === status.onHold?.release) return request;
  if (request.release !== status.lastAppliedSpec) return undefined;
  // A version may come more than once: what was asked of it before this time is over. To hold it does no harm.
  if (name === 'hold') return request;
  return request.atMs !== undefined && request.atMs + slackMs >= analysis.sinceMs ? request : undefined;
}

/** A release is judged, or waits to be let in. Nothing else is asked for. */
export function mayBeAsked({ phase }: Pick<Tick['status'], 'phase'>): boolean {
  return phase === 'Progressing' || phase === 'WaitingPromotion' || phase === 'Waiting';
}

/** Somebody holds it: no more users, no promotion. */
export const isOnHold = (stage: Stage): boolean => stage.novelty === 'same' && asked(stage, 'hold') !== undefined;

/** Tells, once, that it is held and that it is not any more. The status says it as long as it is so. */
export function noteHold(stage: Stage): void {
  const { draft, names, judged, seen } = stage;
  if (stage.novelty !== 'same' || !mayBeAsked(draft.status)) return;
  const request = asked(stage, 'hold');
  const { onHold: before, ...status } = draft.status;
  if (request) {
    const { release } = request;
    const told = toldRequest(request);
    if (before?.release === release && before.told === told) return;
    const sinceMs = before?.release === release ? before.sinceMs : Math.floor(seen.nowMs / 1_000) * 1_000;
    update(stage, { onHold: { release, told, sinceMs } });
    normal(stage, `Hold ${names.canary} at weight ${judged}, asked for ${told}`);
    return note(stage, 'hold', request);
  }
  if (!before) return;
  draft.status = status;
  const over = requestsOf(seen.canary).get('hold');
  const by = over?.isOver && over.release === before.release ? over : { by: 'somebody', reason: '' };
  normal(stage, `${names.canary} goes on from weight ${judged}, resumed ${toldRequest(by)}`);
  note(stage, 'resume', by);
}

/** Somebody wants the rest of the analysis skipped. A hold stands above it. */
export function promotionAsked(stage: Stage): PersonRequest | undefined {
  return stage.novelty === 'same' && !isOnHold(stage) ? asked(stage, 'promote') : undefined;
}

/** That can be done now: the canary runs, and the primary can get its version. */
export function isPromotionDue(stage: Stage): boolean {
  const { analysis, spec, seen } = stage;
  return (
    promotionAsked(stage) !== undefined &&
    failedEnough(analysis, spec) === undefined &&
    seen.routeTrouble === undefined &&
    canaryReadiness(stage).kind === 'ready' &&
    primaryReadiness(stage).kind === 'ready' &&
    !lacksScaler(stage) &&
    copyObstacle(stage) === undefined
  );
}

export function tellPromotion(stage: Stage, request: PersonRequest): void {
  normal(stage, `Promoting ${stage.names.canary} before the end of its analysis, asked for ${toldRequest(request)}`);
  note(stage, 'promote', request);
}

/** A person has approved a gate of this type, for this release and this share of the users. */
export function approvalOf(stage: Stage, type: WebhookType): PersonRequest | undefined {
  const request = stage.novelty === 'same' ? asked(stage, 'approve') : undefined;
  if (!request || (request.gate !== undefined && request.gate !== type)) return undefined;
  const isOfShare =
    type !== 'confirm-traffic-increase' || request.weight === undefined || request.weight === stage.judged;
  return isOfShare ? request : undefined;
}

/** Git tells who asked, and why. */
export function note({ draft }: Tick, act: AskedAct, { by, reason }: Pick<PersonRequest, 'by' | 'reason'>): void {
  draft.checks.push({ name: act, passed: true, found: { kind: 'asked', act, by, reason } });
}

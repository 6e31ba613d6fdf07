import type { HookAnswer, Phase, WebhookSpec, WebhookType } from '../types.ts';
import { toldRequest } from '../requests.ts';
import { approvalOf, note } from './requests.ts';
import { type Asking, normal, type Stage, type Tick } from './tick.ts';

export function hooksOf({ spec }: Tick, type: WebhookType): readonly WebhookSpec[] {
  return spec.analysis.webhooks.filter((hook) => hook.type === type);
}

export function* askHook(hook: WebhookSpec, phase: Phase): Asking<HookAnswer> {
  const answer = yield { kind: 'hook', hook, phase };
  return answer.kind === 'passed' || answer.kind === 'rejected' ? answer : { kind: 'rejected', reason: 'no answer' };
}

export interface GateOptions {
  readonly phase: Phase;
  readonly onPass: (hook: WebhookSpec) => void;
}

/** Asks the hooks of a type in order and stops at the first that refuses. Undefined: all agreed, or a person has instead of them. */
export function* refusedBy(
  stage: Stage,
  type: WebhookType,
  { phase, onPass }: GateOptions,
): Asking<{ readonly hook: WebhookSpec; readonly reason: string } | undefined> {
  const hooks = hooksOf(stage, type);
  const approval = hooks.length === 0 ? undefined : approvalOf(stage, type);
  if (approval) {
    normal(stage, `${type.charAt(0).toUpperCase()}${type.slice(1)} approved ${toldRequest(approval)}`);
    note(stage, 'approve', approval);
    return undefined;
  }
  for (const hook of hooks) {
    const answer = yield* askHook(hook, phase);
    if (answer.kind === 'rejected') return { hook, reason: answer.reason };
    onPass(hook);
  }
  return undefined;
}

/** Told after the status is written: their failure changes nothing any more. */
export function callPostRollout(tick: Tick, phase: Phase): void {
  for (const hook of hooksOf(tick, 'post-rollout')) tick.draft.afterwards.push({ kind: 'call-hook', hook, phase });
}

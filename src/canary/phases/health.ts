import { isTakenOver } from '../footprint.ts';
import type { KubeObject } from '../../manifest/types.ts';
import { at, textsOf } from '../../lib/json.ts';
import { isPartOf, podLabels } from '../labels.ts';
import { usersUnderTest } from '../strategy.ts';
import type { Readiness } from '../types.ts';
import type { Stage } from './tick.ts';

/** The primary's readiness with the whole message as reason. None, and one that was scaled to nothing, is not ready. */
export function primaryReadiness(stage: Stage): Readiness {
  const { seen, spec, kind } = stage;
  const name = kind.primaryRef(spec.target, stage.target)?.name ?? `${spec.target.name}-primary`;
  return readinessOf(stage, 'primary', seen.primary, name);
}

/** The canary's, likewise. `progressing` includes a target that somebody scaled to nothing. */
export function canaryReadiness(stage: Stage): Readiness {
  const { seen, spec, kind, target } = stage;
  const name = kind.candidateRef?.(spec.target, target)?.name ?? spec.target.name;
  return readinessOf(stage, 'canary', kind.candidateOf(seen), name);
}

export type Served = Pick<Stage, 'kind' | 'seen' | 'spec' | 'selector'>;

/** Whether anybody answers the users of the primary: its own pods, or those of the one before, to which they are still led. */
export function primaryServes(stage: Served): boolean {
  return stage.kind.serves(stage.seen.primary) || keepsFormer(stage);
}

/** The Canary had another target before, whose primary has the users: this one's has no pods yet that answer. */
function keepsFormer(stage: Served): boolean {
  const { spec, seen } = stage;
  // Without routes the apex Service alone says where users are.
  return isLedToFormer(stage, spec.provider === 'kubernetes' ? seen.apexService : seen.primaryService);
}

/** A Service that leads to the primary of a former target is not turned to one that does not answer. */
export function isLedToFormer({ kind, seen, selector }: Served, service: KubeObject | undefined): boolean {
  if (selector.label === '' || kind.serves(seen.primary)) return false;
  const now = textsOf(at(service, 'spec', 'selector'));
  const own = podLabels({ selector, leadsTo: 'primary', primary: seen.primary, service });
  // Those that an older version made know the first label only.
  return isTakenOver(service, seen.target) && !isPartOf(now, own);
}

export function canaryServes({ kind, seen }: Pick<Stage, 'kind' | 'seen'>): boolean {
  return kind.serves(kind.candidateOf(seen));
}

/** No pod of the canary answers although it has users, and the primary could take them. */
export function hasDeadCanary(stage: Stage): boolean {
  return stage.weight > 0 && !canaryServes(stage) && primaryServes(stage);
}

/** No pod of the primary answers, while a canary that has been judged could take its users too. Those of an A/B test stay told apart. */
export function hasDeadPrimary(stage: Stage): boolean {
  const { weight, novelty, spec } = stage;
  if (weight === 0 || weight === 100 || novelty !== 'same' || usersUnderTest(spec) !== undefined) return false;
  return !primaryServes(stage) && canaryReadiness(stage).kind === 'ready';
}

function readinessOf(
  { kind, seen, spec }: Stage,
  role: 'primary' | 'canary',
  object: KubeObject | undefined,
  name: string,
): Readiness {
  const { primaryReadyThreshold, canaryReadyThreshold } = spec.analysis;
  return kind.readiness({
    role,
    namespace: spec.namespace,
    name,
    object,
    thresholdPercent: role === 'primary' ? primaryReadyThreshold : canaryReadyThreshold,
    deadlineSeconds: spec.progressDeadlineSeconds,
    nowMs: seen.nowMs,
  });
}

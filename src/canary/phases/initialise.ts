import { hasPrimaryConfigs } from '../revision.ts';
import { primaryReadiness, primaryServes } from './health.ts';
import { type Phase, sooner } from './phase.ts';
import { tellNotReady } from './pods.ts';
import { cannotBeCopied, writePrimary } from './primary-write.ts';
import { lacksScaler, scaleDown, tellLackOfScaler, writePrimaryScaler } from './scaling.ts';
import { type Asking, alert, fail, log, normal, restartAs, type Stage, update, warn } from './tick.ts';
import { prepareRoute, reconcileRoute, route, writeService } from './traffic.ts';

/**
 * From a plain Deployment to primary and canary. Users stay on the target until the primary answers: only then the apex Service
 * turns, and only after that the target goes to zero. A primary that never gets ready leaves everything as it was.
 */
function* initialise(stage: Stage): Asking<void> {
  const { seen, spec, kind, names, revision, source, draft } = stage;
  if (!spec.skipAnalysis) yield* checkProviders(stage);
  const { primary } = seen;
  if (cannotBeCopied(stage)) return;
  prepareRoute(stage);
  if (!primary) {
    writePrimary(stage);
    // What the API server would say of an object that has just been made.
    const said = kind.unborn({ name: `${spec.target.name}-primary`, namespace: spec.namespace });
    return said === undefined ? undefined : warn(stage, said);
  }
  const runsTarget = kind.runs(primary, source) && hasPrimaryConfigs(revision);
  const ready = primaryReadiness(stage);
  if (ready.kind !== 'ready') {
    // Nobody depends on it yet, so a corrected target may replace it.
    if (!runsTarget && !primaryServes(stage)) writePrimary(stage);
    yield* tellNotReady(stage, 'primary', ready);
    return;
  }
  if (lacksScaler(stage)) return tellLackOfScaler(stage);
  writePrimaryScaler(stage, 'missing');
  writeService(stage, 'apex', 'primary');
  reconcileRoute(stage);
  if (stage.weight > 0) route(stage, 0);
  log(stage, `Scaling down ${spec.target.kind} ${names.target}`);
  restartAs(stage, 'Initialized', 0);
  // A primary from before that runs something else keeps its version, and the target is judged next.
  update(stage, runsTarget ? { lastPromotedSpec: revision.hash } : { lastAppliedSpec: '', lastPromotedSpec: '' });
  draft.nextTickMs = spec.analysis.intervalMs;
  scaleDown(stage);
  normal(stage, `Initialization done! ${names.canary}`, 'Initialized');
  alert(stage, 'info', `New ${spec.target.kind} detected, initialization completed.`, true);
}

/** What it waits for is there. A primary that is not ready yet is told of at the interval. */
function isNextStepDue(stage: Stage): boolean {
  const { seen, revision } = stage;
  if (!seen.primary) return revision.missing.length === 0;
  return primaryReadiness(stage).kind === 'ready' && !lacksScaler(stage);
}

export const initialising: Phase = sooner(isNextStepDue, initialise);

/** Only told: a canary does not depend on its metrics before its first release. */
function* checkProviders(stage: Stage): Asking<void> {
  const answer = yield { kind: 'metrics-online' };
  if (answer.kind === 'unreachable' || answer.kind === 'invalid') return fail(stage, answer.text);
  if (answer.kind === 'rejected') return fail(stage, `Error checking metric providers: ${answer.reason}`);
  normal(stage, 'all the metrics providers are available!');
}

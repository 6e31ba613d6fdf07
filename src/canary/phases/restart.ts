import { want } from '../intents.ts';
import { changedConfigs } from '../revision.ts';
import { scaleToZero } from './scaling.ts';
import { normal, restartAs, type Stage } from './tick.ts';
import { canGoHome, holdsUsers, routeHome, writeService } from './traffic.ts';

/** What is judged from now on, and what an outcome is going to be about. */
export function beginRelease({ draft, revision }: Stage, restarted: boolean): void {
  const { hash, configs = {} } = revision;
  want(draft.intents, 'release', { kind: 'begin-release', restarted, templateHash: hash, configs });
}

/** A newer revision takes the place of the one under analysis: users go home, everything begins again. */
export function restartAnalysis(stage: Stage): void {
  // Users leave what nobody judges anyway; what they leave it for begins when all of it is there.
  if (stage.seen.isUnapplied) return;
  const { names, status, revision } = stage;
  normal(stage, `New revision detected! Restarting analysis for ${names.target}`);
  const isSafe = canGoHome(stage);
  const weight = routeHome(stage);
  if (weight === 0 && holdsUsers(stage)) writeService(stage, 'canary', 'canary');
  beginRelease(stage, true);
  // Running pods do not read a changed config again; new ones do.
  if (isSafe && status.lastAppliedSpec === revision.hash && changedConfigs(status, revision).length > 0)
    scaleToZero(stage);
  restartAs(stage, 'Progressing', weight);
}

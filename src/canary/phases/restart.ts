import { changedConfigs } from '../revision.ts';
import { scaleToZero } from './scaling.ts';
import { normal, restartAs, type Stage } from './tick.ts';
import { canGoHome, holdsUsers, routeHome, writeService } from './traffic.ts';

/** A newer revision takes the place of the one under analysis: users go home, everything begins again. */
export function restartAnalysis(stage: Stage): void {
  const { names, draft, status, revision } = stage;
  normal(stage, `New revision detected! Restarting analysis for ${names.target}`);
  const isSafe = canGoHome(stage);
  const weight = routeHome(stage);
  if (weight === 0 && holdsUsers(stage)) writeService(stage, 'canary', 'canary');
  draft.effects.push({ kind: 'begin-release', restarted: true });
  // Running pods do not read a changed config again; new ones do.
  if (isSafe && status.lastAppliedSpec === revision.hash && changedConfigs(status, revision).length > 0)
    scaleToZero(stage);
  restartAs(stage, 'Progressing', weight);
}

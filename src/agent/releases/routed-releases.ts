import { type AppKey, keyOf } from '../../lib/key.ts';
import type { KubeObject } from '../../manifest/types.ts';
import type { JudgedReleases } from './releases.ts';

/** The releases of several sources as one: what is asked of an app is asked of the source that has it, which `of` tells. */
export function createRoutedReleases(of: (key: AppKey) => JudgedReleases): JudgedReleases {
  const ofCanary = ({ metadata }: KubeObject): JudgedReleases => of(keyOf(metadata));
  return {
    isReady: (key) => of(key).isReady(key),
    isApplied: (key, phase) => of(key).isApplied(key, phase),
    releaseId: (key, phase) => of(key).releaseId(key, phase),
    underWay: (canary, status) => ofCanary(canary).underWay(canary, status),
    commitUrl: (key, phase, id) => of(key).commitUrl(key, phase, id),
    note: (key, evidence) => of(key).note(key, evidence),
    lastFailedCheck: (key) => of(key).lastFailedCheck(key),
    failedBefore: (key) => of(key).failedBefore(key),
    told: (key) => of(key).told(key),
    recorded: (canary, status) => ofCanary(canary).recorded(canary, status),
    isPushedAgain: (canary, status) => ofCanary(canary).isPushedAgain(canary, status),
    isRejectedTip: (canary, status) => ofCanary(canary).isRejectedTip(canary, status),
    proven: (canary, status) => ofCanary(canary).proven(canary, status),
    begin: (canary, judged, seenId) => ofCanary(canary).begin(canary, judged, seenId),
    end: (canary, ended) => ofCanary(canary).end(canary, ended),
    withdraw: (canary) => ofCanary(canary).withdraw(canary),
    resume: (canary) => ofCanary(canary).resume(canary),
  };
}

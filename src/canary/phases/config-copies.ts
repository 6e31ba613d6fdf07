import { isCopyName } from '../config-copies.ts';
import { configRefsOf } from '../configs.ts';
import { primaryReadiness } from './health.ts';
import { copyConfigs, writePrimary } from './primary-write.ts';
import type { Stage } from './tick.ts';

/** Copies that somebody deleted are made again. To be called only while the target is what the primary was promoted with. */
export function remakeCopies(stage: Stage): void {
  const { now, next } = stage.revision.copies;
  const lost = [...now].filter(([, copy]) => !stage.seen.configs.has(copy));
  if (lost.length === 0) return;
  // Another primary may refer to one of that name by now: this one is led to its own.
  if (lost.some(([key, copy]) => next.get(key) !== copy)) return writePrimary(stage);
  const keys = new Set(lost.map(([key]) => key));
  copyConfigs(stage, (key) => keys.has(key));
}

/** Flagger leaves copies that several primaries read to the Canary that was promoted last, with which they would go. */
export function joinCopies({ revision, seen, draft }: Stage): void {
  const { canary, primary, configs } = seen;
  const read = new Set(primary ? configRefsOf(primary).map(({ key }) => key) : []);
  for (const copy of revision.copies.now.values()) {
    const canaries = configs.get(copy)?.canaries ?? [];
    if (!read.has(copy) || canaries.length === 0 || canaries.includes(canary.metadata.uid ?? '')) continue;
    draft.afterwards.push({ kind: 'join-copy', copy });
  }
}

/**
 * Copies that the primary read before its last promotion, as those of configs with a hash in their name, which have a new one with each
 * release. To be called while no release is under way: pods of the version before may start anew until its last one has gone.
 */
export function leaveCopies(stage: Stage): void {
  const { seen, draft } = stage;
  const { ownCopies = [], configs, primary, target, readByOthers } = seen;
  if (ownCopies.length === 0 || !primary || primaryReadiness(stage).kind !== 'ready') return;
  if (draft.intents.some(({ effect }) => effect.kind === 'copy-config')) return;
  const read = new Set([primary, target].flatMap((one) => (one ? configRefsOf(one).map(({ key }) => key) : [])));
  for (const copy of ownCopies) {
    const { canaries = [] } = configs.get(copy) ?? {};
    // One that another primary reads is left to that one's Canary, once it is an owner.
    if (!isCopyName(copy) || read.has(copy) || (readByOthers?.has(copy) && canaries.length < 2)) continue;
    draft.afterwards.push({ kind: 'leave-copy', copy });
  }
}

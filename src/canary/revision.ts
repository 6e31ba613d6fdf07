import type { KubeObject } from '../manifest/types.ts';
import { type ConfigRef, configRefsOf } from './configs.ts';
import { type CopyNames, copyNamesOf } from './config-copies.ts';
import type { SelectorLabel } from './labels.ts';
import type { PrimarySource } from './primary.ts';
import type { Target } from './targets/target.ts';
import { maySame } from './secret-checksums.ts';
import { isComparableHash, templateHash } from './template-hash.ts';
import type { CanaryStatus, ConfigKey, DecideSettings, Seen } from './types.ts';

/** The target as it is now. */
export interface Revision {
  readonly hash: string;
  /** What status.trackedConfigs is to say; undefined where tracking is off. */
  readonly configs: Readonly<Record<string, string>> | undefined;
  /** The primary's copies of those. */
  readonly copies: CopyNames;
  /** Those whose copies say the same. */
  readonly copied: ReadonlySet<ConfigKey>;
  /** Configs that pods cannot start without and that are not there. */
  readonly missing: readonly ConfigRef[];
}

/**
 * How the target stands to what is known of it: `same` as what was last looked at, `promoted` again (the primary runs it, so there
 * is nothing to judge), or `new`.
 */
export type Novelty = 'same' | 'promoted' | 'new';

export function revisionOf(kind: Target, target: KubeObject, seen: Seen, settings: DecideSettings): Revision {
  const hash = templateHash(kind.revised(target));
  if (!settings.configTracking || !kind.tracksConfigs)
    return { hash, configs: undefined, copies: copyNamesOf([], seen), copied: new Set(), missing: [] };
  const refs = configRefsOf(target);
  const configs: Record<string, string> = {};
  for (const { key } of refs) {
    const config = seen.configs.get(key);
    if (config?.tracked) configs[key] = config.checksum;
  }
  const copies = copyNamesOf(Object.keys(configs) as ConfigKey[], seen);
  const isCopied = ([key, copy]: readonly [ConfigKey, ConfigKey]): boolean =>
    seen.configs.get(copy)?.checksum === configs[key];
  const copied = new Set([...copies.now].filter(isCopied).map(([key]) => key));
  return {
    hash,
    configs,
    copies,
    copied,
    missing: refs.filter(({ key, optional }) => !optional && !seen.configs.has(key)),
  };
}

export interface NoveltyInput {
  readonly kind: Target;
  readonly status: CanaryStatus;
  readonly revision: Revision;
  readonly seen: Seen;
  readonly source: PrimarySource | undefined;
}

/** `same` comes first: right after a crash in the middle of a promotion the primary may already run what is still under analysis. */
export function noveltyOf({ kind, status, revision, seen, source }: NoveltyInput): Novelty {
  if (status.lastAppliedSpec === revision.hash && changedConfigs(status, revision).length === 0) return 'same';
  const isPrimarys = seen.primary && source && kind.runs(seen.primary, source) && hasPrimaryConfigs(revision);
  if (isPrimarys) return seen.isRejectedTip ? 'new' : 'promoted';
  // Another program's hash says nothing. What is under way goes on with the target that it had; what rests is judged.
  const isForeign = status.lastAppliedSpec !== '' && !isComparableHash(status.lastAppliedSpec);
  const rests = status.phase === 'Initialized' || status.phase === 'Succeeded';
  return isForeign && !rests ? 'same' : 'new';
}

/** Tracked configs whose content is not the one that the status names. Entries of configs that nobody refers to any more do not count. */
export function changedConfigs(status: CanaryStatus, { configs, copied }: Revision): readonly ConfigKey[] {
  const keys = Object.keys(configs ?? {}) as ConfigKey[];
  return keys.filter((key) => {
    const [before, now] = [status.trackedConfigs?.[key], configs?.[key]];
    // A checksum of a key that is lost tells nothing: what the primary has is no news.
    return before !== now && !(copied.has(key) && maySame(before, now));
  });
}

/** The primary's copies hold what the sources hold. */
export function hasPrimaryConfigs({ copies, copied }: Revision): boolean {
  return [...copies.now.keys()].every((key) => copied.has(key));
}

/** Undefined where the target cannot be copied. */
export function primarySource(
  seen: Seen,
  selector: SelectorLabel,
  revision: Revision,
  settings: DecideSettings,
  replicas: number | undefined,
): PrimarySource | undefined {
  const { canary, target } = seen;
  if (!target) return undefined;
  const { hash: templateHash, configs = {}, copies } = revision;
  return { canary, target, selector, templateHash, configs, copies, replicas, settings };
}

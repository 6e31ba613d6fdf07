import { sha256Hex } from '../lib/hash.ts';
import { perText } from '../lib/memo.ts';
import type { KubeObject } from '../manifest/types.ts';
import { configKey, configRefsOf, parseConfigKey } from './configs.ts';
import type { ConfigKey, ConfigSeen, Seen } from './types.ts';

/** The primary's copies by the configs that they are copies of. */
export interface CopyNames {
  /** What the primary refers to; Flagger's name where it refers to none. */
  readonly now: ReadonlyMap<ConfigKey, ConfigKey>;
  /** What it is to refer to when it is written next: nobody else's primary reads this one. */
  readonly next: ReadonlyMap<ConfigKey, ConfigKey>;
}

/** Of names of objects, in characters. */
const longestName = 253;

/** Flagger's name of a config's copy. */
export function flaggerCopy(key: ConfigKey): ConfigKey {
  return `${key}-primary`;
}

/** The copy for one Canary alone, where Flagger's name is somebody else's: `<config>-primary-<canary>-<hash>`, cut where it is too long. */
export function ownCopy(key: ConfigKey, canary: KubeObject): ConfigKey {
  const { kind, name } = parseConfigKey(key);
  const hash = copyHash(`${canary.metadata.name}/${key}`);
  const start = `${name}-primary-${canary.metadata.name}`.slice(0, longestName - 1 - hash.length);
  return configKey({ kind, name: `${start.replace(/[.-]+$/, '')}-${hash}` });
}

/** Asked for at every look. */
const copyHash = perText(10_000, (text) => sha256Hex(text).slice(0, 10));

/** Whether an object that a Canary owns has the name of a copy: others may have made it an owner of theirs. */
export function isCopyName(key: ConfigKey): boolean {
  return /-primary(?:-.*-[0-9a-f]{10})?$/.test(key);
}

/** All ConfigMaps and Secrets that may be copies of these. */
export function possibleCopies(keys: readonly ConfigKey[], canary: KubeObject): readonly ConfigKey[] {
  return keys.flatMap((key) => [flaggerCopy(key), ownCopy(key, canary)]);
}

/**
 * A promotion must not change what another primary reads, nor what is not a copy at all. So Flagger's name is taken where it is free or
 * this Canary's alone, and a name of its own where it is not; whoever has one keeps it.
 */
export function copyNamesOf(keys: readonly ConfigKey[], seen: Seen): CopyNames {
  const { canary, primary, target } = seen;
  const read = new Set(primary ? configRefsOf(primary).map(({ key }) => key) : []);
  const sources = new Set(target ? configRefsOf(target).map(({ key }) => key) : []);
  const now = new Map<ConfigKey, ConfigKey>();
  const next = new Map<ConfigKey, ConfigKey>();
  for (const key of keys) {
    const [usual, own] = [flaggerCopy(key), ownCopy(key, canary)];
    now.set(key, read.has(own) ? own : usual);
    const keepsOwn = read.has(own) && isOwned(seen.configs.get(own), canary);
    const isFree = !sources.has(usual) && parseConfigKey(usual).name.length <= longestName && mayWrite(usual, seen);
    next.set(key, keepsOwn || !isFree ? own : usual);
  }
  return { now, next };
}

function mayWrite(copy: ConfigKey, { configs, canary, readByOthers }: Seen): boolean {
  if (readByOthers?.has(copy)) return false;
  const live = configs.get(copy);
  return live === undefined || isOwned(live, canary);
}

/** Made for this Canary, and for no other. */
export function isOwned(copy: ConfigSeen | undefined, { metadata }: KubeObject): boolean {
  const { canaries = [] } = copy ?? {};
  return canaries.length === 1 && canaries[0] === metadata.uid;
}

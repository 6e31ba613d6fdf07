import type { KubeObject } from '../../manifest/types.ts';
import { isOwned } from '../config-copies.ts';
import { parseConfigKey } from '../configs.ts';
import { isWanted, type Purpose, want } from '../intents.ts';
import type { Target } from '../targets/target.ts';
import type { ConfigKey } from '../types.ts';
import { type Stage, warn } from './tick.ts';

interface CopyObstacle {
  /** The text of its event. */
  readonly said: string;
  /** As the outcome tells it. */
  readonly reason: string;
}

/** Why no primary can be made of the target as it is, or its pods could not start. */
export function copyObstacle(stage: Stage): CopyObstacle | undefined {
  const obstacle = stage.kind.obstacle?.(stage.target);
  if (obstacle !== undefined) return { said: obstacle, reason: obstacle };
  const taken = takenCopy(stage);
  if (taken !== undefined) {
    const said = `${taken} stands already and is no copy for ${stage.names.primary}: delete or rename it`;
    return { said, reason: `${taken} is no copy for ${stage.names.primary}` };
  }
  const [first] = stage.revision.missing;
  if (!first) return undefined;
  const kind = first.kind.toLowerCase();
  return {
    said: `${kind} ${first.name}.${stage.spec.namespace} get query error: ${kind}s "${first.name}" not found`,
    reason: `${first.kind} ${first.name} is missing`,
  };
}

/** Nothing may go on as long as there is such an obstacle. Says so and returns true. */
export function cannotBeCopied(stage: Stage): boolean {
  const obstacle = copyObstacle(stage);
  if (obstacle) warn(stage, obstacle.said);
  return obstacle !== undefined;
}

/** A name that only a copy for this primary is to have, and that somebody else's object has; Flagger's names are given way to. */
function takenCopy({ revision, seen, spec }: Stage): string | undefined {
  const { configs, canary } = seen;
  const taken = [...revision.copies.next.values()].find(
    (copy) => configs.has(copy) && !isOwned(configs.get(copy), canary),
  );
  if (taken === undefined) return undefined;
  const { kind, name } = parseConfigKey(taken);
  return `${kind.toLowerCase()} ${name}.${spec.namespace}`;
}

/** Copies of all tracked configs first, so that the primary's new pods find them. */
export function writePrimary(stage: Stage): void {
  const { seen, kind, source, draft } = stage;
  copyConfigs(stage, () => true);
  const written = kind.writePrimary(source, seen.primary);
  const isMade = written.over === undefined;
  want(
    draft.intents,
    'primary',
    { kind: 'write', ...written },
    isMade ? (kind.leadsUsers ? { isDestination: true } : {}) : ledBy(kind),
  );
  if (seen.primary && written.over === seen.primary) tellSize(stage, seen.primary, written.object);
}

/** What a write of the object does by which this kind leads users. */
export function ledBy(kind: Target): Purpose {
  return kind.leadsUsers ? { moves: 'users' } : {};
}

/** A promotion changes the number of pods without a word only where Git has. */
function tellSize(stage: Stage, primary: KubeObject, object: KubeObject): void {
  const { kind, names, seen } = stage;
  if (!kind.scaling) return;
  const [before, after] = [kind.scaling.replicasOf(primary), kind.scaling.replicasOf(object)];
  const change = `${names.primary} goes from ${before} to ${after} replicas with this version`;
  if (after > before && kind.scaling.isOthers?.(primary))
    warn(stage, `${change}: somebody had set ${before}, and it gets all users`);
  if (after < before && after !== seen.desiredReplicas) warn(stage, `${change}, as ${names.target} has`);
}

/**
 * Flagger makes primaries that are on no node, and calls them initialised. Nobody means their users to find no pods; whoever does may
 * suspend the Canary. To be called last.
 */
export function unmarkPrimary(stage: Stage): void {
  const { kind, seen, names, draft } = stage;
  const { primary } = seen;
  const object = primary && kind.unmarked?.(primary);
  if (!object || object === primary) return;
  // What a phase writes of it leaves the mark out anyway.
  if (isWanted(draft.intents, 'primary')) return;
  want(draft.intents, 'primary', { kind: 'write', object, over: primary });
  warn(stage, `${names.primary} was kept off all nodes by a mark of its target, which is removed`);
}

/** Those that stand come last: what cannot be made, as for a quota, must not leave the primary with new content in the others. */
export function copyConfigs({ revision, draft, seen }: Stage, isCopied: (key: ConfigKey) => boolean): void {
  const { configs = {}, copies } = revision;
  const stands = ([, copy]: readonly [ConfigKey, ConfigKey]): number => (seen.configs.has(copy) ? 1 : 0);
  for (const [key, copy] of [...copies.next].toSorted((a, b) => stands(a) - stands(b))) {
    const checksum = configs[key];
    if (checksum !== undefined && isCopied(key)) want(draft.intents, key, { kind: 'copy-config', key, copy, checksum });
  }
}

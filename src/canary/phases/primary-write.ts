import type { ConfigKey } from '../types.ts';
import { type Stage, warn } from './tick.ts';

/** No primary can be made of the target as it is, or its pods could not start: nothing may go on. Says so and returns true. */
export function cannotBeCopied(stage: Stage): boolean {
  const obstacle = stage.kind.obstacle?.(stage.target);
  if (obstacle !== undefined) {
    warn(stage, obstacle);
    return true;
  }
  const [first] = stage.revision.missing;
  if (!first) return false;
  const kind = first.kind.toLowerCase();
  warn(stage, `${kind} ${first.name}.${stage.spec.namespace} get query error: ${kind}s "${first.name}" not found`);
  return true;
}

/** Copies of all tracked configs first, so that the primary's new pods find them. */
export function writePrimary(stage: Stage): void {
  const { seen, kind, source, draft } = stage;
  copyConfigs(stage, () => true);
  draft.effects.push({ kind: 'write', ...kind.writePrimary(source, seen.primary) });
}

export function copyConfigs({ revision, draft }: Stage, isWanted: (key: ConfigKey) => boolean): void {
  for (const [name, checksum] of Object.entries(revision.configs ?? {})) {
    const key = name as ConfigKey;
    if (isWanted(key)) draft.effects.push({ kind: 'copy-config', key, checksum });
  }
}

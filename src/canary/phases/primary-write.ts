import { createPrimary, promotePrimary } from '../primary.ts';
import type { ConfigKey } from '../types.ts';
import { type Stage, warn } from './tick.ts';

/** Pods cannot start without these: nothing that has to do with the primary may go on. Says so and returns true. */
export function lacksConfigs(stage: Stage): boolean {
  const [first] = stage.revision.missing;
  if (!first) return false;
  const kind = first.kind.toLowerCase();
  warn(stage, `${kind} ${first.name}.${stage.spec.namespace} get query error: ${kind}s "${first.name}" not found`);
  return true;
}

/** Copies of all tracked configs first, so that the primary's new pods find them. */
export function writePrimary(stage: Stage): void {
  const { seen, source, draft } = stage;
  copyConfigs(stage, () => true);
  const { primary } = seen;
  const object = primary ? promotePrimary(primary, source) : createPrimary(source);
  draft.effects.push({ kind: 'write', object, over: primary });
}

export function copyConfigs({ revision, draft }: Stage, isWanted: (key: ConfigKey) => boolean): void {
  for (const [name, checksum] of Object.entries(revision.configs ?? {})) {
    const key = name as ConfigKey;
    if (isWanted(key)) draft.effects.push({ kind: 'copy-config', key, checksum });
  }
}

import type { Steps } from '../lib/turns.ts';
import { indexed } from './object-index.ts';
import type { ObjectFacts, RestoreGoal } from './renderer.ts';

const sides = ['base', 'judged', 'tip'] as const;

/** The objects that no generator makes. */
export function* writtenInFiles(goal: RestoreGoal): Steps<RestoreGoal['objects']> {
  const written = new Map<string, ObjectFacts>();
  for (const [key, facts] of goal.objects) {
    for (const side of sides) {
      const origin = (yield* indexed(goal[side])).byIdentity.get(key)?.origin;
      if (origin?.document !== undefined) written.set(key, facts);
    }
  }
  return written;
}

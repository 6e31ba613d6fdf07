import { type AppKey, keyOf } from '../../lib/key.ts';
import type { KubeObject, Problem } from '../../manifest/types.ts';
import type { Tell } from '../../outlets/tell.ts';

/** What Git has beside a Canary and does not go together with it, as events of the Canary. */
export interface Notices {
  /** All that is true at the last commit. */
  know(problems: readonly Problem[]): void;
  /** A Canary may have come, which was not there to be told of. */
  tell(key: AppKey): void;
}

interface Notice {
  /** With the place in Git. */
  readonly text: string;
  isTold: boolean;
}

/** Each is told once, and again only where it was mended in between. */
export function createNotices(canaryOf: (key: AppKey) => KubeObject | undefined, tell: Tell): Notices {
  /** By Canary, then by message: another line is no other fault. */
  let known = new Map<AppKey, Map<string, Notice>>();
  const tellAll = (key: AppKey): void => {
    const notices = known.get(key);
    const canary = notices && canaryOf(key);
    if (!canary) return;
    const { name, namespace = '' } = canary.metadata;
    for (const notice of notices.values()) {
      if (notice.isTold) continue;
      notice.isTold = true;
      tell(canary, { name, namespace }, { type: 'Warning', level: 'info', message: notice.text }, undefined);
    }
  };
  return {
    know(problems) {
      const before = known;
      known = new Map();
      for (const { canary, path, line, message, hint } of problems) {
        if (!canary) continue;
        const key = keyOf(canary);
        const notices = known.get(key) ?? new Map<string, Notice>();
        const text = `${path}:${line} ${message}${hint === undefined ? '' : ` (${hint})`}`;
        const isTold = before.get(key)?.get(message)?.isTold ?? false;
        known.set(key, notices.set(message, { text, isTold }));
      }
      for (const key of known.keys()) tellAll(key);
    },
    tell: tellAll,
  };
}

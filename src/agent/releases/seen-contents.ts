import type { Revision } from '../../git/repo.ts';
import { type AppKey } from '../../lib/key.ts';

/** A content that is promoted may have been replaced by as many newer pushes meanwhile. */
const contentsRemembered = 20;

/** The last synced revision with each of an app's latest contents. Lost with the agent. */
export interface SeenContents {
  /** Undefined: it was not seen of late. */
  of(key: AppKey, content: string): Revision | undefined;
  note(key: AppKey, content: string, tip: Revision): void;
  /** The app has left Git. */
  forget(key: AppKey): void;
}

export function createSeenContents(): SeenContents {
  /** By app, oldest first. */
  const lastSeen = new Map<AppKey, Map<string, Revision>>();
  return {
    of: (key, content) => lastSeen.get(key)?.get(content),
    note(key, content, tip) {
      const seen = lastSeen.get(key) ?? new Map<string, Revision>();
      seen.delete(content);
      seen.set(content, tip);
      for (const oldest of [...seen.keys()].slice(0, -contentsRemembered)) seen.delete(oldest);
      lastSeen.set(key, seen);
    },
    forget: (key) => void lastSeen.delete(key),
  };
}

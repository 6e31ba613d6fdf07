import type { Revision } from '../../git/repo.ts';
import type { Logger } from '../../lib/log.ts';
import type { Problem } from '../../manifest/types.ts';

/** Logs what is wrong with a commit, each problem once as long as it stands. */
export function createProblemLog(log: Logger): (revision: Revision, problems: readonly Problem[]) => void {
  let told: ReadonlySet<string> = new Set();
  return (revision, problems) => {
    const standing = new Set<string>();
    for (const { severity, path, line, message, hint } of problems) {
      // Without the line: every edit above it would make it news.
      const key = JSON.stringify([severity, path, message]);
      standing.add(key);
      if (told.has(key)) continue;
      log[severity === 'error' ? 'error' : 'warn'](
        { revision, path, line },
        `${path}:${line} ${message}${hint ? `; ${hint}` : ''}`,
      );
    }
    told = standing;
  };
}

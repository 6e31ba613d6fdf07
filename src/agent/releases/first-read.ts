import { backoffMs } from '../../lib/backoff.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Deps } from '../deps.ts';
import type { Records } from './records.ts';

/** Releases under way are judged without their records when these cannot be read for so long. */
const patienceMs = 60_000;
const backoff = { baseMs: 500, capMs: 15_000 };

/** The first look at the records of releases, which is tried until it comes to an end. */
export interface FirstRead {
  /** Why they are not read; undefined while nothing is in the way. */
  readonly trouble: string | undefined;
  /** Resolves when they are read; `onUnread` is called once where they could not be for a minute. Rejects when the agent stops. */
  run(onUnread: (why: string) => void): ReturnType<Records['load']>;
}

export function createFirstRead(
  { clock, log, read }: Pick<Deps, 'clock' | 'log'> & { readonly read: Records['load'] },
  signal: AbortSignal,
): FirstRead {
  let trouble: string | undefined;
  return {
    get trouble() {
      return trouble;
    },
    async run(onUnread) {
      const sinceMs = clock.elapsed();
      let isPatient = true;
      for (let tries = 0; ; tries += 1) {
        try {
          const found = await read();
          trouble = undefined;
          return found;
        } catch (error) {
          if (signal.aborted) throw error;
          const said = `the records of releases (Secrets in the agent's namespace) cannot be read: ${messageOf(error)}`;
          if (said !== trouble) log.error({}, `${said}; no release begins or ends before they are`);
          trouble = said;
          if (isPatient && clock.elapsed() - sinceMs >= patienceMs) {
            isPatient = false;
            onUnread(said);
          }
          await clock.sleep(backoffMs(tries, backoff, 0.5), signal);
        }
      }
    },
  };
}

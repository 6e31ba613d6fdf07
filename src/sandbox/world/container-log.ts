import type { Clock } from '../../lib/clock.ts';
import type { LogLine, RunLog } from '../types.ts';

const maxLines = 2_000;

interface Run extends RunLog {
  write(text: string): void;
  end(): void;
}

/** What a container writes, run by run; the last two are kept. */
export interface ContainerLog {
  readonly begin: () => void;
  readonly write: (text: string) => void;
  /** The run is over; its lines stay. */
  readonly end: () => void;
  readonly latest: () => RunLog | undefined;
  readonly before: () => RunLog | undefined;
}

export function createContainerLog(clock: Clock): ContainerLog {
  let before: Run | undefined;
  let latest: Run | undefined;
  return {
    begin() {
      latest?.end();
      before = latest;
      latest = createRun(clock);
    },
    write: (text) => latest?.write(text),
    end: () => latest?.end(),
    latest: () => latest,
    before: () => before,
  };
}

function createRun(clock: Clock): Run {
  const lines: LogLine[] = [];
  const followers = new Set<{ onLine: (line: LogLine) => void; onEnd: () => void }>();
  let ended = false;
  return {
    lines,
    write(text) {
      const line = { atMs: clock.now(), text };
      lines.push(line);
      if (lines.length > maxLines) lines.splice(0, lines.length - maxLines);
      for (const { onLine } of followers) onLine(line);
    },
    end() {
      ended = true;
      for (const { onEnd } of followers) onEnd();
      followers.clear();
    },
    follow(onLine, onEnd) {
      const follower = { onLine, onEnd };
      if (ended) onEnd();
      else followers.add(follower);
      return () => void followers.delete(follower);
    },
  };
}

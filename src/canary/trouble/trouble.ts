/** Why pods of a workload do not become ready. `output` is not redacted yet. */
export interface PodTrouble {
  readonly cause: TroubleCause;
  /** Short, for a commit subject: `image cannot be pulled (not found)`. The same as long as the cause is. */
  readonly summary: string;
  /** What the summary is about and does not name: the image. Absent: nothing. */
  readonly about?: string;
  /** What Kubernetes says of it, with the names of pod and container; one line. */
  readonly detail: string;
  /** What the app itself said, as its termination message or the answer to a probe. Absent: nothing. */
  readonly output?: string;
  /** Whose log may tell more. Absent: nothing has run. */
  readonly log?: LogSource;
}

type TroubleCause =
  | 'image'
  | 'config'
  | 'volume'
  | 'start'
  | 'crash'
  | 'out-of-memory'
  | 'probe'
  | 'not-ready'
  | 'scheduling'
  | 'evicted'
  | 'quota'
  | 'refused'
  | 'paused'
  | 'sandbox';

export interface LogSource {
  readonly pod: string;
  readonly container: string;
  /** The log of the run before the present one. */
  readonly previous: boolean;
}

/** One line of what somebody else wrote, at most `max` characters. */
export function clipped(text: string, max: number): string {
  // Cut before anything looks at the whole: it may be long.
  const flat = text
    .slice(0, max * 4)
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim();
  const letters = Array.from(flat);
  return letters.length <= max ? flat : `${letters.slice(0, max - 1).join('')}…`;
}

/** A trouble as people are told of it: redacted, and with what the log says. */
export interface ToldTrouble {
  readonly cause: TroubleCause;
  readonly summary: string;
  /** One sentence, the same as long as the cause is: the summary with what it is about, or with the line of the log that says most. */
  readonly text: string;
  /** All that is known, line by line: what Kubernetes says, then the last lines of the log. */
  readonly lines: readonly string[];
}

const loudWords = /error|panic|fatal|exception|fail|cannot|can't|denied|refused|invalid|missing|not found/i;

/** `said` are the last lines of what the app wrote; both are redacted. */
export function toldTrouble(
  { cause, summary, about, detail }: Pick<PodTrouble, 'cause' | 'summary' | 'about' | 'detail'>,
  said: readonly string[],
): ToldTrouble {
  const lines = said.map((line) => clipped(line, 200)).filter((line) => line !== '');
  const loudest = lines.findLast((line) => loudWords.test(line));
  // What a program says that runs is mostly nothing about it.
  const more = about ?? loudest ?? (cause === 'crash' ? lines.at(-1) : undefined);
  return {
    cause,
    summary,
    text: more === undefined ? summary : `${summary}: ${more}`,
    lines: [
      clipped(detail, 500),
      ...(lines.length === 0 ? [] : ['last log lines:', ...lines.map((line) => `  ${line}`)]),
    ],
  };
}

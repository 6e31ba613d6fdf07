import { setTimeout as sleep } from 'node:timers/promises';
import type { GitRepo, Revision } from '../../src/git/repo.ts';
import { createLogger } from '../../src/lib/log.ts';
import type { Fence } from '../../src/lib/fence.ts';
import type { Outcome } from '../../src/release/types.ts';
import { createOutcomeWriter, type OutcomeWriter, type WriterSettings } from '../../src/release/writer.ts';
import { eventually } from '../helpers/eventually.ts';
import { fastClock } from '../helpers/fast-clock.ts';
import { type GitFixture, withGit } from '../helpers/git-fixture.ts';
import { commitFiles, revParse } from '../helpers/temp-repo.ts';

export const settings: WriterSettings = {
  path: '',
  ledgerDir: '.releases',
  defaultNamespace: 'test',
  tagPrefix: 'releases/',
  author: { name: 'Serin', email: 'serin@example.com' },
  cluster: 'test',
  agentVersion: '0.1.0',
  write: 'direct',
};

interface Written {
  readonly outcome: Outcome;
  readonly revision: Revision;
  readonly number: number | undefined;
}

interface RunningWriter {
  readonly writer: OutcomeWriter;
  readonly written: Written[];
  readonly blocked: { readonly id: string; readonly reason: string }[];
  readonly needless: { readonly id: string; readonly reason: string }[];
  /** What became of edits that are no outcomes, in order. */
  readonly edits: { readonly key: string; readonly is: 'written' | 'needless' | 'blocked'; readonly said: string }[];
  /** Problems that were logged at level error: bugs. */
  readonly errors: string[];
  /** Waits until nothing is pending. */
  readonly idle: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

function startWriter(repo: GitRepo, change: Partial<WriterSettings> = {}, fence?: Fence): RunningWriter {
  const written: Written[] = [];
  const blocked: { id: string; reason: string }[] = [];
  const needless: { id: string; reason: string }[] = [];
  const edits: { key: string; is: 'written' | 'needless' | 'blocked'; said: string }[] = [];
  const errors: string[] = [];
  const log = createLogger('error', (line) => errors.push(line));
  const writer = createOutcomeWriter({
    repo,
    clock: fastClock(20),
    log,
    settings: { ...settings, ...change },
    fence,
    edits: {
      onWritten: ({ key }, _revision, subject) => void edits.push({ key, is: 'written', said: subject }),
      onNeedless: ({ key }, said) => void edits.push({ key, is: 'needless', said }),
      onBlocked: ({ key }, said) => void edits.push({ key, is: 'blocked', said }),
    },
  });
  writer.onWritten((outcome, revision, number) => written.push({ outcome, revision, number }));
  writer.onBlocked(({ releaseId }, reason) => blocked.push({ id: releaseId, reason }));
  writer.onNeedless(({ releaseId }, _, reason) => needless.push({ id: releaseId, reason }));
  const ending = new AbortController();
  const running = writer.run(ending.signal);
  return {
    writer,
    written,
    blocked,
    needless,
    edits,
    errors,
    idle: () => eventually('all outcomes written', () => writer.pending().length === 0, 20_000),
    stop: async () => {
      ending.abort(new Error('stopped'));
      await running;
    },
  };
}

export interface Stage extends GitFixture {
  /** Replaces the tree's files by these and gives the commit. */
  commit(files: ReadonlyMap<string, string | null>, message?: string): Promise<string>;
  tip(): Promise<string>;
  start(change?: Partial<WriterSettings>, mirror?: string, fence?: Fence): Promise<RunningWriter>;
}

/** A Git server and writers on it; all are stopped after `run`. */
export async function withWriters(run: (stage: Stage) => Promise<void>): Promise<void> {
  await withGit(async (fixture) => {
    const running: RunningWriter[] = [];
    try {
      await run({
        ...fixture,
        commit: (files, message = 'change') => commitFiles(fixture.path, { files: Object.fromEntries(files), message }),
        tip: () => revParse(fixture.path, 'main'),
        start: async (change = {}, mirror = 'mirror', fence?: Fence) => {
          const started = startWriter(await fixture.open(mirror), change, fence);
          running.push(started);
          return started;
        },
      });
    } finally {
      await Promise.all(running.map((each) => each.stop()));
    }
    const errors = running.flatMap((each) => each.errors);
    if (errors.length > 0) throw new Error(errors.join('\n'));
  });
}

export const shortWhile = (ms = 100): Promise<void> => sleep(ms);

import { setTimeout as sleep } from 'node:timers/promises';
import { formatGoDuration } from '../../lib/duration.ts';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { keyOf } from '../../lib/key.ts';
import { statusOf } from '../../report/status.ts';
import type { AppStatus, HistoryEntry } from '../../report/types.ts';
import { atBranch, entriesOn, type GitOptions } from '../apps/git-history.ts';
import { type Apps, atApps, type ClusterOptions } from '../apps/open.ts';
import type { RemoteBranch } from '../checkout/branch.ts';
import { type CommandContext, exitCodes } from '../context.ts';

export interface WaitOptions extends ClusterOptions, GitOptions {
  readonly revision?: string;
  readonly for: string;
  /** Milliseconds. */
  readonly timeout: number;
  readonly json?: boolean;
}

type Verdict = 'promoted' | 'rolled-back' | 'withdrawn';

interface Ended {
  readonly verdict: Verdict;
  /** The commit that was judged. Absent: not known. */
  readonly revision?: string;
  readonly commit?: string;
  readonly failedCheck?: string;
}

const everyMs = 1_000;
/** Git is asked this often, the cluster each second. */
const gitEveryMs = 5_000;

/**
 * `serin wait APP --revision COMMIT`: for CI, after a push. The release that is waited for is the one that was judged at that commit or, where several were
 * pushed before the agent looked, at a later one that has it. Git tells outcomes; the cluster tells them sooner. Exit code 0: as waited for,
 * 3: it ended otherwise, 4: the time is over.
 */
export async function wait(context: CommandContext, word: string, options: WaitOptions): Promise<number> {
  if (options.for !== 'promoted' && options.for !== 'ended')
    throw new AgentError('CONFIG_INVALID', `--for is promoted or ended, not "${options.for.slice(0, 40)}"`);
  const { revision } = options;
  if (revision !== undefined && !/^[0-9a-f]{7,64}$/.test(revision))
    throw new AgentError(
      'CONFIG_INVALID',
      `--revision is a commit, 7 to 64 hex digits, not "${revision.slice(0, 80)}"`,
    );
  return atApps(context, options, async (apps) => {
    if (revision === undefined) return waiting(context, apps, { word, options, branch: undefined });
    try {
      return await atBranch(context, options, (branch) => waiting(context, apps, { word, options, branch }));
    } catch (error) {
      // Outside of a checkout only the commit itself is known again.
      if (!(error instanceof AgentError) || error.code !== 'CONFIG_INVALID' || options.config !== undefined)
        throw error;
      context.stderr.write(
        `serin: Git is not looked at, so only a release of that very commit counts: ${messageOf(error)}\n`,
      );
      return waiting(context, apps, { word, options, branch: undefined });
    }
  });
}

interface Waiting {
  readonly word: string;
  readonly options: WaitOptions;
  readonly branch: RemoteBranch | undefined;
}

async function waiting(context: CommandContext, apps: Apps, { word, options, branch }: Waiting): Promise<number> {
  const { output, stdout, stderr, signal } = context;
  const { revision, timeout } = options;
  const untilMs = performance.now() + timeout;
  let line = '';
  let askedMs = Number.NEGATIVE_INFINITY;
  let key: string | undefined;
  let releaseId: string | undefined;
  for (;;) {
    const app = await looked(apps, key ?? word);
    key ??= app && keyOf(app);
    if (app) {
      const now = `${app.phase} ${app.weight}% ${app.line}`;
      if (now !== line && !options.json) output.line(now);
      line = now;
      // Without a commit it is the release that is under way at first, or the last one.
      releaseId ??= app.release?.id;
    }
    const isGitDue = branch !== undefined && revision !== undefined && performance.now() - askedMs >= gitEveryMs;
    const inGit = isGitDue && key !== undefined ? await endedInGit(branch, key, revision) : undefined;
    if (isGitDue) askedMs = performance.now();
    const ended = inGit ?? (app && (await endedInCluster(app, { branch, revision, releaseId })));
    if (ended) {
      const isAsked = options.for === 'ended' || ended.verdict === 'promoted';
      const result = isAsked ? 'reached' : 'ended-otherwise';
      if (options.json) stdout.write(`${JSON.stringify({ app: key, result, ...ended })}\n`);
      else {
        const why = ended.failedCheck === undefined ? '' : `: ${ended.failedCheck}`;
        output.line(`${key} ${ended.verdict}${why}`);
      }
      return isAsked ? exitCodes.done : exitCodes.found;
    }
    if (performance.now() >= untilMs) {
      if (options.json)
        stdout.write(`${JSON.stringify({ app: key ?? word, result: 'late', revision: revision ?? null })}\n`);
      const hint =
        revision === undefined
          ? line
          : app?.release?.revision === undefined
            ? 'no release of it is known'
            : `its last release is of ${app.release.revision.slice(0, 12)}; does the commit change the app?`;
      stderr.write(`serin: ${key ?? word} did not come to an end within ${formatGoDuration(timeout)}: ${hint}\n`);
      return exitCodes.late;
    }
    const isStopped = await sleep(Math.max(0, Math.min(everyMs, untilMs - performance.now())), false, { signal }).catch(
      () => true,
    );
    if (isStopped) {
      stderr.write(`serin: stopped before ${key ?? word} came to an end\n`);
      return exitCodes.failed;
    }
  }
}

/** Undefined: it is not there yet, as an app that the commit brings. */
async function looked(apps: Apps, word: string): Promise<AppStatus | undefined> {
  try {
    return statusOf(await apps.facts(await apps.named(word)), Date.now());
  } catch (error) {
    if (error instanceof AgentError && (error.code === 'CLUSTER_UNREACHABLE' || error.details['missing'] === 'canary'))
      return undefined;
    throw error;
  }
}

/** The first outcome of a release that has the commit. A server that does not answer is asked again. */
async function endedInGit(branch: RemoteBranch, key: string, revision: string): Promise<Ended | undefined> {
  let entries: readonly HistoryEntry[];
  try {
    entries = await entriesOn(branch, await branch.tip(), { word: key, limit: 200 });
  } catch (error) {
    if (error instanceof AgentError && error.code.startsWith('GIT_')) return undefined;
    throw error;
  }
  let first: Ended | undefined;
  for (const { verdict, revision: judged, commit, failedCheck } of entries) {
    if (verdict !== 'promoted' && verdict !== 'rolled-back' && verdict !== 'withdrawn') continue;
    if (judged === undefined || !(await branch.isBefore(revision, judged))) break;
    first = { verdict, revision: judged, commit, ...(failedCheck === undefined ? {} : { failedCheck }) };
  }
  return first;
}

async function endedInCluster(
  { release, phase }: AppStatus,
  {
    branch,
    revision,
    releaseId,
  }: {
    readonly branch: RemoteBranch | undefined;
    readonly revision: string | undefined;
    readonly releaseId: string | undefined;
  },
): Promise<Ended | undefined> {
  const { outcome, revision: judged } = release ?? {};
  if (!release || !outcome) return undefined;
  // The pods of what is promoted have come up when the phase says so.
  if (phase === 'Promoting' || phase === 'Finalising') return undefined;
  const isMeant =
    revision === undefined
      ? release.id === releaseId
      : judged !== undefined &&
        (judged.startsWith(revision) || (branch !== undefined && (await branch.isBefore(revision, judged))));
  if (!isMeant) return undefined;
  const { verdict, commit, failedCheck } = outcome;
  return {
    verdict,
    ...(judged === undefined ? {} : { revision: judged }),
    ...(commit === undefined ? {} : { commit }),
    ...(failedCheck === undefined ? {} : { failedCheck }),
  };
}

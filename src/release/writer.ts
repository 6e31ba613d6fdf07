import type { GitRepo, PushResult, Revision } from '../git/repo.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { LoadSettings } from '../manifest/load.ts';
import { ParsedFiles } from '../manifest/parsed-files.ts';
import { buildOutcomes } from './build.ts';
import type { ComposeSettings, Draft } from './compose.ts';
import { createToldReleases } from './told.ts';
import { createRender, createTreeReader } from './trees.ts';
import type { Outcome } from './types.ts';

export interface WriterSettings extends ComposeSettings, LoadSettings {
  /** `none`: outcomes stay in the cluster. */
  readonly write: 'direct' | 'none';
}

export interface PendingOutcome {
  readonly outcome: Outcome;
  /** Why it has not been written yet; undefined while nothing stands in its way. */
  readonly blocked: string | undefined;
}

export interface OutcomeWriter {
  /** Takes an outcome; the same release twice is one. Returns at once. */
  submit(outcome: Outcome): void;
  pending(): readonly PendingOutcome[];
  /** Writes until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** `revision` is the commit that tells it; `number` the release's, undefined for rollbacks. */
  onWritten(listener: (outcome: Outcome, revision: Revision, number: number | undefined) => void): void;
  /** Something stands in the way: said once for each reason, tried again all the same. */
  onBlocked(listener: (outcome: Outcome, reason: string) => void): void;
}

export interface WriterDeps {
  readonly repo: GitRepo;
  readonly clock: Clock;
  readonly log: Logger;
  readonly settings: WriterSettings;
  /** What was parsed of the repository. Absent: nothing yet. */
  readonly parsed?: ParsedFiles;
  /** In [0, 1); absent: Math.random. */
  readonly random?: () => number;
}

interface Waiting {
  readonly outcome: Outcome;
  blocked?: string;
  /** A person has to act: tried again at another tip, or then. */
  held?: { readonly tip: Revision; readonly untilMs: number };
  /** A push of several was refused: it goes alone, so that only what is refused stays behind. */
  alone: boolean;
}

/** Outcomes that come together are written together: they are waited for so long. */
const gatherMs = 250;
/** More than this are several pushes, so that none takes long enough to be raced, or holds much memory. Adoptions are one commit. */
const atOnce = 50;
const raceBackoff = { baseMs: 30, capMs: 500 };
/** What Git says of a tag whose commit it does not have: somebody rewrote history. */
const isCommitGone = /^refs\/tags\/\S+ missing necessary objects/;
/** After so many lost races the pauses grow: somebody pushes without end. */
const patientAfter = 10;
const outageBackoff = { baseMs: 500, capMs: 30_000 };
/** What a person has to act on: tried again this often, and looked at the tip that often. */
const heldRetryMs = 300_000;
const heldPollMs = 15_000;

/**
 * The only writer to the branch. An outcome is built as a function of the tip and what is to be said, pushed with the tip as expected
 * value, and built anew from the start on every race. What Git already tells (by Release-Id) is not written again. It never gives
 * up: an outcome waits until it is written, whatever is in its way.
 */
export function createOutcomeWriter({
  repo,
  clock,
  log,
  settings,
  parsed = new ParsedFiles(),
  random = Math.random,
}: WriterDeps): OutcomeWriter {
  const waiting = new Map<string, Waiting>();
  const writtenListeners = new Set<(outcome: Outcome, revision: Revision, number: number | undefined) => void>();
  const blockedListeners = new Set<(outcome: Outcome, reason: string) => void>();
  let wakeUp: () => void = () => undefined;
  let woken = false;
  const trees = { reader: createTreeReader(repo, settings, parsed), render: createRender(settings, parsed) };
  const toldReleases = createToldReleases(repo);
  let races = 0;
  let outages = 0;

  const written = (outcome: Outcome, revision: Revision, number: number | undefined): void => {
    if (!waiting.delete(outcome.releaseId)) return;
    log.info(
      { canary: `${outcome.app.name}.${outcome.app.namespace}`, revision, verdict: outcome.verdict },
      `Outcome written to Git: ${outcome.verdict} ${outcome.app.namespace}/${outcome.app.name}`,
    );
    for (const listener of writtenListeners) listener(outcome, revision, number);
  };
  const block = (outcome: Outcome, reason: string, tip?: Revision): void => {
    const entry = waiting.get(outcome.releaseId);
    if (!entry) return;
    if (tip !== undefined) entry.held = { tip, untilMs: clock.now() + heldRetryMs };
    if (entry.blocked === reason) return;
    entry.blocked = reason;
    log.warn(
      { canary: `${outcome.app.name}.${outcome.app.namespace}`, verdict: outcome.verdict },
      `The outcome is not in Git yet: ${reason}`,
    );
    for (const listener of blockedListeners) listener(outcome, reason);
  };

  const outageWaitMs = (): number => {
    outages += 1;
    return backoffMs(outages - 1, outageBackoff, random());
  };

  /** What can be tried at this tip: together, or one that goes alone. */
  const dueAt = (tip: Revision): readonly Waiting[] => {
    const due = [...waiting.values()].filter(
      ({ held }) => held === undefined || held.tip !== tip || held.untilMs <= clock.now(),
    );
    const together = due.filter(({ alone }) => !alone);
    if (together.length === 0) return due.slice(0, 1);
    const adopted = ({ outcome }: Waiting): boolean => outcome.verdict === 'adopted';
    return [...together.filter(adopted), ...together.filter((entry) => !adopted(entry)).slice(0, atOnce)];
  };

  /** One attempt. Gives how long to wait before the next; undefined: there is nothing left to try before something happens. */
  const attempt = async (signal: AbortSignal): Promise<number | undefined> => {
    const tip = await repo.poll(signal);
    if (tip === undefined) throw new AgentError('GIT_NOT_FOUND', `the branch ${repo.branch} does not exist`);
    await repo.fetch(tip, signal);
    const due = dueAt(tip);
    if (due.length === 0) {
      outages = 0;
      trees.reader.rest();
      return waiting.size === 0 ? undefined : heldPollMs;
    }
    const outcomes = due.map(({ outcome }) => outcome);
    const {
      draft,
      written: told,
      blocked,
    } = await buildOutcomes({ repo, log, settings, told: toldReleases, ...trees }, tip, outcomes, signal);
    for (const { outcome, revision, number } of told) written(outcome, revision, number);
    for (const { outcome, reason, isPassing, isShared } of blocked) {
      block(outcome, reason, isPassing ? undefined : tip);
      const entry = waiting.get(outcome.releaseId);
      if (entry && isShared) entry.alone = false;
    }
    if (draft.commits.length + draft.tags.length === 0)
      return blocked.some(({ isPassing }) => isPassing) ? outageWaitMs() : 0;
    const result = await push(draft, tip, draft.tags, signal);
    const [outcome] = outcomes;
    if (outcome && outcomes.length === 1 && result.kind === 'refused' && isCommitGone.test(result.reason)) {
      log.warn({ revision: outcome.state.revision }, 'what was promoted is not in Git any more and gets no tag');
      if (draft.commits.length > 0) return settle(await push(draft, tip, [], signal), draft, tip);
      for (const { number } of draft.lateTags) written(outcome, tip, number);
      return 0;
    }
    return settle(result, draft, tip);
  };

  const push = (draft: Draft, tip: Revision, tags: Draft['tags'], signal: AbortSignal): Promise<PushResult> =>
    repo
      .push({ expected: tip, commits: draft.commits.map((entry) => entry.draft), tags }, signal)
      .catch((error: unknown) => notMade(error, signal));

  /** A push that one outcome makes impossible must not hold up the others, so it counts as refused. */
  const notMade = (error: unknown, signal: AbortSignal): PushResult => {
    if (error instanceof AgentError || signal.aborted) throw error;
    log.error({ error: stackOf(error) }, 'a push could not be made');
    return { kind: 'refused', reason: messageOf(error) };
  };

  const settle = (result: PushResult, draft: Draft, tip: Revision): number => {
    const pushed = [
      ...draft.commits.flatMap(({ outcomes }) => outcomes),
      ...draft.lateTags.map(({ outcome }) => outcome),
    ];
    switch (result.kind) {
      case 'landed':
        races = 0;
        outages = 0;
        draft.commits.forEach(({ outcomes, number }, index) => {
          for (const outcome of outcomes) written(outcome, result.commits[index] ?? result.tip, number);
        });
        for (const { outcome, number } of draft.lateTags) written(outcome, result.tip, number);
        return 0;
      case 'raced': {
        races += 1;
        log.debug({ reason: result.reason, races }, 'somebody else pushed first, the outcome is built anew');
        const patient = races > patientAfter;
        return backoffMs(patient ? races - patientAfter : races - 1, patient ? outageBackoff : raceBackoff, random());
      }
      case 'refused':
        if (pushed.length === 1)
          for (const outcome of pushed) block(outcome, `the Git server refuses the push: ${result.reason}`, tip);
        else {
          for (const { releaseId } of pushed) {
            const entry = waiting.get(releaseId);
            if (entry) entry.alone = true;
          }
        }
        return 0;
      case 'unknown':
        log.warn({ reason: result.reason }, 'it is not known whether the push has landed, looking');
        return outageWaitMs();
    }
  };

  const failed = (error: unknown): number => {
    if (!(error instanceof AgentError)) {
      log.error({ error: stackOf(error) }, 'outcomes could not be written');
    }
    for (const { outcome } of waiting.values()) block(outcome, messageOf(error));
    return outageWaitMs();
  };

  /** `waitMs` undefined: until something is submitted. */
  const pause = async (waitMs: number | undefined, signal: AbortSignal): Promise<void> => {
    const waking = new AbortController();
    wakeUp = () => waking.abort(new Error('woken'));
    if (woken) return;
    const either = AbortSignal.any([signal, waking.signal]);
    if (waitMs !== undefined) return clock.sleep(waitMs, either).catch(() => undefined);
    await new Promise<void>((resolve) => {
      if (either.aborted) resolve();
      else either.addEventListener('abort', () => resolve(), { once: true });
    });
  };

  return {
    submit(outcome) {
      if (settings.write === 'none') {
        log.info(
          { canary: `${outcome.app.name}.${outcome.app.namespace}`, verdict: outcome.verdict },
          'The outcome is not written to Git: --write is none',
        );
        return;
      }
      if (waiting.has(outcome.releaseId)) return;
      // What another app's rollback stands in the way of may be written together with this one.
      for (const entry of waiting.values()) delete entry.held;
      waiting.set(outcome.releaseId, { outcome, alone: false });
      woken = true;
      wakeUp();
    },
    pending: () => [...waiting.values()].map(({ outcome, blocked }) => ({ outcome, blocked })),
    onWritten: (listener) => void writtenListeners.add(listener),
    onBlocked: (listener) => void blockedListeners.add(listener),
    async run(signal) {
      while (!signal.aborted) {
        if (waiting.size === 0) {
          trees.reader.rest();
          await pause(undefined, signal);
          if (signal.aborted) return;
          await clock.sleep(gatherMs, signal).catch(() => undefined);
        }
        woken = false;
        let waitMs: number | undefined;
        try {
          waitMs = await attempt(signal);
        } catch (error) {
          if (signal.aborted) return;
          waitMs = failed(error);
        }
        if (waitMs !== undefined && waitMs > 0) await pause(waitMs, signal);
      }
    },
  };
}

const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

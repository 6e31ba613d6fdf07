import type { GitRepo, PushRequest, PushResult, Revision } from '../git/repo.ts';
import type { Clock } from '../lib/clock.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { keyOf, shownKey } from '../lib/key.ts';
import { alwaysHeld, type Fence, isLeaseLost } from '../lib/fence.ts';
import type { Logger } from '../lib/log.ts';
import type { LoadSettings } from '../manifest/load.ts';
import { ParsedFiles } from '../manifest/parsed-files.ts';
import type { RenderTools } from '../render/tools.ts';
import type { TextEditor } from '../render/text-edit.ts';
import type { TreeFiles } from '../render/tree-files.ts';
import type { BranchEdit } from './branch-edit.ts';
import { buildOutcomes } from './build.ts';
import type { ComposeSettings, Draft } from './compose.ts';
import { EditQueue, type EditListeners, type PreviewedEdit } from './edit-writer.ts';
import { type OnBlocked, type OnNeedless, type OnWritten, OutcomeNews } from './outcome-news.ts';
import { PushPace } from './push-pace.ts';
import { rememberedRefs } from './remembered-refs.ts';
import { createReportedReleases } from './reported-releases.ts';
import type { Render } from './rendered.ts';
import { createRender, createTreeReader } from './trees.ts';
import type { Outcome } from './types.ts';
import { WaitingOutcomes } from './waiting.ts';

export interface WriterSettings extends ComposeSettings, LoadSettings {
  /** `none`: outcomes stay in the cluster. */
  readonly write: 'direct' | 'none';
}

interface PendingOutcome {
  readonly outcome: Outcome;
  /** Why it has not been written yet; undefined while nothing stands in its way. */
  readonly blocked: string | undefined;
}

export interface OutcomeWriter {
  /** Takes an outcome; the same release twice is one. Returns at once. */
  submit(outcome: Outcome): void;
  /** Takes a change that is no outcome. It goes after outcomes, in a push of its own. Returns at once. */
  submitEdit(edit: BranchEdit): void;
  /** What an edit would come to on the tip. Undefined: there is no branch. Nothing is written. */
  previewEdit(edit: BranchEdit, signal: AbortSignal): Promise<PreviewedEdit | undefined>;
  /** Trees of other commits, for edits that need them beside the tip. */
  readonly trees: { readonly render: Render; read(at: Revision, signal: AbortSignal): Promise<TreeFiles> };
  pending(): readonly PendingOutcome[];
  /** Writes until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** There is nothing that Git could be told of it: `reason` says why, `tip` where that was seen. */
  onNeedless(listener: OnNeedless): void;
  /** `revision` is the commit that tells it; `number` the release's, undefined for rollbacks. */
  onWritten(listener: OnWritten): void;
  /** Something stands in the way: said once for each reason, tried again all the same. */
  onBlocked(listener: OnBlocked): void;
}

export interface WriterDeps {
  readonly repo: GitRepo;
  /** Without `elapsed` it is taken for one that nobody sets. */
  readonly clock: Omit<Clock, 'elapsed'> & Partial<Pick<Clock, 'elapsed'>>;
  readonly log: Logger;
  readonly settings: WriterSettings;
  /** What was parsed of the repository. Absent: nothing yet. */
  readonly parsed?: ParsedFiles;
  /** Absent: none. */
  readonly tools?: RenderTools | undefined;
  /** Edits what a revert changes. Absent: that is done here, document by document. */
  readonly editor?: TextEditor | undefined;
  /** Waits for pushes of others in this process to the same branch. Absent: there are none. */
  readonly inTurn?: <Result>(push: () => Promise<Result>) => Promise<Result>;
  /** Told of edits. Absent: there are none. */
  readonly edits?: EditListeners;
  /** Asked before each push. Absent: there is one replica. */
  readonly fence?: Fence | undefined;
  /** In [0, 1); absent: Math.random. */
  readonly random?: () => number;
}

/** Outcomes that come together are written together: they are waited for so long. */
const gatherMs = 250;
/** After so many lost races it is told. */
const toldAfterRaces = 10;
/** While all that waits is held, the tip is looked at that often. */
const heldPollMs = 10_000;
/** Pushes without an answer that can be relied on, one after the other, before those in them are told and go alone. */
const doubtsAllowed = 3;
/** The pause after one of them while others have not been tried alone. */
const doubtPauseMs = 1_000;
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
  tools,
  editor,
  inTurn = (push) => push(),
  edits: editListeners = { onWritten: () => undefined, onNeedless: () => undefined, onBlocked: () => undefined },
  fence = alwaysHeld,
  random = Math.random,
}: WriterDeps): OutcomeWriter {
  const elapsedMs = (): number => clock.elapsed?.() ?? clock.now();
  const waiting = new WaitingOutcomes();
  let wakeUp: () => void = () => undefined;
  let woken = false;
  const reader = createTreeReader(repo, settings, parsed);
  const render = createRender(settings, parsed, {
    ...tools,
    editor,
    readTexts: (files, paths) => reader.readTexts(files, paths),
  });
  const trees = { reader, render };
  const reportedReleases = createReportedReleases(repo);
  const edits = new EditQueue(
    {
      repo,
      reader,
      render,
      settings,
      log,
      elapsedMs,
      push: (tip, commits, signal) => pushAll({ expected: tip, commits, tags: [] }, signal),
    },
    editListeners,
  );
  const refs = rememberedRefs(repo, elapsedMs);
  const pace = new PushPace(random);
  /** Where a refusal said that the branch is. */
  let seenTip: Revision | undefined;
  /** Pushes in a row of which it is not known what came of them, or that were refused for no reason that can be seen. */
  let doubts = 0;
  /** What stood in the way last. */
  let trouble: string | undefined;
  const news = new OutcomeNews({ waiting, clock, elapsedMs, log, trouble: () => trouble });

  /** The tip that a refusal has named need not be asked for: what is built on it is late no sooner. */
  const lookAtTip = async (signal: AbortSignal): Promise<Revision> => {
    const named = seenTip;
    seenTip = undefined;
    if (named !== undefined) {
      try {
        await repo.fetch(named, signal);
        return named;
      } catch (error) {
        if (signal.aborted || !(error instanceof AgentError)) throw error;
      }
    }
    const tip = await repo.poll(signal);
    if (tip === undefined) throw new AgentError('GIT_NOT_FOUND', `the branch ${repo.branch} does not exist`);
    await repo.fetch(tip, signal);
    return tip;
  };

  /** One attempt. Gives how long to wait before the next; undefined: there is nothing left to try before something happens. */
  const attempt = async (signal: AbortSignal): Promise<number | undefined> => {
    epoch = fence.epoch();
    const tip = await lookAtTip(signal);
    const due = waiting.due(tip, elapsedMs());
    if (due.length === 0) return afterOutcomes(tip, signal);
    const outcomes = due.map(({ outcome }) => outcome);
    const {
      draft,
      written: told,
      blocked,
      late,
      needless,
    } = await buildOutcomes({ repo, refs, log, settings, told: reportedReleases, ...trees }, tip, outcomes, signal);
    for (const { outcome, revision, number } of told) news.written(outcome, revision, number);
    for (const { outcome, reason } of needless) news.needless(outcome, tip, reason);
    for (const { outcome, reason, isPassing, isShared } of blocked) {
      news.blocked(outcome, reason);
      if (!isPassing) waiting.notBuilt(outcome, tip, elapsedMs());
      const entry = waiting.get(outcome);
      if (entry && isShared) entry.alone = false;
    }
    for (const outcome of late) {
      const entry = waiting.get(outcome);
      if (entry) entry.isSlow = true;
    }
    if (draft.commits.length + draft.tags.length === 0)
      return blocked.some(({ isPassing }) => isPassing) ? pace.afterOutage() : 0;
    const result = await push(draft, tip, draft.tags, signal);
    const [outcome] = outcomes;
    // Somebody rewrote history.
    if (outcome && outcomes.length === 1 && result.kind === 'refused' && result.lacksObjects) {
      log.warn({ revision: outcome.state.revision }, 'what was promoted is not in Git any more and gets no tag');
      if (draft.commits.length > 0) return settle(await push(draft, tip, [], signal), draft, tip);
      for (const { number } of draft.lateTags) news.written(outcome, tip, number);
      return 0;
    }
    return settle(result, draft, tip);
  };

  /** No outcome can be tried now. */
  const afterOutcomes = async (tip: Revision, signal: AbortSignal): Promise<number | undefined> => {
    const { kind, tip: seen } = await edits.attempt(tip, signal);
    if (kind === 'late') return pace.afterOutage();
    pace.answered();
    if (kind === 'raced') {
      seenTip = seen;
      return pace.afterRace(tip);
    }
    if (kind === 'landed') {
      pace.landed();
      return 0;
    }
    trees.reader.rest();
    return waiting.size + edits.size === 0 ? undefined : heldPollMs;
  };

  /** Of the attempt under way: what was built in an earlier one is not pushed any more. */
  let epoch = fence.epoch();
  /** The only push that there is: outcomes, and what is edited on the branch. */
  const pushAll = (all: PushRequest, signal: AbortSignal): Promise<PushResult> =>
    inTurn(async () => {
      fence.assertHeld(epoch);
      return repo.push(all, signal);
    }).catch((error: unknown) => notMade(error, signal));
  const push = (draft: Draft, tip: Revision, tags: Draft['tags'], signal: AbortSignal): Promise<PushResult> =>
    pushAll({ expected: tip, commits: draft.commits.map((entry) => entry.draft), tags }, signal);

  /** A push that one outcome makes impossible must not hold up the others, so it counts as refused. */
  const notMade = (error: unknown, signal: AbortSignal): PushResult => {
    if (error instanceof AgentError || signal.aborted) throw error;
    log.error({ error: stackOf(error) }, 'a push could not be made');
    return { kind: 'refused', reason: messageOf(error) };
  };

  /** A push that came to nothing: those in it go alone, and one that was alone is told. Others go on. */
  const notPushed = (pushed: readonly Outcome[], reason: string): number => {
    const [only] = pushed;
    if (only && pushed.length === 1) news.blocked(only, reason);
    waiting.notPushed(pushed, reason, elapsedMs());
    return 0;
  };
  /** What came of a push is not known, or not why: it may be another the next time. */
  const inDoubt = (pushed: readonly Outcome[], reason: string): number => {
    doubts += 1;
    const isAlone = pushed.length === 1 && pushed.some((outcome) => waiting.get(outcome)?.alone);
    if (!isAlone) trouble = reason;
    if (doubts < doubtsAllowed && !isAlone) return pace.afterOutage();
    doubts = isAlone ? doubts : 0;
    notPushed(pushed, reason);
    return waiting.all.some(({ alone, failures }) => alone && failures === 0) ? doubtPauseMs : pace.afterOutage();
  };

  const settle = (result: PushResult, draft: Draft, tip: Revision): number => {
    if (result.kind !== 'raced' || result.tip === undefined) refs.forget();
    const pushed = [
      ...draft.commits.flatMap(({ outcomes }) => outcomes),
      ...draft.lateTags.map(({ outcome }) => outcome),
    ];
    switch (result.kind) {
      case 'landed':
        pace.landed();
        pace.answered();
        doubts = 0;
        trouble = undefined;
        waiting.landed(pushed);
        draft.commits.forEach(({ outcomes, number }, index) => {
          for (const outcome of outcomes) news.written(outcome, result.commits[index] ?? result.tip, number);
        });
        for (const { outcome, number } of draft.lateTags) news.written(outcome, result.tip, number);
        return 0;
      case 'raced': {
        const waitMs = pace.afterRace(tip);
        log.debug(
          { reason: result.reason, races: pace.races },
          'somebody else pushed first, the outcome is built anew',
        );
        trouble = `others push to ${repo.branch} all the time, and what is built is late each time; it is tried again`;
        if (pace.races > toldAfterRaces) for (const outcome of pushed) news.blocked(outcome, trouble);
        seenTip = result.tip;
        return waitMs;
      }
      case 'refused':
        return notPushed(pushed, `the Git server refuses the push: ${result.reason}`);
      case 'stuck':
        return inDoubt(pushed, `the Git server refuses the push, and no ref has moved: ${result.reason}`);
      case 'unknown':
        log.warn({ reason: result.reason }, 'push result unknown, checking the branch');
        return inDoubt(pushed, `the push has no answer, and nothing of it is in Git: ${result.reason}`);
    }
  };

  const failed = (error: unknown): number => {
    if (!(error instanceof AgentError)) {
      log.error({ error: stackOf(error) }, 'outcomes could not be written');
    }
    // Whoever has the lease finds the same in the records, and writes it.
    if (isLeaseLost(error)) return pace.afterOutage();
    trouble = messageOf(error);
    for (const { outcome } of waiting.all) news.blocked(outcome, trouble);
    return pace.afterOutage();
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
          { canary: shownKey(keyOf(outcome.app)), verdict: outcome.verdict },
          'The outcome is not written to Git: --write is none',
        );
        return;
      }
      if (!waiting.add(outcome, elapsedMs())) return;
      if (waiting.size === 1) news.watch();
      woken = true;
      wakeUp();
    },
    submitEdit(edit) {
      if (settings.write === 'none') return;
      edits.add(edit);
      woken = true;
      wakeUp();
    },
    async previewEdit(edit, signal) {
      const tip = await repo.poll(signal);
      if (tip === undefined) return undefined;
      if (!(await repo.has(tip))) await repo.fetch(tip, signal);
      return edits.preview(edit, tip, signal);
    },
    trees: { render, read: (at, signal) => reader.read(at, signal) },
    pending: () => waiting.all.map(({ outcome, blocked }) => ({ outcome, blocked })),
    onWritten: (listener) => void news.onWritten.add(listener),
    onNeedless: (listener) => void news.onNeedless.add(listener),
    onBlocked: (listener) => void news.onBlocked.add(listener),
    async run(signal) {
      signal.addEventListener('abort', () => news.stop(), { once: true });
      while (!signal.aborted) {
        if (waiting.size + edits.size === 0) {
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

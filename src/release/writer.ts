import type { GitRepo, PushResult, Revision } from '../git/repo.ts';
import { backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import type { LoadSettings } from '../manifest/load.ts';
import {
  type Composed,
  type ComposeSettings,
  composeAdoptions,
  composePromotion,
  composeRollback,
  composeTag,
  createDraft,
  type Draft,
} from './compose.ts';
import { ledgerPath } from './ledger.ts';
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

/** Outcomes that come together are written together: they are waited for so long. */
const gatherMs = 250;
const raceBackoff = { baseMs: 30, capMs: 500 };
const outageBackoff = { baseMs: 500, capMs: 30_000 };
const refusedRetryMs = 60_000;

/** What one attempt came to. */
type Attempt = { readonly kind: 'done' } | { readonly kind: 'again'; readonly waitMs: number };

/**
 * The only writer to the branch. An outcome is built as a function of the tip and what is to be said, pushed with the tip as expected
 * value, and built anew from the start on every race. What Git already tells (by Release-Id) is not written again.
 */
export function createOutcomeWriter(deps: {
  repo: GitRepo;
  clock: Clock;
  log: Logger;
  settings: WriterSettings;
}): OutcomeWriter {
  const { repo, clock, log, settings } = deps;
  const waiting = new Map<string, { outcome: Outcome; blocked: string | undefined }>();
  const writtenListeners = new Set<(outcome: Outcome, revision: Revision, number: number | undefined) => void>();
  const blockedListeners = new Set<(outcome: Outcome, reason: string) => void>();
  let wakeUp: () => void = () => undefined;
  let races = 0;
  let outages = 0;

  const written = (outcome: Outcome, revision: Revision, number: number | undefined): void => {
    waiting.delete(outcome.releaseId);
    log.info(
      { canary: `${outcome.app.name}.${outcome.app.namespace}`, revision, verdict: outcome.verdict },
      `Outcome written to Git: ${outcome.verdict} ${outcome.app.namespace}/${outcome.app.name}`,
    );
    for (const listener of writtenListeners) listener(outcome, revision, number);
  };
  const block = (outcome: Outcome, reason: string): void => {
    const entry = waiting.get(outcome.releaseId);
    if (!entry || entry.blocked === reason) return;
    entry.blocked = reason;
    log.warn(
      { canary: `${outcome.app.name}.${outcome.app.namespace}`, verdict: outcome.verdict },
      `The outcome is not in Git yet: ${reason}`,
    );
    for (const listener of blockedListeners) listener(outcome, reason);
  };

  const compose = async (tip: Revision, outcomes: readonly Outcome[], signal: AbortSignal): Promise<Draft> => {
    const isRollback = outcomes.some(({ verdict }) => verdict === 'rolled-back');
    const readTree = createTreeReader(repo, settings);
    const render = createRender(settings);
    // Promotions touch nothing but ledgers: the tree is only read for a revert.
    const draft = createDraft(isRollback ? await readTree(tip, signal) : new Map());
    const ledgerOf = async (outcome: Outcome): Promise<string | undefined> => {
      const path = ledgerPath(settings, outcome.app);
      if (!draft.ledgers.has(path)) {
        const bytes = await repo.file(tip, path);
        draft.ledgers.set(path, bytes && Buffer.from(bytes).toString('utf8'));
      }
      return draft.ledgers.get(path);
    };
    const settle = (outcome: Outcome, composed: Composed): void => {
      if (composed.kind === 'blocked') block(outcome, composed.reason);
      else if (composed.kind === 'written') written(outcome, tip, composed.number);
    };
    const guarded = async (outcome: Outcome, work: () => Promise<void>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        // One app's broken ledger or vanished commit must not hold up the others.
        if (!(error instanceof AgentError) || error.retry === 'backoff') throw error;
        block(outcome, error.message);
      }
    };
    const adoptions = outcomes.filter(({ verdict }) => verdict === 'adopted');
    const adoptable: Outcome[] = [];
    for (const outcome of adoptions) {
      await guarded(outcome, async () => {
        await ledgerOf(outcome);
        adoptable.push(outcome);
      });
    }
    const fresh = composeAdoptions(
      draft,
      adoptable,
      (outcome) => draft.ledgers.get(ledgerPath(settings, outcome.app)),
      settings,
    );
    for (const outcome of adoptable) if (!fresh.includes(outcome)) written(outcome, tip, 0);
    for (const outcome of outcomes) {
      if (outcome.verdict === 'adopted') continue;
      await guarded(outcome, async () => {
        const ledger = await ledgerOf(outcome);
        if (outcome.verdict === 'promoted') {
          const composed = composePromotion(draft, outcome, ledger, settings);
          if (composed.kind === 'written' && (await lacksTag(outcome, composed.number, signal)))
            composeTag(draft, outcome, composed.number, settings);
          else settle(outcome, composed);
          return;
        }
        const trees = {
          base: await readTree(outcome.base, signal),
          judged: await readTree(outcome.state.revision, signal),
          render,
        };
        return settle(outcome, composeRollback(draft, outcome, ledger, trees, settings));
      });
    }
    return draft;
  };

  /** A server without atomic pushes may have taken the branch and not the tag. */
  const lacksTag = async ({ app }: Outcome, number: number, signal: AbortSignal): Promise<boolean> => {
    const name = `refs/tags/${settings.tagPrefix}${app.namespace}/${app.name}/${number}`;
    return !(await repo.refs(name, signal)).has(name);
  };

  const attempt = async (signal: AbortSignal): Promise<Attempt> => {
    const outcomes = [...waiting.values()].map(({ outcome }) => outcome);
    const tip = await repo.poll(signal);
    if (tip === undefined) throw new AgentError('GIT_NOT_FOUND', `the branch ${repo.branch} does not exist`);
    await repo.fetch(tip, signal);
    const draft = await compose(tip, outcomes, signal);
    if (draft.commits.length === 0)
      return waiting.size === 0 ? { kind: 'done' } : { kind: 'again', waitMs: refusedRetryMs };
    const result = await repo.push(
      { expected: tip, commits: draft.commits.map((entry) => entry.draft), tags: draft.tags },
      signal,
    );
    return settlePush(result, draft);
  };

  const settlePush = (result: PushResult, draft: Draft): Attempt => {
    switch (result.kind) {
      case 'landed':
        races = 0;
        outages = 0;
        draft.commits.forEach(({ outcomes, number }, index) => {
          for (const outcome of outcomes) written(outcome, result.commits[index] ?? result.tip, number);
        });
        for (const { outcome, number } of draft.lateTags) written(outcome, result.tip, number);
        return waiting.size === 0 ? { kind: 'done' } : { kind: 'again', waitMs: refusedRetryMs };
      case 'raced':
        races += 1;
        log.debug({ reason: result.reason }, 'somebody else pushed first, the outcome is built anew');
        return { kind: 'again', waitMs: backoffMs(races - 1, raceBackoff, Math.random()) };
      case 'refused':
        for (const { outcomes } of draft.commits)
          for (const outcome of outcomes) block(outcome, `the Git server refuses the push: ${result.reason}`);
        return { kind: 'again', waitMs: refusedRetryMs };
      case 'unknown':
        log.warn({ reason: result.reason }, 'it is not known whether the push has landed, looking');
        outages += 1;
        return { kind: 'again', waitMs: backoffMs(outages - 1, outageBackoff, Math.random()) };
    }
  };

  const pause = async (waitMs: number | undefined, signal: AbortSignal): Promise<void> => {
    const waking = new AbortController();
    wakeUp = () => waking.abort(new Error('woken'));
    const either = AbortSignal.any([signal, waking.signal]);
    if (waitMs === undefined) {
      await new Promise<void>((resolve) => {
        if (either.aborted) resolve();
        else either.addEventListener('abort', () => resolve(), { once: true });
      });
    } else await clock.sleep(waitMs, either).catch(() => undefined);
    wakeUp = () => undefined;
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
      waiting.set(outcome.releaseId, { outcome, blocked: undefined });
      wakeUp();
    },
    pending: () => [...waiting.values()],
    onWritten: (listener) => void writtenListeners.add(listener),
    onBlocked: (listener) => void blockedListeners.add(listener),
    async run(signal) {
      while (!signal.aborted) {
        if (waiting.size === 0) {
          await pause(undefined, signal);
          if (signal.aborted) return;
          await clock.sleep(gatherMs, signal).catch(() => undefined);
        }
        try {
          const result = await attempt(signal);
          if (result.kind === 'again') await pause(result.waitMs, signal);
        } catch (error) {
          if (signal.aborted) return;
          if (!(error instanceof AgentError))
            log.error({ error: error instanceof Error ? error.stack : String(error) }, 'an outcome could not be built');
          for (const { outcome } of waiting.values()) block(outcome, messageOf(error));
          outages += 1;
          await pause(backoffMs(outages - 1, outageBackoff, Math.random()), signal);
        }
      }
    },
  };
}

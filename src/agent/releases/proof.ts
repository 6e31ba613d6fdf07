import type { App } from '../../canary/app.ts';
import { isUnderWay } from '../../canary/phase.ts';
import type { CanaryStatus } from '../../canary/types.ts';
import { isUnanswered, type Revision } from '../../git/repo.ts';
import { AgentError } from '../../lib/errors.ts';
import { type AppKey, partsOf } from '../../lib/key.ts';
import { isNamedRight } from '../../release/record-object.ts';
import { releaseId } from '../../release/release-id.ts';
import type { ReleaseRecord } from '../../release/types.ts';
import type { StableState } from './tracker.ts';

/** A record that was read. */
export interface Unproven {
  /** It stood as an annotation, where others may write: this is what the status of its Canary says. Absent: the agent alone wrote it. */
  readonly former?: CanaryStatus;
}

export interface Proven {
  /** Undefined: nothing of it is believed, or nothing of it is needed. */
  readonly record: ReleaseRecord | undefined;
  /** What was left out, for people. */
  readonly reasons: readonly string[];
}

/** Rejects where Git cannot be asked. */
export type Prove = (key: AppKey, record: ReleaseRecord, what: Unproven) => Promise<Proven>;

export interface ProofOptions {
  readonly branch: string;
  readonly tip: Revision;
  /** The app as a commit says it, undefined where it is not there. */
  readonly appAt: (key: AppKey, revision: Revision) => Promise<App | undefined>;
  /** Whether a commit is the tip or one of those before it. */
  readonly isAncestor: (revision: Revision) => Promise<boolean>;
  /** What the ledger says. */
  readonly stable: (key: AppKey) => StableState | undefined;
  /** Whether outcomes are written at all. */
  readonly isWriting: boolean;
}

/**
 * Holds a record against Git: each commit that it names is one of the branch, the content is what that commit says, and what a revert would
 * go back to has the content that was promoted. Of what has ended and is told already only that is looked at from which something follows.
 */
export function createProve({ branch, tip, appAt, isAncestor, stable, isWriting }: ProofOptions): Prove {
  /** Why a commit is not what a record says of it; undefined: it is. */
  const fault = async (key: AppKey, revision: Revision, content: string | undefined): Promise<string | undefined> => {
    const shown = `commit ${revision.slice(0, 12)}`;
    try {
      if (!(await isAncestor(revision))) return `${shown} is not one of ${branch}`;
      const app = await appAt(key, revision);
      return app && (content === undefined || app.content === content) ? undefined : `${shown} says something else`;
    } catch (error) {
      if (!(error instanceof AgentError) || isUnanswered(error)) throw error;
      return `${shown} cannot be read: ${error.message}`;
    }
  };

  /** The release as Git proves it. `before`: what was promoted last before it. A text: why it is not believed. */
  const proveOne = async (
    key: AppKey,
    release: ReleaseRecord,
    before: StableState | undefined,
  ): Promise<ReleaseRecord | string> => {
    const app = partsOf(key);
    if (!isNamedRight(app, release)) return `release ${release.id.slice(0, 20)} is named as none of this app is`;
    const atTip = await appAt(key, tip);
    const isAtTip = atTip?.content === release.content;
    const wrong = await fault(key, release.revision, release.content);
    // Somebody rewrote history, and what it is about stands there again: then it is about that.
    if (wrong !== undefined && !isAtTip) return wrong;
    const revision = wrong === undefined ? release.revision : tip;
    const { outcome } = release;
    const whole = {
      ...release,
      revision,
      id: releaseId(app, release.content, revision),
      ...(outcome ? { outcome: { ...outcome, state: { ...outcome.state, revision } } } : {}),
    };
    const { takenBackAt, written } = outcome ?? {};
    if (wrong !== undefined && (takenBackAt !== undefined || written !== undefined)) return wrong;
    for (const named of [takenBackAt, written]) {
      const why = named && (await fault(key, named, undefined));
      if (why !== undefined) return why;
    }
    // Only what stands at the tip is taken back, or held.
    if (outcome?.verdict === 'promoted' || !isAtTip) return whole;
    const isBase = (await fault(key, release.base, before?.content)) === undefined;
    if (isBase) return whole;
    if (before && (await fault(key, before.revision, before.content)) === undefined)
      return { ...whole, base: before.revision };
    return `commit ${release.base.slice(0, 12)}, which it would go back to, is not a commit of ${branch} with what was promoted last`;
  };

  /** What a record of others' making says, as far as the status of the Canary and Git say it too. Nothing that it tells of checks. */
  const confirmed = async (key: AppKey, record: ReleaseRecord, status: CanaryStatus): Promise<ReleaseRecord[]> => {
    const releases: ReleaseRecord[] = [];
    for (const { id, revision, base, content, startedAtMs, outcome } of [...(record.unwritten ?? []), record]) {
      if (outcome?.written !== undefined) continue;
      const { lastAppliedSpec, lastPromotedSpec, phase, trackedConfigs: configs = {} } = status;
      const isOwn = id === record.id;
      const templateHash = outcome?.verdict === 'promoted' ? lastPromotedSpec : lastAppliedSpec;
      const isSaid =
        outcome?.state.templateHash === templateHash &&
        (outcome.verdict === 'promoted' || (outcome.verdict === 'rolled-back' && isOwn && phase === 'Failed'));
      if (!isSaid && !(isOwn && (phase === 'Waiting' || isUnderWay(phase)))) continue;
      const images = (await imagesAt(key, revision)) ?? {};
      const { verdict, atMs } = outcome ?? {};
      const state = { revision, content, templateHash, images, configs };
      releases.push({
        id,
        revision,
        base,
        content,
        startedAtMs,
        images,
        supersedes: [],
        ...(isSaid && verdict && atMs !== undefined
          ? { outcome: { verdict, atMs, evidence: [], state } }
          : { judged: { templateHash: lastAppliedSpec, configs } }),
      });
    }
    return releases;
  };
  const imagesAt = async (key: AppKey, revision: Revision): Promise<App['images'] | undefined> =>
    (await fault(key, revision, undefined)) === undefined ? (await appAt(key, revision))?.images : undefined;

  return async (key, record, { former }) => {
    const { unwritten = [], dropped, ...single } = record;
    const reasons: string[] = [];
    const all = former ? await confirmed(key, record, former) : [...unwritten, single];
    // Where nothing is written only what runs is of interest.
    const running = all.findLast(({ outcome }) => outcome?.verdict === 'promoted');
    const believed: ReleaseRecord[] = [];
    let before = stable(key);
    for (const release of all) {
      const { content, outcome } = release;
      const isLast = release === all.at(-1);
      const isTold = outcome?.written !== undefined || (!isWriting && release !== running && !isLast);
      // Nothing follows from it any more.
      const isOver = isTold && (!isLast || (await appAt(key, tip))?.content !== content || before?.content === content);
      const found = isOver ? release : await proveOne(key, release, before);
      if (typeof found === 'string') reasons.push(found);
      else believed.push(found);
      if (outcome?.verdict === 'promoted' && typeof found !== 'string') before = { content, revision: found.revision };
    }
    const own = believed.pop();
    if (!own) return { record: undefined, reasons };
    const waiting = believed.length === 0 ? {} : { unwritten: believed };
    return { record: { ...own, ...waiting, ...(dropped === undefined ? {} : { dropped }) }, reasons };
  };
}

import { type Act, actManager, obstacleTo, writeOf } from '../../acts/acts.ts';
import { type EditAsker, restorePoint, restoringPlan, settingsPlan } from '../../acts/source-edits.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { asRevision } from '../../git/repo.ts';
import type { Clock } from '../../lib/clock.ts';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { type AppKey, partsOf } from '../../lib/key.ts';
import { plainLine } from '../../lib/plain-text.ts';
import type { EditPlan, EditTip } from '../../release/branch-edit.ts';
import type { Steps } from '../../lib/turns.ts';
import { statusOf } from '../../report/status.ts';
import type { AppFacts, HistoryEntry } from '../../report/types.ts';
import type { Tell } from '../../outlets/tell.ts';
import type { AgentDoor, Planned } from '../../ui/questions.ts';
import type { Flash } from '../../ui/told.ts';
import type { Pipeline } from '../source/pipeline.ts';
import { shownFile } from './from-git.ts';
import type { AppImages } from './images.ts';
import { planRelease, type ReleasePlaces } from './release-plan.ts';

export interface PerformParts {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly facts: (app: AppKey) => AppFacts | undefined;
  readonly pipelineOf: (app: AppKey) => Pipeline;
  readonly placesOf: (app: AppKey) => ReleasePlaces;
  readonly images: AppImages;
  /** What Git tells of an app, newest first. */
  readonly history: (app: AppKey) => Promise<readonly HistoryEntry[]>;
  readonly tell: Tell;
}

type Plan = (tip: EditTip) => Steps<EditPlan>;

/** A person waits so long for Git, of the wall's time; then he is told that it goes on without him. */
const patienceMs = 8_000;
const refused = (text: string): { readonly kind: 'refused'; readonly text: string } => ({
  kind: 'refused',
  text: plainLine(text).slice(0, 500),
});

/** What people do by the dashboard: the agent writes it, and says in whose name. */
export function createPerform(parts: PerformParts, signal: AbortSignal): Pick<AgentDoor, 'perform' | 'planned'> {
  const { cluster, clock, facts, history, pipelineOf, placesOf, images, tell } = parts;

  /** What an act writes, or why it cannot be done. */
  const writeFor = (act: Act, by: string): ReturnType<typeof writeOf> | string => {
    const known = facts(act.app);
    if (!known) return 'there is no such app';
    const status = statusOf(known, clock.now());
    return obstacleTo(act, status) ?? writeOf(act, status, by, clock.now());
  };
  const planFor = async (act: Act, by: string): Promise<Plan | string> => {
    const { app, kind, reason } = act;
    const asker = { reason, requestedBy: by };
    switch (kind) {
      case 'release':
        return planRelease(act, { by, atMs: clock.now(), images, places: placesOf(app) });
      case 'set':
        return (tip) => settingsPlan(app, act.changes, asker, tip);
      case 'rollback':
      case 'retry':
        return restoring(app, kind, asker);
      default:
        return 'that is no commit';
    }
  };
  const restoring = async (app: AppKey, act: 'rollback' | 'retry', asker: EditAsker): Promise<Plan | string> => {
    const pipeline = pipelineOf(app);
    const point = restorePoint(act, pipeline.ledger(app), await history(app));
    if (typeof point === 'string') return point;
    const { render } = pipeline.trees;
    const at = async (revision: string) => ({
      revision,
      files: await pipeline.trees.read(asRevision(revision), signal),
    });
    try {
      const wanted = await at(point.wanted);
      const now = point.now === undefined ? undefined : await at(point.now);
      return (tip) => restoringPlan({ app, act, wanted, ...(now ? { now } : {}), render }, asker, tip);
    } catch (error) {
      return `the commit to go back to cannot be read: ${gitSaid(error)}`;
    }
  };

  return {
    async planned(act, by): Promise<Planned> {
      const write = writeFor(act, by);
      if (typeof write === 'string') return refused(write);
      if (write.kind === 'annotations') return write;
      const plan = await planFor(act, by);
      if (typeof plan === 'string') return refused(plan);
      const app = partsOf(act.app);
      const built = await pipelineOf(act.app)
        .preview({ app, atMs: clock.now(), plan }, signal)
        .catch((error: unknown) => ({ kind: 'refused' as const, reason: gitSaid(error) }));
      if (!built) return refused('the branch is not there');
      if (built.kind !== 'built') return refused(built.reason);
      return {
        kind: 'commit',
        message: built.message,
        files: built.files.map(({ path, before, after }) => shownFile(path, before, after)),
      };
    },
    async perform(act, by): Promise<Flash> {
      const write = writeFor(act, by);
      if (typeof write === 'string') return refused(write);
      const known = facts(act.app);
      if (!known) return refused('there is no such app');
      const say = (message: string): void =>
        tell(known.canary, partsOf(act.app), { type: 'Normal', level: 'info', message }, known.record?.id);
      if (write.kind === 'annotations') {
        const { apiVersion, kind, metadata } = known.canary;
        const { namespace = '', name } = metadata;
        try {
          await cluster.mergePatch(
            { apiVersion, kind, namespace, name },
            { metadata: { annotations: write.annotations } },
            { manager: actManager, unread: true },
            signal,
          );
        } catch (error) {
          return refused(`the cluster does not take it: ${messageOf(error)}`);
        }
        say(`${write.said} (${by} asked for it on the dashboard)`);
        return { kind: 'done', text: `${write.said}.` };
      }
      const { edit } = pipelineOf(act.app);
      if (!edit) return refused('this agent writes nothing to Git (--write none): commit it yourself');
      const plan = await planFor(act, by);
      if (typeof plan === 'string') return refused(plan);
      const made = edit({ app: partsOf(act.app), atMs: clock.now(), plan }).then((result): Flash => {
        if (result.kind !== 'landed') return refused(result.reason);
        const { revision, subject } = result;
        say(`Written to Git for ${by}: ${subject} (${revision.slice(0, 8)})`);
        return { kind: 'done', text: `Commit ${revision.slice(0, 8)}: ${plainLine(subject)}` };
      });
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<Flash>((resolve) => {
        timer = setTimeout(
          () => resolve({ kind: 'waiting', text: 'Git does not answer yet; it is committed as soon as Git does.' }),
          patienceMs,
        );
      });
      const flash = await Promise.race([made, late]);
      clearTimeout(timer);
      return flash;
    },
  };
}

const gitSaid = (error: unknown): string =>
  error instanceof AgentError ? messageOf(error) : 'it cannot be told what would be committed';

import { restorePoint, restoringPlan } from '../../acts/source-edits.ts';
import { asRevision } from '../../git/repo.ts';
import { type AppKey, keyOf, partsOf, readKey } from '../../lib/key.ts';
import { AgentError } from '../../lib/errors.ts';
import { appIn } from '../../release/rendered.ts';
import { statusOf } from '../../report/status.ts';
import { entriesOn } from '../apps/git-history.ts';
import { atApps } from '../apps/open.ts';
import type { CommandContext } from '../context.ts';
import { commitByHand, type Decided, Refused } from '../images/commit.ts';
import type { Said, Workbench } from '../images/workbench.ts';
import { ask, type ActOptions } from './act.ts';

/** `serin rollback APP`: what is under way is aborted; else a commit takes back what was promoted last. */
export async function rollback(context: CommandContext, word: string, options: ActOptions): Promise<number> {
  const asked = await atApps(context, options, async (apps) => {
    const canary = await apps.named(word);
    const app = statusOf(await apps.facts(canary), Date.now());
    const isUnderWay = app.requestFor !== '';
    return isUnderWay ? { code: await ask(context, apps, { name: 'abort', app, options }) } : { key: keyOf(app) };
  });
  return asked.code ?? restore(context, 'rollback', asked.key ?? word, options);
}

/** `serin retry APP`: a commit brings the version that failed last once more. */
export function retry(context: CommandContext, word: string, options: ActOptions): Promise<number> {
  return restore(context, 'retry', word, options);
}

function restore(
  context: CommandContext,
  act: 'rollback' | 'retry',
  word: string,
  options: ActOptions,
): Promise<number> {
  return commitByHand(context, options, async (said, bench): Promise<Decided> => {
    const app = appNamed(said, word);
    const history = await entriesOn(bench.branch, said.revision, { word: app, limit: 100 });
    const point = restorePoint(act, await bench.ledger(said, partsOf(app)), history);
    if (typeof point === 'string') throw new Refused(`${app}: ${point}`);
    const [wanted, now] = await Promise.all([
      filesAt(bench, point.wanted),
      point.now === undefined ? undefined : filesAt(bench, point.now),
    ]);
    const asker = { reason: options.message ?? '' };
    return {
      plan: (tip) => restoringPlan({ app, act, wanted, ...(now ? { now } : {}), render: bench.render }, asker, tip),
      told: [
        act === 'retry' ? 'The agent judges it from the beginning.' : 'The agent judges it like any other release.',
      ],
    };
  });
}

async function filesAt(bench: Workbench, revision: string) {
  return { revision, files: await bench.files(asRevision(revision)) };
}

/** The app that a person means, by the Canaries of the branch. Throws CONFIG_INVALID. */
function appNamed({ tree }: Said, word: string): AppKey {
  const key = readKey(word);
  if (key) {
    if (appIn(tree, partsOf(key))) return key;
    throw new AgentError('CONFIG_INVALID', `there is no Canary ${word} on the branch`);
  }
  const found = tree.apps.filter(({ id }) => id.name === word).map(({ id }) => keyOf(id));
  const [only, ...more] = found;
  if (only === undefined) throw new AgentError('CONFIG_INVALID', `there is no Canary ${word} on the branch`);
  if (more.length > 0)
    throw new AgentError('CONFIG_INVALID', `${word} may be each of these, name one: ${found.join(', ')}`);
  return only;
}

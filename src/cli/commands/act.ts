import { actManager, obstacleTo, readAct, writeOf } from '../../acts/acts.ts';
import { canaryRef } from '../../canary/owner.ts';
import { AgentError } from '../../lib/errors.ts';
import { keyOf, namespacedName } from '../../lib/key.ts';
import { plainText } from '../../lib/plain-text.ts';
import { statusOf } from '../../report/status.ts';
import type { AppStatus } from '../../report/types.ts';
import { callerOf } from '../apps/caller.ts';
import { type Apps, atApps, type ClusterOptions, isRefused } from '../apps/open.ts';
import { type CommandContext, exitCodes } from '../context.ts';
import type { CommitOptions } from '../images/commit.ts';

export interface ActOptions extends ClusterOptions, CommitOptions {
  readonly message?: string;
  readonly by?: string;
}

/** `serin approve|hold|resume|promote APP`: what the agent obeys, written on the Canary with the caller's rights. */
export function act(context: CommandContext, name: string, word: string, options: ActOptions): Promise<number> {
  return atApps(context, options, async (apps) => {
    const canary = await apps.named(word);
    const app = statusOf(await apps.facts(canary), Date.now());
    return ask(context, apps, { name, app, options });
  });
}

interface Asked {
  readonly name: string;
  readonly app: AppStatus;
  readonly options: ActOptions;
}

/** Writes what is asked of the release under way. Exit code 3 where that is not to be had now. */
export async function ask(context: CommandContext, apps: Apps, { name, app, options }: Asked): Promise<number> {
  const { stdout, stderr, output, signal } = context;
  const key = keyOf(app);
  const fields = new Map([
    ['release', app.requestFor === '' ? 'none' : app.requestFor],
    ['reason', options.message ?? ''],
  ]);
  const wanted = readAct(name, key, fields);
  if (typeof wanted === 'string') throw new AgentError('CONFIG_INVALID', wanted);
  const obstacle = obstacleTo(wanted, app);
  if (obstacle !== undefined) {
    stderr.write(`serin: ${key}: ${plainText(obstacle)}\n`);
    return exitCodes.found;
  }
  const by = options.by ?? (await callerOf(apps.cluster, context));
  const write = writeOf(wanted, app, by, Date.now());
  if (write.kind !== 'annotations') throw new AgentError('CONFIG_INVALID', `${name} is no request to the agent`);
  const { annotations, said } = write;
  if (!options.dryRun)
    try {
      await apps.cluster.mergePatch(canaryRef(app), { metadata: { annotations } }, { manager: actManager }, signal);
    } catch (error) {
      if (!isRefused(error)) throw error;
      throw new AgentError(
        'CLUSTER_REFUSED',
        `you may not patch the Canary ${key}: the right is patch of canaries.flagger.app in ${app.namespace}`,
      );
    }
  if (options.json) stdout.write(`${JSON.stringify({ app: key, act: name, by, said, annotations })}\n`);
  else {
    output.line(options.dryRun ? `would be written: ${said} (by ${by})` : `${said} (by ${by})`);
    if (options.dryRun)
      for (const [one, value] of Object.entries(annotations)) output.line(`  ${one}: ${value ?? '-'}`);
    else output.line(output.colour.dim(`serin status ${namespacedName(app)} -w shows what comes of it`));
  }
  return exitCodes.done;
}

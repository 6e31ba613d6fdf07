import { setTimeout as sleep } from 'node:timers/promises';
import { AgentError } from '../../lib/errors.ts';
import { type CommandContext, exitCodes } from '../context.ts';
import { setDeployDemo } from '../demo/deploy.ts';
import { demoHost, quotes, setStage, type Stage } from '../demo/stage.ts';
import { awaited, printGit, tellCanaries } from '../demo/told.ts';
import { showCanary, type View } from '../demo/view.ts';

const app = 'quotes/quotesbackend';
const deadlineMs = 110_000;

/** One act: what is pushed, and how it has to end. */
interface Act {
  readonly title: string;
  readonly message: string;
  readonly path: string;
  readonly edit: (text: string) => string;
  readonly verdict: 'promoted' | 'rolled-back';
  /** Why the next push waits, and how long. */
  readonly rest?: { readonly ms: number; readonly why: string };
}

const acts: readonly Act[] = [
  {
    title: 'Version 2 (Star Trek) is pushed',
    message: 'quotes: switch to Star Trek',
    path: 'apps/quotes.yaml',
    edit: (text) => text.replace('quotesbackend:1 # Star Wars', 'quotesbackend:2 # Star Trek'),
    verdict: 'promoted',
  },
  {
    title: 'Version 3 (broken) is pushed',
    message: 'quotes: faster quotes',
    path: 'apps/quotes.yaml',
    edit: (text) => text.replace('quotesbackend:2', 'quotesbackend:3'),
    verdict: 'rolled-back',
    rest: { ms: 10_000, why: "until version 3's errors have left the 10 s window of the metrics" },
  },
  {
    title: 'A ConfigMap is changed',
    message: 'quotes: greet politely',
    path: 'apps/quotes.yaml',
    edit: (text) => text.replace('GREETING: "Hello there."', 'GREETING: "Live long and prosper."'),
    verdict: 'promoted',
  },
];

/** `serin demo`: three releases on an embedded cluster, told as they happen. Exit code 0 only if all ended as told. */
export async function demo(context: CommandContext, { keep }: { keep: boolean }): Promise<number> {
  const { output, signal } = context;
  const { colour } = output;
  const end = new AbortController();
  const stopped = AbortSignal.any([signal, end.signal]);
  output.line(colour.bold('Serin: progressive delivery, written back to Git'));
  output.line('Starting a Git server, an embedded cluster, traffic and the agent ...');
  const entry = new URL('../../ui/thread.js', import.meta.url);
  const deploy = keep ? await setDeployDemo({ entry, withQuotes: true }, signal) : undefined;
  const stage = deploy?.stage ?? (await setStage(quotes, signal));
  if (deploy) output.line(`The dashboard: ${colour.bold(deploy.dashboardUrl)}`);
  const startedMs = Date.now();
  const view = showCanary(stage.cluster, 'quotes', 'quotesbackend', output, () => stage.load.counts(), stopped);
  let asTold = true;
  try {
    await awaited(() => ['Initialized', 'Succeeded'].includes(view.canary().phase), 'the first version runs', {
      startedMs,
      deadlineMs,
      signal,
    });
    await landed(stage, 1, startedMs, signal);
    for (const act of acts) asTold = (await play(context, stage, view, act, startedMs)) && asTold;
    view.close();
    await epilogue(context, stage);
    if (keep) await keepRunning(context, stage);
  } catch (error) {
    if (!signal.aborted) {
      if (!(error instanceof AgentError)) throw error;
      output.line(colour.red(error.message));
      output.line(`The agent's log: ${stage.logPath}`);
    }
    asTold = false;
  } finally {
    view.close();
    end.abort(new Error('the demo is over'));
    await (deploy ?? stage).stop();
  }
  if (!asTold) output.line(colour.red('Not everything ended as told.'));
  output.line(stage.repoPath);
  return asTold ? exitCodes.done : exitCodes.failed;
}

async function play(
  { output, signal }: CommandContext,
  stage: Stage,
  view: View,
  act: Act,
  startedMs: number,
): Promise<boolean> {
  const { colour } = output;
  const before = await outcomes(stage);
  const revision = await stage.push(act.message, async (read) => ({ [act.path]: act.edit(await read(act.path)) }));
  output.line();
  output.line(colour.bold(`» ${act.title}: git push ${revision} "${act.message}"`));
  await awaited(async () => (await outcomes(stage)).length > before.length, `${act.title}: an outcome in Git`, {
    startedMs,
    deadlineMs,
    signal,
  });
  const [latest = ''] = await outcomes(stage);
  const [verdict = '', subject = ''] = latest.split('\t');
  await awaited(() => ['Succeeded', 'Failed'].includes(view.canary().phase), `${act.title}: the end of the release`, {
    startedMs,
    deadlineMs,
    signal,
  });
  const right = verdict === act.verdict;
  const pause = act.rest;
  output.line(
    `${right ? colour.green('✔') : colour.red('✘')} in Git: ${colour.bold(subject)} ${colour.dim(`(Verdict: ${verdict})`)}`,
  );
  if (pause) {
    output.line(colour.dim(`  waiting ${pause.ms / 1000} s, ${pause.why}`));
    await sleep(pause.ms, undefined, { signal });
  }
  return right;
}

/** Verdict and subject of every outcome, newest first. */
async function outcomes(stage: Stage): Promise<string[]> {
  const text = await stage.git('log', '--format=%(trailers:key=Verdict,valueonly,separator=%x2C)%x09%s', 'main');
  return text.split('\n').filter((line) => /^(promoted|rolled-back)\t/.test(line));
}

async function landed(stage: Stage, count: number, startedMs: number, signal: AbortSignal): Promise<void> {
  await awaited(
    async () => Number(await stage.git('rev-list', '--count', 'main')) > count,
    'the first state in the ledger',
    { startedMs, deadlineMs, signal },
  );
}

async function epilogue({ output }: CommandContext, stage: Stage): Promise<void> {
  const { heading, print } = printGit(output);
  heading('$ git log --oneline --decorate');
  print(await stage.git('log', '--oneline', '--decorate=short', 'main'));
  const rolledBack = (await stage.git('log', '--grep=^Verdict: rolled-back', '--format=%H', '-1', 'main')).trim();
  if (rolledBack !== '') {
    heading('$ git show   # the rollback, in full');
    print(await stage.git('show', '--stat', '--patch', '--format=fuller', rolledBack));
  }
  heading(`$ git show main:apps/.releases/${app}.yaml   # the ledger`);
  print(await stage.git('show', `main:apps/.releases/${app}.yaml`));
  await tellCanaries(output, stage);
  heading('Look further');
  output.line('  the repository stays: git clone of the path in the last line');
  output.line(`  the agent's log: ${stage.logPath}`);
  output.line('  demo --keep   leaves everything running, to push to and to look at with kubectl');
  output.line();
}

async function keepRunning({ output, signal }: CommandContext, stage: Stage): Promise<void> {
  output.line('Everything keeps running until Ctrl-C:');
  output.line(`  ${stage.dashboardUrl ?? ''}   the dashboard: test/podinfo has versions to pick`);
  output.line(`  export KUBECONFIG=${stage.kubeconfigPath}`);
  output.line(`  git clone ${stage.repoUrl}`);
  output.line(`  curl -H 'Host: ${demoHost}' ${stage.sandbox.gatewayUrl}/quotes`);
  output.line(`  curl '${stage.sandbox.prometheusUrl}/api/v1/query?query=up'`);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

import { type Command, InvalidArgumentError } from 'commander';
import { parseGoDuration } from '../lib/duration.ts';
import type { ActOptions } from './commands/act.ts';
import type { CompletionShell } from './commands/completion.ts';
import type { DoctorOptions } from './commands/doctor.ts';
import type { ExplainOptions } from './commands/explain.ts';
import type { HistoryOptions } from './commands/history.ts';
import type { StatusOptions } from './commands/status.ts';
import type { VersionOptions } from './commands/version.ts';
import type { WaitOptions } from './commands/wait.ts';
import type { CommandContext } from './context.ts';

type Finish = (work: Promise<number>) => Promise<void>;

const ofCluster = (command: Command): Command =>
  command
    .option('-n, --namespace <name>', 'namespace of the Canary; all that you may read when absent')
    .option('--mesh-provider <name>', 'router of Canaries that name none', 'kubernetes')
    .option('--agent-namespace <name>', 'namespace of the agent, whose records are read where you may', 'serin')
    .option('--kubeconfig <file>', 'kubeconfig file; as kubectl finds it when absent')
    .option('--context <name>', 'context of the kubeconfig; its current one when absent');

const ofGit = (command: Command): Command =>
  command
    .option('--branch <name>', 'the branch that the agent follows; the one that the checkout follows when absent')
    .option('--git-path <folder>', 'the folder that the agent follows; the one in which its ledgers stand when absent')
    .option('--config <file>', "the agent's settings file: repository, branch and folder are as there")
    .option('--source <name>', 'with --config: the source of the settings file that is meant');

const duration = (text: string): number => {
  const ms = parseGoDuration(text);
  if (ms === undefined || ms <= 0) throw new InvalidArgumentError('it is a time such as 90s or 10m.');
  return ms;
};

const count = (text: string): number => {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('it is a whole number from 1 on.');
  return Number(text);
};

const app = 'NAMESPACE/NAME of a Canary, or its name alone';

/** What people ask of apps, and do to them. */
export function addApps(program: Command, context: CommandContext, finish: Finish): void {
  ofCluster(program.command('status').argument('[app]', `${app}; all when absent`))
    .option('-w, --watch', 'go on showing it: a terminal is redrawn, a pipe gets a line a change')
    .option('--json', 'one JSON object: apps; with --watch one a line and change')
    .description('say how it stands with apps, and what to do next; exit code 3 where one needs a person')
    .action((name: string | undefined, options: StatusOptions) =>
      finish(import('./commands/status.ts').then(({ status }) => status(context, name, options))),
    );
  ofCluster(program.command('explain').argument('<app>', app))
    .option('--json', 'one JSON object: status, why, moves, checks, looks, events, unknown')
    .description('say why an app is where it is, what would move it, and what each check said')
    .action((name: string, options: ExplainOptions) =>
      finish(import('./commands/explain.ts').then(({ explainApp }) => explainApp(context, name, options))),
    );
  ofGit(program.command('history').argument('[app]', `${app}; all when absent`))
    .option('--limit <n>', 'so many entries', count, 20)
    .option('--evidence', 'also what each check said')
    .option('--json', 'one JSON object: branch, revision, entries')
    .description('say what Git tells of releases: who, when, what changed, verdict, commit and tag')
    .action((name: string | undefined, options: HistoryOptions) =>
      finish(import('./commands/history.ts').then(({ history }) => history(context, name, options))),
    );

  const asking = (name: string, what: string, isReasoned: boolean): void => {
    ofCluster(program.command(name).argument('<app>', app))
      .option('-m, --message <text>', `why${isReasoned ? '; it has to be said' : ''}`)
      .option('--by <name>', 'who asks; as the cluster knows you when absent')
      .option('--dry-run', 'show what would be written, and write nothing')
      .option('--json', 'one JSON object: app, act, said, annotations')
      .description(`${what}; exit code 3 where that is not to be had now`)
      .action((one: string, options: ActOptions) =>
        finish(import('./commands/act.ts').then(({ act }) => act(context, name, one, options))),
      );
  };
  asking('approve', 'approve what a release waits for, once', false);
  asking('hold', 'keep the weights of a release where they are', false);
  asking('resume', 'let a release go on that somebody holds', false);
  asking('promote', 'skip the rest of the analysis of a release', true);
  ofGit(ofCluster(program.command('rollback').argument('<app>', app)))
    .option('-m, --message <text>', 'why')
    .option('--by <name>', 'who asks; as the cluster knows you when absent')
    .option('--dry-run', 'show what would be written, and write nothing')
    .option('--json', 'one JSON object, as of serin hold or of serin images release')
    .description(
      'roll back a release that is under way, else make the commit that takes back what was promoted last; exit code 3 where that is not to be had now',
    )
    .action((one: string, options: ActOptions) =>
      finish(import('./commands/restore.ts').then(({ rollback }) => rollback(context, one, options))),
    );
  ofGit(program.command('retry').argument('<app>', app))
    .option('-m, --message <text>', 'why')
    .option('--dry-run', 'show the commit, and push nothing')
    .option('--json', 'one JSON object: commit, branch, subject, files')
    .description(
      'make the commit that brings the version that failed last once more; exit code 3 where that is not to be had',
    )
    .action((one: string, options: ActOptions) =>
      finish(import('./commands/restore.ts').then(({ retry }) => retry(context, one, options))),
    );
  ofGit(ofCluster(program.command('wait').argument('<app>', app)))
    .option('--revision <commit>', 'the commit whose release is waited for; the release under way when absent')
    .option('--for <what>', 'promoted, or ended: whatever the verdict is', 'promoted')
    .option('--timeout <duration>', 'so long', duration, 600_000)
    .option('--json', 'one JSON object: app, revision, result, verdict, commit, failedCheck')
    .description(
      'wait for the end of a release; exit code 0 as waited for, 3 where it ended otherwise, 4 where the time is over',
    )
    .action((one: string, options: WaitOptions) =>
      finish(import('./commands/wait.ts').then(({ wait }) => wait(context, one, options))),
    );
  ofGit(ofCluster(program.command('doctor')))
    .option('--json', 'one JSON object: checks, each with what, state, text and remedy')
    .description(
      'say what works for you and the agent: cluster, rights, Git, metrics, providers; exit code 3 where something does not',
    )
    .action((options: DoctorOptions) =>
      finish(import('./commands/doctor.ts').then(({ doctor }) => doctor(context, options))),
    );
  program
    .command('version')
    .option('--client', 'ask no cluster')
    .option('--json', 'one JSON object: client, node, server, agents')
    .option('--agent-namespace <name>', 'namespace of the agent', 'serin')
    .option('--kubeconfig <file>', 'kubeconfig file; as kubectl finds it when absent')
    .option('--context <name>', 'context of the kubeconfig; its current one when absent')
    .description('print the version of this program, of the cluster and of its agents')
    .action((options: VersionOptions) =>
      finish(import('./commands/version.ts').then(({ versions }) => versions(context, options))),
    );
  program
    .command('completion')
    .argument('<shell>', 'bash, zsh or fish')
    .description('print the script by which a shell completes commands and options')
    .action((shell: CompletionShell) =>
      finish(import('./commands/completion.ts').then(({ completion }) => completion(context, program, shell))),
    );
}

import { Argument, Command, Option } from 'commander';
import { type Setting, settings } from '../config/settings.ts';
import { version } from '../lib/version.ts';
import type { RenderingPrograms } from './bench-rendering.ts';
import type { BenchClusterOptions } from './commands/bench-cluster.ts';
import type { DiffOptions } from './commands/diff.ts';
import type { GateOptions } from './commands/gate.ts';
import type { IdentityOptions } from './commands/identity.ts';
import type { LoadtesterOptions } from './commands/loadtester.ts';
import type { MigrateOptions } from './commands/migrate.ts';
import type { RenderOptions } from './commands/render.ts';
import type { SandboxCommandOptions } from './commands/sandbox.ts';
import type { ValidateOptions } from './commands/validate.ts';
import { addApps } from './apps-commands.ts';
import { type CommandContext, type CommandLine, exitCodes, serve } from './context.ts';
import { sandboxHelp, settingsHelp } from './help.ts';
import { addImages, collect } from './images-commands.ts';

export function runCommandLine(line: CommandLine): Promise<number> {
  return serve(line, (context) => runNamedCommand(context));
}

async function runNamedCommand(context: CommandContext): Promise<number> {
  let code: number = exitCodes.done;
  const program = programOf(context, async (work) => {
    code = await work;
  });
  await program.parseAsync([...context.argv], { from: 'user' });
  return code;
}

/** All commands with their options; `finish` gets the work of the one that is named. */
export function programOf(context: CommandContext, finish: (work: Promise<number>) => Promise<void>): Command {
  const { stdout, stderr } = context;
  const program = new Command('serin')
    .description('Progressive delivery for Kubernetes, driven from Git and written back to Git.')
    .version(version, '--version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      writeErr: (text) => void stderr.write(text),
    });

  const run = program
    .command('run')
    .description('watch a repository and deliver what it says to a cluster')
    .option('--config <file>', 'YAML file with settings; flags and environment win')
    .configureHelp({ visibleOptions: () => [] })
    .addHelpText('after', settingsHelp())
    .action((options: Record<string, string>) =>
      finish(
        import('./commands/run.ts').then(({ runAgent }) => runAgent(context, flagsOf(options), options['config'])),
      ),
    );
  for (const entry of settings as readonly Setting[]) {
    run.addOption(
      new Option(entry.kind === 'flag' ? `--${entry.name} [value]` : `--${entry.name} <value>`, entry.help).preset(
        'true',
      ),
    );
  }

  program
    .command('validate')
    .argument('<path...>', 'folders with manifests, or single files')
    .option('--json', 'one JSON object a line')
    .option(
      '--config <file>',
      "the agent's settings file, for its tenants and all else that it refuses by its settings",
    )
    .option(
      '--root <dir>',
      "the repository's root, from which folders in the settings count; that of the checkout when absent",
    )
    .option('--source <name>', 'with --config: the source of the settings file that the files are of')
    .option(
      '--git-path <folder>',
      'the folder that the agent follows, of which the paths are a part: all of it is looked at',
    )
    .option('--default-namespace <name>', 'namespace of objects that name none (default: "default")')
    .option('--mesh-provider <name>', 'router of Canaries that name none (default: "kubernetes")')
    .option('--min-interval <duration>', 'shorter analysis intervals are raised to this (default: "10s")')
    .option('--kustomize <program>', 'program kustomize of version 5 (default: "kustomize")')
    .option('--helm <program>', 'program helm of version 3 (default: "helm")')
    .option('--enable-helm', 'render helmCharts of kustomizations')
    .option('--remote-charts', 'fetch charts from the indexes and registries that are named')
    .option('--sops <program>', 'program sops of version 3 (default: "sops")')
    .option(
      '--sops-age-key-file <file>',
      'file with age keys for what SOPS encrypted; without it, all but that is looked at',
    )
    .option('--require-keys', 'what cannot be looked at without a key is an error')
    .description('say everything that is wrong with manifests, without a cluster; exit code 3 when there are errors')
    .action((paths: string[], options: ValidateOptions) =>
      finish(import('./commands/validate.ts').then(({ validate }) => validate(context, paths, options))),
    );

  const localOptions = (command: Command): Command =>
    command
      .option('--config <file>', "the agent's settings file; without it, the place is the folder that is followed")
      .option('--source <name>', 'with --config: the source of the settings file that the files are of')
      .option('--root <dir>', "the repository's root; that of the checkout when absent")
      .option('--git-path <folder>', 'the folder that the agent follows, of which the place is a part')
      .option('--default-namespace <name>', 'namespace of objects that name none (default: "default")')
      .option('--kustomize <program>', 'program kustomize of version 5 (default: "kustomize")')
      .option('--helm <program>', 'program helm of version 3 (default: "helm")')
      .option('--enable-helm', 'render helmCharts of kustomizations')
      .option('--remote-charts', 'fetch charts from the indexes and registries that are named')
      .option('--sops <program>', 'program sops of version 3 (default: "sops")')
      .option('--sops-age-key-file <file>', 'file with age keys for what SOPS encrypted');
  localOptions(program.command('render').argument('[place]', 'a folder, or a file such as a kustomization', '.'))
    .option('--json', 'one JSON object a line: object, origin')
    .description('print what would be applied, as YAML; exit code 3 when there are errors')
    .action((place: string, options: RenderOptions) =>
      finish(import('./commands/render.ts').then(({ render }) => render(context, place, options))),
    );
  localOptions(program.command('diff').argument('[place]', 'a folder, or a file such as a kustomization', '.'))
    .option('--json', 'one JSON object a line: object, change, and the fields that change')
    .option('--kubeconfig <file>', 'kubeconfig file; as kubectl finds it when absent')
    .option('--context <name>', 'context of the kubeconfig; its current one when absent')
    .description('say what would change in the cluster, by a dry run of the server; exit code 3 when there are errors')
    .action((place: string, options: DiffOptions) =>
      finish(import('./commands/diff.ts').then(({ diff }) => diff(context, place, options))),
    );

  program
    .command('gate')
    .addArgument(new Argument('<action>', 'what to do').choices(['open', 'close', 'show']))
    .argument('<name>', 'name of the Canary')
    .requiredOption('-n, --namespace <name>', 'namespace of the Canary')
    .option('--rollback', 'the rollback switch instead of the approval gate')
    .option('--kubeconfig <file>', 'kubeconfig file; as kubectl finds it when absent')
    .option('--context <name>', 'context of the kubeconfig; its current one when absent')
    .description('open or close the gates of a Canary, as far as your rights in the cluster allow')
    .action((action: 'open' | 'close' | 'show', name: string, options: Omit<GateOptions, 'action' | 'name'>) =>
      finish(import('./commands/gate.ts').then(({ gate }) => gate(context, { ...options, action, name }))),
    );

  program
    .command('identity')
    .option('--agent-namespace <name>', 'namespace of the agent', 'serin')
    .option('--git-ssh-secret <name>', 'name of the Secret with the key', 'serin-git-deploy')
    .option('--json', 'one JSON object: publicKey, fingerprint, namespace, secret')
    .option('--kubeconfig <file>', 'kubeconfig file; as kubectl finds it when absent')
    .option('--context <name>', 'context of the kubeconfig; its current one when absent')
    .description('print the public key by which the agent signs in to Git over SSH, as far as you may read its Secret')
    .action((options: IdentityOptions) =>
      finish(import('./commands/identity.ts').then(({ identity }) => identity(context, options))),
    );

  program
    .command('migrate')
    .argument('[dir]', 'a folder of the repository', '.')
    .option(
      '--json',
      'one JSON object a line: objects, notes, files with their diffs, and at last what to do before and after',
    )
    .option('--write', 'change the files as the diff says')
    .option('--all', 'name also what is applied as it is')
    .description(
      'say what comes of each object that Flagger, Flux or Argo Rollouts use, with the diff; exit code 3 when something is to be done by hand',
    )
    .action((dir: string, options: MigrateOptions) =>
      finish(import('./commands/migrate.ts').then(({ migrateFolder }) => migrateFolder(context, dir, options))),
    );

  program
    .command('loadtester')
    .option('--port <n>', 'port to listen on', '8080')
    .option('--host <address>', 'address to listen on; all of them when absent')
    .option('--timeout <duration>', 'after which a task is ended', '1h')
    .option('--namespace-regexp <expression>', 'whole names of namespaces whose Canaries may ask; all when absent')
    .option('--allow-shell <programs>', 'programs of this machine that tasks may run, as bash,helm; none when absent')
    .option(
      '--allow-addresses <list>',
      'addresses and networks that may be asked although they are loopback or link-local',
    )
    .option('--max-tasks <n>', 'tasks that run at once; more are answered by 429', '50')
    .option('--max-workers <n>', 'workers of one load (hey -c); more are refused', '500')
    .addOption(
      new Option('--log-level <level>', 'least severe log lines')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .description("answer webhooks as Flagger's load tester does: gates, loads by hey, tests by curl")
    .action((options: LoadtesterOptions) =>
      finish(import('./commands/loadtester.ts').then(({ loadtester }) => loadtester(context, options))),
    );

  addApps(program, context, finish);
  addImages(program, context, finish);

  program
    .command('providers')
    .option('--json', 'one JSON object: routers, metrics, notifiers')
    .description('list the routing providers, metrics providers and notifiers, and what each can do')
    .action((options: { json?: boolean }) =>
      finish(import('./commands/providers.ts').then(({ providers }) => providers(context, options))),
    );

  program
    .command('demo')
    .option('--keep', 'leave everything running, with the dashboard, a kubeconfig and a Git URL to push to')
    .option('--images', 'see new tags of an image become commits and releases, with a registry')
    .option('--helm <program>', 'with --images: program helm of version 3, which renders the chart', 'helm')
    .description('see a release promoted and another rolled back in Git, on a cluster that needs nothing')
    .action((options: { keep?: boolean; images?: boolean; helm: string }) =>
      finish(
        options.images === true
          ? import('./commands/demo-images.ts').then(({ demoImages }) => demoImages(context, options))
          : import('./commands/demo.ts').then(({ demo }) => demo(context, { keep: options.keep === true })),
      ),
    );

  program
    .command('sandbox')
    .argument('[settings...]', 'with --agent, behind --: settings as of serin run')
    .option('--repo <dir>', 'what the repository holds at first: a Git repository (what is committed) or any folder')
    .option('--agent', 'run the agent, too')
    .option('--fast <n>', 'let time in the cluster and in the agent pass n times as fast', '1')
    .option('--json', 'the first line is one JSON object: kubeconfig, Git URL, ports, pids')
    .option('--fault <fault>', 'NAME, or NAME@FROM..UNTIL such as git-down@30s..1m; may be repeated', collect)
    .option('--dir <dir>', 'keep the files here; a temporary folder, deleted at the end, when absent')
    .description('keep an embedded cluster and a Git server running, to try your own repository on')
    .addHelpText('after', sandboxHelp())
    .action((words: readonly string[], options: SandboxCommandOptions) =>
      finish(import('./commands/sandbox.ts').then(({ sandbox }) => sandbox(context, options, words))),
    );

  program
    .command('bench')
    .option('--cluster', 'measure the agent on a real Kubernetes API, beside a Flagger measured so')
    .option('--canaries <list>', 'with --cluster: how many of them', '10,100,1000')
    .option('--way <name>', 'with --cluster: who changes the images: cluster, git or both', 'both')
    .option('--rest <seconds>', 'with --cluster: how long to look at the canaries at rest', '60')
    .option(
      '--server <list>',
      'with --cluster: the API server as it is (plain), held to one core (one-core), 50 ms away (far)',
      'plain',
    )
    .option(
      '--server-cores <n>',
      'with --cluster: cores that it may use; those of its process or of this machine when absent',
    )
    .option('--kubeconfig <file>', 'with --cluster: an administrator of it; $KUBECONFIG when absent')
    .option('--json', 'with --cluster: one JSON object')
    .option('--kustomize <program>', 'without --cluster: program kustomize of version 5', 'kustomize')
    .option('--helm <program>', 'without --cluster: program helm of version 3', 'helm')
    .description('measure speed, memory and requests')
    .action((options: BenchClusterOptions & RenderingPrograms & { cluster?: boolean }) =>
      finish(
        options.cluster === true
          ? import('./commands/bench-cluster.ts').then(({ benchCluster }) => benchCluster(context, options))
          : import('./commands/bench.ts').then(({ bench }) => bench(context, options)),
      ),
    );

  return program;
}

/**
 * Commander speaks camel case, settings are spelled as on the command line. A name that begins with `no-` it takes for the negation of
 * the rest, which is then `true` where nobody wrote anything; what somebody wrote is text.
 */
function flagsOf(options: Readonly<Record<string, unknown>>): Record<string, string | undefined> {
  const spelled: Record<string, string | undefined> = {};
  for (const { name } of settings) {
    const camel = name.replace(/^no-/, '').replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const value = options[camel];
    if (typeof value === 'string') spelled[name] = value;
  }
  return spelled;
}

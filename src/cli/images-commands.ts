import type { Command } from 'commander';
import { AgentError } from '../lib/errors.ts';
import { nearest } from '../lib/nearest.ts';
import type * as edits from './commands/images-edit.ts';
import type { AutomateOptions, LockOptions, ReleaseOptions } from './commands/images-edit.ts';
import type { ImagesListOptions } from './commands/images.ts';
import type { ImagesTestOptions } from './commands/images-test.ts';
import type { CommandContext } from './context.ts';
import type { CommitOptions } from './images/commit.ts';

export const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

type Finish = (work: Promise<number>) => Promise<void>;
type Editing = typeof edits;

const place = (command: Command): Command =>
  command
    .option('--branch <name>', 'the branch that the agent follows; the one that the checkout follows when absent')
    .option('--git-path <folder>', 'the folder that the agent follows; the one in which its ledgers stand when absent')
    .option('--config <file>', "the agent's settings file: repository, branch, folder and all else are as there")
    .option('--source <name>', 'with --config: the source of the settings file that is meant')
    .option('--default-namespace <name>', 'namespace of objects that name none (default: "default")')
    .option('--registry-config-file <file>', "Docker configuration with credentials; Docker's own when absent")
    .option('--registry-plain-http <list>', 'registries (HOST:PORT) that are spoken to without TLS')
    .option('--kustomize <program>', 'program kustomize of version 5 (default: "kustomize")')
    .option('--helm <program>', 'program helm of version 3 (default: "helm")');

/** `serin images` and what is below it. */
export function addImages(program: Command, context: CommandContext, finish: Finish): void {
  const images = place(
    program.command('images').argument('[app]', 'NAMESPACE/NAME of a Canary or a workload; all when absent'),
  )
    .option('--all', 'also workloads without a Canary and without a policy')
    .option('--local', 'the files as they stand here, instead of the branch on the server')
    .option('--json', 'one JSON object: branch, revision, apps')
    .description(
      'say what containers have, what their policies want, and why not the newest; exit code 3 where a registry does not answer',
    )
    .allowExcessArguments()
    .action((app: string | undefined, options: ImagesListOptions, command: Command) => {
      const names = command.commands.map((one) => one.name());
      const meant = app === undefined ? undefined : nearest(app, names);
      if (command.args.length > 1)
        throw new AgentError(
          'CONFIG_INVALID',
          `there is no command serin images ${app ?? ''}${meant === undefined ? `: it has ${names.join(', ')}` : `; did you mean ${meant}?`}`,
        );
      return finish(import('./commands/images.ts').then((list) => list.images(context, app, options)));
    });
  const editing = (name: string): Command =>
    place(images.command(name).argument('<app>', 'NAMESPACE/NAME of a Canary or a workload'))
      .option('--dry-run', 'show the commit, and push nothing')
      .option('--json', 'one JSON object: commit, branch, subject, files');
  const edit = (work: (commands: Editing) => Promise<number>): Promise<void> =>
    finish(import('./commands/images-edit.ts').then(work));
  editing('release')
    .argument('<container>', 'name of the container')
    .argument('<tag>', 'the version that it is to get, newer or older')
    .option('-m, --message <text>', 'why, for the commit')
    .option('--retry', 'also a version that failed before')
    .option('--force', 'also where the app is locked')
    .option('--unchecked', 'do not ask the registry whether the tag is there')
    .description('commit another version, with you as the author; one that no policy would take is held')
    .action((app: string, container: string, tag: string, options: ReleaseOptions, command: Command) =>
      edit((commands) => commands.imagesRelease(context, [app, container, tag], withParents(options, command))),
    );
  editing('resume')
    .argument('[container]', 'only this one')
    .description('let policies move on what a person has picked')
    .action((app: string, container: string | undefined, options: CommitOptions, command: Command) =>
      edit((commands) => commands.imagesResume(context, [app, container], withParents(options, command))),
    );
  editing('lock')
    .option('-m, --message <text>', 'why')
    .description('let nothing release another version, until it is unlocked')
    .action((app: string, options: LockOptions, command: Command) =>
      edit((commands) => commands.imagesLock(context, app, withParents(options, command))),
    );
  editing('unlock')
    .description('take the lock away')
    .action((app: string, options: CommitOptions, command: Command) =>
      edit((commands) => commands.imagesUnlock(context, app, withParents(options, command))),
    );
  editing('automate')
    .option('--policy <text>', 'CONTAINER=PATTERN, like podinfo=semver:~1.4; can be repeated', collect)
    .description('let new tags become commits')
    .action((app: string, options: AutomateOptions, command: Command) =>
      edit((commands) => commands.imagesAutomate(context, app, withParents(options, command))),
    );
  editing('deautomate')
    .description('let no new tag become a commit')
    .action((app: string, options: CommitOptions, command: Command) =>
      edit((commands) => commands.imagesDeautomate(context, app, withParents(options, command))),
    );
  images
    .command('test')
    .requiredOption('--policy <text>', 'semver:~1.4, glob:…, regex:…, or a policy of Flux v2 as YAML or JSON')
    .requiredOption('--current <tag>', 'the tag that the container has now')
    .requiredOption('--tags <file>', 'a tag a line, with its time behind it where that is known; - is standard input')
    .option('--quarantined <tag>', 'a tag that failed; can be repeated', collect)
    .option('--now <time>', 'as if it were that time, like 2026-11-30T12:00:00Z')
    .option('--min-age <duration>', 'as serin.dev/image-min-age')
    .option('--windows <text>', 'as serin.dev/image-windows')
    .option('--prereleases <order>', 'as serin.dev/image-prereleases')
    .option('--json', 'one JSON object: pick, reason, rejected')
    .description('say which tag a policy would pick, and why none of the others; asks no registry')
    .action((options: ImagesTestOptions, command: Command) =>
      finish(
        import('./commands/images-test.ts').then(({ imagesTest }) =>
          imagesTest(context, withParents(options, command)),
        ),
      ),
    );
}

/** Options that stand before the name of the command below are those of the command above. */
const withParents = <Options extends object>(options: Options, command: Command): Options => ({
  ...command.parent?.opts<Options>(),
  ...options,
});

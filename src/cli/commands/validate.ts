import { scopedAsDefined } from '../../manifest/normalise.ts';
import { readFileSync } from 'node:fs';
import { checkManifests } from '../../checks/check.ts';
import type { WholeSettings } from '../../agent/deps.ts';
import { appsOf } from '../../canary/app.ts';
import { readSettings } from '../../config/settings.ts';
import { AgentError } from '../../lib/errors.ts';
import { sha256Hex } from '../../lib/hash.ts';
import { atOnce } from '../../lib/turns.ts';
import type { KnownFields } from '../../manifest/checks/fields.ts';
import { defaultLimits } from '../../manifest/limits.ts';
import { areaOf, type LoadCache, type LoadSettings, loadTree } from '../../manifest/load.ts';
import { createLineFinder } from '../../manifest/locate.ts';
import { type Bounds, leavingOutRefused, type Within } from '../../manifest/refused.ts';
import type { Manifest, Problem } from '../../manifest/types.ts';
import { createTreeBudget, crowdedOut, weightOf } from '../../manifest/tree-budget.ts';
import { validateManifests } from '../../manifest/validate.ts';
import { agentSettings } from '../agent-settings.ts';
import { type CommandContext, exitCodes } from '../context.ts';
import { readSettingsFile } from '../settings-file.ts';
import { checkCustomResources } from '../custom-resources.ts';
import { readManifests } from '../manifest-files.ts';
import { repositoryRoot } from '../repository-root.ts';
import { checkSettings } from '../settings-check.ts';
import { configuredSources } from '../sources.ts';

export interface ValidateOptions {
  readonly json?: boolean;
  /** The agent's settings file. Absent: its defaults count, and there are no tenants. */
  readonly config?: string;
  /** The root of the repository. Absent: that of the checkout in which the paths stand. */
  readonly root?: string;
  /** The source of the settings file whose settings count. Absent: the only one. */
  readonly source?: string;
  /** These three as of `serin run`; they win over the file. */
  readonly defaultNamespace?: string;
  readonly meshProvider?: string;
  readonly minInterval?: string;
}

/**
 * `serin validate PATH...`: every problem of files and folders, one a line. Exit code 3 when there are errors. Throws CONFIG_INVALID where
 * a setting is wrong, a path is not there, or where it stands in the repository matters and cannot be told.
 */
export async function validate(
  { output }: CommandContext,
  paths: readonly string[],
  options: ValidateOptions,
): Promise<number> {
  const { own, ...settings } = await settingsOf(options);
  const isPlaced = options.root !== undefined || settings.path !== '' || settings.tenancy !== undefined;
  const root = isPlaced ? await repositoryRoot(paths, options.root) : undefined;
  const read = await readManifests(paths, settings, root);
  const files = new Map(
    [...read.files].map(([path, { content, mode }]) => [
      path,
      { oid: sha256Hex(content), ...(mode === undefined ? {} : { mode }) },
    ]),
  );
  const contents = new Map([...read.files].map(([path, { content }]) => [path, content]));
  const textOf = (path: string): string | undefined => contents.get(path)?.toString('utf8');
  const bounds = { ...settings, ...(own ? { own } : {}) };
  // Without the agent's settings nobody knows where it lives: what is its own where it is installed as we say is only a warning.
  const loaded = loadTree(files, contents, undefined, options.config === undefined ? settings : bounds);
  const scoped = scopedAsDefined(loaded.manifests);
  const within = bounded(scoped, bounds);
  const [manifests, refusals] =
    options.config === undefined ? [scoped, within.problems.map(asAssumed)] : [within.manifests, within.problems];
  const problems = [...loaded.problems, ...crowdedIn(loaded.cache, contents, settings), ...refusals];
  const canaries = (): readonly Problem[] =>
    checkManifests(manifests, appsOf(manifests, settings.defaultNamespace), settings, textOf);
  const lineOf = createLineFinder(textOf);
  const checked = validateManifests(manifests, { extra: [canaries], known: knownFields(), lineOf });
  const refused = checkCustomResources(manifests, checked, lineOf);
  const all = [...read.problems, ...problems, ...checked, ...refused].sort(
    (a, b) => a.path.localeCompare(b.path) || a.line - b.line,
  );
  const errors = all.filter(({ severity }) => severity === 'error').length;
  for (const problem of all) output.line(options.json ? JSON.stringify(problem) : shown(problem, output.colour));
  if (!options.json) {
    const found = `${counted(errors, 'error')}, ${counted(all.length - errors, 'warning')}`;
    const summary = `${counted(manifests.length, 'object')} in ${counted(files.size, 'file')}: ${found}`;
    output.line(errors > 0 ? output.colour.red(summary) : output.colour.green(summary));
  }
  return errors > 0 ? exitCodes.found : exitCodes.done;
}

/** Files for which the agent would have no room, as far as these are all that it has. */
function crowdedIn(read: LoadCache, contents: ReadonlyMap<string, Buffer>, settings: LoadSettings): readonly Problem[] {
  const { treeBytes } = settings.limits ?? defaultLimits;
  const budget = createTreeBudget(treeBytes, (path) => areaOf(path, settings));
  const gone = [...read].flatMap(([path, file]) => budget.add(path, weightOf(contents.get(path)?.length ?? 0, file)));
  return gone.flatMap((path) => {
    const file = read.get(path);
    return file ? crowdedOut(path, file, file, treeBytes).parsed.problems : [];
  });
}

/** As the agent would read them from the same file. */
async function settingsOf({
  config,
  source,
  defaultNamespace,
  meshProvider,
  minInterval,
}: ValidateOptions): Promise<WholeSettings> {
  const file = await readSettingsFile(config);
  const flags = { 'default-namespace': defaultNamespace, 'mesh-provider': meshProvider, 'min-interval': minInterval };
  const raw = readSettings({ flags, environment: {}, file: file.values });
  if (file.sources === undefined) {
    if (source !== undefined) throw new AgentError('CONFIG_INVALID', '--source: the settings file names no sources');
    checkSettings(raw);
    return agentSettings(raw, { tenants: file.tenants });
  }
  const { sources } = configuredSources(raw, file);
  const found = sources.length === 1 && source === undefined ? sources[0] : sources.find(({ name }) => name === source);
  if (found) return found.settings;
  const names = sources.map(({ name }) => name).join(', ');
  throw new AgentError('CONFIG_INVALID', `--source: name the source that these files are of: ${names}`);
}

/** Once more, now that definitions in Git have told which kinds have no namespace. */
const bounded = (manifests: readonly Manifest[], bounds: Bounds): Within =>
  atOnce(leavingOutRefused(manifests, bounds));

const asAssumed = (problem: Problem): Problem => ({
  ...problem,
  severity: 'warning',
  hint: `${problem.hint ?? ''}; where the agent has other settings, name its settings file with --config`,
});

function knownFields(): KnownFields {
  const file = new URL('../../../fixtures/kubernetes/fields.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as KnownFields;
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

function shown({ path, line, severity, message, hint }: Problem, colour: CommandContext['output']['colour']): string {
  const mark = severity === 'error' ? colour.red('error') : colour.yellow('warning');
  return `${colour.bold(`${path}:${line}`)} ${mark} ${message}${hint === undefined ? '' : colour.dim(` (${hint})`)}`;
}

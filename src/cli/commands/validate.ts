import { scopedAsDefined } from '../../manifest/normalise.ts';
import { readFileSync } from 'node:fs';
import { lstat, realpath } from 'node:fs/promises';
import { checkManifests } from '../../checks/check.ts';
import { appsOf } from '../../canary/app.ts';
import { withFoundRoutes } from '../../canary/found-route.ts';
import { atOnce } from '../../lib/turns.ts';
import type { KnownFields } from '../../manifest/checks/fields.ts';
import { createLineFinder } from '../../manifest/locate.ts';
import { type Bounds, leavingOutRefused, type Within } from '../../manifest/refused.ts';
import type { Manifest, Problem } from '../../manifest/types.ts';
import { validateManifests } from '../../manifest/validate.ts';
import { type CommandContext, exitCodes } from '../context.ts';
import { checkCustomResources } from '../custom-resources.ts';
import { hasSopsKeys } from '../find-tools.ts';
import { type LocalOptions, localSettings } from '../local-settings.ts';
import { readLocalTree, renderLocalTree } from '../local-tree.ts';
import { isIn, nothingOf, partOf, type Place } from '../part-of-place.ts';
import { concerns } from '../problems-of-place.ts';
import { placeIn, repositoryRoot } from '../repository-root.ts';
import { shownProblem } from '../shown-problem.ts';
import { toldWithoutKeys, withoutStandIns } from '../without-keys.ts';

export interface ValidateOptions extends LocalOptions {
  readonly json?: boolean;
  /** Whatever cannot be looked at without a key is an error. */
  readonly requireKeys?: boolean;
}

/**
 * `serin validate PATH...`: every problem of files and folders, one a line. Exit code 3 when there are errors. Throws CONFIG_INVALID where
 * a setting is wrong, a path is not there, or where it stands in the repository matters and cannot be told.
 */
export async function validate(
  { output, environment }: CommandContext,
  paths: readonly string[],
  options: ValidateOptions,
): Promise<number> {
  const { settings: whole, values } = await localSettings(options);
  const { own, ...settings } = whole;
  const isPlaced = options.root !== undefined || settings.path !== '' || settings.tenancy !== undefined;
  const followed = options.gitPath === undefined ? undefined : await followedFolder(paths, options.root, settings.path);
  const tree = await readLocalTree(followed ? [followed.folder] : paths, settings, {
    root: followed?.root ?? options.root,
    isPlaced,
  });
  const bounds = { ...settings, ...(own ? { own } : {}) };
  // Without the agent's settings nobody knows where it lives: what is its own where it is installed as we say is only a warning.
  const unlooked =
    hasSopsKeys(values, environment) || options.requireKeys === true
      ? undefined
      : { files: new Set<string>(), units: new Set<string>() };
  const rendered = await renderLocalTree(tree, options.config === undefined ? settings : bounds, {
    values,
    environment,
    ...(unlooked ? { unlooked } : {}),
  });
  const loaded = unlooked
    ? {
        ...rendered,
        manifests: withoutStandIns(rendered.manifests),
        problems: toldWithoutKeys(rendered, unlooked),
      }
    : rendered;
  const textOf = (path: string): string | undefined => tree.textOf(path);
  const scoped = withFoundRoutes(scopedAsDefined(loaded.manifests), settings);
  const within = bounded(scoped, bounds);
  const [manifests, refusals] =
    options.config === undefined ? [scoped, within.problems.map(asAssumed)] : [within.manifests, within.problems];
  const problems = [...loaded.problems, ...refusals];
  const meant = new Set<Manifest>();
  let isUnexplained = false;
  for (const place of followed?.places ?? []) {
    const isMeant = partOf(place, loaded, textOf);
    for (const manifest of manifests) if (isMeant(manifest)) meant.add(manifest);
    const isTold = [...tree.problems, ...problems].some(
      ({ severity, path }) => severity === 'error' && isIn(place, path),
    );
    if (isTold || loaded.manifests.some(isMeant)) continue;
    problems.push(nothingOf(place, settings.path, loaded.problems));
    isUnexplained = true;
  }
  const canaries = (): readonly Problem[] =>
    checkManifests(manifests, appsOf(manifests, settings.defaultNamespace), settings, textOf);
  const lineOf = createLineFinder(textOf);
  const checked = validateManifests(manifests, { extra: [canaries], known: knownFields(), lineOf });
  const refused = checkCustomResources(manifests, checked, lineOf);
  const found = [...tree.problems, ...problems, ...checked, ...refused];
  const isAsked = concerns({ places: followed?.places ?? [], meant: [...meant], isUnexplained, loaded, tree });
  const all = found.filter(isAsked).sort((a, b) => a.path.localeCompare(b.path) || a.line - b.line);
  const errors = all.filter(({ severity }) => severity === 'error').length;
  for (const problem of all) output.line(options.json ? JSON.stringify(problem) : shownProblem(problem, output.colour));
  if (!options.json) {
    const told = `${counted(errors, 'error')}, ${counted(all.length - errors, 'warning')}`;
    const summary = `${counted(manifests.length, 'object')} in ${counted(tree.files.size, 'file')}: ${told}`;
    output.line(errors > 0 ? output.colour.red(summary) : output.colour.green(summary));
    const elsewhere = found.length - all.length;
    if (elsewhere > 0)
      output.line(
        `${counted(elsewhere, 'problem')} elsewhere in ${settings.path || 'the repository'}: validate that to see them`,
      );
  }
  return errors > 0 ? exitCodes.found : exitCodes.done;
}

/** With `--git-path` what the agent would make of that folder is looked at: it may read the paths from there. */
async function followedFolder(
  paths: readonly string[],
  named: string | undefined,
  path: string,
): Promise<{ readonly root: string; readonly folder: string; readonly places: readonly Place[] }> {
  const root = await repositoryRoot(paths, named);
  const places: Place[] = [];
  for (const one of paths) {
    const found = await realpath(one);
    places.push({ path: placeIn(root, found) ?? '', isFolder: (await lstat(found)).isDirectory() });
  }
  return { root, folder: `${root}/${path}`, places };
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

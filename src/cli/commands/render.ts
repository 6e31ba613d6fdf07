import { lstat, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { stringify } from 'yaml';
import type { WholeSettings } from '../../agent/deps.ts';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { hintsOf } from '../../manifest/hints.ts';
import type { LoadedTree } from '../../manifest/load.ts';
import { scopedAsDefined } from '../../manifest/normalise.ts';
import { waveOf } from '../../manifest/order.ts';
import { isObject } from '../../manifest/edit-value.ts';
import type { KubeObject, Manifest, Problem } from '../../manifest/types.ts';
import { isIgnored } from '../../sync/annotations.ts';
import { type CommandContext, exitCodes } from '../context.ts';
import { type LocalOptions, localSettings } from '../local-settings.ts';
import { readLocalTree, renderLocalTree } from '../local-tree.ts';
import { createOutput } from '../output.ts';
import { isIn, nothingOf, partOf, type Place } from '../part-of-place.ts';
import { concerns } from '../problems-of-place.ts';
import { checkoutRoot, placeIn, repositoryRoot } from '../repository-root.ts';
import { shownProblem } from '../shown-problem.ts';

export interface RenderOptions extends LocalOptions {
  readonly json?: boolean;
}

/**
 * `serin render [PLACE]`: what would be applied, as YAML documents in the order of application, and nothing else, to standard output; what is
 * wrong to standard error. Exit code 3 where there are errors. Throws CONFIG_INVALID as `localSettings` and where a place is not there.
 */
export async function render(context: CommandContext, place: string, options: RenderOptions): Promise<number> {
  const { manifests, problems } = await renderedPlace(context, place, options);
  for (const [at, { object, origin, sealed }] of manifests.entries()) {
    const shown = sealed === undefined ? object : withoutValues(object);
    if (options.json) context.stdout.write(`${JSON.stringify({ object: shown, origin })}\n`);
    else
      context.stdout.write(
        `${at === 0 ? '' : '---\n'}${stringify(shown, { lineWidth: 0, aliasDuplicateObjects: false })}`,
      );
  }
  return tellProblems(context, problems);
}

/** What Git encrypts goes to no terminal and no log of a pipeline: of a Secret only its keys do. */
function withoutValues(object: KubeObject): KubeObject {
  if (object.kind !== 'Secret') return object;
  const hidden = (field: 'data' | 'stringData', value: string): object => {
    const data = object[field];
    return isObject(data) ? { [field]: Object.fromEntries(Object.keys(data).map((key) => [key, value])) } : {};
  };
  return { ...object, ...hidden('data', Buffer.from('***').toString('base64')), ...hidden('stringData', '***') };
}

/** Gives the exit code. */
export function tellProblems({ stderr, environment }: CommandContext, problems: readonly Problem[]): number {
  const output = createOutput(stderr, environment);
  for (const problem of problems) output.line(shownProblem(problem, output.colour));
  return problems.some(({ severity }) => severity === 'error') ? exitCodes.found : exitCodes.done;
}

export interface RenderedPlace {
  readonly settings: WholeSettings;
  /** In the order of application. */
  readonly manifests: readonly Manifest[];
  readonly problems: readonly Problem[];
}

/**
 * What the agent would make of a folder. A place within the folder that it follows, by its settings, is a part of that; without settings the
 * place is that folder. A file stands for what is made of it.
 */
export async function renderedPlace(
  context: CommandContext,
  place: string,
  options: LocalOptions,
): Promise<RenderedPlace> {
  const found = await realpath(place).catch((cause: unknown) => {
    throw new AgentError('CONFIG_INVALID', `${place} cannot be read: ${messageOf(cause)}`, { cause });
  });
  const isFolder = (await lstat(found)).isDirectory();
  const folder = isFolder ? found : dirname(found);
  const root =
    options.root === undefined
      ? ((await checkoutRoot([found])) ?? folder)
      : await repositoryRoot([found], options.root);
  const inside = placeIn(root, found) ?? '';
  const isFollowed = options.config !== undefined || options.gitPath !== undefined;
  const gitPath = isFollowed ? {} : { gitPath: placeIn(root, folder) ?? '' };
  const { settings, values } = await localSettings({ ...options, ...gitPath });
  const tree = await readLocalTree([isFollowed ? `${root}/${settings.path}` : folder], settings, {
    root,
    isPlaced: true,
  });
  const { own, ...rest } = settings;
  // Without the agent's settings nobody knows what is its own.
  const bounds = { ...rest, ...(own && isFollowed ? { own } : {}) };
  const loaded = await renderLocalTree(tree, bounds, { values, environment: context.environment });
  const meant: Place = { path: inside, isFolder };
  const isMeant = partOf(meant, loaded, (path) => tree.textOf(path));
  const manifests = applied(loaded).filter(isMeant);
  const problems = [...tree.problems, ...loaded.problems];
  // What is wrong in the place says why there is nothing.
  const isTold = problems.some(({ severity, path }) => severity === 'error' && isIn(meant, path));
  const isUnexplained = manifests.length === 0 && !isTold;
  if (isUnexplained) problems.push(nothingOf(meant, isFollowed ? settings.path : inside, problems));
  const isAsked = concerns({ places: isFollowed ? [meant] : [], meant: manifests, isUnexplained, loaded, tree });
  return {
    settings,
    manifests,
    problems: problems.filter(isAsked).toSorted((a, b) => a.path.localeCompare(b.path) || a.line - b.line),
  };
}

function applied({ manifests }: LoadedTree): readonly Manifest[] {
  return scopedAsDefined(manifests)
    .filter(({ object, locked }) => !locked && !isIgnored(object) && hintsOf(object).skip === undefined)
    .toSorted(({ object: a }, { object: b }) => waveOf(a) - waveOf(b));
}

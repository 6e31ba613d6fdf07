import type { LoadedTree } from '../manifest/load.ts';
import { kustomizationNames, readKustomization } from '../manifest/rendering-tools.ts';
import type { Manifest, Problem } from '../manifest/types.ts';
import { isFluxKustomization, readFluxKustomization } from '../render/flux-kustomization.ts';
import { isHelmRelease, readHelmRelease } from '../render/helm-release.ts';
import type { LocalTree } from './local-tree.ts';
import { isIn, type Place } from './part-of-place.ts';

interface PlacesOfTree {
  readonly places: readonly Place[];
  /** What comes of the places. */
  readonly meant: readonly Manifest[];
  /** Nothing comes of one of them, and nothing there says why: any problem may be the reason. */
  readonly isUnexplained: boolean;
  readonly loaded: Pick<LoadedTree, 'madeFrom'>;
  readonly tree: Pick<LocalTree, 'known' | 'textOf'>;
}

/**
 * Which problems of a followed folder concern somebody who asks for a part of it: those that are told there, or of what its objects come from,
 * or that name a file of it; and those of what is not rendered although it takes something from there.
 */
export function concerns({ places, meant, isUnexplained, loaded, tree }: PlacesOfTree): (problem: Problem) => boolean {
  const isThere = (path: string): boolean => places.some((place) => isIn(place, path));
  if (places.length === 0 || isUnexplained) return () => true;
  const makers = new Set(meant.map(({ origin }) => origin.path));
  const takers = new Map<string, boolean>();
  for (const files of loaded.madeFrom?.values() ?? []) {
    const all = [...files];
    if (all.some(isThere)) for (const path of all) makers.add(path);
  }
  const names = namesOf(places, tree);
  const takes = (path: string): boolean => {
    const known = takers.get(path);
    if (known !== undefined) return known;
    // One that takes itself ends here.
    takers.set(path, false);
    const taken = takenBy(path, tree, names);
    const found = taken === 'named' || taken.some((one) => isThere(one) || isAbove(one, places) || takes(one));
    takers.set(path, found);
    return found;
  };
  return ({ path, message, hint = '' }) =>
    isThere(path) ||
    makers.has(path) ||
    `${message} ${hint}`.split(/[\s(),;]+|:\d+|:$/).some((word) => word.includes('/') && isThere(word)) ||
    takes(path);
}

/** A folder that is taken with all that stands in it. */
const isAbove = (folder: string, places: readonly Place[]): boolean =>
  places.some(({ path }) => folder === '' || path.startsWith(`${folder}/`));

/** ConfigMaps and Secrets that stand in the places, which values may come from. */
function namesOf(places: readonly Place[], { known }: Pick<LocalTree, 'known'>): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [path, { parsed }] of known)
    if (places.some((place) => isIn(place, path)))
      for (const { object } of parsed.manifests) names.add(`${object.kind}/${object.metadata.name}`);
  return names;
}

/** Files and folders that a file asks to be rendered from; `named`: an object of these names, among other things. */
function takenBy(
  path: string,
  { known, textOf }: PlacesOfTree['tree'],
  names: ReadonlySet<string>,
): readonly string[] | 'named' {
  if (kustomizationNames.includes(path.slice(path.lastIndexOf('/') + 1))) {
    const read = readKustomization(path, textOf(path) ?? '');
    const all = [...(read?.inputs?.resources ?? read?.names ?? []), ...(read?.inputs?.files ?? [])];
    return [...all, ...all.flatMap(kustomizationsIn)];
  }
  const taken: string[] = [];
  for (const manifest of known.get(path)?.parsed.manifests ?? []) {
    const { object } = manifest;
    const flux = isFluxKustomization(object) ? readFluxKustomization(manifest) : undefined;
    if (typeof flux === 'object') {
      if (flux.variables?.from.some(({ kind, name }) => names.has(`${kind}/${name}`)) === true) return 'named';
      taken.push(flux.folder, ...kustomizationsIn(flux.folder));
    }
    const release = isHelmRelease(object) ? readHelmRelease(manifest) : undefined;
    if (typeof release !== 'object') continue;
    const { chart, valuesFiles, valuesFrom } = release;
    if (valuesFrom.some((from) => from.kind !== 'file' && names.has(`${from.kind}/${from.name}`))) return 'named';
    taken.push(...[...(chart.kind === 'folder' ? [chart.path] : []), ...valuesFiles.paths].map(withoutDots));
  }
  return taken;
}

const kustomizationsIn = (folder: string): readonly string[] =>
  kustomizationNames.map((name) => (folder === '' ? name : `${folder}/${name}`));
const withoutDots = (path: string): string => path.replace(/^(?:\.\/)+/, '').replace(/\/+$/, '');

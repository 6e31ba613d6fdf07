import { kustomizationNames, readKustomization } from '../manifest/rendering-tools.ts';
import { identityKey } from '../manifest/identity.ts';
import type { LoadedTree } from '../manifest/load.ts';
import { type Manifest, type Origin, placesOf, type Problem, unitOf } from '../manifest/types.ts';
import type { LocalTree } from './local-tree.ts';

/** A file or a folder, from the repository's root; the empty string is all of it. */
export interface Place {
  readonly path: string;
  readonly isFolder: boolean;
}

export const isIn = ({ path: place, isFolder }: Place, path: string): boolean =>
  path === place || (isFolder && (place === '' || path.startsWith(`${place}/`)));

/**
 * Whether an object belongs to a place: it comes from there, also through what a file describes. Where what is rendered takes more from the
 * place than objects that stand there, as an overlay with its bases elsewhere, a patch or the values of a chart, all of it belongs to the place.
 */
export function partOf(
  place: Place,
  { manifests, areas, madeFrom = new Map() }: Pick<LoadedTree, 'manifests' | 'areas' | 'madeFrom'>,
  textOf: LocalTree['textOf'],
): (manifest: Manifest) => boolean {
  /** Where the Kustomization of Flux stands that a unit is called after: another one may have brought it. */
  const describedIn = (unit: string): readonly string[] => {
    const name = unit.includes('#') ? unit.slice(unit.lastIndexOf('#') + 1) : undefined;
    if (name === undefined) return [unit];
    const isArgo = /^Application(?:Set)?\//.test(name);
    const key = isArgo
      ? `argoproj.io/${name.replace(/:\d+$/, '')}`
      : `kustomize.toolkit.fluxcd.io/Kustomization/${name}`;
    return [...areas.values()].flatMap(({ elsewhere }) => elsewhere.get(key)?.path ?? []);
  };
  const standsThere = ({ origin }: Manifest): boolean =>
    [origin.path, ...placesOf(unitOf(origin)).flatMap(describedIn)].some((path) => isIn(place, path));
  const standing = new Set<string>();
  for (const manifest of manifests)
    if (standsThere(manifest)) for (const key of makersOf(manifest.origin)) standing.add(key);
  const whole = new Set<string>();
  for (const [key, files] of madeFrom) {
    const taken = [...files].filter((path) => isIn(place, path));
    if (taken.length > 0 && (!standing.has(key) || taken.some((path) => reachesOut(path, place, textOf))))
      whole.add(key);
  }
  return (manifest) => standsThere(manifest) || makersOf(manifest.origin).some((key) => whole.has(key));
}

/** What rendered an object, by the keys of `madeFrom`. */
const makersOf = (origin: Origin): readonly string[] => [
  ...placesOf(unitOf(origin)),
  ...(origin.renderer === 'helm' ? [identityKey(origin.release)] : []),
];

/** Whether a kustomization in the place brings something from elsewhere. */
function reachesOut(path: string, place: Place, textOf: LocalTree['textOf']): boolean {
  if (!kustomizationNames.includes(path.slice(path.lastIndexOf('/') + 1))) return false;
  const names = readKustomization(path, textOf(path) ?? '')?.names ?? [];
  return names.some((name) => !isIn(place, name));
}

/** Nobody should take silence for an answer. `followed`: the folder that the agent follows; `known`: what is wrong with it otherwise. */
export function nothingOf({ path, isFolder }: Place, followed: string, known: readonly Problem[]): Problem {
  const what = isFolder ? 'folder' : 'file';
  if (known.some(({ severity }) => severity === 'error'))
    return {
      severity: 'error',
      path: path === '' ? '.' : path,
      line: 1,
      message: `no object comes of this ${what} now: see the other errors, which may be why`,
    };
  const isWhole = path === followed;
  return {
    severity: 'error',
    path: path === '' ? '.' : path,
    line: 1,
    message: isWhole
      ? `no object comes of this ${what}: nothing in it would be applied`
      : `no object comes of this ${what}: nothing that is followed reads it`,
    ...(isWhole
      ? {}
      : {
          hint: `what is followed is ${followed === '' ? 'the whole repository' : followed}: choose another with --git-path`,
        }),
  };
}

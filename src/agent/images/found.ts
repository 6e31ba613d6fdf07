import { lockOf } from '../../images/annotations.ts';
import { type ImagePlace, placesOf, podSpecOf } from '../../images/places.ts';
import { type ImageReference, readReference, repositoryOf } from '../../images/reference.ts';
import type { Setter } from '../../images/setters.ts';
import { identityKey, identityOf } from '../../manifest/identity.ts';
import type { KubeObject, Manifest } from '../../manifest/types.ts';
import type { RenderedTree } from '../../release/rendered.ts';
import type { AppId } from '../../release/types.ts';
import { fluxIn, markedApps } from './marked.ts';
import { accessOf, type PullAccess } from './pull-secrets.ts';
import { targetsAmong, type WatchedApp, type WatchedContainer, watchedIn } from './watched.ts';

/** A container of an app, with a policy or without. */
export interface FoundContainer {
  readonly place: ImagePlace;
  readonly manifest: Manifest;
  /** Absent: the image cannot be read. */
  readonly reference?: ImageReference;
  readonly access: PullAccess;
  readonly setters?: readonly Setter[];
  /** As the policy is followed once nobody has locked the app; absent: there is none. */
  readonly watched?: WatchedContainer;
}

/** A workload, or a HelmRelease that makes workloads, with the images that are written in it. */
export interface FoundApp {
  readonly id: AppId;
  /** Empty: it has no Canary. */
  readonly canaries: readonly AppId[];
  /** Where its annotations stand. */
  readonly manifest: Manifest;
  /** Undefined: it is not locked. */
  readonly lock: ReturnType<typeof lockOf>;
  readonly isAutomated: boolean;
  readonly containers: readonly FoundContainer[];
  /** As a policy is looked at; undefined: no container has one. */
  readonly watched: WatchedApp | undefined;
}

const prefixes = ['fluxcd.io/', 'flux.weave.works/'];
const isLock = (annotation: string): boolean => prefixes.some((prefix) => annotation === `${prefix}locked`);

/**
 * All that images are written in, by the order of their files. What a chart makes stands in its HelmRelease, unless the chart itself has the policy.
 * `marked`: the texts of files with comments of Flux v2.
 */
export function foundIn(
  tree: Pick<RenderedTree, 'manifests' | 'releases' | 'apps'>,
  marked: ReadonlyMap<string, string>,
  defaultNamespace: string,
): readonly FoundApp[] {
  const { releases = [] } = tree;
  const manifests = [...tree.manifests, ...releases];
  const targetsOf = targetsAmong(tree.apps);
  const flux = fluxIn(manifests);
  const byMark = new Map(
    [...(flux ? markedApps(flux, marked, manifests, tree.apps) : new Map<string, WatchedApp>()).values()].map(
      (app) => [app.object, app] as const,
    ),
  );
  const made = new Set<string>();
  const found = releases.flatMap((release) => {
    const app = foundAt(release);
    if (app && app.containers.length > 0) made.add(identityOf(release.object));
    return app && app.containers.length > 0 ? [app] : [];
  });
  for (const manifest of tree.manifests) {
    const { origin } = manifest;
    const app = foundAt(manifest);
    if (!app || app.containers.length === 0) continue;
    if (origin.renderer === 'helm' && made.has(identityKey(origin.release)) && !app.watched) continue;
    found.push(app);
  }
  return found;

  function foundAt(manifest: Manifest): FoundApp | undefined {
    const { object, origin } = manifest;
    const targets =
      origin.renderer === 'helm'
        ? tree.apps.filter(({ target }) => target && identityOf(target.object) === identityOf(object))
        : targetsOf(manifest);
    const open = unlocked(manifest);
    const annotated = watchedIn(open, targets, defaultNamespace);
    const byComment = byMark.get(identityOf(object));
    const places = placesOf(object);
    if (!places) return undefined;
    const namespace = object.metadata.namespace ?? defaultNamespace;
    const access = accessOf(namespace, podSpecOf(targets[0]?.target?.object ?? object));
    const withPolicy = [...(annotated?.containers ?? []), ...(annotated ? [] : (byComment?.containers ?? []))];
    const covered = new Set(withPolicy.map(({ place }) => place.container));
    const ofComments = new Set(
      (annotated ? [] : (byComment?.containers ?? [])).map(({ reference }) => repositoryOf(reference)),
    );
    const containers = [
      ...withPolicy.map((watched): FoundContainer => {
        const { place, reference, setters, wanted } = watched;
        return { place, manifest, reference, access: wanted.access, watched, ...(setters ? { setters } : {}) };
      }),
      ...places.flatMap((place): readonly FoundContainer[] => {
        const reference = readReference(place.image);
        if (covered.has(place.container)) return [];
        if ('problem' in reference) return [{ place, manifest, access }];
        // Its tag is written by the comment.
        return ofComments.has(repositoryOf(reference)) ? [] : [{ place, manifest, reference, access }];
      }),
    ];
    const canaries = targets.map(({ id }) => id);
    const watched = annotated ?? byComment;
    return {
      id: canaries[0] ?? { namespace, name: object.metadata.name },
      canaries,
      manifest,
      lock: lockOf(manifest),
      isAutomated: watched !== undefined,
      containers,
      watched: watched && { ...watched, containers: withPolicy },
    };
  }
}

function unlocked(manifest: Manifest): Manifest {
  const { object } = manifest;
  const { annotations } = object.metadata;
  if (!annotations || !Object.keys(annotations).some(isLock)) return manifest;
  const open = Object.fromEntries(Object.entries(annotations).filter(([name]) => !isLock(name)));
  const metadata = { ...object.metadata, annotations: open };
  return { ...manifest, object: { ...object, metadata } as KubeObject };
}

/** Names by which people call a container of it: its own, or that of the policy by which it is marked. */
export const containerNames = ({ containers }: FoundApp): readonly string[] =>
  containers.map(({ place }) => place.container);

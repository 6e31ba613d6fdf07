import { type ContainerPolicy, readAnnotations } from '../../images/annotations.ts';
import type { Setter } from '../../images/setters.ts';
import { podSpecOf } from '../../images/places.ts';
import { textsOf } from '../../lib/json.ts';
import { own } from '../../lib/own.ts';
import { keyOf } from '../../lib/key.ts';
import { perObject } from '../../lib/memo.ts';
import type { Steps } from '../../lib/turns.ts';
import { faultOf } from '../../manifest/contained.ts';
import type { Manifest } from '../../manifest/types.ts';
import { identityKey, identityOf } from '../../manifest/identity.ts';
import type { AppId } from '../../release/types.ts';
import { type WantedRepository, wantedKey } from './listings.ts';
import { accessOf } from './pull-secrets.ts';

/** One container with a policy. */
export interface WatchedContainer extends ContainerPolicy {
  readonly wanted: WantedRepository;
  /** By `wantedKey`. */
  readonly key: string;
  /** Where its tag is written by comments of Flux v2. Absent: at its place. */
  readonly setters?: readonly Setter[];
}

/** What is upgraded by one commit: the target of a Canary, or a workload that has none. */
export interface WatchedApp {
  /** The Canary's, or else the workload's own namespace and name. */
  readonly id: AppId;
  /** Empty: it has no Canary. Several: of all that one chart makes; the first names it. */
  readonly canaries: readonly AppId[];
  /** Identity of the workload. */
  readonly object: string;
  readonly containers: readonly WatchedContainer[];
  /** What its nodes are, as its nodeSelector says. Absent: it does not. */
  readonly platforms?: readonly string[];
}

const noLines = (): undefined => undefined;

const policiesOf = perObject((manifest: Manifest) => readAnnotations(manifest, noLines).policies);

/** The policies of one object; what throws for it gives it none. */
export function watchedIn(
  manifest: Manifest,
  apps: readonly TargetedApp[],
  defaultNamespace: string,
): WatchedApp | undefined {
  const { object } = manifest;
  if (object.metadata.annotations === undefined) return undefined;
  const policies = policiesOf(manifest);
  if (policies.length === 0) return undefined;
  const namespace = object.metadata.namespace ?? defaultNamespace;
  const podSpec = podSpecOf(apps[0]?.target?.object ?? object);
  const access = accessOf(namespace, podSpec);
  const containers = policies.map((one): WatchedContainer => {
    const { tag: _tag, digest: _digest, ...reference } = one.reference;
    const wanted = { reference, access };
    return { ...one, wanted, key: wantedKey(wanted) };
  });
  const canaries = apps.map(({ id }) => id);
  const id = canaries[0] ?? { namespace, name: object.metadata.name };
  return { id, canaries, object: identityOf(object), containers, ...platformsOf(podSpec) };
}

/** The platform of the nodes that a pod's spec selects. */
export function platformsOf(podSpec: Readonly<Record<string, unknown>>): Pick<WatchedApp, 'platforms'> {
  const selector = textsOf(podSpec['nodeSelector']);
  const [architecture, os = 'linux'] = ['arch', 'os'].map(
    (name) => own(selector, `kubernetes.io/${name}`) ?? own(selector, `beta.kubernetes.io/${name}`),
  );
  return architecture === undefined ? {} : { platforms: [`${os}/${architecture}`] };
}

export interface TargetedApp {
  readonly id: AppId;
  readonly target?: Manifest | undefined;
}

/** The apps whose target is this object, or is made for it by a chart. */
export function targetsAmong(apps: readonly TargetedApp[]): (manifest: Manifest) => readonly TargetedApp[] {
  const byObject = new Map<string, TargetedApp[]>();
  for (const app of apps) {
    if (!app.target) continue;
    const { object, origin } = app.target;
    const key = origin.renderer === 'helm' ? identityKey(origin.release) : identityOf(object);
    byObject.set(key, [...(byObject.get(key) ?? []), app]);
  }
  return ({ object }) => byObject.get(identityOf(object)) ?? [];
}

/** All that have a policy, by a key of their own. Yields again and again. */
export function* findWatched(
  manifests: readonly Manifest[],
  apps: readonly TargetedApp[],
  defaultNamespace: string,
): Steps<ReadonlyMap<string, WatchedApp>> {
  const targetsOf = targetsAmong(apps);
  const found = new Map<string, WatchedApp>();
  for (const [at, manifest] of manifests.entries()) {
    if (at % 512 === 511) yield;
    // What it throws for is told where manifests are checked.
    faultOf(manifest, () => {
      const watched = watchedIn(manifest, targetsOf(manifest), defaultNamespace);
      if (watched) found.set(watchedName(watched), watched);
    });
  }
  return found;
}

/** Workloads of two kinds may have one name. */
export const watchedName = ({ canaries: [canary], object }: WatchedApp): string => (canary ? keyOf(canary) : object);

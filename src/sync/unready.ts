import type { Cluster } from '../cluster/cluster.ts';
import { AgentError } from '../lib/errors.ts';
import { namespacedName } from '../lib/key.ts';
import { identityKey, identityOf, nameOf } from '../manifest/identity.ts';
import type { UnitNeed } from '../manifest/needs.ts';
import { groupOf, type Manifest, type ObjectRef, placesOf, refOf, unitOf } from '../manifest/types.ts';
import { unreadyReason } from './readiness.ts';

/** Objects that are asked for at once, and of one unit. */
const mostAtOnce = 8;
const mostAsked = 500;

export interface Unready {
  readonly ref: ObjectRef;
  /** With the object's name, for people. */
  readonly reason: string;
}

/** What a unit makes, with what is made by what it makes. `but`: without what is made for this one. Absent: all of it. */
export function madeBy(
  { unit, checks }: Pick<UnitNeed, 'unit' | 'checks'>,
  manifests: readonly Manifest[],
  but?: string,
): readonly Manifest[] {
  const isOwn = (place: string): boolean =>
    place === unit ||
    (checks === 'all' && place.startsWith(`${unit}#`) && (but === undefined || !placesOf(place).includes(but)));
  return manifests.filter(({ origin }) => isOwn(unitOf(origin)));
}

/** What an object is looked for by: itself, or where it only describes others, those. Undefined: nothing is made of it. */
function standingFor(ref: ObjectRef, manifests: readonly Manifest[]): readonly ObjectRef[] | undefined {
  const group = groupOf(ref.apiVersion);
  const isRelease = ref.kind === 'HelmRelease' && releaseGroups.has(group);
  const isUnit = ref.kind === 'Kustomization' && group === 'kustomize.toolkit.fluxcd.io';
  if (!isRelease && !isUnit) return [ref];
  const key = identityKey(ref);
  if (manifests.some(({ object }) => identityOf(object) === key)) return [ref];
  const end = `#${namespacedName(ref)}`;
  const made = manifests.filter(({ origin }) =>
    isRelease
      ? origin.renderer === 'helm' && identityKey(origin.release) === key
      : placesOf(unitOf(origin)).some((place) => place.endsWith(end)),
  );
  return made.length === 0 ? undefined : made.map(({ object }) => refOf(object));
}

const releaseGroups = new Set(['helm.toolkit.fluxcd.io', 'helm.fluxcd.io', 'flux.weave.works']);

/** One that is not ready. `first`: is asked for before all others. Undefined: all are. Throws CLUSTER_UNREACHABLE. */
export async function firstUnready(
  cluster: Pick<Cluster, 'get' | 'resource'>,
  {
    checks,
    made,
    all,
    first,
  }: Pick<UnitNeed, 'checks'> & {
    /** What the unit makes. */
    readonly made: readonly Manifest[];
    /** What Git says. */
    readonly all: readonly Manifest[];
    readonly first?: ObjectRef | undefined;
  },
  signal: AbortSignal,
): Promise<Unready | undefined> {
  const found: Unready[] = [];
  const refs: ObjectRef[] = [];
  for (const ref of checks === 'all' ? made.map(({ object }) => refOf(object)) : checks) {
    const standing = checks === 'all' ? [ref] : standingFor(ref, all);
    if (!standing) return { ref, reason: `${nameOf(ref)} is not rendered, or makes nothing` };
    refs.push(...standing);
  }
  const look = async (ref: ObjectRef): Promise<void> => {
    const why = await unready(cluster, ref, signal);
    if (why !== undefined) found.push({ ref, reason: `${nameOf(ref)} ${why}` });
  };
  if (first && refs.some((ref) => identityKey(ref) === identityKey(first))) await look(first);
  const left = refs.slice(0, mostAsked).values();
  const work = async (): Promise<void> => {
    for (const ref of left) {
      if (found.length > 0) return;
      await look(ref);
    }
  };
  await Promise.all(Array.from({ length: mostAtOnce }, work));
  return found[0];
}

async function unready(
  cluster: Pick<Cluster, 'get' | 'resource'>,
  ref: ObjectRef,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    const live = (await cluster.resource(ref, signal)) ? await cluster.get(ref, signal) : undefined;
    return live ? unreadyReason(live) : 'is not there';
  } catch (error) {
    // What may not be read may be ready: nothing waits for it.
    if (error instanceof AgentError && error.code === 'CLUSTER_REFUSED') return undefined;
    throw error;
  }
}

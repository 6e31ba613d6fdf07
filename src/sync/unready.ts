import type { Cluster } from '../cluster/cluster.ts';
import { AgentError } from '../lib/errors.ts';
import { nameOf } from '../manifest/identity.ts';
import type { UnitNeed } from '../manifest/needs.ts';
import { type Manifest, type ObjectRef, placesOf, refOf, unitOf } from '../manifest/types.ts';
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

/** One that is not ready. `first`: is asked for before all others. Undefined: all are. Throws CLUSTER_UNREACHABLE. */
export async function firstUnready(
  cluster: Pick<Cluster, 'get' | 'resource'>,
  {
    checks,
    made,
    first,
  }: Pick<UnitNeed, 'checks'> & { readonly made: readonly Manifest[]; readonly first?: ObjectRef | undefined },
  signal: AbortSignal,
): Promise<Unready | undefined> {
  const refs = checks === 'all' ? made.map(({ object }) => refOf(object)) : checks;
  const found: Unready[] = [];
  const look = async (ref: ObjectRef): Promise<void> => {
    const why = await unready(cluster, ref, signal);
    if (why !== undefined) found.push({ ref, reason: `${nameOf(ref)} ${why}` });
  };
  if (first) await look(first);
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

import { type Decision, isOlder, picking, type Quarantined, type Skip } from '../../images/pick.ts';
import { readReference, repositoryOf, withTag } from '../../images/reference.ts';
import type { Due } from '../../images/upgrade.ts';
import type { Steps } from '../../lib/turns.ts';
import { heldBy, isLapsed, type Ledger } from '../../release/ledger.ts';
import { candidatesOf, type Known } from './known.ts';
import type { WatchedApp, WatchedContainer } from './watched.ts';

/** What else than its policy says whether an app's images are moved on. */
export interface AppState {
  /** Undefined: it has none. */
  readonly ledger: Ledger | undefined;
  /** Why none is begun now: a release is under way, or waits to be taken back. Undefined: nothing is in the way. */
  readonly busy: string | undefined;
  /** An image has to be for one of these, where its workload names none. Absent: it may be for any. */
  readonly platforms?: readonly string[];
}

/** What is known of registries. */
export interface KnownRepositories {
  known(key: string): Known | undefined;
  trouble(key: string): string | undefined;
}

/** What a policy comes to, in words that can be counted: the image is due, or why it stays. */
export const stays = [
  'due',
  'current',
  'uncertain',
  'quarantined',
  'unfit',
  'too-new',
  'closed',
  'asking',
  'unreadable',
  'held',
  'busy',
  'unlisted',
] as const satisfies readonly (Skip | 'due' | 'held' | 'busy' | 'unlisted')[];
export type Stay = (typeof stays)[number];

/** How it stands with one container's image. */
export interface Look {
  readonly container: WatchedContainer;
  readonly stay: Stay;
  /** For people. */
  readonly reason: string;
  /** Absent: the registry has not answered yet, or it is held. */
  readonly decision?: Decision;
  /** Present where it is due. */
  readonly due?: Due;
}

/** Looks at all containers of an app: a function of what is given. */
export function* lookAt(
  app: WatchedApp,
  state: AppState,
  repositories: KnownRepositories,
  nowMs: number,
): Steps<readonly Look[]> {
  const looks: Look[] = [];
  for (const container of app.containers)
    looks.push(yield* lookAtContainer(app, container, state, repositories, nowMs));
  return looks;
}

function* lookAtContainer(
  app: WatchedApp,
  container: WatchedContainer,
  { ledger, busy, platforms: usual }: AppState,
  repositories: KnownRepositories,
  nowMs: number,
): Steps<Look> {
  const { place, reference, policy, key } = container;
  const unmoved = (stay: Stay, reason: string): Look => ({ container, stay, reason });
  const hold = ledger && heldBy(ledger, place.container, place.image);
  if (hold)
    return unmoved('held', `it was picked${hold.by === '' ? ' by hand' : ` by ${hold.by}`} instead of ${hold.instead}`);
  const known = repositories.known(key);
  const trouble = repositories.trouble(key);
  if (trouble !== undefined) return unmoved('unlisted', trouble);
  if (!known) return unmoved('unlisted', 'the registry has not answered yet');
  const { tag, digest } = reference;
  const quarantine = quarantineOf(container, ledger, known, nowMs);
  const { memory } = known;
  const platforms = app.platforms ?? usual;
  const decision = yield* picking({
    policy,
    current: { ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) },
    listing: {
      candidates: candidatesOf(known),
      // Of a list that is short for long, the memory has the new count.
      formerCount: memory.count,
    },
    quarantine,
    nowMs,
    ...(platforms ? { platforms } : {}),
  });
  const { pick, reason, skip } = decision;
  if (!pick) return { container, stay: skip ?? 'current', reason, decision };
  if (busy !== undefined) return { container, stay: 'busy', reason: busy, decision };
  const found = known.digests.get(pick.tag)?.value;
  if (found === undefined)
    return {
      container,
      stay: 'asking',
      reason: `the digest of ${pick.tag} is not known yet`,
      decision: { ...decision, need: { what: 'digest', tags: [pick.tag] } },
    };
  // Nodes may have what failed under this tag: only the digest tells them apart.
  const isPushedAgain = quarantine.some((entry) => entry.tag === pick.tag);
  const pinned = pick.digest ?? (isPushedAgain ? (found ?? undefined) : undefined);
  const due: Due = {
    app: app.id,
    container: place.container,
    from: place.image,
    to: withTag(place.image, pick.tag, pinned),
    policy: policy.text,
    decision,
  };
  return { container, stay: 'due', reason, decision, due };
}

/** What failed of the container's repository. Where its digest is not written, the one counts that it had when it was taken. */
function quarantineOf(
  { reference }: WatchedContainer,
  ledger: Ledger | undefined,
  { taken }: Known,
  nowMs: number,
): readonly Quarantined[] {
  const repository = repositoryOf(reference);
  const failed: Quarantined[] = [];
  for (const entry of ledger?.quarantine ?? []) {
    if (isLapsed(entry, nowMs)) continue;
    for (const image of Object.values(entry.images)) {
      const read = readReference(image);
      if ('problem' in read) continue;
      const digest = read.digest ?? (read.tag === undefined ? undefined : taken.get(read.tag));
      // The same digest is the same image, wherever it lies.
      if (repositoryOf(read) !== repository && read.digest === undefined) continue;
      failed.push({
        ...(read.tag === undefined || repositoryOf(read) !== repository ? {} : { tag: read.tag }),
        ...(digest === undefined ? {} : { digest }),
        ...(entry.reason === '' ? {} : { reason: entry.reason.slice(0, 200) }),
      });
    }
  }
  return failed;
}

/** A container whose image is older than another one of its repository, as its policy orders them. */
export function isGoneBack({ reference, policy }: WatchedContainer, former: string, known: Known | undefined): boolean {
  const before = readReference(former);
  if ('problem' in before || repositoryOf(before) !== repositoryOf(reference)) return false;
  if (before.tag === undefined || reference.tag === undefined) return false;
  return isOlder(policy, reference.tag, before.tag, (tag) => known?.createdMs.get(tag)) === true;
}

import type { App } from '../../canary/app.ts';
import type { CanaryEvent } from '../../canary/types.ts';
import type { GitRepo, Revision } from '../../git/repo.ts';
import type { Clock } from '../../lib/clock.ts';
import { messageOf, stackOf } from '../../lib/errors.ts';
import { type AppKey, keyOf, shownKey } from '../../lib/key.ts';
import type { Logger } from '../../lib/log.ts';
import { own } from '../../lib/own.ts';
import { createTurns } from '../../lib/turns.ts';
import { areaOf } from '../../manifest/load.ts';
import type { Manifest } from '../../manifest/types.ts';
import { exactText } from '../../render/file-bytes.ts';
import type { BranchEdit } from '../../release/branch-edit.ts';
import type { EditListeners } from '../../release/edit-writer.ts';
import type { Ledger } from '../../release/ledger.ts';
import type { AppId } from '../../release/types.ts';
import type { SourceTelemetry } from '../source-telemetry.ts';
import {
  busyOf,
  type EditSettings,
  type GoneBack,
  goneBackIn,
  holdEdit,
  platformsIn,
  together,
  type Trailers,
  upgradeEdit,
} from './edits.ts';
import { fairShare } from './fair-share.ts';
import { type Listings, maxWatches } from './listings.ts';
import { fluxIn, isCovered, markedApps } from './marked.ts';
import { type Look, lookAt, type Stay, stays } from './look.ts';
import { findWatched, type WatchedApp, type WatchedContainer } from './watched.ts';

/** What Git says at a commit. The same objects where it says the same. */
interface GitState {
  readonly revision: Revision;
  readonly loaded: { readonly manifests: readonly Manifest[]; readonly releases?: readonly Manifest[] };
  readonly apps: readonly App[];
  /** Files with manifests, by path. */
  readonly files: ReadonlyMap<string, { readonly oid: string }>;
}

/** From the policies in Git and the tags in registries to edits of the branch. */
export interface Upgrades {
  /** Takes over what Git says at a commit, once its ledgers were read. */
  know(snapshot: GitState): void;
  /** For the writer. */
  readonly edits: EditListeners;
  /** How it stands with each container that has a policy. */
  looks(): readonly (readonly [app: WatchedApp, look: Look])[];
  run(signal: AbortSignal): Promise<void>;
}

export interface UpgradesOptions {
  readonly source: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly repo: Pick<GitRepo, 'blobs' | 'commit' | 'entry' | 'has'>;
  readonly listings: Listings;
  readonly settings: EditSettings;
  readonly trailers: Trailers;
  readonly ledger: (key: AppKey) => Ledger | undefined;
  readonly submit: (edit: BranchEdit) => void;
  /** Tells the people of an app, where it has a Canary. */
  readonly tell: (app: AppKey, event: CanaryEvent) => void;
  /** Git says something new by our own hand. */
  readonly onLanded: () => void;
  readonly telemetry: Pick<SourceTelemetry, 'imageUpgrades' | 'imagePolicies'>;
}

/** What depends on the time of day is looked at again this often. */
const againMs = 30_000;
/** Of the commits since, the one that went back is looked for in so many. */
const searchedCommits = 50;

interface Seen {
  readonly app: WatchedApp;
  readonly busy: string | undefined;
  /** Ledgers and listings. */
  readonly known: readonly unknown[];
  readonly atMs: number;
  readonly looks: readonly Look[];
}

export function createUpgrades({
  source,
  clock,
  log,
  repo,
  listings,
  settings,
  trailers,
  ledger: ledgerOf,
  submit,
  tell,
  onLanded,
  telemetry,
}: UpgradesOptions): Upgrades {
  const turns = createTurns();
  let snapshot: GitState | undefined;
  /** The snapshot whose policies are known. */
  let read: typeof snapshot;
  let watched: ReadonlyMap<string, WatchedApp> = new Map();
  /** Images as they stood before, by app and container. */
  let formerImages: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map();
  const seen = new Map<string, Seen>();
  /** By blob, the text of a file with comments of Flux v2; undefined: it has none. */
  const markedTexts = new Map<string, string | undefined>();
  /** What was told last of each container that stays for a reason that somebody may want to know. */
  const told = new Map<string, { readonly object: string; readonly text: string }>();
  let isCrowded = false;
  let woken = false;
  let wakeUp: () => void = () => undefined;
  const wake = (): void => {
    woken = true;
    wakeUp();
  };

  /** What comments of Flux v2 mark; a file is read once, and none where no automation is. */
  const readMarked = async (
    now: GitState,
    manifests: readonly Manifest[],
  ): Promise<ReadonlyMap<string, WatchedApp>> => {
    const flux = fluxIn(manifests);
    if (!flux) {
      markedTexts.clear();
      return new Map();
    }
    const covered = new Map([...now.files].flatMap(([path, { oid }]) => (isCovered(flux, path) ? [[path, oid]] : [])));
    const oids = new Set(covered.values());
    for (const oid of markedTexts.keys()) if (!oids.has(oid)) markedTexts.delete(oid);
    const unread = [...oids].filter((oid) => !markedTexts.has(oid));
    await repo.blobs(unread, async (oid, content) => {
      const text = content && exactText(content);
      markedTexts.set(oid, text?.includes('$imagepolicy') ? text : undefined);
      await turns.breathe();
    });
    const texts = [...covered].flatMap(([path, oid]) => {
      const text = markedTexts.get(oid);
      return text === undefined ? [] : [[path, text] as const];
    });
    return markedApps(flux, new Map(texts), manifests, now.apps);
  };

  /** Finds what has a policy, and wants its repositories. */
  const readPolicies = async (now: NonNullable<typeof snapshot>): Promise<void> => {
    const isSame = read?.loaded === now.loaded && read.apps === now.apps;
    read = now;
    if (isSame) return;
    const before = watched;
    const manifests = [...now.loaded.manifests, ...(now.loaded.releases ?? [])];
    const annotated = await turns.run(findWatched(manifests, now.apps, settings.defaultNamespace));
    // Whoever writes annotations means them.
    watched = new Map([...(await readMarked(now, manifests)), ...annotated]);
    for (const name of seen.keys()) if (!watched.has(name)) seen.delete(name);
    const present = new Set([...watched.values()].map(({ object }) => object));
    for (const [key, { object }] of told) if (!present.has(object)) told.delete(key);
    const byTenant = new Map<string, Map<string, WatchedContainer['wanted']>>();
    for (const { key, wanted, manifest } of [...watched.values()].flatMap((app) => app.containers)) {
      const tenant = areaOf(manifest.origin.path, settings);
      byTenant.set(tenant, (byTenant.get(tenant) ?? new Map<string, WatchedContainer['wanted']>()).set(key, wanted));
    }
    const count = [...byTenant.values()].reduce((sum, { size }) => sum + size, 0);
    if (count > maxWatches && !isCrowded)
      log.error(
        { count },
        `More than ${maxWatches} repositories of images are wanted: of tenants with the most not all are looked at`,
      );
    isCrowded = count > maxWatches;
    const lists = new Map([...byTenant].map(([name, keys]) => [name, [...keys]]));
    listings.want(source, new Map(fairShare(lists, maxWatches)));
    formerImages = new Map(
      [...before].map(([name, app]) => [
        name,
        new Map(app.containers.map(({ place }) => [place.container, place.image])),
      ]),
    );
  };

  const contentIn = ({ apps }: GitState, app: AppId): string | undefined =>
    apps.find(({ id }) => keyOf(id) === keyOf(app))?.content;
  const ledgersOf = ({ id, canaries }: WatchedApp): readonly (Ledger | undefined)[] =>
    (canaries.length === 0 ? [id] : canaries).map((app) => ledgerOf(keyOf(app)));

  const look = async (name: string, app: WatchedApp, now: NonNullable<typeof snapshot>): Promise<readonly Look[]> => {
    const ledgers = ledgersOf(app);
    const why = busyOf(app, ledgers, (id) => contentIn(now, id));
    const known = [...ledgers, ...app.containers.flatMap(({ key }) => [listings.known(key), listings.trouble(key)])];
    const before = seen.get(name);
    const isTimed = app.containers.some(({ policy }) => policy.minAgeMs > 0 || policy.windows.length > 0);
    const isSame =
      before?.app === app &&
      before.busy === why &&
      before.known.every((one, at) => one === known[at]) &&
      (!isTimed || clock.now() - before.atMs < againMs);
    if (isSame) return before.looks;
    const atMs = clock.now();
    const looked = await turns.run(
      lookAt(app, { ledger: together(ledgers), busy: why, ...platformsIn(settings) }, listings, atMs),
    );
    // Why each of thousands of tags is not taken is said in the commit; here it would only fill memory.
    const looks = looked.map((one) => (one.decision ? { ...one, decision: { ...one.decision, rejected: [] } } : one));
    seen.set(name, { app, busy: why, known, atMs, looks });
    return looks;
  };

  /** Who went back, as far as it can be told: the last commit that changed the file. */
  const authorOf = async (path: string, at: Revision): Promise<Pick<GoneBack, 'revision' | 'by'>> => {
    try {
      const now = await repo.entry(at, path);
      let last = at;
      for (let left = searchedCommits; left > 0; left -= 1) {
        const [parent] = (await repo.commit(last)).parents;
        if (parent === undefined || !(await repo.has(parent))) break;
        if ((await repo.entry(parent, path))?.oid !== now?.oid) {
          const { author } = await repo.commit(last);
          return { revision: last, by: author.name };
        }
        last = parent;
      }
    } catch (error) {
      log.debug({ reason: messageOf(error) }, 'it cannot be told who went back to an older image');
    }
    return { revision: at, by: '' };
  };

  const holdBack = async (name: string, app: WatchedApp, now: NonNullable<typeof snapshot>): Promise<void> => {
    const ledger = together(ledgersOf(app));
    const stable = ledger?.removed ? undefined : ledger?.stable;
    const former = formerImages.get(name);
    // What has failed was taken back by the agent itself.
    const hasFailed = (image: string): boolean =>
      (ledger?.quarantine ?? []).some(({ images }) => Object.values(images).includes(image));
    const formerly = (container: string): readonly string[] =>
      // A chart gives its containers other names than its values have.
      [
        ...(app.containers.length === 1 ? Object.values(stable?.images ?? {}) : []),
        stable && own(stable.images, container),
        former?.get(container),
      ].flatMap((image) => (image === undefined || hasFailed(image) ? [] : [image]));
    const back = goneBackIn(app, formerly, ledger, listings);
    const [first] = back;
    if (!first) return;
    const by = await authorOf(first.watched.manifest.origin.path, now.revision);
    const gone = back.map(({ container, image, instead }) => ({ container, image, instead, ...by }));
    submit(holdEdit(app, gone, clock.now(), settings, trailers));
  };

  const report = (app: WatchedApp, looks: readonly Look[]): void => {
    for (const { container, stay, reason } of looks) {
      const { place, reference } = container;
      const key = `${app.object} ${place.container}`;
      // While a registry is asked, or does not answer, what was told last is still what is known.
      if (stay === 'asking' || stay === 'unlisted') continue;
      // What passes by itself, and what is as it should be, is not told.
      const isQuiet = ['due', 'current', 'busy', 'too-new', 'closed'].includes(stay);
      const text = isQuiet ? '' : `${stay} ${reason}`;
      if ((told.get(key)?.text ?? '') === text) continue;
      told.set(key, { object: app.object, text });
      if (text === '') continue;
      const tag = reference.tag ?? place.image;
      log.info({ app: shownKey(keyOf(app.id)), container: place.container }, `Image stays at ${tag}: ${reason}`);
    }
  };

  const lookInto = async (
    name: string,
    app: WatchedApp,
    now: NonNullable<typeof snapshot>,
    counts: Map<Stay, number>,
  ): Promise<void> => {
    await holdBack(name, app, now);
    const looks = await look(name, app, now);
    for (const { container, stay, decision } of looks) {
      counts.set(stay, (counts.get(stay) ?? 0) + 1);
      if (decision?.need) listings.ask(container.key, decision.need.what, decision.need.tags);
    }
    report(app, looks);
    if (looks.some(({ due }) => due))
      submit(
        upgradeEdit(app, listings, { atMs: clock.now(), now: () => clock.now() }, settings, trailers, (key, tag) =>
          listings.took(key, tag),
        ),
      );
  };

  const pass = async (): Promise<void> => {
    const now = snapshot;
    if (!now) return;
    await readPolicies(now);
    const counts = new Map<Stay, number>();
    for (const [name, app] of watched) {
      try {
        await lookInto(name, app, now, counts);
      } catch (error) {
        // What is wrong with one costs that one.
        log.error({ app: shownKey(keyOf(app.id)), error: stackOf(error) }, 'the images of an app cannot be looked at');
      }
    }
    formerImages = new Map();
    for (const state of stays) telemetry.imagePolicies.set({ state }, counts.get(state) ?? 0);
  };

  listings.onChange((key) => {
    for (const { containers } of watched.values()) if (containers.some((one) => one.key === key)) return wake();
  });

  const appOf = ({ app }: BranchEdit): AppKey => keyOf(app);
  return {
    know(next) {
      const isNews = snapshot?.revision !== next.revision || snapshot.loaded !== next.loaded;
      snapshot = next;
      if (isNews) wake();
    },
    edits: {
      onWritten(edit, _revision, subject) {
        if (edit.key.startsWith('upgrade ')) telemetry.imageUpgrades.inc({ result: 'written' });
        tell(appOf(edit), { type: 'Normal', level: 'info', message: `Written to Git: ${subject}` });
        onLanded();
      },
      onNeedless(edit, reason) {
        log.debug({ app: shownKey(appOf(edit)) }, `nothing is to be written of it: ${reason}`);
      },
      onBlocked(edit, reason) {
        if (edit.key.startsWith('upgrade ')) telemetry.imageUpgrades.inc({ result: 'blocked' });
        const message = `The images of ${shownKey(appOf(edit))} cannot be written to Git: ${reason}`;
        tell(appOf(edit), { type: 'Warning', level: 'error', message });
      },
    },
    looks: () => [...watched].flatMap(([name, app]) => (seen.get(name)?.looks ?? []).map((one) => [app, one] as const)),
    async run(signal) {
      while (!signal.aborted) {
        woken = false;
        try {
          await pass();
        } catch (error) {
          if (signal.aborted) return;
          log.error({ error: stackOf(error) }, 'images could not be looked at');
        }
        if (woken) {
          await turns.breathe();
          continue;
        }
        const pause = new AbortController();
        wakeUp = () => pause.abort(new Error('woken'));
        await clock.sleep(againMs, AbortSignal.any([signal, pause.signal])).catch(() => undefined);
        wakeUp = () => undefined;
      }
    },
  };
}

import type { LoadSettings } from '../../manifest/load.ts';
import { stepsOf } from '../../images/places.ts';
import { readReference } from '../../images/reference.ts';
import { type Due, upgradeMessage, upgradesOf } from '../../images/upgrade.ts';
import { keyOf } from '../../lib/key.ts';
import { plainLine } from '../../lib/plain-text.ts';
import type { Steps } from '../../lib/turns.ts';
import { type Manifest, refOf } from '../../manifest/types.ts';
import { identityOf } from '../../manifest/identity.ts';
import type { BranchEdit, EditPlan, EditTip, FieldChange } from '../../release/branch-edit.ts';
import { type HoldEntry, heldBy, type Ledger, ledgerPath } from '../../release/ledger.ts';
import { LedgerFile, withHold } from '../../release/ledger-file.ts';
import type { AppId } from '../../release/types.ts';
import { appIn } from '../../release/rendered.ts';
import { type AppState, isGoneBack, type KnownRepositories, lookAt } from './look.ts';
import { markedAt, markedFiles, touchedBy } from './marked.ts';
import { targetsAmong, type WatchedApp, type WatchedContainer, watchedIn, watchedName } from './watched.ts';

export interface EditSettings extends Pick<LoadSettings, 'tenancy'> {
  readonly path: string;
  readonly ledgerDir: string;
  readonly defaultNamespace: string;
  /** See `AppState`. */
  readonly imagePlatforms?: readonly string[];
}

/** What every commit of the agent's ends with. */
export type Trailers = readonly string[];

/** Moves the images of an app on that are due: all of them in one commit, as they are due on the tip. */
export function upgradeEdit(
  app: WatchedApp,
  repositories: KnownRepositories,
  times: { readonly atMs: number; readonly now: () => number },
  settings: EditSettings,
  trailers: Trailers,
  onTaken: (key: string, tag: string) => void,
): BranchEdit {
  let taken: readonly (readonly [key: string, tag: string])[] = [];
  return {
    key: `upgrade ${watchedName(app)}`,
    app: app.id,
    atMs: times.atMs,
    *plan(tip) {
      const now = yield* watchedAt(tip, app, settings);
      if (!now) return { kind: 'needless', reason: 'its policy is gone' };
      const ledgers: (Ledger | undefined)[] = [];
      for (const id of now.canaries.length === 0 ? [now.id] : now.canaries) ledgers.push(yield* tip.ledger(id));
      const ledger = together(ledgers);
      const busy = busyOf(now, ledgers, (id) => appIn(tip.tree, id)?.content);
      const looks = yield* lookAt(now, { ledger, busy, ...platformsIn(settings) }, repositories, times.now());
      const [upgrade] = upgradesOf(looks.flatMap((look) => look.due ?? []));
      if (!upgrade) return { kind: 'needless', reason: looks[0]?.reason ?? 'nothing is due' };
      const fields = upgrade.due.flatMap((one) => changesOf(now, one));
      const files = yield* markedFiles(now, upgrade.due, (path) => tip.text(path));
      if (!files) return { kind: 'needless', reason: 'its marked values are not as they were read' };
      const touches = files.size === 0 ? new Set<string>() : touchedBy(now, tip.tree.manifests);
      taken = looks.flatMap(({ container: { key }, decision, due: one }) =>
        one && decision?.pick ? [[key, decision.pick.tag] as const] : [],
      );
      return { kind: 'change', fields, files, touches, message: upgradeMessage(upgrade, trailers) };
    },
    landed() {
      for (const [key, tag] of taken) onTaken(key, tag);
    },
  };
}

export const platformsIn = ({
  imagePlatforms: platforms,
}: Pick<EditSettings, 'imagePlatforms'>): Pick<AppState, 'platforms'> => (platforms ? { platforms } : {});

/** Why a release of the app is not to be begun; undefined: what Git says of it was promoted last. */
export function busyOf(
  { canaries }: WatchedApp,
  /** Of its Canaries, in their order. */
  ledgers: readonly (Ledger | undefined)[],
  contentOf: (app: AppId) => string | undefined,
): string | undefined {
  for (const [at, id] of canaries.entries()) {
    const ledger = ledgers[at];
    const stable = ledger?.removed ? undefined : ledger?.stable;
    if (!stable) return 'its first state is not recorded yet';
    if (contentOf(id) !== stable.content) return 'a release of it is under way, or is to be taken back';
  }
  return undefined;
}

/** What several ledgers say of images; undefined: there are none. */
export function together(ledgers: readonly (Ledger | undefined)[]): Ledger | undefined {
  const all = ledgers.flatMap((ledger) => ledger ?? []);
  const [first] = all;
  if (!first || all.length === 1) return first;
  return {
    ...first,
    quarantine: all.flatMap(({ quarantine }) => quarantine),
    holds: all.flatMap(({ holds = [] }) => holds),
  };
}

/** The same workload on another tip; undefined: it is gone, or has no policy there. */
function* watchedAt(tip: EditTip, app: WatchedApp, settings: EditSettings): Steps<WatchedApp | undefined> {
  const { tree } = tip;
  if (app.containers.some(({ setters }) => setters)) {
    const manifests = [...tree.manifests, ...(tree.releases ?? [])];
    return yield* markedAt(app, { manifests, apps: tree.apps }, (path) => tip.text(path));
  }
  const isIt = ({ object }: Manifest): boolean => identityOf(object) === app.object;
  const manifest = tree.manifests.find(isIt) ?? tree.releases?.find(isIt);
  return manifest && watchedIn(manifest, targetsAmong(tree.apps)(manifest), settings.defaultNamespace);
}

function changesOf(app: WatchedApp, { container, to }: Due): readonly FieldChange[] {
  const watched = app.containers.find(({ place }) => place.container === container);
  return watched ? fieldsOf(watched, to) : [];
}

/** The fields by which a container gets another image; none where its tag is written by comments of Flux v2. */
export function fieldsOf(
  { place, manifest, setters }: Pick<WatchedContainer, 'place' | 'manifest' | 'setters'>,
  to: string,
): readonly FieldChange[] {
  if (setters) return [];
  const object = refOf(manifest.object);
  if ('image' in place.fields) return [{ object, field: stepsOf(place.fields.image), value: to }];
  const reference = readReference(to);
  if ('problem' in reference || reference.tag === undefined) return [];
  const { tag, digest } = reference;
  return [{ object, field: stepsOf(place.fields.tag), value: digest === undefined ? tag : `${tag}@${digest}` }];
}

/** A person has gone back to an older image. */
export interface GoneBack {
  readonly container: string;
  readonly image: string;
  /** What stood there before. */
  readonly instead: string;
  readonly revision: string;
  /** Empty: not known. */
  readonly by: string;
}

/** Records in the ledger that a person has picked these images, so that no policy takes them back. */
export function holdEdit(
  app: WatchedApp,
  back: readonly GoneBack[],
  atMs: number,
  settings: EditSettings,
  trailers: Trailers,
): BranchEdit {
  return {
    key: `hold ${watchedName(app)}`,
    app: app.id,
    atMs,
    *plan(tip): Steps<EditPlan> {
      const now = yield* watchedAt(tip, app, settings);
      const ledger = yield* tip.ledger(app.id);
      const standing = back.filter(
        ({ container, image }) =>
          now?.containers.some(({ place }) => place.container === container && place.image === image) &&
          !(ledger && heldBy(ledger, container, image)),
      );
      if (standing.length === 0) return { kind: 'needless', reason: 'Git says something else by now, or tells it' };
      const path = ledgerPath(settings, app.id);
      let text = yield* ledgerText(tip, path);
      for (const one of standing) {
        const entry: HoldEntry = { ...one, at: `${new Date(atMs).toISOString().slice(0, 19)}Z` };
        text = withHold(app.id, text === undefined ? undefined : new LedgerFile(path, text), entry);
      }
      return {
        kind: 'change',
        fields: [],
        files: new Map([[path, text ?? '']]),
        message: holdMessage(app, standing, trailers),
      };
    },
  };
}

function* ledgerText(tip: EditTip, path: string): Steps<string | undefined> {
  return yield* tip.text(path);
}

function holdMessage({ id }: WatchedApp, held: readonly GoneBack[], trailers: Trailers): string {
  const [first] = held;
  const by = first === undefined || first.by === '' ? '' : ` as picked by ${first.by}`;
  const tags = held.map(({ image }) => tagOf(image)).join(', ');
  const subject = plainLine(`hold ${keyOf(id)} at ${tags}${by}`);
  const lines = held.map(
    ({ container, image, instead }) =>
      `${container}: ${image} was put in the place of ${instead}. No policy moves it on until the entry is removed from holds in the ledger.`,
  );
  const own = held.flatMap(({ container, image, revision }) => [
    `Hold: ${container}=${image}`,
    ...(revision === '' ? [] : [`Revision: ${revision}`]),
  ]);
  const cut = subject.length > 72 ? `${subject.slice(0, 71)}…` : subject;
  return `${[cut, lines.map(plainLine).join('\n'), [...own.map(plainLine), ...trailers].join('\n')].join('\n\n')}\n`;
}

const tagOf = (image: string): string => {
  const read = readReference(image);
  return 'problem' in read ? image : (read.tag ?? image);
};

/** Containers that have gone back from one of the images that they had `formerly`. */
export function goneBackIn(
  app: WatchedApp,
  formerly: (container: string) => readonly string[],
  ledger: Ledger | undefined,
  repositories: KnownRepositories,
): readonly (Pick<GoneBack, 'container' | 'image' | 'instead'> & { readonly watched: WatchedContainer })[] {
  return app.containers.flatMap((watched) => {
    const { place, key } = watched;
    const { container, image } = place;
    if (ledger && heldBy(ledger, container, image)) return [];
    const instead = formerly(container).find((one) => isGoneBack(watched, one, repositories.known(key)));
    return instead === undefined ? [] : [{ container, image, instead, watched }];
  });
}

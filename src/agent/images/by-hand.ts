import { readReference } from '../../images/reference.ts';
import type { Due } from '../../images/upgrade.ts';
import { keyOf } from '../../lib/key.ts';
import { plainLine } from '../../lib/plain-text.ts';
import { own } from '../../lib/own.ts';
import type { Steps } from '../../lib/turns.ts';
import { identityOf } from '../../manifest/identity.ts';
import { type Manifest, refOf } from '../../manifest/types.ts';
import type { EditPlan, EditTip, FieldChange } from '../../release/branch-edit.ts';
import { type HoldEntry, heldBy, ledgerPath } from '../../release/ledger.ts';
import { LedgerFile, withHold, withoutHolds } from '../../release/ledger-file.ts';
import { fieldsOf } from './edits.ts';
import type { FoundApp, FoundContainer } from './found.ts';
import { markedFiles, touchedBy } from './marked.ts';

/** Where ledgers stand. */
interface Places {
  readonly path: string;
  readonly ledgerDir: string;
}

/** A version that a person picked. */
export interface PickedByHand {
  readonly container: FoundContainer;
  /** The whole image. */
  readonly to: string;
  /** Absent: no policy would move it on. */
  readonly hold?: { readonly by: string; readonly atMs: number };
  /** Why it may be released although something speaks against it, for the body of the commit. */
  readonly notes: readonly string[];
}

/** The commit of a release by hand: the tag at its source, and the hold in the ledger. */
export function* releasePlan(app: FoundApp, picked: PickedByHand, tip: EditTip, places: Places): Steps<EditPlan> {
  const { container, to, hold, notes } = picked;
  const { place, manifest } = container;
  const { image: from } = place;
  if (from === to) return { kind: 'needless', reason: `Git says ${to} already` };
  const due: Pick<Due, 'container' | 'to'> = { container: place.container, to };
  const marked = { object: identityOf(manifest.object), containers: [container] };
  const files = yield* markedFiles(marked, [due], (path) => tip.text(path));
  if (!files) return { kind: 'needless', reason: 'its marked values are not as they were read' };
  const all = new Map(files);
  if (hold) {
    const entry: HoldEntry = {
      container: place.container,
      image: to,
      instead: from,
      at: secondsOf(hold.atMs),
      revision: '',
      by: hold.by,
    };
    const path = ledgerPath(places, app.id);
    const text = yield* tip.text(path);
    all.set(path, withHold(app.id, text === undefined ? undefined : new LedgerFile(path, text), entry));
  }
  const lines = [
    `${place.container}: ${from} -> ${to}`,
    ...notes,
    ...(hold
      ? ['No policy moves it on: serin images resume, or removing the entry from holds in the ledger, lets it.']
      : []),
  ];
  const trailers = [
    `App: ${keyOf(app.id)}`,
    'Act: release',
    `Images: ${place.container}=${to}`,
    `Previous-Images: ${place.container}=${from}`,
    ...(hold ? [`Hold: ${place.container}=${to}`] : []),
  ];
  return {
    kind: 'change',
    fields: fieldsOf(container, to),
    files: all,
    touches: files.size === 0 ? new Set() : touchedBy(marked, tip.tree.manifests),
    message: messageOf(`release ${keyOf(app.id)} ${tagOf(from)} -> ${tagOf(to)}`, lines, trailers),
  };
}

/** Lets policies move images on again that a person picked. `container` undefined: of all of them. */
export function* resumePlan(
  app: FoundApp,
  container: string | undefined,
  tip: EditTip,
  places: Places,
): Steps<EditPlan> {
  const ledger = yield* tip.ledger(app.id);
  const held = app.containers.flatMap(({ place }) => {
    const hold = ledger && heldBy(ledger, place.container, place.image);
    return hold && (container === undefined || place.container === container) ? [hold] : [];
  });
  if (held.length === 0) return { kind: 'needless', reason: 'nothing of it is held' };
  const path = ledgerPath(places, app.id);
  const text = (yield* tip.text(path)) ?? '';
  const isMeant = (hold: Pick<HoldEntry, 'container' | 'image'>): boolean =>
    held.some((one) => one.container === hold.container && one.image === hold.image);
  return {
    kind: 'change',
    fields: [],
    files: new Map([[path, withoutHolds(new LedgerFile(path, text), isMeant)]]),
    message: messageOf(
      `resume ${keyOf(app.id)}`,
      held.map(({ container: name, image }) => `${name}: policies move it on again from ${image}.`),
      held.map(({ container: name, image }) => `Resumed: ${name}=${image}`),
    ),
  };
}

/** What is to become of annotations, by name; undefined: they go. */
type Annotations = Readonly<Record<string, string | undefined>>;

/** As Flux v1 spells it where the object has it in its former spelling, else in the later one. */
const prefixes = ['fluxcd.io/', 'flux.weave.works/'] as const;

function spelled({ object }: Manifest, name: string): string {
  const { annotations = {} } = object.metadata;
  const [later, former] = prefixes;
  return own(annotations, `${later}${name}`) === undefined && own(annotations, `${former}${name}`) !== undefined
    ? `${former}${name}`
    : `${later}${name}`;
}

/** In both spellings. */
function without({ object }: Manifest, ...names: readonly string[]): Annotations {
  const { annotations = {} } = object.metadata;
  const all = prefixes.flatMap((prefix) => names.map((name) => `${prefix}${name}`));
  return Object.fromEntries(all.filter((name) => Object.hasOwn(annotations, name)).map((name) => [name, undefined]));
}

export const lockAnnotations = ({ manifest }: FoundApp, by: string, message: string | undefined): Annotations => ({
  ...without(manifest, 'locked_msg'),
  [spelled(manifest, 'locked')]: 'true',
  [spelled(manifest, 'locked_user')]: by,
  ...(message === undefined ? {} : { [spelled(manifest, 'locked_msg')]: message }),
});

export const unlockAnnotations = ({ manifest }: FoundApp): Annotations =>
  without(manifest, 'locked', 'locked_user', 'locked_msg');

/** `patterns`: by container. */
export function automateAnnotations({ manifest }: FoundApp, patterns: ReadonlyMap<string, string>): Annotations {
  const { annotations = {} } = manifest.object.metadata;
  const said = (container: string): string => {
    const filter = `filter.fluxcd.io/${container}`;
    return Object.hasOwn(annotations, filter) ? filter : spelled(manifest, `tag.${container}`);
  };
  return {
    [spelled(manifest, 'automated')]: 'true',
    ...Object.fromEntries([...patterns].map(([container, pattern]) => [said(container), pattern])),
  };
}

export const deautomateAnnotations = ({ manifest }: FoundApp): Annotations => without(manifest, 'automated');

/** The commit that changes annotations of an app, where they are written. */
export function annotationsPlan(
  { id, manifest }: FoundApp,
  verb: string,
  wanted: Annotations,
  lines: readonly string[],
): EditPlan {
  const { annotations = {} } = manifest.object.metadata;
  const object = refOf(manifest.object);
  const fields = Object.entries(wanted).flatMap(([name, value]): readonly FieldChange[] =>
    own(annotations, name) === value ? [] : [{ object, field: ['metadata', 'annotations', name], value }],
  );
  if (fields.length === 0) return { kind: 'needless', reason: 'Git says it already' };
  const told = fields.map(({ field, value }) => {
    const name = String(field.at(-1));
    return typeof value === 'string' ? `${name}: ${value}` : `${name} is removed`;
  });
  return { kind: 'change', fields, message: messageOf(`${verb} ${keyOf(id)}`, [...lines, ...told], []) };
}

export const hasPattern = ({ manifest }: FoundApp, container: string): boolean => {
  const { annotations = {} } = manifest.object.metadata;
  return [`filter.fluxcd.io/${container}`, ...prefixes.map((prefix) => `${prefix}tag.${container}`)].some((name) =>
    Object.hasOwn(annotations, name),
  );
};

function messageOf(subject: string, lines: readonly string[], trailers: readonly string[]): string {
  const line = plainLine(subject);
  const parts = [
    line.length > 72 ? `${line.slice(0, 71)}…` : line,
    lines.map((one) => plainLine(one).slice(0, 300)).join('\n'),
    trailers.map((one) => plainLine(one).slice(0, 500)).join('\n'),
  ];
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`;
}

const secondsOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

const tagOf = (image: string): string => {
  const read = readReference(image);
  return 'problem' in read ? image : (read.tag ?? read.digest?.slice(0, 19) ?? image);
};

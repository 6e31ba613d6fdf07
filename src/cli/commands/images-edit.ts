import {
  annotationsPlan,
  automateAnnotations,
  deautomateAnnotations,
  hasPattern,
  lockAnnotations,
  releasePlan,
  resumePlan,
  unlockAnnotations,
} from '../../agent/images/by-hand.ts';
import { busyOf, together } from '../../agent/images/edits.ts';
import type { FoundApp, FoundContainer } from '../../agent/images/found.ts';
import { readAnnotations } from '../../images/annotations.ts';
import { readPattern } from '../../images/policy.ts';
import { isDigest, isTag, readReference, repositoryOf, showReference, withTag } from '../../images/reference.ts';
import { AgentError } from '../../lib/errors.ts';
import { nearest } from '../../lib/nearest.ts';
import type { KubeObject } from '../../manifest/types.ts';
import type { EditPlan } from '../../release/branch-edit.ts';
import { isLapsed, type Ledger } from '../../release/ledger.ts';
import type { CommandContext } from '../context.ts';
import { newestFirst } from '../../images/version.ts';
import { type Asked, askRegistries } from '../images/asked.ts';
import { commitByHand, type CommitOptions, type Decided, Refused } from '../images/commit.ts';
import { namedApp, namedContainer, nameOfApp } from '../images/named-app.ts';
import type { Said, Workbench } from '../images/workbench.ts';

export interface ReleaseOptions extends CommitOptions {
  /** For the body of the commit. */
  readonly message?: string;
  /** Also a version that failed before. */
  readonly retry?: boolean;
  /** Also where the app is locked. */
  readonly force?: boolean;
  /** The registry is not asked whether the tag is there. */
  readonly unchecked?: boolean;
}

/**
 * `serin images release APP CONTAINER TAG`: the commit by which a container gets another version, forward or back. Where a policy would take another
 * one, it is held. Exit code 3 where the registry does not have the tag, it failed before, or the app is locked.
 */
export function imagesRelease(
  context: CommandContext,
  [name, container, version]: readonly [app: string, container: string, tag: string],
  options: ReleaseOptions,
): Promise<number> {
  const [tag = '', digest] = version.split('@');
  if (!isTag(tag) || (digest !== undefined && !isDigest(digest)))
    throw usage(`"${version.slice(0, 80)}" is no tag: name only what follows the ":" of the image, like 1.4.2`);
  return commitByHand(context, options, async (said, bench) => {
    const app = namedApp(said.apps, name, bench.branch.name);
    const one = namedContainer(app, container);
    return releaseOf(app, one, { tag, digest }, { said, bench, options, signal: context.signal });
  });
}

interface Releasing {
  readonly said: Said;
  readonly bench: Workbench;
  readonly options: ReleaseOptions;
  readonly signal: AbortSignal;
}

async function releaseOf(
  app: FoundApp,
  container: FoundContainer,
  { tag, digest: named }: { readonly tag: string; readonly digest: string | undefined },
  { said, bench, options, signal }: Releasing,
): Promise<Decided> {
  const { place, reference, watched } = container;
  const name = nameOfApp(app);
  const { lock } = app;
  const notes: string[] = options.message === undefined ? [] : [options.message];
  if (!reference) throw new Refused(`the image "${place.image}" of ${name} cannot be read, so it gets no other tag`);
  const needless = (reason: string): Decided => ({ plan: planned({ kind: 'needless', reason }), told: [] });
  if (reference.tag === tag && (named === undefined || named === reference.digest))
    return needless(`Git says ${place.container} ${place.image} already`);
  if (lock) {
    const by = `locked${lock.user === undefined ? '' : ` by ${lock.user}`}${lock.message === undefined ? '' : ` (${lock.message})`}`;
    if (options.force !== true)
      throw new Refused(`${name} is ${by}: serin images unlock ${name} first, or --force releases it all the same`);
    notes.push(`It is ${by}.`);
  }
  const asked = askRegistries(bench, signal);
  const ledgers = await said.ledgers(app);
  const ledger = together(ledgers);
  const found = options.unchecked === true ? undefined : await digestIn(asked, container, tag);
  const failed = failedBefore(ledger, container, { tag, digest: named ?? found }, bench.nowMs());
  if (failed !== undefined) {
    if (options.retry !== true)
      throw new Refused(`${tag} failed before (${failed}) and is in quarantine: --retry has it tried once more`);
    notes.push(`${tag} failed before (${failed}) and is tried once more.`);
  }
  if (named !== undefined && found !== undefined && found !== null && named !== found)
    throw new Refused(`${showReference({ ...reference, tag, digest: found })} is another image than ${named}`);
  const isPinned = reference.digest !== undefined || (watched !== undefined && watched.policy.digest !== 'never');
  const digest = named ?? (isPinned ? (found ?? undefined) : undefined);
  if (isPinned && digest === undefined)
    throw new Refused(
      `the digest of ${tag} is written beside it, and is not known${options.unchecked === true ? ': name it, as TAG@sha256:…' : ', the registry does not say it'}`,
    );
  const to = withTag(place.image, tag, digest);
  const busy = busyOf({ canaries: app.canaries, id: app.id, object: '', containers: [] }, ledgers, (id) =>
    said.contentOf(id),
  );
  const isWanted = await wants(app, container, tag, { asked, ledger, isAsked: options.unchecked !== true });
  const by = await bench.branch.author();
  const hold = watched && !isWanted ? { by, atMs: bench.nowMs() } : undefined;
  const told = [
    ...(app.canaries.length === 0 ? [`${name} has no Canary: it is rolled out at once.`] : []),
    ...(busy !== undefined && ledger?.stable
      ? ['What is released of it now has not ended: this takes its place.']
      : []),
    ...(hold ? [`It is held there: no policy moves it on until serin images resume ${name}.`] : []),
    ...(hold && bench.isFolderUnsure
      ? [
          `No ledger stands in this branch yet. An agent that follows another folder than "${bench.places.path}" does not see the hold: name its folder with --git-path.`,
        ]
      : []),
  ];
  return {
    *plan(tip) {
      return yield* releasePlan(app, { container, to, notes, ...(hold ? { hold } : {}) }, tip, bench.places);
    },
    told,
  };
}

/** Null: the registry does not say its digest. Throws Refused where it does not have the tag, or does not answer. */
async function digestIn(asked: Asked, { reference }: FoundContainer, tag: string): Promise<string | null> {
  if (!reference) return null;
  const answer = await asked.digest(reference, tag);
  if (!('kind' in answer)) return answer.digest;
  const without = '--unchecked releases it without asking';
  if (answer.why !== 'missing')
    throw new Refused(`it cannot be told whether the tag is there: ${answer.reason}; ${without}`);
  const { registry, repository } = reference;
  const where = showReference({ registry, repository });
  const list = await asked.tags(reference);
  if (typeof list === 'string')
    throw new Refused(`${where} has no tag ${tag}, or it may not be seen (${list}); ${without}`);
  const tags = newestFirst(list.tags);
  const meant = nearest(tag, tags.slice(0, 500));
  const others = tags.slice(0, 5).join(', ');
  throw new Refused(
    `${where} has no tag ${tag}${meant === undefined ? '' : `; did you mean ${meant}?`}${others === '' ? '' : `${meant === undefined ? '. ' : ' '}The newest are ${others}`}`,
  );
}

/** Why this version failed before; undefined: it did not. By digest where both have one, as policies look at it. */
function failedBefore(
  ledger: Ledger | undefined,
  { reference }: FoundContainer,
  { tag, digest }: { readonly tag: string; readonly digest: string | null | undefined },
  nowMs: number,
): string | undefined {
  if (!reference) return undefined;
  for (const entry of [...(ledger?.quarantine ?? [])].toReversed()) {
    if (isLapsed(entry, nowMs)) continue;
    for (const image of Object.values(entry.images)) {
      const read = readReference(image);
      if ('problem' in read) continue;
      const isOther = read.digest !== undefined && digest !== undefined && digest !== null && read.digest !== digest;
      const isSameDigest = read.digest !== undefined && read.digest === digest;
      const isSameTag = repositoryOf(read) === repositoryOf(reference) && read.tag === tag && !isOther;
      if (isSameDigest || isSameTag) return entry.reason === '' ? 'no reason is written' : entry.reason.slice(0, 200);
    }
  }
  return undefined;
}

/** Whether the policy would take just this one, so that nothing has to be held. */
async function wants(
  { watched }: FoundApp,
  { place }: FoundContainer,
  tag: string,
  { asked, ledger, isAsked }: { readonly asked: Asked; readonly ledger: Ledger | undefined; readonly isAsked: boolean },
): Promise<boolean> {
  if (!watched || !isAsked) return false;
  const looks = await asked.look(watched, { ledger: ledger && { ...ledger, holds: [] }, busy: undefined });
  const look = looks.find(({ container }) => container.place.container === place.container);
  return look?.decision?.pick?.tag === tag;
}

export interface LockOptions extends CommitOptions {
  readonly message?: string;
}

/** `serin images lock APP`: no version of it is released by a policy, and none by `release` without `--force`. */
export const imagesLock = (context: CommandContext, name: string, options: LockOptions): Promise<number> =>
  annotating(context, name, options, 'lock', async (app, bench) => ({
    annotations: lockAnnotations(app, await bench.branch.author(), options.message),
    lines: [],
  }));

export const imagesUnlock = (context: CommandContext, name: string, options: CommitOptions): Promise<number> =>
  annotating(context, name, options, 'unlock', (app) => ({ annotations: unlockAnnotations(app), lines: [] }));

export const imagesDeautomate = (context: CommandContext, name: string, options: CommitOptions): Promise<number> =>
  annotating(context, name, options, 'deautomate', (app) => ({ annotations: deautomateAnnotations(app), lines: [] }));

export interface AutomateOptions extends CommitOptions {
  /** `CONTAINER=PATTERN`. */
  readonly policy?: readonly string[];
}

/** `serin images automate APP --policy CONTAINER=semver:~1.4`: new tags become commits. Refused where nothing says which tags. */
export function imagesAutomate(context: CommandContext, name: string, options: AutomateOptions): Promise<number> {
  const patterns = new Map<string, string>();
  for (const text of options.policy ?? []) {
    const at = text.indexOf('=');
    if (at <= 0) throw usage(`--policy ${text.slice(0, 80)}: write it as CONTAINER=PATTERN, like podinfo=semver:~1.4`);
    const [container, pattern] = [text.slice(0, at), text.slice(at + 1)];
    const read = readPattern(pattern);
    if ('problem' in read) throw usage(`--policy ${container}: ${read.problem}`);
    patterns.set(container, pattern);
  }
  return annotating(context, name, options, 'automate', (app) => {
    for (const container of patterns.keys()) namedContainer(app, container);
    const open = app.containers
      .map(({ place }) => place.container)
      .filter((one) => !patterns.has(one) && !hasPattern(app, one));
    if (open.length === app.containers.length)
      throw new Refused(
        `nothing says which tags ${nameOfApp(app)} may get: --policy '${open[0] ?? ''}=semver:~1.4', or '${open[0] ?? ''}=glob:*' for whatever was made last`,
      );
    return { annotations: automateAnnotations(app, patterns), lines: [] };
  });
}

interface Annotating {
  readonly annotations: Readonly<Record<string, string | undefined>>;
  readonly lines: readonly string[];
}

function annotating(
  context: CommandContext,
  name: string,
  options: CommitOptions,
  verb: string,
  wanted: (app: FoundApp, bench: Workbench) => Annotating | Promise<Annotating>,
): Promise<number> {
  return commitByHand(context, options, async (said, bench) => {
    const app = namedApp(said.apps, name, bench.branch.name);
    const { annotations, lines } = await wanted(app, bench);
    const wrong = problemAfter(app, annotations);
    if (verb === 'automate' && wrong !== undefined) throw new Refused(wrong);
    return { plan: planned(annotationsPlan(app, verb, annotations, lines)), told: [] };
  });
}

/** What would be wrong with the policies of an app with other annotations. */
function problemAfter({ manifest }: FoundApp, annotations: Annotating['annotations']): string | undefined {
  const { object } = manifest;
  const all = Object.entries({ ...object.metadata.annotations, ...annotations });
  const kept = all.filter((entry): entry is [string, string] => entry[1] !== undefined);
  const metadata = { ...object.metadata, annotations: Object.fromEntries(kept) };
  const { problems } = readAnnotations({ ...manifest, object: { ...object, metadata } as KubeObject }, () => undefined);
  return problems.find(({ severity }) => severity === 'error')?.message;
}

/** `serin images resume APP [CONTAINER]`: policies move on what a person has picked. */
export function imagesResume(
  context: CommandContext,
  [name, container]: readonly [app: string, container: string | undefined],
  options: CommitOptions,
): Promise<number> {
  return commitByHand(context, options, (said, bench) => {
    const app = namedApp(said.apps, name, bench.branch.name);
    if (container !== undefined) namedContainer(app, container);
    return Promise.resolve({
      *plan(tip) {
        return yield* resumePlan(app, container, tip, bench.places);
      },
      told: [],
    });
  });
}

const planned = (plan: EditPlan): Decided['plan'] =>
  // oxlint-disable-next-line require-yield
  function* () {
    return plan;
  };

const usage = (message: string): AgentError => new AgentError('CONFIG_INVALID', message);

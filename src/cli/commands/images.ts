import { busyOf, together } from '../../agent/images/edits.ts';
import type { FoundApp, FoundContainer } from '../../agent/images/found.ts';
import type { Look } from '../../agent/images/look.ts';
import { fluxIn } from '../../agent/images/marked.ts';
import { readAnnotations } from '../../images/annotations.ts';
import { formatGoDuration } from '../../lib/duration.ts';
import type { Problem } from '../../manifest/types.ts';
import { heldBy, type Ledger } from '../../release/ledger.ts';
import { type CommandContext, exitCodes } from '../context.ts';
import { newestFirst } from '../../images/version.ts';
import { type Asked, askRegistries } from '../images/asked.ts';
import { namedApp, nameOfApp } from '../images/named-app.ts';
import { atWorkbench, type ImagesOptions, type Said } from '../images/workbench.ts';
import { tellProblems } from './render.ts';

export interface ImagesListOptions extends ImagesOptions {
  /** Also workloads without a Canary and without a policy. */
  readonly all?: boolean;
  /** The files as they stand in the checkout, instead of the branch on the server. */
  readonly local?: boolean;
}

/** How it stands with a container's image: as `--json` prints it. */
interface Row {
  readonly container: string;
  /** As it is written. */
  readonly image: string;
  /** Its tag, else its digest. */
  readonly now: string | null;
  /** What the policy would write; null: nothing. */
  readonly wanted: string | null;
  readonly policy: string | null;
  readonly state: string;
  readonly reason: string;
  readonly hold: { readonly image: string; readonly instead: string; readonly by: string; readonly at: string } | null;
  readonly newest: readonly { readonly tag: string; readonly reason: string }[];
}

/** A row, and why it does not have the newest, on one line. */
interface ShownRow extends Row {
  readonly why: string;
  /** The registry did not answer. */
  readonly isUnlisted: boolean;
}

interface ShownApp {
  readonly app: string;
  readonly kind: string;
  readonly file: string;
  readonly canary: boolean;
  readonly locked: { readonly user: string | null; readonly message: string | null } | null;
  readonly containers: readonly ShownRow[];
}

const mostNewest = 10;

/**
 * `serin images [APP]`: for each container what it has, what its policy wants, and why it does not have the newest. Exit code 3 where a registry does not
 * answer or a policy cannot be read. Throws CONFIG_INVALID where an app is not there, or it cannot be told which branch is meant.
 */
export function images(context: CommandContext, name: string | undefined, options: ImagesListOptions): Promise<number> {
  return atWorkbench(context, options, false, async (bench) => {
    const { branch } = bench;
    const revision = (options.local === true ? await branch.standing() : undefined) ?? (await branch.tip());
    const said = await bench.read(revision);
    const where = options.local === true ? 'what stands here' : branch.name;
    const isShown = ({ canaries, watched, lock }: FoundApp): boolean =>
      options.all === true || canaries.length > 0 || watched !== undefined || lock !== undefined;
    const apps = name === undefined ? said.apps.filter(isShown) : [namedApp(said.apps, name, where)];
    const asked = askRegistries(bench, context.signal);
    const shown = await Promise.all(apps.map((app) => lookedAt(app, said, asked)));
    const problems = [
      ...apps.flatMap(({ manifest }) => readAnnotations(manifest, said.lineOf).problems),
      ...(fluxIn(said.tree.manifests, said.lineOf)?.problems ?? []),
    ];
    const rows = { branch: branch.name, revision, apps: shown.toSorted(byName).map(asJson) };
    if (options.json) context.stdout.write(`${JSON.stringify(rows)}\n`);
    else if (name === undefined) tellAll(context, shown.toSorted(byName), said.apps.length);
    else for (const one of shown) tellOne(context, one);
    tellProblems(context, [...problems, ...said.tree.problems.slice(0, mostNewest).map(asProblem)]);
    const isUnlisted = shown.some(({ containers }) => containers.some((row) => row.isUnlisted));
    const isWrong = problems.some(({ severity }) => severity === 'error');
    return isUnlisted || isWrong ? exitCodes.found : exitCodes.done;
  });
}

const asJson = (app: ShownApp): object => ({
  ...app,
  containers: app.containers.map(({ why: _why, isUnlisted: _isUnlisted, ...row }): Row => row),
});

const byName = (a: ShownApp, b: ShownApp): number => (a.app < b.app ? -1 : a.app > b.app ? 1 : 0);

/** What of the branch cannot be read, so that apps may be missing. */
function asProblem(text: string): Problem {
  const [, path = '.', message = text] = /^([^ ]+): (.*)$/s.exec(text) ?? [];
  return { severity: 'warning', path, line: 1, message };
}

async function lookedAt(app: FoundApp, said: Said, asked: Asked): Promise<ShownApp> {
  const { manifest, lock, watched } = app;
  const ledgers = await said.ledgers(app);
  const ledger = together(ledgers);
  const busy = watched && busyOf(watched, ledgers, (id) => said.contentOf(id));
  // Held or not, people want to know what there is.
  const looks = watched ? await asked.look(watched, { ledger: ledger && { ...ledger, holds: [] }, busy }) : [];
  const containers = await Promise.all(app.containers.map((one) => rowOf(one, { app, looks, ledger, asked })));
  return {
    app: nameOfApp(app),
    kind: manifest.object.kind,
    file: manifest.origin.path,
    canary: app.canaries.length > 0,
    locked: lock ? { user: lock.user ?? null, message: lock.message ?? null } : null,
    containers,
  };
}

interface Around {
  readonly app: FoundApp;
  readonly looks: readonly Look[];
  readonly ledger: Ledger | undefined;
  readonly asked: Asked;
}

async function rowOf(one: FoundContainer, { app, looks, ledger, asked }: Around): Promise<ShownRow> {
  const { place, reference, watched } = one;
  const now = reference?.tag ?? reference?.digest ?? null;
  const hold = (ledger && heldBy(ledger, place.container, place.image)) ?? null;
  const row = {
    container: place.container,
    image: place.image,
    now,
    policy: watched?.policy.text ?? null,
    hold: hold && { image: hold.image, instead: hold.instead, by: hold.by, at: hold.at },
  };
  if (!reference) {
    const reason = 'the image cannot be read';
    return { ...row, wanted: null, state: 'unreadable', reason, newest: [], why: reason, isUnlisted: false };
  }
  const list = await asked.tags(reference);
  const isUnlisted = typeof list === 'string';
  const tags = typeof list === 'string' ? [] : list.tags;
  const look = watched && looks.find(({ container }) => container.place.container === place.container);
  if (!look) {
    const reason = typeof list === 'string' ? list : 'no policy';
    const newest = newestFirst(tags)
      .slice(0, mostNewest)
      .map((tag) => ({
        tag,
        reason: tag === now ? 'the current one' : (failedReason(ledger, place.container, tag) ?? ''),
      }));
    return { ...row, wanted: null, state: isUnlisted ? 'unlisted' : 'manual', reason, newest, why: reason, isUnlisted };
  }
  const { decision } = look;
  const wanted = decision?.pick?.tag ?? null;
  const reasons = new Map(decision?.rejected.map((rejected) => [rejected.tag, rejected.reason]));
  const isVersioned = watched?.policy.selection.kind === 'semver';
  const order = isVersioned
    ? newestFirst(tags)
    : [...(wanted === null ? [] : [wanted]), ...[...reasons.keys()].filter((tag) => tag !== wanted)];
  const newest = order
    .slice(0, mostNewest)
    .map((tag) => ({ tag, reason: tag === wanted ? (decision?.reason ?? '') : (reasons.get(tag) ?? '') }));
  const age = watched?.policy.minAgeMs ?? 0;
  const aged =
    wanted !== null && age > 0
      ? `, once it is ${formatGoDuration(age)} old: only the agent knows since when it is there`
      : '';
  const { state, reason } = standing(app, look, hold);
  const told = `${reason}${state === 'due' ? aged : ''}`;
  const [first] = newest;
  const isTold = !first || [now, wanted, decision?.about].includes(first.tag);
  const why = isTold ? told : `${told}; ${first.tag}: ${first.reason}`;
  return { ...row, wanted, state, reason: told, newest, why, isUnlisted: isUnlisted || look.stay === 'unlisted' };
}

function standing(
  { lock }: FoundApp,
  look: Look,
  hold: { readonly by: string; readonly instead: string } | null,
): { readonly state: string; readonly reason: string } {
  if (lock) {
    const by = lock.user === undefined ? '' : ` by ${lock.user}`;
    return { state: 'locked', reason: `locked${by}${lock.message === undefined ? '' : `: ${lock.message}`}` };
  }
  if (hold)
    return {
      state: 'held',
      reason: `picked by ${hold.by === '' ? 'hand' : hold.by} instead of ${hold.instead}: serin images resume lets policies move it on`,
    };
  return { state: look.stay, reason: look.reason };
}

function failedReason(ledger: Ledger | undefined, container: string, tag: string): string | undefined {
  const entry = ledger?.quarantine.findLast(({ images: failed }) =>
    Object.entries(failed).some(([name, image]) => name === container && image.endsWith(`:${tag}`)),
  );
  return entry && `in quarantine${entry.reason === '' ? '' : `: ${entry.reason}`}`;
}

function tellAll({ output }: CommandContext, apps: readonly ShownApp[], all: number): void {
  const { colour } = output;
  if (apps.length === 0) {
    output.line(
      all === 0
        ? 'nothing there has images'
        : `no app has a Canary or a policy of tags; ${all} without are listed with --all`,
    );
    return;
  }
  const rows = apps.flatMap(({ app, containers }) =>
    containers.map((row) => [
      app,
      row.container,
      row.now ?? '-',
      row.wanted === null ? '-' : colour.green(row.wanted),
      row.policy ?? '-',
      row.newest[0]?.tag ?? '-',
      colour[isGood(row) ? 'dim' : 'yellow'](row.why),
    ]),
  );
  const head = ['APP', 'CONTAINER', 'NOW', 'WANTED', 'POLICY', 'NEWEST', 'WHY'].map((name) => colour.bold(name));
  output.table([head, ...rows]);
}

const isGood = ({ state }: Row): boolean => ['current', 'due', 'manual', 'closed', 'too-new'].includes(state);

function tellOne({ output }: CommandContext, { app, kind, file, canary, containers }: ShownApp): void {
  const { colour } = output;
  output.line(`${colour.bold(app)}   ${kind} in ${file}${canary ? '' : ', without a Canary'}`);
  for (const row of containers) {
    const { container, image, policy, wanted, reason, newest } = row;
    output.line();
    output.line(`  ${colour.bold(container)}   ${image}`);
    const told = colour[isGood(row) ? 'dim' : 'yellow'](reason);
    output.table([
      ['    policy', policy ?? 'none'],
      ['    wanted', wanted === null ? 'nothing' : colour.green(wanted)],
      ['    why', told],
    ]);
    output.table(
      newest.map(({ tag, reason: why }) => [`    ${tag === row.now ? colour.bold(tag) : tag}`, colour.dim(why)]),
    );
  }
}

import { keyOf } from '../lib/key.ts';
import { linesOf, namedText, textOf } from '../canary/evidence-text.ts';
import { own } from '../lib/own.ts';
import { compare, valid } from 'semver';
import type { Revision } from '../git/repo.ts';
import { clockTime, dayAndTime, evidenceTable } from './evidence-table.ts';
import { oneLine } from './plain-text.ts';
import type { Attribution } from './pushed.ts';
import { adoptionSubject, type SaidCommit, type SubjectContext, subjectOf, tagOf } from './subject.ts';
import type { Outcome } from './types.ts';

export interface MessageSettings {
  /** Empty: not named. */
  readonly cluster: string;
  readonly agentVersion: string;
  /** Pushed commits that the message may name, as far as they are here. Absent: none. */
  readonly said?: ReadonlyMap<Revision, SaidCommit>;
  /** By release id. Absent: not known, so that nobody is named. */
  readonly attributions?: ReadonlyMap<string, Attribution>;
}

export interface MessageContext extends MessageSettings, SubjectContext {
  /** Number of the release; undefined for rollbacks. */
  readonly number: number | undefined;
}

/** Of pushes that were superseded, the latest are named. */
const maxNamed = 10;

/** Commit message (or tag message) of one outcome: what happened, the evidence, and trailers that scripts can read. */
export function outcomeMessage(outcome: Outcome, context: MessageContext): string {
  return [subjectOf(outcome, context), bodyOf(outcome, context), trailersOf(outcome, context)]
    .join('\n\n')
    .concat('\n');
}

/** One commit for all apps that are seen for the first time. */
export function adoptionMessage(outcomes: readonly Outcome[], settings: MessageSettings): string {
  const names = outcomes.map(({ app }) => keyOf(app));
  const lines = outcomes.map(({ app, state }) => `  ${keyOf(app)}  ${oneLine(imagesText(state.images), 300)}`);
  const body = ['What runs now is recorded as the stable state.', '', ...lines].join('\n');
  const trailers = [
    ...names.map((name) => trailer('Release', `${name}/0`)),
    ...outcomes.map(({ releaseId }) => trailer('Release-Id', releaseId)),
    trailer('Verdict', 'adopted'),
    ...common(settings),
  ];
  return [adoptionSubject(names), body, trailers.flat().join('\n')].join('\n\n').concat('\n');
}

/** An app is no longer in Git. `by` is the commit that says so. */
export function closingMessage({ app, releaseId, state }: Outcome, settings: MessageSettings): string {
  const name = keyOf(app);
  const at = settings.attributions?.get(releaseId)?.pushed.at(-1);
  const by = at && settings.said?.get(at);
  const body = [
    'The app is no longer in Git; its ledger is closed. What was promoted last stays in it.',
    `Removed at ${shown(at ?? state.revision, by)}.`,
  ];
  const trailers = [
    trailer('Release', name),
    trailer('Verdict', 'removed'),
    trailer('Revision', state.revision),
    ...common(settings),
  ];
  const subject = oneLine(`close ${name}: removed from Git${by ? ` by ${by.author}` : ''}`, 72);
  return [subject, body.join('\n'), trailers.flat().join('\n')].join('\n\n').concat('\n');
}

function bodyOf(outcome: Outcome, context: MessageContext): string {
  const lines = [summaryOf(outcome, context)];
  const changes = [...imageLines(outcome, context), ...changeLines(outcome)];
  if (changes.length > 0) lines.push('', ...changes);
  const rows = evidenceTable(outcome.evidence);
  if (rows.length > 0) lines.push('', ...rows);
  return lines.join('\n');
}

function summaryOf(outcome: Outcome, { change, cluster, said, attributions }: MessageContext): string {
  const { verdict, atMs, startedAtMs, state, failedCheck, strategy, proven } = outcome;
  const seconds = Math.max(0, Math.round((atMs - startedAtMs) / 1000));
  const where = cluster.trim() === '' ? '' : ` on ${oneLine(cluster, 100)}`;
  const how = strategy === undefined || strategy === 'canary' ? 'Judged' : `Judged by ${strategyNames[strategy]}`;
  const began = strategy === 'none' ? 'Promoted without analysis' : how;
  const judged = `${began} at ${state.revision.slice(0, 12)}${where}, ${dayAndTime(startedAtMs)} to ${clockTime(atMs)} UTC (${seconds} s).`;
  const attribution = attributions?.get(outcome.releaseId);
  const pushes = pushedLines(attribution?.pushed, said);
  const before = supersededLines({ ...outcome, ...attribution }, said);
  const proof = proven
    ? [
        `Somebody went back to what release ${oneLine(proven.releaseId, 20)} promoted after its analysis at ${oneLine(proven.at, 30)}: within the rollback window.`,
      ]
    : [];
  if (verdict === 'promoted')
    return [
      judged,
      ...askedTexts(outcome).map((text) => `${oneLine(text, 300).replace(/^./, (first) => first.toUpperCase())}.`),
      ...proof,
      ...pushes,
      ...before,
    ].join('\n');
  if (verdict === 'withdrawn') {
    const back = attribution?.takenBackAt ?? outcome.takenBackAt;
    const when = back === undefined ? 'Taken back by hand' : `Taken back at ${shown(back, said?.get(back))}`;
    return [judged, ...pushes, `${when}, before it was judged to the end; nothing is in quarantine.`, ...before].join(
      '\n',
    );
  }
  const done =
    change === 'reverted'
      ? 'What the release changed is reverted'
      : 'The branch holds something else by now, nothing is reverted';
  return [
    judged,
    ...pushes,
    `Failed: ${oneLine(failedCheck ? textOf(failedCheck) : 'unknown', 300)}`,
    `${done}; the version is in quarantine.`,
    ...before,
    ...detailOf(failedCheck),
  ].join('\n');
}

const strategyNames = {
  'a/b': 'an A/B test',
  'blue/green': 'blue/green',
  'mirrored blue/green': 'blue/green with mirrored traffic',
  none: 'nothing',
} as const;

function supersededLines(
  { supersedes, supersededAt = {} }: Pick<Outcome, 'supersedes' | 'supersededAt'>,
  said: MessageSettings['said'],
): string[] {
  if (supersedes.length === 0) return [];
  const head =
    supersedes.length === 1
      ? 'It superseded an earlier push that was not judged to the end'
      : `It superseded ${supersedes.length} earlier pushes that were not judged to the end`;
  const named = supersedes.flatMap((id) => own(supersededAt, id) ?? []).slice(-maxNamed);
  if (named.length === 0) return [`${head}.`];
  return [`${head}:`, ...named.map((revision) => `  ${shown(revision, said?.get(revision))}`)];
}

/** One commit with what it says, several one below the other. */
function pushedLines(pushed: readonly Revision[] = [], said: MessageSettings['said']): string[] {
  const [first] = pushed;
  if (first === undefined) return [];
  if (pushed.length > 1)
    return [
      `Pushed in ${pushed.length} commits:`,
      ...pushed.slice(-maxNamed).map((at) => `  ${shown(at, said?.get(at))}`),
    ];
  const by = said?.get(first);
  return by ? [`Pushed: ${quoted(by)}.`] : [];
}

const quoted = ({ subject, author }: SaidCommit): string => `"${oneLine(subject, 100)}" by ${oneLine(author, 60)}`;
const shown = (revision: Revision, by: SaidCommit | undefined): string =>
  `${revision.slice(0, 12)}${by ? ` ${quoted(by)}` : ''}`;

/** Indented, so that nothing that a program logged is taken for a trailer or a divider. */
function detailOf(failedCheck: Outcome['failedCheck']): string[] {
  const lines = (failedCheck ? linesOf(failedCheck.found) : []).slice(0, 20).map((line) => `  ${plainLine(line, 500)}`);
  return lines.length === 0 ? [] : ['', ...lines];
}

/** One line as it is, indentation and all. */
function plainLine(text: string, max: number): string {
  const indent = /^ {0,8}/.exec(text)?.[0] ?? '';
  return indent + oneLine(text, max);
}

/** A pod template may have thousands of containers, and nobody reads so many. */
const maxImageLines = 50;

function imageLines({ state }: Outcome, { previousImages }: MessageContext): string[] {
  const lines = Object.entries(state.images).flatMap(([container, image]): (() => string)[] => {
    const before = own(previousImages, container);
    if (before === image) return [];
    if (before === undefined) return [() => `  ${oneLine(`${container}: ${image}`, 300)}`];
    return [() => `  ${oneLine(`${container}: ${before} -> ${image}${direction(tagOf(before), tagOf(image))}`, 300)}`];
  });
  const more = lines.length - maxImageLines;
  return [...lines.slice(0, maxImageLines).map((line) => line()), ...(more > 0 ? [`  and ${more} more images`] : [])];
}

function changeLines({ changes = [] }: Outcome): string[] {
  return changes.map((change) => `  changed: ${oneLine(change, 200)}`);
}

function direction(before: string, after: string): string {
  if (valid(before) === null || valid(after) === null) return '';
  const order = compare(after, before);
  return order === 0 ? '' : order > 0 ? ' (upgrade)' : ' (downgrade)';
}

function trailersOf(outcome: Outcome, context: MessageContext): string {
  const { app, state, verdict, releaseId, failedCheck, supersedes } = outcome;
  const { number, previousImages, change, attributions } = context;
  const reverted = attributions?.get(releaseId)?.pushed ?? [];
  const release = keyOf(app);
  const lines = [
    trailer('Release', number === undefined ? release : `${release}/${number}`),
    trailer('Release-Id', releaseId),
    trailer('Verdict', verdict),
    trailer('Images', imagesText(state.images)),
    trailer('Previous-Images', imagesText(previousImages)),
    trailer('Configs', configsText(state.configs)),
    trailer('Revision', state.revision),
    ...(outcome.proven ? [trailer('Proven-By', outcome.proven.releaseId)] : []),
    ...(failedCheck ? [trailer('Failed-Check', namedText(failedCheck))] : []),
    ...askedTexts(outcome).map((text) => trailer('Asked', text)),
    ...(change === 'reverted' && verdict === 'rolled-back'
      ? (reverted.length === 0 ? [state.revision] : reverted.slice(-maxNamed)).map((at) => trailer('Reverts', at))
      : []),
    ...supersedes.map((id) => trailer('Supersedes', id)),
    ...common(context),
  ];
  return lines.flat().join('\n');
}

/** More than this nobody reads. */
const maxAsked = 10;

/** What people asked for of it, each once, in order. */
function askedTexts({ evidence }: Outcome): readonly string[] {
  const checks = evidence.flatMap((look) => look.checks.filter(({ found }) => found.kind === 'asked'));
  return [...new Set(checks.map(textOf))].slice(-maxAsked);
}

/** The lines with which the agent's own commits end. */
export const agentTrailers = (settings: Pick<MessageSettings, 'cluster' | 'agentVersion'>): readonly string[] =>
  common(settings).flat();

function common({ cluster, agentVersion }: MessageSettings): readonly (readonly string[])[] {
  return [trailer('Cluster', cluster), trailer('Agent', `serin/${agentVersion}`)];
}

/** None where there is nothing to say. */
function trailer(key: string, value: string): readonly string[] {
  const text = oneLine(value, 500);
  return text === '' ? [] : [`${key}: ${text}`];
}

const imagesText = (images: Readonly<Record<string, string>>): string =>
  Object.entries(images)
    .map(([container, image]) => `${container}=${image}`)
    .join(', ');

/** A short Secret could be guessed from its hash. */
const configsText = (configs: Readonly<Record<string, string>>): string =>
  Object.entries(configs)
    .map(([key, hash]) => (key.startsWith('secret/') ? key : `${key}=${hash}`))
    .join(', ');

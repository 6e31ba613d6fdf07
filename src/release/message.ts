import { compare, valid } from 'semver';
import type { Outcome } from './types.ts';

export interface MessageSettings {
  /** Empty: not named. */
  readonly cluster: string;
  readonly agentVersion: string;
}

export interface MessageContext extends MessageSettings {
  /** Number of the release; undefined for rollbacks. */
  readonly number: number | undefined;
  readonly previousImages: Readonly<Record<string, string>>;
  readonly previousConfigs: Readonly<Record<string, string>>;
  /** What the commit does beside the ledger. */
  readonly change: 'reverted' | 'only-recorded';
}

const maxSubject = 120;

/** Commit message (or tag message) of one outcome: what happened, the evidence, and trailers that scripts can read. */
export function outcomeMessage(outcome: Outcome, context: MessageContext): string {
  return [subjectOf(outcome, context), bodyOf(outcome, context), trailersOf(outcome, context)]
    .join('\n\n')
    .concat('\n');
}

export function subjectOf(outcome: Outcome, context: MessageContext): string {
  const { namespace, name } = outcome.app;
  const what = `${namespace}/${name} ${versionOf(outcome, context)}`.trim();
  if (outcome.verdict === 'promoted') return oneLine(`promote ${what}`, maxSubject);
  const verb = context.change === 'reverted' ? 'rollback' : 'quarantine';
  return oneLine(`${verb} ${what}: ${outcome.failedCheck?.reason ?? 'failed'}`, maxSubject);
}

/** One commit for all apps that are seen for the first time. */
export function adoptionMessage(outcomes: readonly Outcome[], settings: MessageSettings): string {
  const names = outcomes.map(({ app }) => `${app.namespace}/${app.name}`);
  const subject = names.length === 1 ? `adopt ${names[0] ?? ''}` : `adopt ${names.length} apps: ${names.join(', ')}`;
  const lines = outcomes.map(
    ({ app, state }) => `  ${app.namespace}/${app.name}  ${oneLine(imagesText(state.images), 300)}`,
  );
  const body = ['What runs now is recorded as the stable state.', '', ...lines].join('\n');
  const trailers = [
    ...names.map((name) => trailer('Release', `${name}/0`)),
    ...outcomes.map(({ releaseId }) => trailer('Release-Id', releaseId)),
    trailer('Verdict', 'adopted'),
    ...common(settings),
  ];
  return [oneLine(subject, maxSubject), body, trailers.join('\n')].join('\n\n').concat('\n');
}

/** What is new, in a few words: the tags of the changed images, else the changed configs. */
function versionOf({ state }: Outcome, { previousImages, previousConfigs }: MessageContext): string {
  const changed = Object.entries(state.images).filter(([container, image]) => previousImages[container] !== image);
  if (changed.length === 1) return tagOf(changed[0]?.[1] ?? '');
  if (changed.length > 1) return changed.map(([container, image]) => `${container} ${tagOf(image)}`).join(', ');
  const configs = changedKeys(state.configs, previousConfigs);
  if (configs.length > 0)
    return `(${configs.map((key) => key.replace('configmap/', 'ConfigMap ').replace('secret/', 'Secret ')).join(', ')})`;
  const first = Object.values(state.images)[0];
  return first === undefined ? '(pod template)' : `${tagOf(first)} (pod template)`;
}

function changedKeys(now: Readonly<Record<string, string>>, before: Readonly<Record<string, string>>): string[] {
  return [...new Set([...Object.keys(now), ...Object.keys(before)])].filter((key) => now[key] !== before[key]).sort();
}

/** The tag of an image reference, a shortened digest where there is none; the whole text as last resort. */
export function tagOf(image: string): string {
  const [reference = '', digest] = image.split('@');
  const tag = /:([^/:]+)$/.exec(reference)?.[1];
  return tag ?? (digest === undefined ? image : digest.replace(/^sha256:/, '').slice(0, 12));
}

function bodyOf(outcome: Outcome, context: MessageContext): string {
  const lines = [summaryOf(outcome, context)];
  const images = imageLines(outcome, context);
  if (images.length > 0) lines.push('', ...images);
  const rows = outcome.evidence.flatMap(({ atMs, canaryWeight, iterations, checks }) =>
    checks.map(({ name, passed, inconclusive, text }) => [
      clockTime(atMs),
      iterations > 0 ? `${iterations}.` : `${canaryWeight}%`,
      inconclusive ? 'inconclusive' : passed ? 'passed' : 'FAILED',
      name,
      text,
    ]),
  );
  if (rows.length > 0) lines.push('', ...table([['time', 'weight', 'result', 'check', 'value'], ...shortened(rows)]));
  return lines.join('\n');
}

/** A long analysis says the same again and again: its beginning and its end tell it. */
function shortened(rows: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const [head, tail] = [15, 45];
  if (rows.length <= head + tail) return rows;
  const left = rows.length - head - tail;
  const hidden = rows.slice(head, -tail);
  const counts = ['FAILED', 'inconclusive'].flatMap((kind) => {
    const count = hidden.filter(([, , result]) => result === kind).length;
    return count === 0 ? [] : [`${count} ${kind.toLowerCase()}`];
  });
  const gap = ['...', '', '', `${left} more`, counts.join(', ') || 'all passed'];
  return [...rows.slice(0, head), gap, ...rows.slice(-tail)];
}

function summaryOf(
  { verdict, atMs, startedAtMs, state, failedCheck, supersedes }: Outcome,
  { change, cluster }: MessageContext,
): string {
  const seconds = Math.max(0, Math.round((atMs - startedAtMs) / 1000));
  const where = cluster.trim() === '' ? '' : ` on ${oneLine(cluster, 100)}`;
  const judged = `Judged at ${state.revision.slice(0, 12)}${where}, ${dayAndTime(startedAtMs)} to ${clockTime(atMs)} UTC (${seconds} s).`;
  const before =
    supersedes.length === 0
      ? []
      : [
          supersedes.length === 1
            ? 'It superseded an earlier push that was not judged to the end.'
            : `It superseded ${supersedes.length} earlier pushes that were not judged to the end.`,
        ];
  if (verdict === 'promoted') return [judged, ...before].join('\n');
  const done =
    change === 'reverted'
      ? 'What the release changed is reverted'
      : 'The branch holds something else by now, nothing is reverted';
  return [
    judged,
    `Failed: ${oneLine(failedCheck?.reason ?? 'unknown', 300)}`,
    `${done}; the version is in quarantine.`,
    ...before,
    ...detailOf(failedCheck),
  ].join('\n');
}

/** Indented, so that nothing that a program logged is taken for a trailer or a divider. */
function detailOf(failedCheck: Outcome['failedCheck']): string[] {
  const lines = (failedCheck?.detail ?? []).slice(0, 20).map((line) => `  ${plainLine(line, 500)}`);
  return lines.length === 0 ? [] : ['', ...lines];
}

function imageLines({ state }: Outcome, { previousImages }: MessageContext): string[] {
  return Object.entries(state.images).flatMap(([container, image]) => {
    const before = previousImages[container];
    if (before === image) return [];
    if (before === undefined) return [`  ${oneLine(`${container}: ${image}`, 300)}`];
    return [`  ${oneLine(`${container}: ${before} -> ${image}${direction(tagOf(before), tagOf(image))}`, 300)}`];
  });
}

function direction(before: string, after: string): string {
  if (valid(before) === null || valid(after) === null) return '';
  const order = compare(after, before);
  return order === 0 ? '' : order > 0 ? ' (upgrade)' : ' (downgrade)';
}

function trailersOf(outcome: Outcome, context: MessageContext): string {
  const { app, state, verdict, releaseId, failedCheck, supersedes } = outcome;
  const { number, previousImages, change } = context;
  const release = `${app.namespace}/${app.name}`;
  const lines = [
    trailer('Release', number === undefined ? release : `${release}/${number}`),
    trailer('Release-Id', releaseId),
    trailer('Verdict', verdict),
    trailer('Images', imagesText(state.images)),
    trailer('Previous-Images', imagesText(previousImages)),
    trailer('Revision', state.revision),
    ...(failedCheck ? [trailer('Failed-Check', `${failedCheck.name}: ${failedCheck.reason}`)] : []),
    ...(change === 'reverted' && verdict === 'rolled-back' ? [trailer('Reverts', state.revision)] : []),
    ...supersedes.map((id) => trailer('Supersedes', id)),
    ...common(context),
  ];
  return lines.filter((line) => !line.endsWith(': ')).join('\n');
}

function common({ cluster, agentVersion }: MessageSettings): string[] {
  return [...(cluster.trim() === '' ? [] : [trailer('Cluster', cluster)]), trailer('Agent', `serin/${agentVersion}`)];
}

const trailer = (key: string, value: string): string => `${key}: ${oneLine(value, 500)}`;

const imagesText = (images: Readonly<Record<string, string>>): string =>
  Object.entries(images)
    .map(([container, image]) => `${container}=${image}`)
    .join(', ');

/** Whatever others put into a text, it stays one line: no line ends, no control characters, not too long. */
export function oneLine(text: string, max: number): string {
  const flat = text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  const letters = Array.from(flat);
  return letters.length <= max ? flat : `${letters.slice(0, max - 1).join('')}…`;
}

/** One line as it is, indentation and all. */
function plainLine(text: string, max: number): string {
  const indent = /^ {0,8}/.exec(text)?.[0] ?? '';
  return indent + oneLine(text, max);
}

/** Indented, so that no line can be taken for a trailer or a divider. */
function table(rows: readonly (readonly string[])[]): string[] {
  const clean = rows.map((row) => row.map((cell) => oneLine(cell, 200)));
  const widths: number[] = [];
  for (const row of clean) row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, cell.length)));
  return clean.map((row) =>
    `  ${row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0))).join('  ')}`.trimEnd(),
  );
}

const dayAndTime = (ms: number): string => new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
const clockTime = (ms: number): string => new Date(ms).toISOString().slice(11, 19);

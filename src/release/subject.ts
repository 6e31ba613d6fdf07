import { keyOf } from '../lib/key.ts';
import { textOf } from '../canary/evidence-text.ts';
import { own } from '../lib/own.ts';
import type { Revision } from '../git/repo.ts';
import { lengthOf, middleCut, oneLine } from './plain-text.ts';
import type { Attribution } from './pushed.ts';
import type { Outcome } from './types.ts';

/** A commit as people know it. */
export interface SaidCommit {
  readonly subject: string;
  readonly author: string;
}

/** What `git log --oneline` and most hosts show. */
const maxSubject = 72;
/** Of a subject that is too long, the parts keep at least so many letters. */
const least = { version: 20, description: 12, reason: 28, app: 9 };

export interface SubjectContext {
  readonly previousImages: Readonly<Record<string, string>>;
  readonly previousConfigs: Readonly<Record<string, string>>;
  /** Pushed commits that the message may name, as far as they are here. Absent: none. */
  readonly said?: ReadonlyMap<Revision, SaidCommit>;
  /** By release id. Absent: not known. */
  readonly attributions?: ReadonlyMap<string, Attribution>;
  /** What the commit does beside the ledger. */
  readonly change: 'reverted' | 'only-recorded';
}

/** What happened, in 72 letters: `rollback test/podinfo 3.1.2: success rate 53.42% < 99%`. */
export function subjectOf(outcome: Outcome, context: SubjectContext): string {
  const { namespace, name } = outcome.app;
  const app = keyOf({ namespace, name });
  const version = versionOf(outcome, context);
  const back = context.attributions?.get(outcome.releaseId)?.takenBackAt ?? outcome.takenBackAt;
  const by = back && context.said?.get(back);
  if (outcome.verdict === 'promoted') return fitted({ verb: 'promote', app, version });
  if (outcome.verdict === 'withdrawn')
    return fitted({ verb: 'withdraw', app, version, reason: `taken back${by ? ` by ${by.author}` : ' by hand'}` });
  const verb = context.change === 'reverted' ? 'rollback' : 'quarantine';
  return fitted({ verb, app, version, reason: outcome.failedCheck ? textOf(outcome.failedCheck) : 'failed' });
}

/** As many names as fit; the rest is counted. */
export function adoptionSubject(names: readonly string[]): string {
  if (names.length === 1) return oneLine(`adopt ${middleCut(names[0] ?? '', maxSubject - 6)}`, maxSubject);
  const head = `adopt ${names.length} apps`;
  for (let count = Math.min(names.length, 10); count > 0; count -= 1) {
    const more = count < names.length ? ` and ${names.length - count} more` : '';
    const subject = `${head}: ${names.slice(0, count).join(', ')}${more}`;
    if (lengthOf(subject) <= maxSubject) return oneLine(subject, maxSubject);
  }
  return head;
}

interface Parts {
  readonly verb: string;
  readonly app: string;
  readonly version: string;
  /** Absent: none. */
  readonly reason?: string;
}

/** Everything where it fits; else the version is shortened first, then the reason, then what describes the version; the name at last. */
function fitted({ verb, app, version, reason }: Parts): string {
  const joined = (parts: Omit<Parts, 'verb'>): string =>
    oneLine(`${verb} ${parts.app} ${parts.version}`.trim(), 1_000) +
    (parts.reason === undefined ? '' : `: ${oneLine(parts.reason, 1_000)}`);
  const surplusOf = (parts: Omit<Parts, 'verb'>): number => lengthOf(joined(parts)) - maxSubject;
  const cut = (text: string, surplus: number, min: number): number => Math.max(lengthOf(text) - surplus, min);
  let parts: Omit<Parts, 'verb'> = { app, version, ...(reason === undefined ? {} : { reason }) };
  let surplus = surplusOf(parts);
  if (surplus > 0) parts = { ...parts, version: shortVersion(version, cut(version, surplus, least.version)) };
  surplus = surplusOf(parts);
  if (surplus > 0 && reason !== undefined)
    parts = { ...parts, reason: oneLine(reason, cut(oneLine(reason, 1_000), surplus, least.reason)) };
  surplus = surplusOf(parts);
  // People search the log for the name; what has changed stands in the body, too.
  if (surplus > 0 && version.endsWith(')')) {
    const short = shortVersion(version, cut(parts.version, surplus, least.description));
    const isEnough = surplusOf({ ...parts, version: short }) <= 0;
    parts = { ...parts, version: isEnough ? short : version.slice(0, version.indexOf('(')).trim() };
  }
  surplus = surplusOf(parts);
  if (surplus > 0) parts = { ...parts, app: middleCut(app, cut(app, surplus, least.app)) };
  return oneLine(joined(parts), maxSubject);
}

/** Both ends of a tag tell something; of a description the beginning does. */
function shortVersion(version: string, max: number): string {
  if (!version.endsWith(')')) return middleCut(version, max);
  return lengthOf(version) <= max ? version : `${oneLine(version.slice(0, -1), max - 1)})`;
}

/** What is new, in a few words: the tags of the changed images, else what else has changed. */
function versionOf(
  { state, changes = [], changesTemplate }: Outcome,
  { previousImages, previousConfigs }: SubjectContext,
): string {
  const changed = Object.entries(state.images).filter(([container, image]) => own(previousImages, container) !== image);
  const versions = changed.map(
    ([container, image]) => [container, versionIn(image, own(previousImages, container))] as const,
  );
  const [first] = versions;
  if (versions.length === 1 && first) return first[1];
  // One push of one version to all containers is one version.
  if (versions.length > 1 && first && versions.every(([, version]) => version === first[1])) return first[1];
  if (versions.length > 1) {
    const shown = versions.slice(0, 3).map(([container, version]) => `${container} ${version}`);
    return `${shown.join(', ')}${versions.length > 3 ? ` and ${versions.length - 3} more` : ''}`;
  }
  const image = Object.values(state.images)[0];
  const tag = image === undefined ? '' : tagOf(image);
  const [change] = changes;
  const configs = changedKeys(state.configs, previousConfigs);
  if (configs.length > 0 && !changesTemplate)
    return `(${configs.map((key) => key.replace('configmap/', 'ConfigMap ').replace('secret/', 'Secret ')).join(', ')})`;
  const what =
    change === undefined ? 'pod template' : `${change}${changes.length > 1 ? ` and ${changes.length - 1} more` : ''}`;
  return `${tag} (${what})`.trim();
}

function changedKeys(now: Readonly<Record<string, string>>, before: Readonly<Record<string, string>>): string[] {
  return [...new Set([...Object.keys(now), ...Object.keys(before)])]
    .filter((key) => own(now, key) !== own(before, key))
    .sort();
}

/** The tag; with the digest or the repository where only that is new. */
function versionIn(image: string, before: string | undefined): string {
  const tag = tagOf(image);
  if (before === undefined || tagOf(before) !== tag) return tag;
  const digest = image.split('@')[1];
  if (digest !== undefined && digest !== before.split('@')[1]) return `${tag}@${shortDigest(digest)}`;
  return `${repositoryOf(image)}:${tag}`;
}

function repositoryOf(image: string): string {
  const [reference = ''] = image.split('@');
  return reference.replace(/:[^/:]+$/, '');
}

/** The tag of an image reference, a shortened digest where there is none; the whole text as last resort. */
export function tagOf(image: string): string {
  const [reference = '', digest] = image.split('@');
  const tag = /:([^/:]+)$/.exec(reference)?.[1];
  return tag ?? (digest === undefined ? image : shortDigest(digest));
}

const shortDigest = (digest: string): string => digest.replace(/^sha256:/, '').slice(0, 12);

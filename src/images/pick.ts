import type { SemVer } from 'semver';
import { formatGoDuration } from '../lib/duration.ts';
import { atOnce, type Steps } from '../lib/turns.ts';
import { filtered, type ImagePolicy, patternTakes, type Selection } from './policy.ts';
import { isDigest, isTag } from './reference.ts';
import type { Budget } from './regex/regex.ts';
import { compareVersions, readVersion } from './version.ts';
import { closedReason } from './windows.ts';

/** A tag as the registry lists it, with what else is known of it. */
export interface Candidate {
  readonly tag: string;
  /** `sha256:…`; null: asked for, and the registry did not say; absent: not asked for yet. */
  readonly digest?: string | null;
  /** When its publisher says that it was made; null and absent as with `digest`. */
  readonly createdMs?: number | null;
  /** When the registry says that it was pushed. Absent: it does not. */
  readonly pushedMs?: number;
  /** When we first saw this tag with this digest. Absent: never before. */
  readonly firstSeenMs?: number;
  /** The tag was seen before it had this digest. */
  readonly isMoved?: boolean;
  /** What this digest is for (`linux/amd64`); null: nothing says it; absent: not asked for yet. */
  readonly platforms?: readonly string[] | null;
}

interface Listing {
  readonly candidates: readonly Candidate[];
  /** Why there may be more tags than these. Absent: these are all. */
  readonly broken?: string;
  /** How many there were before. Absent: not known. */
  readonly formerCount?: number;
}

/** What the container has now. */
export interface Current {
  readonly tag?: string;
  readonly digest?: string;
}

/** A version that failed, of the same repository. */
export interface Quarantined {
  readonly tag?: string;
  readonly digest?: string;
  readonly reason?: string;
}

export interface Picked {
  readonly tag: string;
  /** Absent: none is to be written. */
  readonly digest?: string;
}

interface Rejected {
  readonly tag: string;
  readonly reason: string;
}

/** What has to be known of tags before it can be said which is picked. */
export interface Need {
  /** Platforms are of the digest that a tag is known to have. */
  readonly what: 'digest' | 'created' | 'platforms';
  readonly tags: readonly string[];
}

/** Why nothing moves, in a word that can be counted. */
export type Skip = 'current' | 'uncertain' | 'quarantined' | 'unfit' | 'too-new' | 'closed' | 'asking' | 'unreadable';

export interface Decision {
  /** Absent: nothing moves. */
  readonly pick?: Picked;
  readonly reason: string;
  /** The tag that the reason is about; absent: it is about none alone. */
  readonly about?: string;
  /** Absent: something is picked. */
  readonly skip?: Skip;
  /** All others, the newest first. */
  readonly rejected: readonly Rejected[];
  /** Present: ask for it, and decide anew. */
  readonly need?: Need;
}

export interface Question {
  readonly policy: ImagePolicy;
  readonly current: Current;
  readonly listing: Listing;
  readonly quarantine: readonly Quarantined[];
  readonly nowMs: number;
  /** An image has to be for one of these. Absent: it may be for any. */
  readonly platforms?: readonly string[];
}

/** Of a list that has lost more than this, others may be missing too. */
const maxLoss = 0.2;
/** Steps of regular expressions; a list of 20,000 tags with a pattern that people write takes half of them. */
const maxSteps = 5_000_000;
/** So much is done in one go: tags, or steps. */
const tagsAtOnce = 50;
const stepsAtOnce = 10_000;
/** Tags of which it is seen whether they are pushed again while they wait for their age. */
const maxWaiting = 5;

/** By what a tag is ordered; the higher the newer. */
interface Ranked {
  readonly candidate: Candidate;
  readonly key: Key;
}

type Key = SemVer | Decimal | string | number;

/** Either what a tag is ordered by, or why the policy does not look at it. */
type Keyed = { readonly key: Key } | { readonly reason: string };

/**
 * Which tag a policy wants, and why it wants none of the others. The same for every order of the list. Never one that is older than the
 * current, one that failed, or any where it is not certain what the registry has.
 */
export const pick = (question: Question): Decision => atOnce(picking(question));

/** As `pick`, in parts that are short for every list and every pattern. */
export function* picking(question: Question): Steps<Decision> {
  const { policy, current, listing, nowMs } = question;
  const budget: Budget = { left: maxSteps };
  const { ranked, rejected, unknown } = yield* ranking(question, budget);
  const nothing = (skip: Skip, reason: string, need?: Need): Decision => ({
    reason,
    skip,
    rejected: [...ranked.map(({ candidate: { tag } }) => ({ tag, reason })), ...rejected],
    ...(need ? { need } : {}),
  });
  const uncertain = uncertainty(listing, current);
  if (uncertain !== undefined) return nothing('uncertain', uncertain);
  if (budget.left < 0) return nothing('unreadable', 'the pattern takes too long for the list; write a simpler one');
  const currentTag = current.tag ?? '';
  const keyed = keyOf(
    policy,
    listing.candidates.find(({ tag }) => tag === currentTag) ?? { tag: currentTag },
    budget,
    'current',
  );
  if (unknown.asked.length > 0)
    return nothing('asking', 'it is not known yet when these were made', { what: 'created', tags: unknown.asked });
  if (unknown.silent.length > 0)
    return nothing(
      'uncertain',
      `the registry does not say when ${shownTags(unknown.silent)} was made, so there is no newest`,
    );
  if ('reason' in keyed)
    return nothing('unreadable', `what is newer than the current tag "${currentTag}" cannot be told: ${keyed.reason}`);
  const { newer, older } = divided(policy, ranked, keyed.key, current);
  const judged = newer.map(({ candidate }) => ({ candidate, ...objection(question, candidate) }));
  const best = judged.find(({ reason }) => reason === undefined)?.candidate;
  const others = (whyNot: string): readonly Rejected[] => [
    ...judged
      .filter(({ candidate }) => candidate !== best)
      .map(({ candidate: { tag }, reason }) => ({ tag, reason: reason ?? failedBefore(question, tag) ?? whyNot })),
    ...older,
    ...rejected,
  ];
  if (!best) {
    const [newest] = judged;
    const reason = newest
      ? `${newest.candidate.tag} is not taken: ${newest.reason ?? ''}`
      : upToDate(older, currentTag);
    const about = newest && { about: newest.candidate.tag };
    // Whether it is pushed again while it waits is seen by its digest.
    const waiting = judged.filter(({ skip, candidate }) => skip === 'too-new' && candidate.digest === undefined);
    const need: Need = { what: 'digest', tags: waiting.slice(0, maxWaiting).map(({ candidate: { tag } }) => tag) };
    return {
      reason,
      ...about,
      skip: newest?.skip ?? 'current',
      rejected: others(''),
      ...(need.tags.length > 0 ? { need } : {}),
    };
  }
  const without = (skip: Skip, reason: string, need?: Need): Decision => ({
    reason,
    skip,
    rejected: [{ tag: best.tag, reason }, ...others(`older than ${best.tag}`)],
    ...(need ? { need } : {}),
  });
  const closed = policy.frozen === undefined ? closedReason(policy.windows, nowMs) : `frozen: ${policy.frozen}`;
  if (closed !== undefined) return without('closed', closed);
  if (best.digest === undefined && needsDigest(question))
    return without('asking', `the digest of ${best.tag} is not known yet`, { what: 'digest', tags: [best.tag] });
  if (policy.digest !== 'never' && (best.digest === null || best.digest === undefined || !isDigest(best.digest)))
    return without('uncertain', 'the registry does not say its digest, and the policy asks for one');
  if (question.platforms && typeof best.digest === 'string' && best.platforms === undefined)
    return without('asking', `what ${best.tag} runs on is not known yet`, { what: 'platforms', tags: [best.tag] });
  const digest = policy.digest === 'never' ? undefined : best.digest;
  return {
    pick: { tag: best.tag, ...(digest ? { digest } : {}) },
    reason: best.tag === currentTag ? movedReason(current) : `the newest that ${policy.text} takes`,
    rejected: others(`older than ${best.tag}`),
  };
}

function upToDate(older: readonly Rejected[], currentTag: string): string {
  const isKnown = older.some(({ tag }) => tag === currentTag);
  return isKnown
    ? `${currentTag} is the newest that the policy takes`
    : `nothing that the policy takes is newer than ${currentTag}`;
}

const movedReason = ({ digest }: Current): string =>
  digest === undefined ? 'its digest is to be written' : 'the tag was moved to another digest';

/** Why the list, or the container, says too little. */
function uncertainty({ candidates, broken, formerCount = 0 }: Listing, { tag }: Current): string | undefined {
  if (broken !== undefined) return `the list of tags is not whole: ${broken}`;
  const count = new Set(candidates.map((candidate) => candidate.tag)).size;
  if (count < formerCount * (1 - maxLoss)) return `the list of tags shrank from ${formerCount} to ${count}`;
  if (tag === undefined) return 'the image has no tag, so nothing can be called newer';
  return candidates.some((candidate) => candidate.tag === tag)
    ? undefined
    : `the current tag "${tag}" is not in the list of tags`;
}

interface Ranking {
  /** The newest first. */
  readonly ranked: readonly Ranked[];
  readonly rejected: readonly Rejected[];
  /** Tags that are ordered by their time, and have none. */
  readonly unknown: { readonly asked: readonly string[]; readonly silent: readonly string[] };
}

/** Whether a tag is older than another one, as the policy orders them; undefined: that cannot be told. `createdMs`: when a tag was made. */
export function isOlder(
  policy: ImagePolicy,
  tag: string,
  than: string,
  createdMs: (tag: string) => number | null | undefined = () => undefined,
): boolean | undefined {
  const budget: Budget = { left: maxSteps };
  const [one, other] = [tag, than].map((name) => {
    const ms = createdMs(name);
    return keyOf(policy, { tag: name, ...(ms === undefined ? {} : { createdMs: ms }) }, budget, 'current');
  });
  if (!one || !other || 'reason' in one || 'reason' in other) return undefined;
  return comparedBy(policy.selection, one.key, other.key) < 0;
}

function* ranking({ policy, listing, current }: Question, budget: Budget): Steps<Ranking> {
  const ranked: Ranked[] = [];
  const rejected: Rejected[] = [];
  const asked: string[] = [];
  const silent: string[] = [];
  let leftBefore = budget.left;
  // Of tags that say the same version, as v1.4.0 and 1.4.0, the one that is written like the current goes first.
  const isLike = (tag: string): number => Number(tag.startsWith('v') === (current.tag ?? '').startsWith('v'));
  const byTag = new Map(listing.candidates.map((candidate) => [candidate.tag, candidate]));
  for (const candidate of [...byTag.values()].sort(
    (a, b) => isLike(b.tag) - isLike(a.tag) || (a.tag < b.tag ? 1 : -1),
  )) {
    const { tag, createdMs } = candidate;
    if ((ranked.length + rejected.length) % tagsAtOnce === 0 || leftBefore - budget.left > stepsAtOnce) {
      leftBefore = budget.left;
      yield;
    }
    const keyed = keyOf(policy, candidate, budget, 'candidate');
    if ('reason' in keyed) rejected.push({ tag: tag.slice(0, 128), reason: keyed.reason });
    else {
      ranked.push({ candidate, key: keyed.key });
      if (policy.selection.kind !== 'newest') continue;
      if (createdMs === undefined) asked.push(tag);
      else if (createdMs === null) silent.push(tag);
    }
  }
  return {
    ranked: ranked.sort((a, b) => comparedBy(policy.selection, b.key, a.key)),
    rejected,
    unknown: { asked, silent },
  };
}

/** `current` may be outside of the policy's range or pattern: it is only compared with. */
function keyOf(policy: ImagePolicy, candidate: Candidate, budget: Budget, role: 'candidate' | 'current'): Keyed {
  const { tag, createdMs } = candidate;
  if (!isTag(tag)) return { reason: 'no registry can have such a tag' };
  const { selection, exclusions = [] } = policy;
  if (role === 'candidate' && exclusions.some((one) => one.matches(tag, budget)))
    return { reason: 'excluded by its ImageRepository' };
  const text = filtered(policy, tag, budget);
  if (text === undefined) return { reason: `does not match the filter ${policy.filter?.text ?? ''}` };
  switch (selection.kind) {
    case 'semver': {
      const version = readVersion(text, selection.form);
      if (!version) return { reason: text === tag ? 'is no version' : `"${text}" in it is no version` };
      if (role === 'current' || selection.range.includes(version)) return { key: version };
      const release = selection.range.includes(readVersion(version.format().split('-')[0] ?? '', 'loose') ?? version);
      return {
        reason:
          version.prerelease.length > 0 && release
            ? `a pre-release, and ${selection.range.text} names none`
            : `outside of ${selection.range.text}`,
      };
    }
    case 'numerical': {
      const key = readDecimal(text);
      return key ? { key } : { reason: text === tag ? 'is no number' : `"${text}" in it is no number` };
    }
    case 'alphabetical':
      return { key: text };
    case 'newest':
      if (role === 'candidate' && !patternTakes(selection.pattern, tag, budget))
        return { reason: `does not match ${policy.text}` };
      if (role === 'current' && (createdMs === undefined || createdMs === null))
        return { reason: 'the registry does not say when it was made' };
      return { key: createdMs ?? 0 };
  }
}

function comparedBy(selection: Selection, a: Key, b: Key): number {
  switch (selection.kind) {
    case 'semver':
      return compareVersions(a as SemVer, b as SemVer, selection.prereleases);
    case 'numerical':
      return (selection.order === 'asc' ? 1 : -1) * compareDecimals(a as Decimal, b as Decimal);
    case 'alphabetical':
      return (selection.order === 'asc' ? 1 : -1) * (a === b ? 0 : a < b ? -1 : 1);
    case 'newest':
      return (a as number) - (b as number);
  }
}

function divided(
  policy: ImagePolicy,
  ranked: readonly Ranked[],
  currentKey: Key,
  current: Current,
): { readonly newer: readonly Ranked[]; readonly older: readonly Rejected[] } {
  const newer: Ranked[] = [];
  const older: Rejected[] = [];
  for (const one of ranked) {
    const { tag, digest } = one.candidate;
    const compared = comparedBy(policy.selection, one.key, currentKey);
    // A digest that is not known yet is asked for, also where none is written.
    const isOther = digest === undefined || (digest !== null && digest !== current.digest);
    const isMoved = tag === current.tag && policy.digest === 'always' && isOther;
    if (compared > 0 || isMoved) newer.push(one);
    else if (tag === current.tag) older.push({ tag, reason: 'the current one' });
    else
      older.push({
        tag,
        reason: compared === 0 ? `as new as the current ${current.tag ?? ''}` : 'older than the current one',
      });
  }
  return { newer, older };
}

/** Why a tag that is newer is not taken; empty: nothing is in its way. */
function objection(
  { policy, quarantine, nowMs, platforms: wanted = [] }: Question,
  candidate: Candidate,
): { readonly skip?: 'quarantined' | 'unfit' | 'too-new'; readonly reason?: string } {
  const failed = quarantine.find((entry) => isSame(entry, candidate));
  if (failed) return { skip: 'quarantined', reason: quarantineText(failed) };
  const { platforms } = candidate;
  if (platforms && wanted.length > 0 && !wanted.some((one) => platforms.includes(one))) {
    const has = platforms.length === 0 ? 'none' : platforms.slice(0, 5).join(', ');
    return { skip: 'unfit', reason: `it has no image for ${wanted.slice(0, 5).join(' or ')}, but for ${has}` };
  }
  if (policy.minAgeMs <= 0) return {};
  const sinceMs = candidate.pushedMs ?? candidate.firstSeenMs ?? nowMs;
  const ageMs = Math.max(0, nowMs - sinceMs);
  if (ageMs >= policy.minAgeMs) return {};
  const since = candidate.isMoved === true ? ' since it was pushed again with another digest' : '';
  return { skip: 'too-new', reason: `too new: ${rounded(ageMs)} < ${rounded(policy.minAgeMs)}${since}` };
}

const rounded = (ms: number): string => formatGoDuration(Math.floor(ms / 1_000) * 1_000);

/** Of a tag that was passed over without its digest being asked for. */
function failedBefore({ quarantine }: Question, tag: string): string | undefined {
  const entry = quarantine.find((one) => one.tag === tag);
  return entry && quarantineText(entry);
}

const quarantineText = ({ reason = '' }: Quarantined): string => `in quarantine${reason === '' ? '' : `: ${reason}`}`;

/** By digest where both have one; a tag with another digest is another version. A digest that was not asked for yet is not told apart. */
function isSame(entry: Quarantined, { tag, digest }: Candidate): boolean {
  if (entry.digest !== undefined && digest) return entry.digest === digest;
  // Asked for before it is decided: see `needsDigest`.
  if (entry.digest !== undefined && digest === undefined) return false;
  return entry.tag === tag;
}

const needsDigest = ({ policy, quarantine }: Question): boolean =>
  policy.digest !== 'never' || quarantine.some(({ digest }) => digest !== undefined);

const shownTags = (tags: readonly string[]): string =>
  tags.length > 3 ? `${tags.slice(0, 3).join(', ')} and ${tags.length - 3} more` : tags.join(', ');

/** A number of any length: what Flux reads as a float would lose digits of long ones. */
interface Decimal {
  readonly isNegative: boolean;
  readonly whole: string;
  readonly fraction: string;
}

function readDecimal(text: string): Decimal | undefined {
  const match = /^([+-]?)0*(\d*)(?:\.(\d*))?$/.exec(text);
  if (!match || !/\d/.test(text)) return undefined;
  const [, sign, whole = '', fraction = ''] = match;
  // No pattern for the zeros at the end: a long row of them within would be looked at from each on.
  let end = fraction.length;
  while (end > 0 && fraction[end - 1] === '0') end -= 1;
  const kept = fraction.slice(0, end);
  return { isNegative: sign === '-' && (whole !== '' || kept !== ''), whole, fraction: kept };
}

function compareDecimals(a: Decimal, b: Decimal): number {
  if (a.isNegative !== b.isNegative) return a.isNegative ? -1 : 1;
  const text = (x: string, y: string): number => (x === y ? 0 : x < y ? -1 : 1);
  const size = a.whole.length - b.whole.length || text(a.whole, b.whole) || text(a.fraction, b.fraction);
  return a.isNegative ? -size : size;
}

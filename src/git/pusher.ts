import { AgentError, messageOf } from '../lib/errors.ts';
import type { PreparedPush, PreparedTag } from './prepared-push.ts';
import { judgePush, type PushVerdict } from './push-verdict.ts';
import { NO_OBJECT, type ReceivePack, type RefUpdate } from './receive-pack.ts';
import { asRevision, type PushResult, type Revision } from './repo.ts';
import type { ServerRef, UploadPack } from './upload-pack.ts';

export interface PushRoute {
  readonly upload: UploadPack;
  readonly receive: ReceivePack;
  readonly branchRef: string;
  /** The message of a tag object on the server; undefined where it cannot be asked for. */
  tagMessage(oid: string): Promise<string | undefined>;
  isSameMessage(a: string, b: string): boolean;
  /** Whether a commit is one of those before a tip of the branch. */
  readonly isBefore: (commit: Revision, tip: string) => Promise<boolean>;
}

/**
 * Sends a prepared push. A server that updates all refs or none is not asked for them before: the less time between the tip that was
 * built on and the push, the fewer others come in between. It is asked where that did not do, or cannot.
 */
export async function sendPush(
  route: PushRoute,
  expected: Revision,
  push: PreparedPush,
  signal: AbortSignal,
): Promise<PushResult> {
  return (
    (await lateByAdvert(route, expected, push, signal)) ??
    (await sendAtOnce(route, expected, push, signal)) ??
    sendAfterLook(route, expected, push, signal)
  );
}

/** A server has to be asked once what it can do, and tells then where the branch is. Undefined: the push is not too late, as far as is known. */
async function lateByAdvert(
  { receive, branchRef }: PushRoute,
  expected: Revision,
  push: PreparedPush,
  signal: AbortSignal,
): Promise<PushResult | undefined> {
  if (receive.known || push.commits.length === 0) return undefined;
  const abilities = await receive.abilities(signal);
  const tip = 'refs' in abilities ? abilities.refs?.get(branchRef)?.oid : undefined;
  if (tip === undefined || tip === expected || tip === push.tip) return undefined;
  return { kind: 'raced', reason: standsElsewhere(branchRef, tip, expected), tip: asRevision(tip) };
}

const standsElsewhere = (branchRef: string, tip: string | undefined, expected: Revision): string =>
  `${branchRef} is at ${tip ?? 'nothing'}, not at ${expected}`;

/** Undefined: the refs have to be looked at. */
async function sendAtOnce(
  route: PushRoute,
  expected: Revision,
  push: PreparedPush,
  signal: AbortSignal,
): Promise<PushResult | undefined> {
  const { upload, receive, branchRef } = route;
  if (!receive.known?.atomic || push.commits.length === 0) return undefined;
  const updates: RefUpdate[] = [
    { ref: branchRef, before: expected, after: push.tip },
    ...push.tags.map(({ ref, object }) => ({ ref, before: NO_OBJECT, after: object.oid })),
  ];
  const landed: PushResult = { kind: 'landed', tip: push.tip, commits: push.commits };
  const verdict = await sendRound(route, updates, push.pack.bytes, false, signal);
  if (verdict.kind === 'unknown' && (await stands(upload, updates, signal))) return landed;
  if (verdict.kind === 'done' && !(await isSeen(route, push.tip, updates, signal))) return notSeen;
  if (verdict.kind !== 'raced') return settle(verdict, landed);
  const tip = tipIn(verdict.reason, branchRef, expected);
  // Our own push, whose answer was lost, is told from others' by a look.
  return tip === undefined || tip === push.tip ? undefined : { kind: 'raced', reason: verdict.reason, tip };
}

/** Where the branch is, in the words of git, which many servers pass on. */
function tipIn(reason: string, branchRef: string, expected: Revision): Revision | undefined {
  for (const [, ref, found] of reason.matchAll(/cannot lock ref '([^']+)': is at ([0-9a-f]{40}) but expected/g))
    if (ref === branchRef && found !== undefined && found !== expected) return asRevision(found);
  return undefined;
}

/**
 * Sends a prepared push: all refs in one request with their expected old values, all or none where the server can,
 * else the branch before its tags. Rejects with AgentError only while nothing can have been written.
 */
async function sendAfterLook(
  route: PushRoute,
  expected: Revision,
  push: PreparedPush,
  signal: AbortSignal,
): Promise<PushResult> {
  const { upload, receive, branchRef } = route;
  const landed: PushResult = { kind: 'landed', tip: push.tip, commits: push.commits };
  const server = await upload.listRefs([branchRef, ...push.tags.map(({ ref }) => ref)], signal);
  const current = server.get(branchRef)?.oid;
  // Ids are derived from the content alone, so this is our own push whose answer was lost.
  const branchStands = current === push.tip;
  if (current !== expected && !branchStands) {
    const reason = standsElsewhere(branchRef, current, expected);
    return { kind: 'raced', reason, ...(current === undefined ? {} : { tip: asRevision(current) }) };
  }
  const missing: PreparedTag[] = [];
  for (const tag of push.tags) {
    const found = server.get(tag.ref);
    if (!found) missing.push(tag);
    else if (!(await isSameTag(route, tag, found))) {
      return { kind: 'refused', reason: `tag ${tag.draft.name} exists with another target or message` };
    }
  }
  const branch: RefUpdate[] = branchStands ? [] : [{ ref: branchRef, before: expected, after: push.tip }];
  const tags: RefUpdate[] = missing.map(({ ref, object }) => ({ ref, before: NO_OBJECT, after: object.oid }));
  if (branch.length + tags.length === 0) return landed;

  const abilities = await receive.abilities(signal);
  if ('kind' in abilities) return settle(judgePush(abilities, []), landed);
  const rounds = abilities.atomic || branch.length === 0 || tags.length === 0 ? [[...branch, ...tags]] : [branch, tags];
  let written = false;
  for (const updates of rounds) {
    const verdict = await sendRound(route, updates, push.pack.bytes, written, signal);
    if (verdict.kind !== 'done') {
      if (verdict.kind === 'unknown' && (await stands(upload, [...branch, ...tags], signal))) return landed;
      if (verdict.kind === 'raced' && !(await hasMoved(upload, updates, verdict.reason, signal)))
        return { kind: 'stuck', reason: verdict.reason };
      return settle(verdict, landed);
    }
    written = true;
  }
  return (await isSeen(route, push.tip, [...branch, ...tags], signal)) ? landed : notSeen;
}

/** A report is words; what stands is looked at. */
const notSeen: PushResult = {
  kind: 'unknown',
  reason: 'the server reports the push as done, and it is not seen there',
};

async function sendRound(
  { receive }: PushRoute,
  updates: readonly RefUpdate[],
  pack: Uint8Array,
  written: boolean,
  signal: AbortSignal,
): Promise<PushVerdict> {
  try {
    const verdict = judgePush(await receive.push(updates, pack, signal), updates);
    if (!written || verdict.kind === 'done') return verdict;
    return { kind: 'unknown', reason: `the branch was written, its tags were not: ${verdict.reason}` };
  } catch (error) {
    if (!written || signal.aborted) throw error;
    return { kind: 'unknown', reason: `the branch was written, its tags were not: ${messageOf(error)}` };
  }
}

async function isSameTag(route: PushRoute, { draft, object }: PreparedTag, found: ServerRef): Promise<boolean> {
  if (found.oid === object.oid) return true;
  // A tag without a peeled id is a bare name on a commit, which carries no message.
  if (found.peeled !== draft.target) return false;
  const message = await route.tagMessage(found.oid);
  return message === undefined || route.isSameMessage(message, draft.message);
}

/** One look after a lost answer: refs that have our values can only have come from this push. */
async function stands(upload: UploadPack, updates: readonly RefUpdate[], signal: AbortSignal): Promise<boolean> {
  try {
    const names = updates.map(({ ref }) => ref);
    const refs = await upload.listRefs(names, signal);
    return updates.every(({ ref, after }) => refs.get(ref)?.oid === after);
  } catch {
    return false;
  }
}

/** Whether all stands as pushed, or others have pushed on top of it since. */
async function isSeen(
  { upload, branchRef, isBefore }: PushRoute,
  tip: Revision,
  updates: readonly RefUpdate[],
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const refs = await upload.listRefs(
      updates.map(({ ref }) => ref),
      signal,
    );
    for (const { ref, after } of updates) {
      const now = refs.get(ref)?.oid;
      if (now === after) continue;
      if (ref !== branchRef || now === undefined || !(await isBefore(tip, now))) return false;
    }
    return true;
  } catch (error) {
    if (signal.aborted) throw error;
    return false;
  }
}

/** Servers say of a lock that was left behind, or of a name that is in the way, what they say of a race. */
async function hasMoved(
  upload: UploadPack,
  updates: readonly RefUpdate[],
  reason: string,
  signal: AbortSignal,
): Promise<boolean> {
  const [, found, wanted] = /is at ([0-9a-f]{40}) but expected ([0-9a-f]{40})/.exec(reason) ?? [];
  if (found !== undefined && found !== wanted) return true;
  const refs = await upload.listRefs(
    updates.map(({ ref }) => ref),
    signal,
  );
  return updates.some(({ ref, before }) => (refs.get(ref)?.oid ?? NO_OBJECT) !== before);
}

function settle(verdict: PushVerdict, landed: PushResult): PushResult {
  switch (verdict.kind) {
    case 'done':
      return landed;
    case 'busy':
      throw new AgentError('GIT_UNREACHABLE', `the Git server takes no push at the moment: ${verdict.reason}`);
    case 'refused':
      return verdict;
    case 'raced':
    case 'unknown':
      return { kind: verdict.kind, reason: verdict.reason };
  }
}

import { isRecord, numberOf, textOf } from '../lib/json.ts';
import { perObject } from '../lib/memo.ts';
import { plainLine } from '../lib/plain-text.ts';
import type { KubeObject } from '../manifest/types.ts';
import type { WebhookType } from './types.ts';

/*
 * What people ask of a release under way: annotations of its Canary, so whoever may patch the Canary may ask, and a restart forgets nothing.
 * Each names the release that it is meant for. One that names another release is never obeyed, so none needs to be taken away.
 */

/**
 * `approve`: one gate counts as open. `hold`: no more users, no promotion; checks go on, and a release that fails is rolled back.
 * `promote`: what is left of the analysis is skipped. `abort`: it is rolled back.
 */
export type RequestName = 'approve' | 'hold' | 'promote' | 'abort';

const requestNames: readonly RequestName[] = ['approve', 'hold', 'promote', 'abort'];

export const requestAnnotations: Readonly<Record<RequestName, string>> = {
  approve: 'serin.dev/approve',
  hold: 'serin.dev/hold',
  promote: 'serin.dev/promote',
  abort: 'serin.dev/abort',
};

/** Webhooks that a person may approve instead of. */
export type ConfirmType = Extract<WebhookType, `confirm-${string}`>;

const confirmTypes: readonly ConfirmType[] = ['confirm-rollout', 'confirm-traffic-increase', 'confirm-promotion'];

export interface PersonRequest {
  /** Id of the release; of one that Git knows nothing of its version, as `status.lastAppliedSpec` names it. */
  readonly release: string;
  /** As whoever asked calls himself: nobody has proved it. */
  readonly by: string;
  /** Empty: none was given. */
  readonly reason: string;
  /** Absent: not known. */
  readonly atMs?: number;
  /** `approve`: the gate. Absent: whichever is asked. */
  readonly gate?: ConfirmType;
  /** `approve` of more traffic: the canary's share at which it counts. Absent: at any. */
  readonly weight?: number;
  /** `hold`: it is taken back. */
  readonly isOver?: true;
}

/** Characters of a request; more is none of ours. */
const maxLength = 2_000;
const maxRelease = 80;
const maxBy = 80;
const maxReason = 300;
const nobody = 'somebody';

/** What stands on a Canary, by name. What is no request is left out. */
export const requestsOf: (canary: KubeObject) => ReadonlyMap<RequestName, PersonRequest> = perObject((canary) => {
  const found = new Map<RequestName, PersonRequest>();
  const annotations = canary.metadata.annotations ?? {};
  for (const name of requestNames) {
    const annotation = requestAnnotations[name];
    const text = Object.hasOwn(annotations, annotation) ? annotations[annotation] : undefined;
    const request = text === undefined ? undefined : readRequest(text);
    if (request) found.set(name, request);
  }
  return found;
});

/** A value as `renderRequest` writes it, or the name of a release alone, as a person with kubectl does. Undefined: neither. */
export function readRequest(text: string): PersonRequest | undefined {
  if (typeof text !== 'string' || text.length > maxLength) return undefined;
  const bare = text.trim();
  if (isName(bare)) return { release: bare, by: nobody, reason: '' };
  let given: unknown;
  try {
    given = JSON.parse(bare);
  } catch {
    return undefined;
  }
  if (!isRecord(given)) return undefined;
  const release = textOf(given['release']) ?? '';
  if (!isName(release)) return undefined;
  const by = cut(textOf(given['by']) ?? '', maxBy);
  const atMs = Date.parse(textOf(given['at']) ?? '');
  const gate = confirmTypes.find((type) => type === given['gate']);
  // Of a gate that is not known here nothing is approved.
  if (given['gate'] !== undefined && !gate) return undefined;
  const weight = numberOf(given['weight']);
  return {
    release,
    by: by === '' ? nobody : by,
    reason: cut(textOf(given['reason']) ?? '', maxReason),
    ...(Number.isFinite(atMs) ? { atMs } : {}),
    ...(gate === undefined ? {} : { gate }),
    ...(weight === undefined ? {} : { weight }),
    ...(given['over'] === true ? { isOver: true } : {}),
  };
}

/** As the value of an annotation. Texts are cut and made plain. */
export function renderRequest({ release, by, reason, atMs, gate, weight, isOver }: PersonRequest): string {
  return JSON.stringify({
    release: release.slice(0, maxRelease),
    by: cut(by, maxBy),
    ...(reason === '' ? {} : { reason: cut(reason, maxReason) }),
    ...(atMs === undefined ? {} : { at: new Date(atMs).toISOString().replace(/\.\d+Z$/, 'Z') }),
    ...(gate === undefined ? {} : { gate }),
    ...(weight === undefined ? {} : { weight }),
    ...(isOver ? { over: true } : {}),
  });
}

/** `by alice: reason`, for events, the status and evidence. */
export function toldRequest({ by, reason }: Pick<PersonRequest, 'by' | 'reason'>): string {
  return `by ${by}${reason === '' ? '' : `: ${reason}`}`;
}

const isName = (text: string): boolean => text.length <= maxRelease && /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(text);

/** The length is bounded before anything looks at the whole. */
function cut(text: string, max: number): string {
  const plain = plainLine(text.slice(0, 4 * max)).trim();
  const letters = Array.from(plain);
  return letters.length <= max ? plain : `${letters.slice(0, max - 1).join('')}…`;
}

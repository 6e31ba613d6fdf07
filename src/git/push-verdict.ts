import type { PushAnswer, RefUpdate } from './receive-pack.ts';
import type { Refusal } from './wire.ts';

/** What a push request came to. `done`: all its updates stand. The others as in PushResult. */
export type PushVerdict =
  | { readonly kind: 'done' }
  | { readonly kind: 'refused'; readonly reason: string; readonly lacksObjects?: true }
  | { readonly kind: 'raced' | 'unknown' | 'busy'; readonly reason: string };

/**
 * Git's own words when a ref does not have the expected old value any more, from receive-pack and from the ref backends
 * ("cannot lock ref 'x': is at A but expected B"). Whatever is not listed is a refusal: a person has to look.
 */
const RACES: readonly RegExp[] = [
  /^failed to update ref/,
  /^failed to lock/,
  /cannot lock ref/,
  /incorrect old value/,
  /reference already exists/,
  /is at [0-9a-f]{40} but expected/,
  /^fetch first/,
  /^non-fast-forward/,
  /^stale info/,
  /^already exists/,
];

/** Said about the other refs of an atomic push; the reason stands at another ref. */
const FOLLOWS: readonly RegExp[] = [/^atomic (push failure|transaction failed)/, /^transaction failed/];

/** Said of a ref to a commit that the server does not have. */
const LACK = /^missing necessary objects/;

/** The one place that decides which failures of a push are races, which are final and which are unknown. */
export function judgePush(answer: PushAnswer, updates: readonly RefUpdate[]): PushVerdict {
  switch (answer.kind) {
    case 'lost':
      return { kind: 'unknown', reason: answer.reason };
    case 'refusal':
      return judgeRefusal(answer);
    case 'report': {
      const failed = updates.flatMap(({ ref }) => {
        const status = answer.refs.get(ref);
        return status === 'ok' ? [] : [{ ref, status: status ?? '' }];
      });
      if (failed.length === 0 && answer.unpack === 'ok') return { kind: 'done' };
      if (answer.unpack !== 'ok') {
        return { kind: 'refused', reason: told(`the server could not store the objects: ${answer.unpack}`, answer) };
      }
      const reasons = failed.filter(({ status }) => !FOLLOWS.some((pattern) => pattern.test(status)));
      const [first] = reasons.length > 0 ? reasons : failed;
      const reason = told(`${first?.ref}: ${first?.status || 'no result reported'}`, answer);
      if (first?.status === '') return { kind: 'unknown', reason };
      // Some refs stand and others do not: only without `atomic`, and only a look at the server tells.
      if (failed.length < updates.length) return { kind: 'unknown', reason };
      const raced = reasons.every(({ status }) => RACES.some((pattern) => pattern.test(status)));
      if (raced) return { kind: 'raced', reason };
      const lacksObjects = first?.ref.startsWith('refs/tags/') && LACK.test(first.status);
      return { kind: 'refused', reason, ...(lacksObjects ? { lacksObjects } : {}) };
    }
  }
}

function judgeRefusal({ why, label, said }: Refusal): PushVerdict {
  const reason = said === '' ? label : `${label}: ${said}`;
  if (why === 'busy') return { kind: 'busy', reason };
  if (why === 'failed') return { kind: 'unknown', reason };
  if (why === 'size')
    return { kind: 'refused', reason: `${reason} (the server or its proxy limits the size of a push)` };
  return { kind: 'refused', reason };
}

function told(reason: string, { remoteText }: { readonly remoteText: string }): string {
  const said =
    remoteText === ''
      ? reason
      : `${reason} (remote: ${remoteText
          .slice(0, 2_000)
          .replace(/\s*\n\s*/g, '; ')
          .slice(0, 500)})`;
  return `${said}${todo(said)}`;
}

/** What helps where nobody sees it from the words alone. */
function todo(said: string): string {
  const [, inTheWay] = /'(refs\/[^' ]+)' exists; cannot create/.exec(said) ?? [];
  if (inTheWay !== undefined)
    return `; a ref ${inTheWay} is where a folder is needed: rename or delete it on the server, or choose another --tag-prefix`;
  if (/\.lock': File exists/.test(said))
    return '; a lock was left on the server: if no other git process runs there, delete that file';
  return '';
}

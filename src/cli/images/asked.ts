import type { Need } from '../../images/pick.ts';
import type { WatchedApp } from '../../agent/images/watched.ts';
import { type Known, withCreated, withList, withPlatforms, withTagDigest } from '../../agent/images/known.ts';
import { type AppState, type Look, lookAt } from '../../agent/images/look.ts';
import { type ImageReference, repositoryOf } from '../../images/reference.ts';
import { createLimit } from '../../lib/limit.ts';
import { createTurns } from '../../lib/turns.ts';
import type { Failure } from '../../registry/failure.ts';
import type { Workbench } from './workbench.ts';

/** What registries answer when a person asks: each repository once. */
export interface Asked {
  /** A text says why there is no list. */
  tags(reference: ImageReference): Promise<Known | string>;
  /** Null: the registry does not say its digest. */
  digest(reference: ImageReference, tag: string): Promise<{ readonly digest: string | null } | Failure>;
  /** As the agent looks at the app, but that it knows since when tags are there. */
  look(app: WatchedApp, state: AppState): Promise<readonly Look[]>;
}

/** Repositories that are asked at once; the client keeps a pace for each host. */
const atOnce = 8;
/** Of a pattern that takes whatever was made last each tag costs three requests. */
const maxDetails = 200;
/** Each may need another answer to be decided. */
const mostRounds = 20;

/** What has to be known of a tag. */
interface TagNeed {
  readonly reference: ImageReference;
  readonly what: Need['what'];
  readonly tag: string;
}

export function askRegistries({ registries, nowMs }: Workbench, signal: AbortSignal): Asked {
  const limit = createLimit(atOnce);
  // The client knows the caller's credentials.
  const asking = {};
  const lists = new Map<string, Promise<Known | string>>();
  const learnt = new Map<string, Known>();
  const troubles = new Map<string, string>();
  const learning = new Map<string, Promise<void>>();
  const nameOf = ({ registry, repository }: ImageReference): string => repositoryOf({ registry, repository });
  const tags: Asked['tags'] = (reference) => {
    const key = nameOf(reference);
    const before = lists.get(key);
    if (before) return before;
    const { registry, repository } = reference;
    const list = limit(async (): Promise<Known | string> => {
      const answer = await registries.tags({ registry, repository }, asking, signal);
      if (answer.kind === 'failed') return answer.reason;
      if (answer.value === 'unchanged') return 'the registry says nothing new of what was never asked';
      return withList(undefined, answer.value, { nowMs: nowMs(), intervalMs: 0 });
    });
    lists.set(key, list);
    return list;
  };
  const digest: Asked['digest'] = async (reference, tag) => {
    const answer = await limit(() => registries.digest({ ...reference, tag }, asking, signal));
    return answer.kind === 'failed' ? answer : { digest: answer.value };
  };
  const ask = async ({ reference, what, tag }: TagNeed): Promise<void> => {
    const key = nameOf(reference);
    if (what === 'digest') {
      const answer = await digest(reference, tag);
      const known = learnt.get(key);
      if ('kind' in answer) troubles.set(key, answer.reason);
      else if (known) learnt.set(key, withTagDigest(known, tag, answer.digest, nowMs()));
      return;
    }
    if (what === 'platforms') {
      const hash = learnt.get(key)?.digests.get(tag)?.value;
      if (!hash) return;
      const answer = await limit(() => registries.platforms({ ...reference, tag, digest: hash }, asking, signal));
      const known = learnt.get(key);
      if (answer.kind === 'failed') troubles.set(key, answer.reason);
      else if (known) learnt.set(key, withPlatforms(known, hash, answer.value));
      return;
    }
    const answer = await limit(() => registries.created({ ...reference, tag }, asking, signal));
    const known = learnt.get(key);
    if (answer.kind === 'answer' && known) learnt.set(key, withCreated(known, tag, answer.value));
    else if (answer.kind === 'failed' && (answer.why === 'missing' || answer.why === 'strange') && known)
      learnt.set(key, withCreated(known, tag, null));
    else if (answer.kind === 'failed') troubles.set(key, answer.reason);
  };
  const idOf = ({ reference, what, tag }: TagNeed): string => `${nameOf(reference)} ${what} ${tag}`;
  // Apps are looked at side by side: who wants what another has asked for waits for the same answer.
  const learn = (need: TagNeed): Promise<void> => {
    const id = idOf(need);
    const answer = learning.get(id) ?? ask(need);
    learning.set(id, answer);
    return answer;
  };
  return {
    tags,
    digest,
    async look(app, state) {
      const turns = createTurns();
      // Since when a tag is there only the agent knows.
      const containers = app.containers.map((one) => ({ ...one, policy: { ...one.policy, minAgeMs: 0 } }));
      const references = new Map(containers.map(({ key, wanted }) => [key, wanted.reference]));
      for (const reference of references.values()) {
        const key = nameOf(reference);
        if (learnt.has(key) || troubles.has(key)) continue;
        const list = await tags(reference);
        if (typeof list === 'string') troubles.set(key, list);
        else if (!learnt.has(key)) learnt.set(key, list);
      }
      const repositories = {
        known: (key: string) => learnt.get(keyOf(references, key)),
        trouble: (key: string) => troubles.get(keyOf(references, key)),
      };
      const told = new Set<string>();
      for (let round = 0; ; round += 1) {
        const looks = await turns.run(lookAt({ ...app, containers }, state, repositories, nowMs()));
        const needs = looks.flatMap(({ container, decision }) =>
          (decision?.need?.tags ?? []).slice(0, maxDetails).map(
            (tag): TagNeed => ({
              reference: container.wanted.reference,
              what: decision?.need?.what ?? 'digest',
              tag,
            }),
          ),
        );
        const open = needs.filter((need) => !told.has(idOf(need)));
        if (open.length === 0 || round === mostRounds) return looks;
        await Promise.all(open.map(learn));
        for (const need of open) told.add(idOf(need));
      }
    },
  };
}

const keyOf = (references: ReadonlyMap<string, ImageReference>, key: string): string => {
  const reference = references.get(key);
  return reference ? repositoryOf(reference) : key;
};

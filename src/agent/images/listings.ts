import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import { createLimit } from '../../lib/limit.ts';
import type { Logger } from '../../lib/log.ts';
import { type ImageReference, repositoryOf, showReference } from '../../images/reference.ts';
import type { RegistryClient } from '../../registry/client.ts';
import { type Failure, type FailureKind, isOfRegistry } from '../../registry/failure.ts';
import type { Keychain } from '../../registry/keychain.ts';
import {
  isSame,
  type Known,
  unchanged,
  withCreated,
  withList,
  withPlatforms,
  withTagDigest,
  withTaken,
} from './known.ts';
import type { ListingStore } from './listing-store.ts';
import type { PullAccess, PullSecrets } from './pull-secrets.ts';
import { boundsOf, failureWaitMs, jittered, nextIntervalMs } from './schedule.ts';

/** A repository, and with whose credentials it is looked at. */
export interface WantedRepository {
  /** Without tag and digest. */
  readonly reference: ImageReference;
  readonly access: PullAccess;
}

/** What registries have, as far as somebody wants to know. Nothing is asked that nobody wants. */
export interface Listings {
  /** All that one asker wants, by `wantedKey`; what it wanted before and does not any more is forgotten. */
  want(asker: string, wanted: ReadonlyMap<string, WantedRepository>): void;
  /** Undefined: never had a whole list. */
  known(key: string): Known | undefined;
  /** Why the last question had no answer; undefined: it had one, or none was asked yet. */
  trouble(key: string): string | undefined;
  /** Asks for what is not known of these tags; `onChange` tells when there is more. */
  ask(key: string, what: Detail, tags: readonly string[]): void;
  /** A tag was written to Git. */
  took(key: string, tag: string): void;
  /** Asks now instead of at the next time. Gives how many repositories these are. */
  poke(isMeant: (reference: ImageReference) => boolean): number;
  onChange(listener: (key: string) => void): void;
  /** Of all that are wanted. */
  entries(): Iterable<
    readonly [key: string, entry: { readonly wanted: WantedRepository; readonly known: Known | undefined }]
  >;
  /** Asks until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

type Detail = 'digest' | 'created' | 'platforms';

export interface ListingsDeps {
  readonly client: RegistryClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly pullSecrets: PullSecrets;
  readonly store: ListingStore;
  readonly intervalMs: number;
  /** Told when a repository (`HOST/NAME`) was listed; undefined: nobody wants it any more. Absent: nobody is. */
  readonly onListed?: (repository: string, atMs: number | undefined) => void;
  readonly random?: () => number;
}

interface Watch {
  wanted: WantedRepository;
  readonly askers: Set<string>;
  known: Known | undefined;
  nextAskMs: number;
  /** When it was asked last, also in vain. */
  askedMs: number;
  isAsked: boolean;
  isPoked: boolean;
  failures: number;
  trouble: string | undefined;
  /** Kinds of failures that were told since the last list. */
  readonly told: Set<FailureKind>;
  /** Questions about tags that are under way. */
  readonly asking: Set<string>;
  /** Those that had no answer, with the reason; they are asked again after the next list. */
  readonly unanswered: Map<string, string>;
  /** Kinds of such failures that were told since one had an answer. */
  readonly toldOfTags: Set<FailureKind>;
}

/** Repositories that are asked at once; each host has a pace of its own. */
const atOnce = 8;
/** Of a pattern that takes whatever was made last each tag costs three requests. */
const maxDetails = 200;
/** Repositories that are looked at. */
export const maxWatches = 2_000;
/** What was learnt is written down after so long. */
const keptAfterMs = 15_000;
const longestSleepMs = 60_000;
/** Of one repository that is told of again and again. */
const pokeGapMs = 2_000;

/** Names a repository and the credentials that it is looked at with. */
export const wantedKey = ({ reference: { registry, repository }, access }: WantedRepository): string =>
  `${registry}/${repository} ${access.scope}`;

export function createListings({
  client,
  clock,
  log,
  pullSecrets,
  store,
  intervalMs,
  onListed = () => undefined,
  random = Math.random,
}: ListingsDeps): Listings {
  const bounds = boundsOf(intervalMs);
  const watches = new Map<string, Watch>();
  const listeners = new Set<(key: string) => void>();
  const changed = new Set<string>();
  const limit = createLimit(atOnce);
  let stored: ReadonlyMap<string, Known> = new Map();
  let isLoaded = false;
  let woken = false;
  let pause = new AbortController();
  const wakeUp = (): void => {
    woken = true;
    pause.abort(new Error('woken'));
  };
  let ending: AbortSignal | undefined;
  let isCrowded = false;
  /** Kinds of failures of a whole registry that were told since it answered. */
  const toldOf = new Map<string, Set<FailureKind>>();

  const tell = (key: string): void => {
    for (const listener of listeners) listener(key);
    wakeUp();
  };
  const learn = (key: string, watch: Watch, known: Known): void => {
    watch.known = known;
    onListed(repositoryOf(watch.wanted.reference), known.askedAtMs);
    changed.add(key);
    tell(key);
  };
  const nameOf = ({ wanted: { reference } }: Watch): string => showReference(reference);

  const failed = (watch: Watch, failure: Pick<Failure, 'reason' | 'retryAfterMs' | 'why'>): void => {
    watch.failures += 1;
    watch.nextAskMs = clock.now() + jittered(failureWaitMs(watch.failures, failure.retryAfterMs, bounds), random());
    watch.trouble = failure.reason;
    tellOnce(watch, failure, watch.told, 'Tags cannot be listed, so nothing of it is upgraded');
  };
  /** What is wrong with a registry is told once for all of it, whatever else is said of it meanwhile, until all of it answers again. */
  const tellOnce = (
    watch: Watch,
    { reason, why }: Pick<Failure, 'reason' | 'why'>,
    ofWatch: Set<FailureKind>,
    what: string,
  ): void => {
    const { registry } = watch.wanted.reference;
    const told = isOfRegistry(why) ? (toldOf.get(registry) ?? new Set()) : ofWatch;
    const isNews = !told.has(why);
    told.add(why);
    if (isOfRegistry(why)) toldOf.set(registry, told);
    log[isNews ? 'warn' : 'debug']({ image: nameOf(watch), why }, `${what}: ${reason}`);
  };
  const answered = (watch: Watch): void => {
    const { registry } = watch.wanted.reference;
    watch.trouble = undefined;
    watch.failures = 0;
    watch.unanswered.clear();
    if (watch.told.size > 0) log.info({ image: nameOf(watch) }, `Tags of ${nameOf(watch)} can be listed again`);
    watch.told.clear();
    if (!toldOf.has(registry)) return;
    const others = [...watches.values()].filter(({ wanted: { reference } }) => reference.registry === registry);
    if (others.some(({ trouble }) => trouble !== undefined)) return;
    toldOf.delete(registry);
    log.info({}, `Tags of ${registry} can be listed again`);
  };

  const credentialsOf = async (watch: Watch, signal: AbortSignal): Promise<{ readonly credentials?: Keychain }> => {
    const credentials = await pullSecrets.read(watch.wanted.access, signal);
    return credentials ? { credentials } : {};
  };
  const list = async (key: string, watch: Watch, signal: AbortSignal): Promise<void> => {
    const former = watch.known;
    const etag = former?.etag === undefined ? {} : { etag: former.etag };
    const answer = await client.tags(
      watch.wanted.reference,
      { ...(await credentialsOf(watch, signal)), ...etag },
      signal,
    );
    if (answer.kind === 'failed') {
      failed(watch, answer);
      return tell(key);
    }
    answered(watch);
    const { value } = answer;
    const isNew = value !== 'unchanged' && !(former && isSame(former.tags, value.tags));
    const times = { nowMs: clock.now(), intervalMs: nextIntervalMs(former?.intervalMs, isNew, bounds) };
    const known = value === 'unchanged' ? former && unchanged(former, times) : withList(former, value, times);
    watch.nextAskMs = times.nowMs + jittered(times.intervalMs, random());
    if (known) learn(key, watch, known);
  };
  const begin = (key: string, watch: Watch, signal: AbortSignal): void => {
    watch.isAsked = true;
    watch.askedMs = clock.now();
    watch.isPoked = false;
    limit(() => list(key, watch, signal))
      .catch((error: unknown) => {
        if (!signal.aborted) failed(watch, { reason: messageOf(error), why: 'unreachable' });
      })
      .finally(() => {
        watch.isAsked = false;
        // It was told of while it was asked.
        if (watch.isPoked && watch.failures === 0) watch.nextAskMs = clock.now() + pokeGapMs;
        tell(key);
      });
  };
  const askDetail = async (
    key: string,
    watch: Watch,
    what: Detail,
    tag: string,
    signal: AbortSignal,
  ): Promise<void> => {
    const answer = await detailOf(watch, what, tag, signal);
    const { known } = watch;
    if (!known || !answer) return;
    if (answer.kind === 'failed') {
      watch.unanswered.set(`${what} ${tag}`, answer.reason);
      tellOnce(watch, answer, watch.toldOfTags, 'A tag cannot be looked at, so nothing is upgraded');
      return tell(key);
    }
    watch.toldOfTags.clear();
    learn(key, watch, answer.learnt(known));
  };
  /** What is learnt of a tag, or why not; undefined: it is another one by now. */
  const detailOf = async (
    watch: Watch,
    what: Detail,
    tag: string,
    signal: AbortSignal,
  ): Promise<Failure | { readonly kind: 'learnt'; readonly learnt: (known: Known) => Known } | undefined> => {
    const image = { ...watch.wanted.reference, tag };
    const digest = watch.known?.digests.get(tag)?.value;
    const asking = await credentialsOf(watch, signal);
    switch (what) {
      case 'digest': {
        const answer = await client.digest(image, asking, signal);
        if (answer.kind === 'failed') return answer;
        return { kind: 'learnt', learnt: (known) => withTagDigest(known, tag, answer.value, clock.now()) };
      }
      case 'created': {
        const answer = await client.created(image, asking, signal);
        // An image that is not there has no time; what else fails is asked again with the next list.
        const isNone = answer.kind === 'failed' && (answer.why === 'missing' || answer.why === 'strange');
        if (answer.kind === 'failed' && !isNone) return answer;
        const ms = answer.kind === 'failed' ? null : answer.value;
        return { kind: 'learnt', learnt: (known) => withCreated(known, tag, ms) };
      }
      case 'platforms': {
        if (!digest) return undefined;
        const answer = await client.platforms({ ...image, digest }, asking, signal);
        if (answer.kind === 'failed') return answer;
        return { kind: 'learnt', learnt: (known) => withPlatforms(known, digest, answer.value) };
      }
    }
  };

  const load = async (signal: AbortSignal): Promise<void> => {
    if (isLoaded || watches.size === 0) return;
    stored = await store.load(signal);
    isLoaded = true;
    const nowMs = clock.now();
    for (const [key, watch] of watches) takeStored(key, watch, nowMs);
  };
  const takeStored = (key: string, watch: Watch, nowMs: number): void => {
    const known = stored.get(key);
    if (!known || watch.known) return;
    watch.known = known;
    // A clock that was set back must not keep it from being asked for.
    const askedAtMs = Math.min(known.askedAtMs, nowMs);
    watch.nextAskMs = askedAtMs + jittered(Math.min(known.intervalMs, bounds.mostMs), random());
    tell(key);
  };
  const keep = async (signal: AbortSignal): Promise<void> => {
    if (changed.size === 0) return;
    const keys = new Set(changed);
    changed.clear();
    const now = new Map([...watches].flatMap(([key, { known }]) => (known ? [[key, known] as const] : [])));
    try {
      await store.save(now, keys, signal);
    } catch (error) {
      if (signal.aborted) return;
      for (const key of keys) changed.add(key);
      log.debug({ reason: messageOf(error) }, 'what is known of registries could not be kept');
    }
  };

  return {
    want(asker, wanted) {
      const nowMs = clock.now();
      for (const [key, watch] of watches) {
        if (wanted.has(key)) continue;
        watch.askers.delete(asker);
        if (watch.askers.size === 0) {
          watches.delete(key);
          onListed(repositoryOf(watch.wanted.reference), undefined);
          changed.add(key);
        }
      }
      for (const [key, one] of wanted) {
        const before = watches.get(key);
        if (before) {
          before.wanted = one;
          before.askers.add(asker);
          continue;
        }
        if (watches.size >= maxWatches) {
          if (!isCrowded)
            log.error({}, `more than ${maxWatches} repositories are wanted: the others are not looked at`);
          isCrowded = true;
          break;
        }
        const watch: Watch = {
          wanted: one,
          askers: new Set([asker]),
          known: undefined,
          nextAskMs: nowMs,
          askedMs: 0,
          isAsked: false,
          isPoked: false,
          failures: 0,
          trouble: undefined,
          told: new Set(),
          asking: new Set(),
          unanswered: new Map(),
          toldOfTags: new Set(),
        };
        watches.set(key, watch);
        if (isLoaded) takeStored(key, watch, nowMs);
      }
      wakeUp();
    },
    known: (key) => watches.get(key)?.known,
    trouble(key) {
      const watch = watches.get(key);
      return watch?.trouble ?? watch?.unanswered.values().next().value;
    },
    ask(key, what, tags) {
      const watch = watches.get(key);
      const signal = ending;
      if (!watch || !signal) return;
      for (const tag of tags.slice(0, maxDetails)) {
        const name = `${what} ${tag}`;
        if (watch.asking.has(name) || watch.unanswered.has(name)) continue;
        watch.asking.add(name);
        limit(() => askDetail(key, watch, what, tag, signal))
          .catch((error: unknown) => {
            if (!signal.aborted) log.debug({ reason: messageOf(error) }, 'a tag could not be looked at');
          })
          .finally(() => watch.asking.delete(name));
      }
    },
    took(key, tag) {
      const watch = watches.get(key);
      const digest = watch?.known?.digests.get(tag)?.value;
      if (watch?.known && digest) {
        watch.known = withTaken(watch.known, tag, digest);
        changed.add(key);
      }
    },
    poke(isMeant) {
      let count = 0;
      for (const watch of watches.values()) {
        if (!isMeant(watch.wanted.reference)) continue;
        count += 1;
        watch.isPoked = true;
        // Whoever tells of it again and again does not make it be asked again and again, nor one that wants a pause.
        if (watch.failures === 0)
          watch.nextAskMs = Math.min(watch.nextAskMs, Math.max(clock.now(), watch.askedMs + pokeGapMs));
      }
      if (count > 0) wakeUp();
      return count;
    },
    onChange: (listener) => void listeners.add(listener),
    entries: () => [...watches].map(([key, { wanted, known }]) => [key, { wanted, known }] as const),
    async run(signal) {
      ending = signal;
      let keepAtMs = clock.now() + keptAfterMs;
      while (!signal.aborted) {
        woken = false;
        try {
          await load(signal);
        } catch (error) {
          if (signal.aborted) return;
          // Without it all is asked anew, which is no harm.
          log.warn({ reason: messageOf(error) }, 'what was known of registries cannot be read');
          isLoaded = true;
        }
        const nowMs = clock.now();
        if (isLoaded)
          for (const [key, watch] of watches) if (!watch.isAsked && watch.nextAskMs <= nowMs) begin(key, watch, signal);
        if (nowMs >= keepAtMs) {
          await keep(signal);
          keepAtMs = clock.now() + keptAfterMs;
        }
        const times = [...watches.values()].flatMap(({ isAsked, nextAskMs }) => (isAsked ? [] : [nextAskMs]));
        if (changed.size > 0) times.push(keepAtMs);
        const waitMs = Math.min(longestSleepMs, Math.max(10, Math.min(...times, nowMs + longestSleepMs) - clock.now()));
        pause = new AbortController();
        // Whatever came while it looked is looked at first.
        if (woken) continue;
        await clock.sleep(waitMs, AbortSignal.any([signal, pause.signal])).catch(() => undefined);
      }
    },
  };
}

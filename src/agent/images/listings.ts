import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import { createLimit } from '../../lib/limit.ts';
import type { Logger } from '../../lib/log.ts';
import { type ImageReference, repositoryOf, showReference } from '../../images/reference.ts';
import type { RegistryClient } from '../../registry/client.ts';
import type { Failure } from '../../registry/failure.ts';
import type { Keychain } from '../../registry/keychain.ts';
import { isSame, type Known, unchanged, withCreated, withList, withTagDigest, withTaken } from './known.ts';
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
  ask(key: string, what: 'digest' | 'created', tags: readonly string[]): void;
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
  /** Questions about tags that are under way. */
  readonly asking: Set<string>;
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

  const failed = (
    watch: Watch,
    { reason, retryAfterMs, why }: Pick<Failure, 'reason' | 'retryAfterMs' | 'why'>,
  ): void => {
    watch.failures += 1;
    watch.nextAskMs = clock.now() + jittered(failureWaitMs(watch.failures, retryAfterMs, bounds), random());
    if (watch.trouble === reason) return;
    watch.trouble = reason;
    log.warn({ image: nameOf(watch), why }, `Tags cannot be listed, so nothing of it is upgraded: ${reason}`);
  };
  const answered = (watch: Watch): void => {
    if (watch.trouble !== undefined) log.info({ image: nameOf(watch) }, `Tags of ${nameOf(watch)} can be listed again`);
    watch.trouble = undefined;
    watch.failures = 0;
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
    what: 'digest' | 'created',
    tag: string,
    signal: AbortSignal,
  ): Promise<void> => {
    const image = { ...watch.wanted.reference, tag };
    const asking = await credentialsOf(watch, signal);
    const answer =
      what === 'digest' ? await client.digest(image, asking, signal) : await client.created(image, asking, signal);
    const { known } = watch;
    if (!known) return;
    if (answer.kind === 'answer') {
      const { value } = answer;
      if (what === 'created') return learn(key, watch, withCreated(known, tag, value as number | null));
      return learn(key, watch, withTagDigest(known, tag, value as string | null, clock.now()));
    }
    // An image that is not there, or not for this platform, has no time; what else fails is asked again with the next list.
    if (what === 'created' && (answer.why === 'missing' || answer.why === 'strange'))
      return learn(key, watch, withCreated(known, tag, null));
    if (watch.trouble === answer.reason) return;
    watch.trouble = answer.reason;
    log.warn(
      { image: nameOf(watch), why: answer.why },
      `A tag cannot be looked at, so nothing is upgraded: ${answer.reason}`,
    );
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
          asking: new Set(),
        };
        watches.set(key, watch);
        if (isLoaded) takeStored(key, watch, nowMs);
      }
      wakeUp();
    },
    known: (key) => watches.get(key)?.known,
    trouble: (key) => watches.get(key)?.trouble,
    ask(key, what, tags) {
      const watch = watches.get(key);
      const signal = ending;
      if (!watch || !signal) return;
      for (const tag of tags.slice(0, maxDetails)) {
        const name = `${what} ${tag}`;
        if (watch.asking.has(name)) continue;
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

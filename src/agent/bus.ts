import type { CanaryStatus } from '../canary/types.ts';
import { messageOf } from '../lib/errors.ts';
import type { AppKey } from '../lib/key.ts';
import type { Logger } from '../lib/log.ts';

/** What parts of the agent tell each other: names in the past tense, so that nobody is asked for anything. */
interface BusEvents {
  /** Of an app something was applied, or is asked of it, that no watch tells of. From a source, for the canaries. */
  readonly 'app-synced': { readonly app: AppKey };
  /** A canary has got another phase, with this status. From the canaries, for the sources. */
  readonly 'phase-changed': { readonly app: AppKey; readonly status: CanaryStatus };
  /** A Canary has gone from the cluster. From the views, for the sources. */
  readonly 'canary-gone': { readonly app: AppKey };
  /** Git tells an outcome of a source, and the release's record says so. From its writer, for its sync. */
  readonly 'outcome-landed': { readonly source: string };
  /** The ledger of an app was read anew. From a source, for those who look. */
  readonly 'ledger-read': { readonly app: AppKey };
  /** What a source waits for may be free by now. From the claims of all sources, for that source. */
  readonly 'claim-freed': { readonly source: string };
}

export interface Bus {
  tell<Name extends keyof BusEvents>(name: Name, event: BusEvents[Name]): void;
  /** Who listened first hears first. What a listener throws is logged, and costs nobody else. */
  on<Name extends keyof BusEvents>(name: Name, listener: (event: BusEvents[Name]) => void): void;
}

/** Delivered at once, before `tell` returns; kept for nobody who comes later. */
export function createBus(log: Pick<Logger, 'error'>): Bus {
  const listeners = new Map<keyof BusEvents, ((event: never) => void)[]>();
  return {
    tell(name, event) {
      for (const listener of listeners.get(name) ?? []) {
        try {
          (listener as (event: BusEvents[typeof name]) => void)(event);
        } catch (error) {
          log.error({ event: name, error: messageOf(error) }, 'a part of the agent failed at what another one told');
        }
      }
    },
    on(name, listener) {
      listeners.set(name, [...(listeners.get(name) ?? []), listener]);
    },
  };
}

import type { Cluster } from '../cluster/cluster.ts';
import type { Clock } from '../lib/clock.ts';
import { messageOf } from '../lib/errors.ts';
import type { Http } from '../lib/http/http.ts';
import type { Mailer } from '../lib/mail.ts';
import type { Logger } from '../lib/log.ts';
import { plainLine } from '../lib/plain-text.ts';
import type { Happening } from './happening.ts';
import type { Telemetry } from './telemetry.ts';

/**
 * One way to tell of what happens. A new one is a file with an Outlet in it and a line in open-outlets.ts; test/conformance/describe-outlet.ts
 * says what it must do. It takes of each happening what concerns it, and has a queue of its own where it cannot tell at once.
 */
export interface Outlet {
  /** For messages: `alerts`. */
  readonly name: string;
  /** Never waits and never changes what it gets. Called in the order in which things happen. */
  tell(happening: Happening): void;
  /** Takes no more, waits at most `ms` for what is on its way, and gives up the rest. Absent: it has no queue. */
  close?(ms: number): Promise<void>;
}

/** What outlets need of the world. */
export interface OutletDeps {
  readonly clock: Clock;
  readonly cluster: Cluster;
  readonly http: Http;
  /** Absent: no mail is sent. */
  readonly mailer?: Mailer;
  readonly log: Logger;
  readonly telemetry: Telemetry;
  readonly settings: OutletSettings;
}

export interface OutletSettings {
  /** Names this cluster in commits and alerts; empty: not named. */
  readonly clusterName: string;
  /** Public address of the dashboard. Absent: alerts do not lead there. */
  readonly uiUrl?: string;
  /** `source.component` of the events. */
  readonly eventSource: string;
  /** Told of every event of Canaries that have no event webhook of their own; absent: nobody. */
  readonly eventWebhook?: string;
  /** Told of all alerts of Canaries that name no provider of their own. Absent: nobody. */
  readonly notifier?: GlobalNotifier;
  /** Canaries must not refer to objects of other namespaces. */
  readonly noCrossNamespaceRefs: boolean;
}

/** From the settings. */
interface GlobalNotifier {
  readonly type: 'slack' | 'msteams';
  /** A secret, as `token` is. */
  readonly address: string;
  readonly token?: string;
  readonly channel: string;
  readonly username: string;
  readonly proxy?: string;
}

/** All outlets as one. */
export interface Outlets {
  /** Never waits and never throws: what one outlet cannot do keeps no other from it, and no release. */
  tell(happening: Happening): void;
  /** All of them at once. */
  close(ms: number): Promise<void>;
}

export function createOutlets(outlets: readonly Outlet[], log: Logger): Outlets {
  const failed = (name: string, error: unknown): void =>
    log.error({ outlet: name, reason: messageOf(error) }, 'an outlet failed');
  return {
    tell(happening) {
      const plain = withPlainText(happening);
      for (const outlet of outlets) {
        try {
          outlet.tell(plain);
        } catch (error) {
          failed(outlet.name, error);
        }
      }
    },
    async close(ms) {
      await Promise.all(
        outlets.map(async (outlet) => {
          try {
            await outlet.close?.(ms);
          } catch (error) {
            failed(outlet.name, error);
          }
        }),
      );
    },
  };
}

/** Words of others are in it, on their way out. */
function withPlainText(happening: Happening): Happening {
  if (happening.kind !== 'said') return happening;
  return { ...happening, event: { ...happening.event, message: plainLine(happening.event.message) } };
}

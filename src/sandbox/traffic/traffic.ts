import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../lib/log.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Address, SandboxStore, World } from '../types.ts';
import { type ProxyCounts, startGateway } from './gateway.ts';
import { reportStatus } from './status.ts';

export interface TrafficOptions {
  readonly store: SandboxStore;
  readonly backends: Pick<World, 'podBackends'>;
  readonly metrics: ProxyCounts & Pick<Metrics, 'forgetPod'>;
  readonly clock: Clock;
  /** 0 or absent: any free port. */
  readonly port?: number;
  readonly log?: Logger;
}

/** The cluster's way in: splits requests by the routing objects that stand in the cluster. */
export interface Traffic {
  /** `http://127.0.0.1:PORT`; the route is chosen by the Host header. */
  readonly url: string;
  /** For `WorldOptions.route`: the gateway's address for hosts that a routing object speaks of, undefined for others. */
  route(host: string, port: number, from?: string): Address | undefined;
  stop(): Promise<void>;
}

export async function startTraffic({ store, backends, metrics, clock, port, log }: TrafficOptions): Promise<Traffic> {
  const gateway = await startGateway({ store, backends, metrics, clock, ...(port === undefined ? {} : { port }) });
  const stopStatus = reportStatus({ store, clock, ...(log ? { log } : {}) });
  const stopForgetting = store.onEvent(({ type, object }) => {
    if (type === 'DELETED' && object.kind === 'Pod')
      metrics.forgetPod(object.metadata.namespace ?? '', object.metadata.name);
  });
  const { hostname, port: own } = new URL(gateway.url);
  const address = { host: hostname, port: Number(own) };
  return {
    url: gateway.url,
    route: (host, asked, from) => (gateway.routes(host, asked, from) ? address : undefined),
    async stop() {
      stopStatus();
      stopForgetting();
      await gateway.stop();
    },
  };
}

import type { ClusterClient } from '../cluster/client.ts';
import { systemClock } from '../lib/clock.ts';
import type { Http } from '../lib/http/http.ts';
import { accessName } from './agent-access.ts';
import type { AgentProcess } from './agent-process.ts';
import { type MachineShare, measureMachine } from './machine-share.ts';
import { type Sample, samplesOf, sumOf } from './exposition.ts';
import { spreadOf } from './spread.ts';

/** What the agent has used between two readings. */
export interface Used {
  readonly seconds: number;
  readonly cpuMs: number;
  /** As the API server counts them, watches included. */
  readonly requests: number;
  /** By verb and resource, as the agent counts them. */
  readonly byKind: Readonly<Record<string, number>>;
  /** Answered with 429. */
  readonly rejected: number;
  readonly ticks: number;
  /** Ticks that began more than a second late. */
  readonly lateTicks: number;
  readonly meanLatenessMs: number;
  readonly rssMedianMib: number;
  readonly rssPeakMib: number;
  readonly apiServerCpuMs: number;
  /** Who used this machine. Absent where it does not say. */
  readonly machine?: MachineShare;
}

export interface UsageProbe {
  /** Begins a measurement; the returned function ends it. */
  begin(signal: AbortSignal): Promise<(signal: AbortSignal) => Promise<Used>>;
  /** A gauge or counter of the agent. */
  own(name: string, signal: AbortSignal): Promise<number>;
}

const lateness = 'serin_tick_lateness_seconds';
const requests = 'serin_kubernetes_requests_total';
const dispatched = 'apiserver_flowcontrol_dispatched_requests_total';
const rejected = 'apiserver_flowcontrol_rejected_requests_total';
const cpu = 'process_cpu_seconds_total';
const ownNames = [`${lateness}_count`, `${lateness}_sum`, `${lateness}_bucket`, requests];
const sampleMs = 1_000;
const mib = 1_048_576;

export function createUsageProbe(
  agent: AgentProcess,
  metricsUrl: string,
  cluster: ClusterClient,
  http: Http,
): UsageProbe {
  const scrape = async (names: readonly string[], signal: AbortSignal): Promise<readonly Sample[]> => {
    const { body } = await http.request({ method: 'GET', url: metricsUrl, timeoutMs: 30_000 }, signal);
    return samplesOf(body, names);
  };
  const serverSide = async (signal: AbortSignal): Promise<readonly Sample[]> => {
    const text = await cluster.raw('GET', '/metrics', undefined, signal);
    return typeof text === 'string' ? samplesOf(text, [dispatched, rejected, cpu]) : [];
  };
  return {
    own: async (name, signal) => sumOf(await scrape([name], signal), name),
    async begin(signal) {
      const [own, server] = [await scrape(ownNames, signal), await serverSide(signal)];
      const before = await agent.usage();
      const startedMs = performance.now();
      const endMachine = await measureMachine(agent.pid);
      const rss = [before.rssBytes];
      const stop = new AbortController();
      const sampling = (async () => {
        while (!stop.signal.aborted) {
          await systemClock.sleep(sampleMs, AbortSignal.any([signal, stop.signal])).catch(() => undefined);
          // It may have ended: that is told elsewhere.
          await agent.usage().then(
            ({ rssBytes }) => void rss.push(rssBytes),
            () => undefined,
          );
        }
      })();
      return async (end) => {
        stop.abort(new Error('measured'));
        await sampling;
        const after = await agent.usage();
        const seconds = (performance.now() - startedMs) / 1_000;
        const machine = await endMachine();
        const [ownAfter, serverAfter] = [await scrape(ownNames, end), await serverSide(end)];
        const gained = (name: string, where: Readonly<Record<string, string>> = {}): number =>
          sumOf(ownAfter, name, where) - sumOf(own, name, where);
        const counted = (name: string): number =>
          sumOf(serverAfter, name, { flow_schema: accessName }) - sumOf(server, name, { flow_schema: accessName });
        const ticks = gained(`${lateness}_count`);
        return {
          seconds,
          cpuMs: after.cpuMs - before.cpuMs,
          requests: counted(dispatched),
          byKind: byKind(own, ownAfter),
          rejected: counted(rejected),
          ticks,
          lateTicks: ticks - gained(`${lateness}_bucket`, { le: '1' }),
          meanLatenessMs: ticks === 0 ? 0 : (gained(`${lateness}_sum`) / ticks) * 1_000,
          rssMedianMib: spreadOf(rss).median / mib,
          rssPeakMib: spreadOf(rss).max / mib,
          ...(machine ? { machine } : {}),
          apiServerCpuMs: (sumOf(serverAfter, cpu) - sumOf(server, cpu)) * 1_000,
        };
      };
    },
  };
}

function byKind(before: readonly Sample[], after: readonly Sample[]): Record<string, number> {
  const gained: Record<string, number> = {};
  for (const { name, labels, value } of after) {
    if (name !== requests) continue;
    const count = value - sumOf(before, requests, labels);
    if (count > 0) gained[`${labels['verb'] ?? ''} ${labels['resource'] ?? ''}`] = count;
  }
  return gained;
}

import { Counter, Gauge, Registry, Summary } from 'prom-client';
import { namespacedName } from '../lib/key.ts';

interface LoadMeter {
  request(
    of: { readonly name: string; readonly namespace: string; readonly side: string; readonly code: string },
    durationMs: number,
  ): void;
  task(of: { readonly type: string; readonly result: string }): void;
  running(tasks: number): void;
}

/** Canaries with series of their own; what is beyond them is counted under empty names. */
const maxCanaries = 500;

/** The load tester's series: requests by status, latencies with quantiles of the last five minutes, and tasks. */
export function createLoadSeries(): { readonly meter: LoadMeter; readonly registry: Registry } {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Counter({
    name: 'serin_loadtester_requests_total',
    help: 'Requests that loads sent, by canary, by whom they went to, and by status; code "none": there was no answer',
    labelNames: ['name', 'namespace', 'side', 'code'],
    registers,
  });
  const durations = new Summary({
    name: 'serin_loadtester_request_duration_seconds',
    help: 'Time from a request to its whole answer, of the last five minutes',
    labelNames: ['name', 'namespace', 'side'],
    percentiles: [0.5, 0.9, 0.95, 0.99],
    maxAgeSeconds: 300,
    ageBuckets: 5,
    registers,
  });
  const tasks = new Counter({
    name: 'serin_loadtester_tasks_total',
    help: 'Tasks that have ended, by type and result',
    labelNames: ['type', 'result'],
    registers,
  });
  const runs = new Gauge({ name: 'serin_loadtester_tasks_running', help: 'Tasks that run', registers });
  const known = new Set<string>();
  const bounded = (name: string, namespace: string): { name: string; namespace: string } => {
    const key = namespacedName({ name, namespace });
    if (!known.has(key) && known.size >= maxCanaries) return { name: '', namespace: '' };
    known.add(key);
    return { name, namespace };
  };
  const meter: LoadMeter = {
    request: ({ name, namespace, side, code }, durationMs) => {
      const canary = bounded(name, namespace);
      requests.inc({ ...canary, side, code });
      durations.observe({ ...canary, side }, durationMs / 1_000);
    },
    task: (of) => tasks.inc({ ...of }),
    running: (count) => runs.set(count),
  };
  return { meter, registry };
}

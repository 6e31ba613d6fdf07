import type { RequestSeen } from '../../../src/sandbox/types.ts';
import { recordNginx, recordPod, recordTraefik } from '../../../src/sandbox/metrics/families.ts';
import { createRegistry, type Registry } from '../../../src/sandbox/metrics/registry.ts';
import { createSeriesStore, type SeriesStore } from '../../../src/sandbox/metrics/series-store.ts';

export const startMs = Date.UTC(2026, 0, 1, 12);

/**
 * Four minutes of traffic, sampled every second: a primary all the time, a canary from the 90th second on, whose pod starts
 * again at the 170th and then fails more often. The same in every run.
 */
export function recordedTraffic(): SeriesStore {
  const store = createSeriesStore(3_600_000);
  let registry = createRegistry();
  let random = 7;
  const next = (): number => (random = (random * 48_271) % 2_147_483_647) / 2_147_483_647;
  for (let second = 1; second <= 240; second += 1) {
    // Only counters of the canary's pod begin anew; those of the proxies go on.
    if (second === 170) registry = restarted(registry);
    for (let turn = 0; turn < 9; turn += 1) {
      const canary = second >= 90 && next() < 0.3;
      const bad = canary && next() < (second < 170 ? 0.05 : 0.4);
      const status = bad ? 500 : next() < 0.1 ? 404 : 200;
      const durationMs = (canary ? 120 : 20) * (0.2 + 4 * next() ** 3);
      recordOne(registry, canary ? 'podinfo' : 'podinfo-primary', canary, status, durationMs);
    }
    // Not on full seconds: whether a window's lower end belongs to it depends on the version of Prometheus.
    const timeMs = startMs + second * 1000 + (second % 7) * 3;
    for (const { labels, key, value } of registry.cells()) store.append(labels, timeMs, value, key);
  }
  return store;
}

function recordOne(registry: Registry, workload: string, canary: boolean, status: number, durationMs: number): void {
  const pod = { namespace: 'test', name: `${workload}-5d8f7c9b6-x2x7z`, labels: { app: workload } };
  const seen: RequestSeen = { pod, workload, method: 'GET', path: '/', status, durationMs };
  const proxied = { method: 'GET', status, durationMs: durationMs + 1 };
  recordPod(registry, seen);
  recordTraefik(registry, `test-podinfo-${canary ? 'canary' : 'primary'}-80@kubernetescrd`, proxied);
  const ingress = { namespace: 'test', ingress: 'podinfo', service: 'podinfo', host: 'app.example.com', path: '/' };
  recordNginx(registry, { ...ingress, canary: canary ? 'test-podinfo-canary-80' : '' }, proxied);
}

function restarted(before: Registry): Registry {
  before.forget((labels) => labels.pod === 'podinfo-5d8f7c9b6-x2x7z');
  return before;
}

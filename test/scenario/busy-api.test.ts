import { describe, expect, it } from 'vitest';
import { type BusyServer, type Served, startBusyServer } from '../helpers/busy-server.ts';
import { fastClock } from '../helpers/fast-clock.ts';
import { startServer, type TestServer } from '../helpers/http-server.ts';
import { namespaceYaml } from './apps.ts';
import { canary, object } from './look.ts';
import { onStage } from './stage.ts';

const names = Array.from({ length: 10 }, (_, index) => `app-${String(index).padStart(2, '0')}`);
/** Every fourth one gets a version that its metrics find bad. */
const isBad = (name: string): boolean => Number(name.slice(4)) % 4 === 0;
const speed = 5;
const intervalMs = 10_000;

/** Services need no pods, so that many of them cost little; everything else is as with Deployments. */
const appYaml = (name: string): string => `apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: test }
spec:
  selector: { app: ${name}, version: v1 }
  ports: [{ name: http, port: 9898 }]
---
apiVersion: flagger.app/v1beta1
kind: Canary
metadata: { name: ${name}, namespace: test }
spec:
  provider: gatewayapi:v1
  targetRef: { apiVersion: v1, kind: Service, name: ${name} }
  service:
    port: 9898
    hosts: [${name}.example.test]
    gatewayRefs: [{ name: public, namespace: test }]
  analysis:
    interval: ${intervalMs / 1_000}s
    threshold: 1
    stepWeights: [20, 40, 60]
    metrics: [{ name: request-success-rate, thresholdRange: { min: 99 } }]
`;

/** Finds the apps bad that are. */
async function startMetrics(): Promise<TestServer> {
  return startServer(({ url = '' }, response, body) => {
    const name = /app-\d\d/.exec(decodeURIComponent(`${url}${body}`))?.[0];
    const value = name !== undefined && isBad(name) ? '42' : '100';
    const result = [{ metric: {}, value: [0, value] }];
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
  });
}

const isWrite = ({ method, status }: Served): boolean => method !== 'GET' && status < 300;
const isRoute = (one: Served): boolean => isWrite(one) && one.path.includes('/httproutes/');
const isStatus = (one: Served): boolean => isWrite(one) && one.path.includes('/status');
const at = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;

describe('an API server with less to work with than ten releases ask for', () => {
  it('refuses some, and all end rightly even so: nothing fails, and nobody starves', {
    timeout: 180_000,
    retry: 1,
  }, async () => {
    const metrics = await startMetrics();
    let busy: BusyServer | undefined;
    const front = async (url: string): Promise<BusyServer> =>
      (busy = await startBusyServer(url, { atOnce: 16, workMs: 0 }));
    const files: Record<string, string> = { 'apps/namespace.yaml': namespaceYaml() };
    for (const name of names) files[`apps/${name}.yaml`] = appYaml(name);
    const flags = { 'metrics-server': metrics.url, write: 'none' };
    try {
      await onStage({ files, clock: fastClock(speed), flags, front }, async (stage) => {
        const phases = new Map<string, string>();
        stage.sandbox.store.onEvent(({ object: { kind, metadata, ...rest } }) => {
          const phase = (rest['status'] as { phase?: string } | undefined)?.phase;
          if (kind === 'Canary' && phase) phases.set(metadata.name, phase);
        });
        const count = (...wanted: readonly string[]): number =>
          [...phases.values()].filter((phase) => wanted.includes(phase)).length;
        await stage.until('all are initialised', () => count('Initialized') === names.length, 90_000);
        const before = stage.log.length;
        const from = busy?.served.length ?? 0;
        // Some 24 requests a second, and five at once are too many.
        busy?.be({ atOnce: 1, workMs: 40, room: 4, retryAfterSeconds: 1 });
        const changed = Object.entries(files).map(([path, text]) => [path, text.replace('version: v1', 'version: v2')]);
        await stage.push('everything v2', Object.fromEntries(changed));
        await stage.until('all have come to an end', () => count('Succeeded', 'Failed') === names.length, 120_000);
        const served = (busy?.served ?? []).slice(from);
        busy?.be({ atOnce: 16, workMs: 0 });

        for (const name of names) {
          const { phase, weight } = canary(stage, { name });
          const primary = object(stage, 'Service', `${name}-primary`)?.['spec'];
          expect([name, phase, weight]).toEqual([name, isBad(name) ? 'Failed' : 'Succeeded', 0]);
          expect(primary).toMatchObject({ selector: { app: name, version: isBad(name) ? 'v1' : 'v2' } });
        }
        expect(
          served.some(({ status }) => status === 429),
          'it did refuse',
        ).toBe(true);
        const failures = stage.log
          .slice(before)
          .filter(
            ({ level, msg, code }) =>
              level === 'error' || code !== undefined || /could not be|does not answer|answers 429/.test(msg),
          );
        expect(failures, 'nothing fails').toEqual([]);

        expect(served.filter(isRoute).length).toBeGreaterThanOrEqual(3 * names.length);
        const pauses = new Map(
          names.map((name) => {
            const own = served.filter((one) => (isStatus(one) || isRoute(one)) && one.path.includes(`/${name}`));
            const times = own.map(({ answeredMs }) => answeredMs).toSorted((a, b) => a - b);
            return [name, Math.max(...times.slice(1).map((ms, index) => ms - (times[index] ?? ms)))];
          }),
        );
        const usualMs = Math.max(intervalMs / speed, at([...pauses.values()], 0.5));
        expect(Math.max(...pauses.values()), JSON.stringify([...pauses])).toBeLessThan(2 * usualMs);
      });
    } finally {
      await metrics.close();
    }
  });
});

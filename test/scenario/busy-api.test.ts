import { describe, expect, it } from 'vitest';
import { type BusyServer, type Served, startBusyServer } from '../helpers/busy-server.ts';
import { fastClock } from '../helpers/fast-clock.ts';
import { expectRightEnds, filesOf, nextVersion, serviceApps, startVerdicts, watchPhases } from './service-apps.ts';
import { onStage } from './stage.ts';

const apps = serviceApps(10, 4);
const speed = 5;
const intervalMs = 10_000;

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
    const metrics = await startVerdicts(apps);
    let busy: BusyServer | undefined;
    const front = async (url: string): Promise<BusyServer> =>
      (busy = await startBusyServer(url, { atOnce: 16, workMs: 0 }));
    const files = filesOf(apps, () => ['stepWeights: [20, 40, 60]']);
    const flags = { 'metrics-server': metrics.url, write: 'none' };
    try {
      await onStage({ files, clock: fastClock(speed), flags, front }, async (stage) => {
        const { count } = watchPhases(stage);
        await stage.until('all are initialised', () => count('Initialized') === apps.names.length, 90_000);
        const before = stage.log.length;
        const from = busy?.served.length ?? 0;
        // Some 24 requests a second, and five at once are too many.
        busy?.be({ atOnce: 1, workMs: 40, room: 4, retryAfterSeconds: 1 });
        await stage.push('everything v2', nextVersion(files));
        await stage.until('all have come to an end', () => count('Succeeded', 'Failed') === apps.names.length, 120_000);
        const served = (busy?.served ?? []).slice(from);
        busy?.be({ atOnce: 16, workMs: 0 });

        expectRightEnds(stage, apps);
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

        expect(served.filter(isRoute).length).toBeGreaterThanOrEqual(3 * apps.names.length);
        const pauses = new Map(
          apps.names.map((name) => {
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

import { describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../helpers/http-server.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { fastClock } from '../helpers/fast-clock.ts';
import { expectRightEnds, filesOf, nextVersion, serviceApps, startVerdicts, watchPhases } from './service-apps.ts';
import { onStage } from './stage.ts';

const apps = serviceApps(100, 5);

/** Answers every canary's hook slowly, and writes down from when to when. */
async function startSlowHooks(): Promise<{
  server: TestServer;
  calls: Map<string, [number, number][]>;
  most: () => number;
}> {
  const calls = new Map<string, [number, number][]>();
  let open = 0;
  let most = 0;
  const server = await startServer(({ url = '' }, response) => {
    const [name, startMs] = [url.slice(1), performance.now()];
    open += 1;
    most = Math.max(most, open);
    setTimeout(() => {
      open -= 1;
      calls.set(name, [...(calls.get(name) ?? []), [startMs, performance.now()]]);
      response.end('ok');
    }, 60);
  });
  return { server, calls, most: () => most };
}

function jumping(clock: Clock): { readonly clock: Clock; readonly jump: (ms: number) => void } {
  let skewMs = 0;
  const jump = (ms: number): void => {
    skewMs += ms;
  };
  return {
    jump,
    clock: {
      now: () => clock.now() + skewMs,
      elapsed: () => clock.elapsed(),
      sleep: (ms, signal) => clock.sleep(ms, signal),
      after: (ms, run) => clock.after(ms, run),
    },
  };
}

describe('a hundred canaries', () => {
  it('go their ways side by side, each in its own ticks, whatever the clock does [R26]', {
    timeout: 240_000,
  }, async () => {
    const hooks = await startSlowHooks();
    const metrics = await startVerdicts(apps);
    const { clock, jump } = jumping(fastClock(5));
    const files = filesOf(apps, (name) => [
      'stepWeight: 50',
      'maxWeight: 50',
      `webhooks: [{ name: look, type: rollout, url: "${hooks.server.url}/${name}", timeout: 5m }]`,
    ]);
    try {
      await onStage({ files, clock, flags: { 'metrics-server': metrics.url } }, async (stage) => {
        const phases = watchPhases(stage);
        await stage.until('all are initialised', () => phases.count('Initialized') === apps.names.length, 90_000);
        const adopted = (): number => stage.log.filter(({ verdict }) => verdict === 'adopted').length;
        await stage.until('Git knows all of them', () => adopted() >= apps.names.length, 90_000);
        await stage.push('everything v2', nextVersion(files));
        await stage.until('some are under way', () => phases.count('Progressing', 'Succeeded', 'Failed') > 20, 90_000);
        jump(3_600_000);
        await stage.until('the clock was seen', () => phases.count('Succeeded', 'Failed') > 2, 90_000);
        jump(-7_200_000);
        await stage.until(
          'all have come to an end',
          () => phases.count('Succeeded', 'Failed') === apps.names.length,
          90_000,
        );

        expectRightEnds(stage, apps);
        for (const [name, calls] of hooks.calls) {
          const overlaps = calls.filter(([startMs], index) => startMs < (calls[index - 1]?.[1] ?? 0));
          expect([name, overlaps], 'a canary is looked at by one tick at a time').toEqual([name, []]);
        }
        expect(hooks.most(), 'canaries do not wait for each other').toBeGreaterThan(5);
      });
    } finally {
      await hooks.server.close();
      await metrics.close();
    }
  });
});

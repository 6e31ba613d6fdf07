import { describe, expect, it } from 'vitest';
import { startServer, type TestServer } from '../helpers/http-server.ts';
import type { Clock } from '../../src/lib/clock.ts';
import { fastClock } from '../helpers/fast-clock.ts';
import { namespaceYaml } from './apps.ts';
import { canary, object } from './look.ts';
import { onStage, type Stage } from './stage.ts';

const names = Array.from({ length: 100 }, (_, index) => `app-${String(index).padStart(2, '0')}`);
/** Every fifth one gets a version that its metrics find bad. */
const isBad = (name: string): boolean => Number(name.slice(4)) % 5 === 0;

/** Services need no pods, so that a hundred of them cost little; everything else is as with Deployments. */
const appYaml = (name: string, hooks: string): string => `apiVersion: v1
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
    interval: 10s
    threshold: 1
    stepWeight: 50
    maxWeight: 50
    metrics: [{ name: request-success-rate, thresholdRange: { min: 99 } }]
    webhooks: [{ name: look, type: rollout, url: "${hooks}/${name}", timeout: 5m }]
`;

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

/** Finds the apps bad that are. */
async function startMetrics(): Promise<TestServer> {
  return startServer(({ url = '' }, response, body) => {
    const asked = decodeURIComponent(`${url}${body}`);
    const name = /app-\d\d/.exec(asked)?.[0];
    const value = name !== undefined && isBad(name) ? '42' : '100';
    const result = [{ metric: {}, value: [0, value] }];
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
  });
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

interface Phases {
  /** How many are in this one now. */
  count(phase: string): number;
}

/** Told by the API server's own events: a hundred objects are not looked at again and again. */
function watchPhases({ sandbox }: Stage): Phases {
  const phases = new Map<string, string>();
  sandbox.store.onEvent(({ object }) => {
    const phase = object.kind === 'Canary' && (object['status'] as { phase?: string } | undefined)?.phase;
    if (!phase) return;
    phases.set(object.metadata.name, phase);
  });
  return { count: (phase) => [...phases.values()].filter((one) => one === phase).length };
}

describe('a hundred canaries', () => {
  it('go their ways side by side, each in its own ticks, whatever the clock does [R26]', {
    timeout: 240_000,
  }, async () => {
    const hooks = await startSlowHooks();
    const metrics = await startMetrics();
    const { clock, jump } = jumping(fastClock(5));
    const files: Record<string, string> = { 'apps/namespace.yaml': namespaceYaml() };
    for (const name of names) files[`apps/${name}.yaml`] = appYaml(name, hooks.server.url);
    try {
      await onStage({ files, clock, flags: { 'metrics-server': metrics.url } }, async (stage) => {
        const phases = watchPhases(stage);
        await stage.until('all are initialised', () => phases.count('Initialized') === names.length, 90_000);
        const adopted = (): number => stage.log.filter(({ verdict }) => verdict === 'adopted').length;
        await stage.until('Git knows all of them', () => adopted() >= names.length, 90_000);
        const changed = Object.entries(files).map(([path, text]) => [path, text.replace('version: v1', 'version: v2')]);
        await stage.push('everything v2', Object.fromEntries(changed));
        await stage.until(
          'some are under way',
          () => phases.count('Progressing') + phases.count('Succeeded') + phases.count('Failed') > 20,
          90_000,
        );
        jump(3_600_000);
        await stage.until('the clock was seen', () => phases.count('Succeeded') + phases.count('Failed') > 2, 90_000);
        jump(-7_200_000);
        await stage.until(
          'all have come to an end',
          () => phases.count('Succeeded') + phases.count('Failed') === names.length,
          90_000,
        );

        for (const name of names) {
          const { phase, weight } = canary(stage, { name });
          const primary = object(stage, 'Service', `${name}-primary`)?.['spec'];
          expect([name, phase, weight]).toEqual([name, isBad(name) ? 'Failed' : 'Succeeded', 0]);
          expect(primary).toMatchObject({ selector: { app: name, version: isBad(name) ? 'v1' : 'v2' } });
        }
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

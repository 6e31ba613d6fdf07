import { afterAll, describe, expect, it } from 'vitest';
import { agentSettings } from '../../src/cli/agent-settings.ts';
import type { Cluster } from '../../src/cluster/cluster.ts';
import { readSettings } from '../../src/config/settings.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/log.ts';
import { createEventRecorder } from '../../src/outlets/event-recorder.ts';
import type { Happening } from '../../src/outlets/happening.ts';
import { allOutlets } from '../../src/outlets/open-outlets.ts';
import { createOutlets, type Outlet } from '../../src/outlets/outlet.ts';
import { createTelemetry } from '../../src/outlets/telemetry.ts';
import { describeOutlet, happenings } from '../conformance/describe-outlet.ts';

const ending = new AbortController();
afterAll(() => ending.abort(new Error('the tests have ended')));

/** Ends with the signal alone. */
const never = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));

function silentWorld(lines: string[] = []): readonly Outlet[] {
  const cluster = {
    get: (_ref: unknown, signal: AbortSignal) => never(signal),
    create: (_object: unknown, _options: unknown, signal: AbortSignal) => never(signal),
    apply: (_object: unknown, _options: unknown, signal: AbortSignal) => never(signal),
  } as unknown as Cluster;
  const log = createLogger('debug', (line) => void lines.push(line));
  const telemetry = createTelemetry('test', 'traefik');
  const recorder = createEventRecorder(
    { cluster, clock: systemClock, log, component: 'flagger', onDropped: () => undefined },
    ending.signal,
  );
  const http = { request: (_request: unknown, signal: AbortSignal) => never(signal) };
  const settings = agentSettings(readSettings({ flags: {}, environment: {}, file: {} }));
  return allOutlets({ clock: systemClock, cluster, http, log, telemetry, settings }, recorder);
}

describe('each outlet', () => {
  const names = silentWorld().map(({ name }) => name);
  for (const [at, name] of names.entries()) describeOutlet(name, () => silentWorld()[at] as Outlet);

  it('has a name of its own', () => {
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(['log', 'events', 'event webhooks', 'alerts', 'metrics']);
  });
});

describe('all outlets together', () => {
  const heard: [name: string, happening: Happening][] = [];
  const hears = (name: string): Outlet => ({ name, tell: (happening) => void heard.push([name, happening]) });
  const broken: Outlet = {
    name: 'broken',
    tell: () => {
      throw new Error('no paper');
    },
    close: () => Promise.reject(new Error('jammed')),
  };

  it('hear the same, in its order, and one that breaks keeps no other from it', async () => {
    const lines: string[] = [];
    const log = createLogger('info', (line) => void lines.push(line));
    const all = createOutlets([hears('first'), broken, hears('last')], log);
    heard.length = 0;
    for (const happening of happenings) all.tell(happening);
    await all.close(10);
    expect(heard.map(([name]) => name)).toEqual(happenings.flatMap(() => ['first', 'last']));
    expect(heard.filter((_, at) => at % 2 === 0).map(([, { kind }]) => kind)).toEqual(
      happenings.map(({ kind }) => kind),
    );
    expect(lines).toHaveLength(happenings.length + 1);
    expect(lines[0]).toContain('"outlet":"broken"');
    expect(lines[0]).toContain('no paper');
  });

  it('hear plain text of what others wrote', () => {
    const all = createOutlets([hears('only')], createLogger('silent'));
    heard.length = 0;
    for (const happening of happenings) all.tell(happening);
    const said = heard.flatMap(([, happening]) => (happening.kind === 'said' ? [happening.event.message] : []));
    expect(said).toHaveLength(2);
    for (const text of said) expect(text).toMatch(/^[ -~]*$/);
    expect(said[0]).toBe('Advance app.demo canary weight 10');
  });
});

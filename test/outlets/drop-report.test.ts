import { expect, it } from 'vitest';
import { createDropReport } from '../../src/outlets/drop-report.ts';
import { createTelemetry } from '../../src/outlets/telemetry.ts';
import { createLogger } from '../../src/lib/log.ts';
import { manualClock } from '../helpers/manual-clock.ts';

it('a receiver that does not keep pace is named now and then, without its path [R65]', async () => {
  const clock = manualClock();
  const lines: string[] = [];
  const telemetry = createTelemetry('test', 'traefik');
  const report = createDropReport({ clock, log: createLogger('debug', (line) => void lines.push(line)), telemetry });
  const receiver = 'event https://user:pass@hooks.example.org/services/topsecret?x=1';
  for (const _ of [1, 2, 3]) report(receiver);
  report('alert provider a.demo');
  expect(lines).toHaveLength(2);
  expect(lines[0]).toContain('"receiver":"event hooks.example.org"');
  expect(lines.join('')).not.toMatch(/topsecret|pass/);
  clock.advance(600_000);
  report(receiver);
  expect(lines).toHaveLength(3);
  expect(await telemetry.registry.getSingleMetricAsString('serin_events_dropped_total')).toContain(' 5');
});

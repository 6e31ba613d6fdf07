import { expect, it } from 'vitest';
import { fastClock } from '../../../src/lib/fast-clock.ts';
import { aWorld } from './a-world.ts';

const jobOf = (script: string) => ({
  template: {
    spec: { restartPolicy: 'Never', containers: [{ name: 'app', image: 'busybox', command: ['sh', '-c', script] }] },
  },
});
const cronJob = (name: string, script: string, spec: object = {}) => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name, namespace: 'test' },
  spec: { schedule: '* * * * *', jobTemplate: { spec: jobOf(script) }, ...spec },
});

it('a CronJob makes a Job at each of its times, and keeps as many as it says', async () => {
  const world = aWorld({ clock: fastClock(200) });
  try {
    world.store.create(cronJob('often', 'echo now', { successfulJobsHistoryLimit: 2 }));
    world.store.create(cronJob('never', 'echo now', { suspend: true }));
    const made = (): string[] => world.objects.list('Job', 'test').map(({ metadata }) => metadata.name);
    const seen = new Set<string>();
    await world.until('four Jobs', () => {
      for (const name of made()) seen.add(name);
      return seen.size >= 4;
    });
    expect([...seen].every((name) => /^often-\d{8}$/.test(name))).toBe(true);
    await world.until('the oldest are gone', () => made().length <= 3 && !made().includes([...seen].sort()[0] ?? ''));
    expect(world.objects.get('CronJob', 'test', 'often')?.status).toMatchObject({
      lastScheduleTime: expect.stringMatching(/:00Z$/) as string,
      lastSuccessfulTime: expect.stringMatching(/Z$/) as string,
    });
  } finally {
    await world.stop();
  }
});

it('a CronJob that forbids a second Job beside the first waits for its end', async () => {
  const world = aWorld({ clock: fastClock(200) });
  try {
    world.store.create(cronJob('long', 'sleep 150', { concurrencyPolicy: 'Forbid' }));
    await world.until('it is told', () => world.events().some((event) => event.startsWith('JobAlreadyActive')));
    expect(world.objects.list('Job', 'test')).toHaveLength(1);
  } finally {
    await world.stop();
  }
});

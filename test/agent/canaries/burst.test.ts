import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/lib/json.ts';
import type { Releases } from '../../../src/agent/releases/releases.ts';
import { aCanarySpec } from '../../helpers/a-canary-spec.ts';
import { Stage } from '../../model/loop/stage.ts';

const spec = aCanarySpec({ interval: '10m', threshold: 2, stepWeight: 20, maxWeight: 60, metrics: [] });

/** At rest, with a count of how often it was looked at. */
async function rested(): Promise<{ readonly stage: Stage; readonly looks: () => number }> {
  let count = 0;
  const counted = (releases: Releases): Releases =>
    Object.assign(Object.create(releases) as Releases, {
      recorded: (...asked: Parameters<Releases['recorded']>) => {
        count += 1;
        return releases.recorded(...asked);
      },
    });
  const stage = new Stage({ replicas: 1, podStartMs: 500, spec, faulty: { releases: counted } });
  stage.push({});
  stage.start();
  await stage.run(90_000);
  expect(stage.status.phase).toBe('Initialized');
  count = 0;
  return { stage, looks: () => count };
}
const note = (stage: Stage, number: number): void =>
  stage.edit('Deployment', 'app', (object) => ({
    ...object,
    metadata: { ...object.metadata, annotations: { note: `${number}` } },
  }));

describe('many changes at once', () => {
  it('are looked at twice at most: at the first and after the last of them', async () => {
    const { stage, looks } = await rested();
    for (let number = 0; number < 50; number += 1) note(stage, number);
    await stage.run(100);
    expect(looks()).toBeGreaterThan(0);
    expect(looks()).toBeLessThanOrEqual(2);
  });

  it('do not hide the one that begins a release, wherever it stands among them', async () => {
    for (const at of [0, 1, 25, 49]) {
      const { stage } = await rested();
      for (let number = 0; number < 50; number += 1) {
        note(stage, number);
        if (number === at)
          stage.edit('Deployment', 'app', (object) => {
            const { template } = object['spec'] as { readonly template: { readonly metadata: Json } };
            const metadata = { ...template.metadata, annotations: { restartedAt: 'now' } };
            return { ...object, spec: { ...(object['spec'] as Json), template: { ...template, metadata } } };
          });
      }
      await stage.run(100);
      expect(stage.status.phase, `change ${at}`).toBe('Progressing');
    }
  });
});

import { describe, expect, it } from 'vitest';
import { aCanarySpec } from '../../helpers/a-canary-spec.ts';
import { type Metrics, Stage } from '../../model/loop/stage.ts';

interface Place {
  /** Of the apex Service's routes, in percent. */
  readonly weight: number;
  /** How late whoever wrote them was said to be. */
  readonly lateMs: number;
}

/** A release that is judged so from its second check on: which of its routes stood where in line. */
async function routesOf(metrics: Metrics): Promise<{ places: Place[]; open: number }> {
  const stage = new Stage({
    replicas: 2,
    podStartMs: 500,
    spec: aCanarySpec({ threshold: 1, stepWeights: [20, 40] }),
  });
  const open = new Set<{ readonly lateMs: number }>();
  stage.cluster.late = (namespace, names, lateMs) => {
    expect([namespace, names]).toEqual(['demo', ['app', 'app', 'app']]);
    const own = { lateMs };
    open.add(own);
    return () => open.delete(own);
  };
  stage.push({});
  stage.start();
  await stage.run(120_000);
  const places: Place[] = [];
  stage.onWritten = ({ after }) => {
    if (after?.kind !== 'VirtualService') return;
    const { weight } = stage.routes;
    places.push({ weight, lateMs: Math.max(...[...open].map(({ lateMs }) => lateMs)) });
    if (weight === 40) stage.metrics = metrics;
  };
  stage.push({ version: 1 });
  stage.wakeSync();
  await stage.run(200_000);
  return { places, open: open.size };
}

const hourMs = 3_600_000;

describe('where requests wait for a slow API server', () => {
  it.each<[string, Metrics]>([
    ['are given up', 'bad'],
    ['are promoted', 'good'],
  ])('users who go home from releases that %s go before all that are led on', async (_how, metrics) => {
    const { places, open } = await routesOf(metrics);
    expect(places.map(({ weight }) => weight)).toEqual([20, 40, 0]);
    const [home] = places.filter(({ weight }) => weight === 0);
    expect(home?.lateMs).toBeGreaterThanOrEqual(hourMs);
    for (const { weight, lateMs } of places) if (weight > 0) expect(lateMs).toBeLessThan(hourMs);
    expect(open, 'every look has ended').toBe(0);
  });
});

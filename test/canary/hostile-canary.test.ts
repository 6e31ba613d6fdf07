import { expect, it } from 'vitest';
import { warningsOf } from '../../src/canary/warnings.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { providerProblem } from '../../src/routers/registry.ts';

/** Milliseconds of CPU of the quickest of three runs. */
const timeOf = (work: () => unknown): number => {
  const times = [1, 2, 3].map(() => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  });
  return Math.min(...times);
};
const many = (name: string): Record<string, unknown> =>
  Object.fromEntries(Array.from({ length: 40_000 }, (_, at) => [`${name}${at}`, 1]));
const canary = (spec: Record<string, unknown>): KubeObject => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { name: 'a', namespace: 'test' },
  spec,
});

it.each<[string, Record<string, unknown>]>([
  ['spec', many('targetRe')],
  ['analysis', { analysis: many('intervl') }],
  ['metrics', { analysis: { metrics: Array.from({ length: 12_000 }, () => ({ nam: 1, thresholdRnge: 2 })) } }],
])('a Canary with very many fields that nobody knows is told of 50 of them: %s', (_, spec) => {
  const unknown = warningsOf(canary(spec)).filter(({ message }) => message.includes('is no field'));
  expect(unknown).toHaveLength(50);
  expect(timeOf(() => warningsOf(canary(spec)))).toBeLessThan(200);
});

it('a provider that is as long as an object may be is refused at once, and not told as a whole', () => {
  const provider = 'istio'.repeat(200_000);
  expect(timeOf(() => providerProblem(provider))).toBeLessThan(100);
  expect(providerProblem(provider)?.length).toBeLessThan(500);
});

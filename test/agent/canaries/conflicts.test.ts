import { describe, expect, it } from 'vitest';
import { createConflicts } from '../../../src/agent/canaries/conflicts.ts';
import { createKeysFor } from '../../../src/agent/canaries/canary-index.ts';
import { parseCanary } from '../../../src/canary/parse.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';

const aCanary = (name: string, target: string, more: { service?: string; kind?: string; age?: string } = {}) => {
  const isKnative = more.kind === 'Knative';
  const apiVersion = isKnative ? 'serving.knative.dev/v1' : 'apps/v1';
  return {
    apiVersion: 'flagger.app/v1beta1',
    kind: 'Canary',
    metadata: { name, namespace: 'prod', creationTimestamp: `2026-01-0${more.age ?? '1'}T00:00:00Z` },
    spec: {
      provider: isKnative ? 'knative' : 'traefik',
      targetRef: { apiVersion, kind: isKnative ? 'Service' : 'Deployment', name: target },
      service: { port: 80, ...(more.service === undefined ? {} : { name: more.service }) },
      analysis: { stepWeight: 10 },
    },
  } satisfies KubeObject;
};

/** Why a Canary is refused beside the others; undefined: it is not. */
function refusal(own: KubeObject, ...others: readonly KubeObject[]): string | undefined {
  const all = [own, ...others];
  const canaries = {
    list: () => all,
    get: (_namespace: string | undefined, name: string) => all.find(({ metadata }) => metadata.name === name),
    onChange: () => () => undefined,
  };
  const conflicts = createConflicts(canaries, createKeysFor(canaries));
  try {
    conflicts.refuseSecond(own, parseCanary(own, { provider: 'traefik', minIntervalMs: 10_000 }));
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

describe('of two Canaries', () => {
  it('with one target the younger is refused [R89]', () => {
    const [first, second] = [aCanary('a', 'web'), aCanary('b', 'web', { age: '2' })];
    expect(refusal(second, first)).toBe(
      'canary b.prod: spec.targetRef: Deployment web.prod is released by the canary a already (one target, one Canary)',
    );
    expect(refusal(first, second)).toBeUndefined();
  });

  it.each([
    ['both name', aCanary('a', 'web', { service: 'shop' }), aCanary('b', 'api', { service: 'shop', age: '2' })],
    ['one names and the other is called', aCanary('a', 'shop'), aCanary('b', 'api', { service: 'shop', age: '2' })],
  ])('with Services that %s the younger is refused, or users of one would meet the other', (_how, first, second) => {
    expect(refusal(second, first)).toBe(
      'canary b.prod: spec.service.name: the Services shop.prod are those of the canary a already (choose another name)',
    );
    expect(refusal(first, second)).toBeUndefined();
  });

  it('none is refused where they share nothing, or Knative leads the users of one', () => {
    expect(refusal(aCanary('b', 'api', { age: '2' }), aCanary('a', 'web'))).toBeUndefined();
    expect(
      refusal(aCanary('b', 'api', { service: 'shop', age: '2' }), aCanary('a', 'shop', { kind: 'Knative' })),
    ).toBeUndefined();
  });
});

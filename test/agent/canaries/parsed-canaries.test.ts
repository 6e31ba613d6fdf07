import { describe, expect, it } from 'vitest';
import { createParsedCanaries } from '../../../src/agent/canaries/parsed-canaries.ts';
import { AgentError } from '../../../src/lib/errors.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';
import { appKey } from '../../helpers/key.ts';

const defaults = { provider: 'istio', minIntervalMs: 10_000 };
const spec = {
  targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
  service: { port: 80 },
  analysis: { interval: '10s', threshold: 2, stepWeight: 20, maxWeight: 40 },
};
const canary = (change: object, metadata: object = {}): KubeObject => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { name: 'app', namespace: 'demo', uid: 'one', generation: 1, ...metadata },
  spec: { ...spec, ...change },
});
const wrong = { analysis: { ...spec.analysis, stepWeight: 7.5 } };
const alone = { refuseSecond: () => undefined, waitingFor: () => [] };

describe('a Canary that cannot be understood', () => {
  it('stands still as it was last', () => {
    const parsedCanaries = createParsedCanaries(defaults, alone);
    const { router } = parsedCanaries.of(appKey('demo/app'), canary({ provider: 'traefik' }));
    const edited = canary({ ...wrong, provider: 'gloo:v9' }, { generation: 2 });
    expect(() => parsedCanaries.of(appKey('demo/app'), edited)).toThrow(AgentError);
    const still = parsedCanaries.still(appKey('demo/app'), edited);
    expect(still?.router).toBe(router);
    expect(still?.spec).toMatchObject({ suspend: true, provider: 'traefik', analysis: { intervalMs: 10_000 } });
  });

  it('stands still by what it says of its target and its users where it was never understood, or was another one', () => {
    const parsedCanaries = createParsedCanaries(defaults, alone);
    const still = parsedCanaries.still(appKey('demo/app'), canary({ ...wrong, provider: 'traefik' }));
    expect(still?.spec).toMatchObject({ suspend: true, provider: 'traefik', target: { name: 'app' } });
    parsedCanaries.of(appKey('demo/app'), canary({ provider: 'istio' }, { uid: 'before' }));
    expect(parsedCanaries.still(appKey('demo/app'), canary({ ...wrong, provider: 'traefik' }))?.spec.provider).toBe(
      'traefik',
    );
  });

  it('is left alone where too little is known, where it goes, and where another one has its target', () => {
    const parsedCanaries = createParsedCanaries(defaults, alone);
    expect(parsedCanaries.still(appKey('demo/app'), canary({ ...wrong, provider: 'gloo:v9' }))).toBeUndefined();
    expect(parsedCanaries.still(appKey('demo/app'), canary({ ...wrong, targetRef: { kind: 'Pod' } }))).toBeUndefined();
    const going = canary(wrong, { deletionTimestamp: '2026-01-01T00:00:00Z' });
    expect(parsedCanaries.still(appKey('demo/app'), going)).toBeUndefined();
    const second = createParsedCanaries(defaults, {
      ...alone,
      refuseSecond: () => {
        throw new AgentError('CANARY_INVALID', 'another Canary has the target');
      },
    });
    expect(second.still(appKey('demo/app'), canary(wrong))).toBeUndefined();
  });
});

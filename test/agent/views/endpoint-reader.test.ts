import { describe, expect, it } from 'vitest';
import { createEndpointReader } from '../../../src/agent/views/endpoint-reader.ts';
import type { CanarySpec } from '../../../src/canary/types.ts';
import type { Cluster, ListOptions } from '../../../src/cluster/cluster.ts';
import { AgentError } from '../../../src/lib/errors.ts';
import { createLogger } from '../../../src/lib/log.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';
import { manualClock } from '../../helpers/manual-clock.ts';

const spec = { namespace: 'test', name: 'web', service: { name: 'shop' } } as unknown as CanarySpec;

/** A slice with these pods; those that end in `!` are not ready. */
function slice(addressType: 'IPv4' | 'IPv6', ...pods: readonly string[]): KubeObject {
  const endpoints = pods.map((pod) => ({
    addresses: [addressType === 'IPv4' ? '10.0.0.1' : 'fd00::1'],
    conditions: { ready: !pod.endsWith('!') },
    targetRef: { kind: 'Pod', name: pod.replace('!', '') },
  }));
  return { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: 'a' }, addressType, endpoints };
}

function stage(answer: () => readonly KubeObject[]) {
  const clock = manualClock();
  const messages: string[] = [];
  const asked: ListOptions[] = [];
  const cluster = {
    list: async (_kind: unknown, options: ListOptions) => {
      asked.push(options);
      return answer();
    },
  } as unknown as Cluster;
  const log = createLogger('warn', (line) => void messages.push(line));
  const read = createEndpointReader({ cluster, clock, log });
  return { clock, messages, asked, read: (pods: number) => read(spec, pods, new AbortController().signal) };
}

describe('EndpointSlices of a canary', () => {
  it('are asked for by its Service', async () => {
    const { read, asked } = stage(() => []);
    await read(1);
    expect(asked).toMatchObject([{ namespace: 'test', labelSelector: 'kubernetes.io/service-name=shop-canary' }]);
  });

  it('are known from the moment at which all pods were told, each counted once', async () => {
    let slices = [slice('IPv4', 'a', 'b!')];
    const { read, clock } = stage(() => slices);
    expect(await read(2)).toEqual({ ready: 1, unknownMs: 0 });
    clock.advance(150);
    expect(await read(2)).toEqual({ ready: 1, unknownMs: 150 });
    slices = [slice('IPv4', 'a', 'b'), slice('IPv6', 'a', 'b')];
    expect(await read(2)).toEqual({ ready: 2, knownMs: 0 });
    clock.advance(300);
    expect(await read(2)).toEqual({ ready: 2, knownMs: 300 });
    // The next release begins anew.
    clock.advance(120_000);
    expect(await read(2)).toEqual({ ready: 2, knownMs: 0 });
  });

  it('say nothing where nobody keeps them, and where they may not be read, which is told once', async () => {
    expect(await stage(() => []).read(1)).toEqual({});
    const refused = stage(() => {
      throw new AgentError('CLUSTER_REFUSED', 'forbidden');
    });
    expect(await refused.read(1)).toEqual({});
    expect(await refused.read(1)).toEqual({});
    expect(refused.messages).toHaveLength(1);
    expect(refused.messages[0]).toContain('EndpointSlices cannot be read');
  });

  it('have no pod where an empty one stands for the Service', async () => {
    expect(await stage(() => [slice('IPv4')]).read(1)).toEqual({ ready: 0, unknownMs: 0 });
  });
});

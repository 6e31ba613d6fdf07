import { describe, expect, it } from 'vitest';
import { serverReason } from '../../src/cluster/cluster.ts';
import { failureOf as clusterFailure } from '../../src/cluster/request.ts';
import type { KubeObject, Manifest } from '../../src/manifest/types.ts';
import { failureOf } from '../../src/sync/apply.ts';

const writers = { nameOf: () => 'the agent', rightsOf: () => 'patch' } as unknown as Parameters<typeof failureOf>[2];

/** The hint that is given where the server refuses an object of this name with these words. */
function hintFor(kind: string, name: string, status: number, said: string): string | undefined {
  const object: KubeObject = { apiVersion: 'v1', kind, metadata: { namespace: 'shop', name } };
  const what = { method: 'PATCH', path: '/', what: `apply ${kind} shop/${name}` } as unknown as Parameters<
    typeof clusterFailure
  >[0];
  const manifest = { object, source: { path: 'a.yaml', document: 0, line: 1 }, origin: { path: 'a.yaml' } };
  const error = clusterFailure(what, status, { message: said, reason: 'Invalid' });
  return failureOf(manifest as unknown as Manifest, error, writers).hint;
}

describe('what the API server says of an object', () => {
  const forbidden = (name: string): string =>
    `configmaps "${name}" is forbidden: User "agent" cannot patch resource "configmaps" in API group "" in the namespace "shop"`;

  it.each(['settings', 'compute-quota', 'quota', 'cannot-impersonate'])(
    'is told from what the object is called: a right is missing for %s',
    (name) => {
      expect(hintFor('ConfigMap', name, 403, forbidden(name))).toBe(
        'grant the agent the right to patch ConfigMap (core)',
      );
    },
  );

  it.each(['settings', 'immutable-settings', 'immutable'])('and so for a wrong value of %s', (name) => {
    const wrong = `ConfigMap "${name}" is invalid: metadata.labels: Invalid value: "immutable": must be something else`;
    expect(hintFor('ConfigMap', name, 422, wrong)).toBeUndefined();
    const fixed = `ConfigMap "${name}" is invalid: data: Forbidden: field is immutable when \`immutable\` is set`;
    expect(hintFor('ConfigMap', name, 422, fixed)).toMatch(/can only be set at creation/);
  });

  it('still tells of a quota, and of a namespace that is not there', () => {
    expect(hintFor('ConfigMap', 'a', 403, 'configmaps "a" is forbidden: exceeded quota: small')).toBeUndefined();
    expect(hintFor('ConfigMap', 'a', 404, 'namespaces "shop" not found')).toBe('commit a Namespace shop, or create it');
  });

  it.each([
    ['Service', 422, 'spec.ports[0].port: Invalid value: "hunter2": must be a number'],
    ['Deployment', 400, 'strict decoding error: unknown field "spec.hunter2"'],
    ['Secret', 422, 'data[hunter2]: Invalid value: "hunter2"'],
  ])('is left out of what is made with secrets: of a %s', (kind, status, said) => {
    const error = clusterFailure({ what: 'x' } as never, status, { message: said, reason: 'Invalid' });
    const object: KubeObject = { apiVersion: 'v1', kind, metadata: { namespace: 'shop', name: 'a' } };
    const origin = { renderer: 'plain', path: 'a.yaml', line: 1, document: 0 } as const;
    const told = failureOf({ object, origin, sealed: '' }, error, writers);
    expect(told.message).toBe(
      `${kind} shop/a: the API server refuses it (${status}); its words are left out, because secrets take part in it`,
    );
    expect(JSON.stringify(told)).not.toContain('hunter2');
    expect(failureOf({ object, origin }, error, writers).message).toContain('hunter2');
  });

  it('is read in bounded time, whatever it quotes', () => {
    const error = clusterFailure({ what: 'x' } as never, 422, {
      message: `${'"'.repeat(200_001)}immutable`,
      reason: '',
    });
    const startedMs = performance.now();
    expect(serverReason(error).length).toBeLessThan(20_001);
    expect(performance.now() - startedMs).toBeLessThan(200);
  });
});

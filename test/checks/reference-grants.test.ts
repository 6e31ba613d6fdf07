import { expect, it } from 'vitest';
import { grantFinder } from '../../src/checks/reference-grants.ts';
import type { KubeObject, Manifest } from '../../src/manifest/types.ts';
import { aSpec } from '../helpers/a-route-context.ts';

const grant = (spec: unknown, namespace = 'audit', apiVersion = 'gateway.networking.k8s.io/v1beta1'): Manifest => ({
  object: { apiVersion, kind: 'ReferenceGrant', metadata: { name: 'g', namespace }, spec } as KubeObject,
  origin: { renderer: 'plain', path: 'a.yaml', line: 1, document: 0 },
});
const from = [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'prod' }];
const to = [{ group: '', kind: 'Service' }];
const copying = (namespace: string | undefined, provider = 'gatewayapi:v1') =>
  aSpec({ provider, service: { raw: { mirror: [{ backendRef: { name: 'log', port: 80, namespace } }] } } });
const told = (manifest: Manifest | undefined, spec = copying('audit')): number =>
  grantFinder(manifest ? [manifest] : [])(spec).length;

it('is told that copies go to another namespace which does not allow it', () => {
  expect(grantFinder([])(copying('audit'))).toEqual([
    {
      field: 'spec.service.mirror[0].backendRef',
      message:
        'leads to Service log.audit, which a route of prod may do only by a ReferenceGrant in audit, and Git has none',
      hint: 'commit it, or be sure that the cluster has it',
      severity: 'warning',
    },
  ]);
  expect(told(grant({ from, to }, 'elsewhere'))).toBe(1);
  expect(told(grant({ from: [{ ...from[0], namespace: 'stage' }], to }))).toBe(1);
  expect(told(grant({ from: [{ ...from[0], kind: 'GRPCRoute' }], to }))).toBe(1);
  expect(told(grant({ from, to: [{ ...to[0], name: 'other' }] }))).toBe(1);
  expect(told(grant({ from, to: 'Service' }))).toBe(1);
});

it('is not told where it is allowed, or nothing goes elsewhere', () => {
  expect(told(grant({ from, to }))).toBe(0);
  expect(told(grant({ from, to: [{ kind: 'Service', name: 'log' }] }, 'audit', 'gateway.networking.k8s.io/v1'))).toBe(
    0,
  );
  for (const spec of [
    copying('prod'),
    copying(undefined),
    copying('audit', 'istio'),
    aSpec({ provider: 'gatewayapi' }),
  ])
    expect(told(undefined, spec)).toBe(0);
});

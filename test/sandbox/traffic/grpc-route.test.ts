import { expect, it } from 'vitest';
import { asHttpRoute } from '../../../src/sandbox/traffic/grpc-route.ts';
import type { StoredObject } from '../../../src/sandbox/types.ts';

it.each([
  [
    { service: 'a.B', method: 'C' },
    { type: 'Exact', value: '/a.B/C' },
  ],
  [{ service: 'a.B' }, { type: 'PathPrefix', value: '/a.B' }],
  [{ method: 'Get.One' }, { type: 'RegularExpression', value: '/[^/]+/Get\\.One' }],
  [
    { type: 'RegularExpression', service: 'a\\..*', method: 'Get.*' },
    { type: 'RegularExpression', value: '/a\\..*/Get.*' },
  ],
])('a method of a GRPCRoute is a path: %j', (method, path) => {
  const headers = [{ name: 'x', value: '1' }];
  const route = { spec: { rules: [{ matches: [{ method, headers }, { headers }] }, {}] } } as unknown as StoredObject;
  expect(asHttpRoute(route).spec).toEqual({ rules: [{ matches: [{ headers, path }, { headers }] }, {}] });
});

import { expect, it } from 'vitest';
import { failureOf } from '../../src/cluster/request.ts';

const failed = (status: number, message: string) =>
  failureOf({ method: 'PATCH', path: '/', what: 'Deployment test/a' }, status, { message });

it.each([
  'etcdserver: request is too large',
  'rpc error: code = ResourceExhausted desc = trying to send message larger than max (2200313 vs. 2097152)',
  'failed to create typed patch object (test/a; apps/v1, Kind=Deployment): .spec.x: field not declared in schema',
])('a server error that waiting does not mend is a refusal of that object: %s', (message) => {
  expect(failed(500, message)).toMatchObject({ code: 'CLUSTER_REFUSED' });
  expect(failed(500, message).message).toContain(message);
});

it.each([
  [500, 'etcdserver: request timed out'],
  [503, 'etcdserver: request is too large'],
  [429, 'too many requests'],
])('any other is the server out of reach: %i %s', (status, message) => {
  expect(failed(status, message)).toMatchObject({ code: 'CLUSTER_UNREACHABLE' });
});

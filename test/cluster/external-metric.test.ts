import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { openCluster } from '../../src/cluster/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { type Answer, startServer, type TestServer } from '../helpers/http-server.ts';
import { useCluster } from './a-cluster.ts';

const start = useCluster();
const { signal } = new AbortController();
const metric = { namespace: 'prod', name: 'queue|depth', labelSelector: 'app=shop,tier in (a)' };
const opened: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

/** A client of an API server that answers so. */
async function asking(answer: Answer) {
  const server: TestServer = await startServer(answer);
  opened.push(server);
  const text = JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'x',
    clusters: [{ name: 'x', cluster: { server: server.url } }],
    users: [{ name: 'x', user: {} }],
    contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
  });
  const cluster = await openCluster({ kind: 'text', text }, { clock: systemClock, log: silentLogger });
  opened.push(cluster);
  return { cluster, server };
}

it('an external metric is read where Kubernetes serves it, with what a metric may be called', async () => {
  const list = { kind: 'ExternalMetricValueList', items: [{ value: '1' }] };
  const { cluster, server } = await asking((_, response) =>
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(list)),
  );
  expect(await cluster.externalMetric(metric, signal)).toEqual(list);
  await cluster.externalMetric({ namespace: 'prod', name: 'queue', labelSelector: '' }, signal);
  const api = '/apis/external.metrics.k8s.io/v1beta1/namespaces/prod';
  const [first = '', second] = server.requests.map(({ path }) => path);
  expect(first.split('?')[0]).toBe(`${api}/queue%7Cdepth`);
  expect(new URLSearchParams(first.split('?')[1]).get('labelSelector')).toBe(metric.labelSelector);
  expect(second).toBe(`${api}/queue`);
});

it('an external metric is unknown where nobody serves it, and refused where it may not be read', async () => {
  const { client } = await start();
  expect(await client.externalMetric(metric, signal)).toBeUndefined();
  const { cluster } = await asking((_, response) =>
    response.writeHead(403, { 'content-type': 'application/json' }).end(
      JSON.stringify({
        kind: 'Status',
        status: 'Failure',
        reason: 'Forbidden',
        message: 'queue is forbidden',
        code: 403,
      }),
    ),
  );
  await expect(cluster.externalMetric(metric, signal)).rejects.toMatchObject({ code: 'CLUSTER_REFUSED' });
});

it('the right to read external metrics is one of its own, for reading alone', () => {
  const text = readFileSync(join(import.meta.dirname, '../../manifests/external-metrics.yaml'), 'utf8');
  const [role, binding] = parseAllDocuments(text).map((document) => document.toJS() as Record<string, unknown>);
  expect(role).toMatchObject({
    kind: 'ClusterRole',
    rules: [{ apiGroups: ['external.metrics.k8s.io'], resources: ['*'], verbs: ['get', 'list'] }],
  });
  expect(binding).toMatchObject({
    roleRef: { kind: 'ClusterRole', name: (role?.['metadata'] as { name: string } | undefined)?.name },
    subjects: [{ kind: 'ServiceAccount', name: 'serin', namespace: 'serin' }],
  });
});

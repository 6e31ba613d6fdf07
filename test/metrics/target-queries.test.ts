import { expect, it } from 'vitest';
import { builtinQuery, proxyOf } from '../../src/metrics/builtin-queries.ts';

const subject = { namespace: 'test', target: 'podinfo', service: 'podinfo', ingress: 'podinfo', interval: '1m' };
const podsIn = (query: string): RegExp => {
  const [, pattern = ''] = /kubernetes_pod_name=~"([^"]*)"/.exec(query) ?? [];
  return new RegExp(`^(?:${pattern})$`);
};

it("judges a DaemonSet's canary by its own pods, not by the primary's", () => {
  const { query } = builtinQuery('request-success-rate', 'http', { ...subject, isDaemonSet: true });
  expect('podinfo-x2x4z').toMatch(podsIn(query));
  expect('podinfo-primary-x2x4z').not.toMatch(podsIn(query));
  const ofDeployment = builtinQuery('request-success-rate', 'http', subject).query;
  expect('podinfo-7d9f8-x2x4z').toMatch(podsIn(ofDeployment));
  expect('podinfo-primary-7d9f8-x2x4z').not.toMatch(podsIn(ofDeployment));
});

it('asks for the latest Revision of a Knative Service', () => {
  const { query } = builtinQuery('request-duration', proxyOf('knative', 'istio'), {
    ...subject,
    route: 'podinfo-00002',
  });
  expect(query).toBe(
    'histogram_quantile(0.99, sum(rate(envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name=~"test/podinfo-00002"}[1m])) by (le))',
  );
});

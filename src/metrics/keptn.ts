import { AgentError, messageOf } from '../lib/errors.ts';
import { at } from '../lib/json.ts';
import { invalid, noValues, numberReading, refused } from './http-provider.ts';
import type { MetricProvider } from './provider.ts';

const form = 'keptnmetric/namespace/name';

/**
 * A KeptnMetric of the agent's own cluster. Keptn is archived; what its operator has measured last is read, and its analyses, which would have to be made for each
 * question, are refused.
 */
export const keptn: MetricProvider = {
  name: 'keptn',
  about: {
    title: 'Keptn',
    url: 'https://keptn.sh/stable/docs/reference/crd-reference/metric/',
    notes: 'KeptnMetrics of the cluster; not its analyses',
  },
  hasOwnAddress: true,
  check() {
    // It needs neither an address nor a Secret.
  },
  queryProblem(query) {
    // What a template fills in is not known yet.
    if (query.includes('{{')) return undefined;
    try {
      wantedOf(query);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  },
  async measure({ query }, { cluster }, signal) {
    const wanted = wantedOf(query);
    if (!cluster) throw invalid('no cluster is asked here');
    const ref = { apiVersion: 'metrics.keptn.sh/v1beta1', kind: 'KeptnMetric', ...wanted };
    try {
      const metric = await cluster.get(ref, signal);
      if (!metric) return refused(`KeptnMetric ${wanted.name} not found`, false);
      const value: unknown = at(metric, 'status', 'value');
      return value === undefined || value === '' ? noValues : numberReading(value);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return refused(error.message, error.code === 'CLUSTER_UNREACHABLE');
    }
  },
  // As Flagger: whoever is asked for a value will be told.
  probe: () => Promise.resolve({ kind: 'value', value: 1 }),
};

/** Throws AgentError CANARY_INVALID of what is no question. */
function wantedOf(query: string): { readonly namespace: string; readonly name: string } {
  const [kind = '', namespace = '', name = ''] = query.trim().toLowerCase().split('/');
  if (kind === 'analysis' || kind === 'analyses')
    throw invalid(`analyses of Keptn are not made in this release; the query has to be ${form}`);
  if ((kind !== 'keptnmetric' && kind !== 'keptnmetrics') || ![namespace, name].every(isName))
    throw invalid(`the query has to be ${form}`);
  return { namespace, name };
}

const isName = (text: string): boolean => /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/.test(text);

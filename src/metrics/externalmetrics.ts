import { AgentError, messageOf } from '../lib/errors.ts';
import type { HttpResponse } from '../lib/http/http.ts';
import { quantityOf } from '../manifest/checks/quantity.ts';
import {
  httpProvider,
  invalid,
  jsonOf,
  noValues,
  numberReading,
  refusal,
  refused,
  unlike,
  urlUnder,
} from './http-provider.ts';
import type { MetricProvider, MetricTarget, ProviderIo, Reading } from './provider.ts';

const name = 'the external metrics API';
const form = 'namespace/metric?labelSelector=app%3Dshop';

interface Wanted {
  readonly namespace: string;
  readonly name: string;
  /** As Kubernetes writes it; empty: all. */
  readonly labelSelector: string;
}

/** As Flagger: where this is answered, others are. */
const dummy: Wanted = { namespace: 'kube-system', name: 'dummy-metric', labelSelector: '' };

const byHttp = httpProvider({
  name: 'externalmetrics',
  about: {
    title: 'Kubernetes external metrics',
    url: 'https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#support-for-metrics-apis',
    notes: "the cluster's own where no address is written; with one, a token in its Secret",
  },
  hasOwnAddress: true,
  measure: { request: ({ query, ...target }) => requestFor(target, wantedOf(query)), parse },
  probe: {
    request: (target) => requestFor(target, dummy),
    parse: (response) => online(parse(response)),
  },
});

/**
 * External metrics of Kubernetes: what adapters such as KEDA serve. Without an address the agent's own cluster is asked, with its own rights; an address that is
 * written gets the token of the Secret, and never the agent's.
 */
export const externalmetrics: MetricProvider = {
  ...byHttp,
  check(target) {
    byHttp.check(target);
    if (target.address === '' && target.credentials?.['token'] !== undefined)
      throw invalid('spec.provider.address is missing: a token is sent to an address alone');
  },
  async measure(query, io, signal) {
    return query.address === '' ? ofCluster(wantedOf(query.query), io, signal) : byHttp.measure(query, io, signal);
  },
  async probe(target, io, signal) {
    if (target.address !== '') return byHttp.probe(target, io, signal);
    // Others' namespaces may be closed.
    const own = { ...dummy, namespace: io.cluster?.namespace ?? dummy.namespace };
    return online(await ofCluster(own, io, signal));
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
};

/** Whether there is such a metric does not matter. */
function online(reading: Reading): Reading {
  return reading.kind === 'refused' && reading.reason !== 'the result is no number'
    ? reading
    : { kind: 'value', value: 1 };
}

/** Throws AgentError CANARY_INVALID of what is no question. */
function wantedOf(query: string): Wanted {
  const [path = '', search = ''] = query.trim().split(/\?(.*)/s);
  const parts = path.replace(/^\//, '').split('/');
  const metric = decoded(parts.at(-1) ?? '');
  if (parts.length > 2 || metric === '' || metric === '.' || metric === '..' || metric.length > 253)
    throw invalid(`the query has to be ${form}`);
  const namespace = (parts.length === 2 && parts[0]) || 'default';
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace))
    throw invalid(`the namespace in the query is none; the query has to be ${form}`);
  return { namespace, name: metric, labelSelector: new URLSearchParams(search).get('labelSelector') ?? '' };
}

function decoded(metric: string): string {
  try {
    return decodeURIComponent(metric);
  } catch {
    throw invalid(`the query has to be ${form}`);
  }
}

function requestFor(target: MetricTarget, { namespace, name: metric, labelSelector }: Wanted) {
  const { address, credentials } = target;
  const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/${encodeURIComponent(metric)}`;
  const search = labelSelector === '' ? {} : { labelSelector };
  const token = credentials?.['token']?.trim();
  return {
    // Where none is written the cluster is asked, and this is not sent.
    url: urlUnder(address === '' ? 'https://kubernetes' : address, path, search).href,
    headers: { accept: 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
  };
}

async function ofCluster(wanted: Wanted, { cluster }: ProviderIo, signal: AbortSignal): Promise<Reading> {
  if (!cluster) throw invalid('spec.provider.address is missing: no cluster is asked here');
  try {
    const list = await cluster.externalMetric(wanted, signal);
    if (list === undefined)
      return refused('the cluster serves no such metric: is its adapter there (external.metrics.k8s.io)?', false);
    return readingOf(list) ?? refused(`the answer is not one of ${name}`, true);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return refused(error.message, error.code === 'CLUSTER_UNREACHABLE');
  }
}

function parse(response: HttpResponse): Reading {
  if (response.status !== 200) return refusal(name, response);
  const read = jsonOf(name, response);
  if ('unlike' in read) return read.unlike;
  return readingOf(read.json) ?? unlike(name, response);
}

/** Undefined: it is no list of values. */
function readingOf(list: unknown): Reading | undefined {
  const { kind, items } = (list ?? {}) as { readonly kind?: unknown; readonly items?: unknown };
  if (kind !== 'ExternalMetricValueList' || !Array.isArray(items)) return undefined;
  // Flagger takes the first one, whichever that is.
  if (items.length > 1)
    return refused(
      `query returned multiple values: ${items.length} series, one is needed (labelSelector chooses)`,
      false,
    );
  if (items.length === 0) return noValues;
  return numberReading(quantityOf((items[0] as { readonly value?: unknown } | null)?.value));
}

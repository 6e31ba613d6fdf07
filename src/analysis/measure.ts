import type { CanarySpec, MetricSource, MetricSpec, Sample } from '../canary/types.ts';
import { primaryName } from '../canary/names.ts';
import { parseGoDuration } from '../lib/duration.ts';
import { AgentError, messageOf } from '../lib/errors.ts';
import { TargetRefused } from '../lib/http/http.ts';
import { renderTemplate } from '../lib/template.ts';
import type { KubeObject } from '../manifest/types.ts';
import { builtinQuery, isBuiltin, ofPrimary, proxyOf, type QuerySubject } from '../metrics/builtin-queries.ts';
import { prometheus } from '../metrics/prometheus.ts';
import type { MetricProvider, MetricQuery, MetricTarget, ProviderIo, Reading } from '../metrics/provider.ts';
import { metricProviderFor } from '../metrics/registry.ts';
import { toldQuery } from './told-query.ts';

export interface MetricIo extends ProviderIo {
  /** Prometheus base URL for canaries that name none. */
  readonly metricsServer: string;
  /** The agent's own provider; a Linkerd mesh decides over all canaries' queries. */
  readonly meshProvider: string;
  /** Knative's latest Revision. Absent: there is none. */
  readonly revision?: string;
  template(namespace: string, name: string): KubeObject | undefined;
  /** Decoded data; undefined where there is no such Secret. */
  secret(namespace: string, name: string, signal: AbortSignal): Promise<Readonly<Record<string, string>> | undefined>;
}

/**
 * Asks for one metric: its template, else its own query, else the built-in one of that name.
 * Values are percent for request-success-rate, milliseconds for request-duration, the query's own unit otherwise.
 */
export async function measure(
  spec: CanarySpec,
  metric: MetricSpec,
  io: MetricIo,
  signal: AbortSignal,
): Promise<Sample> {
  if (metric.templateRef) return measureTemplate(spec, metric, metric.templateRef, io, signal);
  const address = spec.metricsServer ?? io.metricsServer;
  if (metric.query) {
    const failed = `Prometheus query failed for ${metric.name}: `;
    const query = rendered(metric.query, spec, metric, io);
    if (typeof query !== 'string')
      return { kind: 'invalid', text: `${failed}rendering query failed: ${query.message}` };
    return sampleOf(await ask(prometheus, queryOf({ address }, query, metric, io), io, signal), failed);
  }
  if (isBuiltin(metric.name)) {
    const subject = { ...subjectOf(spec, io), interval: metric.interval };
    const { query, traffic, factor } = builtinQuery(metric.name, proxyOf(spec.provider, io.meshProvider), subject);
    const put = (text: string): Promise<Asked> => ask(prometheus, queryOf({ address }, text, metric, io), io, signal);
    const running = 'running query failed: ';
    const first = await put(query);
    const { reading, source } = first;
    if (reading.kind === 'value') return { kind: 'value', value: reading.value * factor, source };
    if (reading.kind === 'no-data' && reading.cause === 'noSeries' && traffic !== undefined) {
      // Where nothing has ever succeeded there is no series to divide: not silence but 0 percent.
      const asked = await put(traffic);
      const { reading: all } = asked;
      if (all.kind === 'value' && all.value > 0) return { kind: 'value', value: 0, source };
      if (all.kind === 'value')
        return { kind: 'no-data', cause: 'noTraffic', reason: `${running}no requests in ${metric.interval}`, source };
      if (all.kind === 'refused') return sampleOf(asked, `Prometheus query failed: ${running}`);
    }
    const sample = sampleOf(first, `Prometheus query failed: ${running}`);
    return sample.kind === 'no-data' ? { ...sample, reason: `${running}${sample.reason}` } : sample;
  }
  return { kind: 'invalid', text: 'Metric query failed for no usable metrics template and query were configured' };
}

/**
 * How to ask what a built-in metric says of the old version, in the unit that `measure` gives; null is no value. Nothing is judged by it.
 * Undefined: it is no built-in metric, or the proxy does not tell the versions apart.
 */
export function measuringPrimary(
  spec: CanarySpec,
  metric: MetricSpec,
  io: Pick<MetricIo, 'http' | 'clock' | 'metricsServer' | 'meshProvider'>,
): ((signal: AbortSignal) => Promise<number | null>) | undefined {
  if (metric.templateRef || metric.query || !isBuiltin(metric.name)) return undefined;
  const proxy = proxyOf(spec.provider, io.meshProvider);
  const canary = { ...subjectOf(spec, {}), interval: metric.interval };
  const subject = ofPrimary(proxy, canary, primaryName(spec.target.name));
  if (!subject) return undefined;
  const { query, factor } = builtinQuery(metric.name, proxy, subject);
  const target = { address: spec.metricsServer ?? io.metricsServer };
  return async (signal) => {
    const { reading } = await ask(prometheus, queryOf(target, query, metric, io), io, signal);
    return reading.kind === 'value' ? reading.value * factor : null;
  };
}

/** Whether all metrics providers of a canary answer: value 1, or the first that does not. */
export async function metricsOnline(spec: CanarySpec, io: MetricIo, signal: AbortSignal): Promise<Sample> {
  const failed = 'Error checking metric providers: ';
  const probes = new Map<string, { provider: MetricProvider; target: MetricTarget }>();
  for (const metric of spec.analysis.metrics) {
    if (metric.templateRef) {
      const found = await findTemplate(metric.templateRef, io, signal);
      if ('kind' in found) return { ...found, text: `${failed}${found.text}` };
      const { provider, target, where } = found;
      probes.set(`${provider.name} ${target.address} ${where}`, { provider, target });
    } else {
      const address = spec.metricsServer ?? io.metricsServer;
      probes.set(address, { provider: prometheus, target: { address } });
    }
  }
  for (const { provider, target } of probes.values()) {
    const reading = await answered(target, signal, () => provider.probe(target, io, signal));
    const sample = sampleOf({ reading }, `${failed}${provider.name} not available: `);
    if (sample.kind === 'no-data') {
      return { kind: 'unreachable', text: `${failed}${provider.name} not available: ${sample.reason}` };
    }
    if (sample.kind !== 'value') return sample;
  }
  return { kind: 'value', value: 1 };
}

async function measureTemplate(
  spec: CanarySpec,
  metric: MetricSpec,
  ref: { readonly namespace: string; readonly name: string },
  io: MetricIo,
  signal: AbortSignal,
): Promise<Sample> {
  const found = await findTemplate(ref, io, signal);
  if ('kind' in found) return found;
  const { provider, target, query, where } = found;
  const text = rendered(query, spec, metric, io);
  if (typeof text !== 'string') {
    return { kind: 'invalid', text: `Metric template ${where} query render error: ${text.message}` };
  }
  const asked = await ask(provider, queryOf(target, text, metric, io), io, signal);
  return sampleOf(asked, `Metric query failed for ${metric.name}: `);
}

interface FoundTemplate {
  readonly provider: MetricProvider;
  readonly target: MetricTarget;
  /** Not rendered yet. */
  readonly query: string;
  /** `name.namespace`, as in messages. */
  readonly where: string;
}
type Failure = Extract<Sample, { kind: 'invalid' | 'unreachable' }>;

async function findTemplate(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  io: MetricIo,
  signal: AbortSignal,
): Promise<FoundTemplate | Failure> {
  const where = `${name}.${namespace}`;
  const template = io.template(namespace, name);
  if (!template) {
    return { kind: 'invalid', text: `Metric template ${where} error: metrictemplate.flagger.app "${name}" not found` };
  }
  const { provider: wanted = {}, query = '' } = (template['spec'] ?? {}) as TemplateSpec;
  const type = wanted.type ?? 'prometheus';
  let credentials: Readonly<Record<string, string>> | undefined;
  const secretName = wanted.secretRef?.name;
  if (secretName) {
    try {
      credentials = await io.secret(namespace, secretName, signal);
    } catch (error) {
      signal.throwIfAborted();
      const kind = error instanceof AgentError && error.code === 'CLUSTER_REFUSED' ? 'invalid' : 'unreachable';
      return { kind, text: `Metric template ${where} secret ${secretName} error: ${messageOf(error)}` };
    }
    if (!credentials) {
      const text = `Metric template ${where} secret ${secretName} error: secrets "${secretName}" not found`;
      return { kind: 'invalid', text };
    }
  }
  try {
    const provider = metricProviderFor(type);
    const target: MetricTarget = {
      address: wanted.address || (provider.address ?? ''),
      ...(wanted.headers ? { headers: wanted.headers } : {}),
      ...(credentials ? { credentials } : {}),
      insecureSkipVerify: wanted.insecureSkipVerify ?? false,
      ...(wanted.region ? { region: wanted.region } : {}),
    };
    // Address and credentials are looked at here, so that their fault is told as the template's.
    if (provider.secretKeys && !credentials)
      throw new AgentError('CANARY_INVALID', `a secretRef with ${provider.secretKeys.join(' and ')} is needed`);
    provider.check(target);
    return { provider, target, query, where };
  } catch (error) {
    return { kind: 'invalid', text: `Metric template ${where} provider ${type} error: ${messageOf(error)}` };
  }
}

interface TemplateSpec {
  readonly provider?: {
    readonly type?: string;
    readonly address?: string;
    readonly headers?: Readonly<Record<string, readonly string[]>>;
    readonly secretRef?: { readonly name?: string };
    readonly insecureSkipVerify?: boolean;
    readonly region?: string;
  };
  readonly query?: string;
}

function subjectOf(
  { namespace, target, targetKind, service, ingressRef, ingressRefs = [], routeRef }: CanarySpec,
  { revision }: Pick<MetricIo, 'revision'>,
): Omit<QuerySubject, 'interval'> & { readonly route: string } {
  return {
    namespace,
    target: target.name,
    service: service.name,
    ingress: ingressRef?.name ?? target.name,
    ...(ingressRefs.length > 1 ? { entrances: ingressRefs.map(({ name }) => name) } : {}),
    route: routeRef?.name ?? revision ?? target.name,
    isDaemonSet: targetKind === 'DaemonSet',
  };
}

/** The values that queries may use; a wrong template comes back as its error. */
function rendered(
  query: string,
  spec: CanarySpec,
  metric: MetricSpec,
  io: Pick<MetricIo, 'revision'>,
): string | AgentError {
  const { isDaemonSet: _kind, entrances: _all, ...names } = subjectOf(spec, io);
  try {
    return renderTemplate(query, {
      ...names,
      name: spec.name,
      interval: metric.interval,
      variables: metric.templateVariables ?? {},
    });
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
}

function queryOf(
  target: MetricTarget,
  query: string,
  { interval }: MetricSpec,
  { clock }: Pick<MetricIo, 'clock'>,
): MetricQuery {
  return { ...target, query, nowMs: clock.now(), windowMs: parseGoDuration(interval) ?? defaultWindowMs };
}

/** Flagger's default of a metric's interval. */
const defaultWindowMs = 60_000;

/** What a provider says, and how that came about. */
interface Asked {
  readonly reading: Reading;
  readonly source: MetricSource;
}

async function ask(provider: MetricProvider, query: MetricQuery, io: ProviderIo, signal: AbortSignal): Promise<Asked> {
  const reading = await answered(query, signal, () => provider.measure(query, io, signal));
  const { windowMs, nowMs: measuredAtMs } = query;
  const told = toldQuery(query.query, query);
  const source = { provider: provider.name, windowMs, measuredAtMs, ...(told === undefined ? {} : { query: told }) };
  return { reading, source };
}

/** A reading also where nobody answers or the question cannot be put; rejects only when `signal` ends it. */
async function answered(target: MetricTarget, signal: AbortSignal, read: () => Promise<Reading>): Promise<Reading> {
  try {
    return await read();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AgentError) return { kind: 'refused', reason: error.message, passing: false };
    const passing = !(error instanceof TargetRefused);
    return { kind: 'refused', reason: `request failed: ${hostOf(target.address)}: ${messageOf(error)}`, passing };
  }
}

function sampleOf({ reading, source }: Pick<Asked, 'reading'> & Partial<Asked>, failed: string): Sample {
  if (reading.kind !== 'refused') return source ? { ...reading, source } : reading;
  return { kind: reading.passing ? 'unreachable' : 'invalid', text: `${failed}${reading.reason}` };
}

/** Without credentials, path and query. */
function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : '(no URL)';
}

import { at, isRecord, type Json, jsonOf, listOf, textOf } from '../lib/json.ts';
import type { KubeObject } from '../manifest/types.ts';
import { type Bounds, readCondition } from './condition.ts';
import { createNotes, type Found, type Note } from './types.ts';

/** A metric of an AnalysisTemplate, as Canaries name it. */
interface Judged {
  readonly template: KubeObject;
  readonly bounds: Bounds;
  readonly interval: string | undefined;
  /** Failures that are borne. */
  readonly failureLimit: number;
  /** Names of arguments that the query uses, with the names of their variables. */
  readonly variables: ReadonlyMap<string, string>;
}

export interface ConvertedTemplate {
  readonly found: Found;
  readonly metrics: readonly Judged[];
  /** Values that arguments have where nobody gives them one. */
  readonly defaults: ReadonlyMap<string, string>;
  readonly notes: readonly Note[];
}

const knownMetric = new Set(
  'name provider interval successCondition failureCondition failureLimit count initialDelay inconclusiveLimit consecutiveErrorLimit consecutiveSuccessLimit'.split(
    ' ',
  ),
);

/** An AnalysisTemplate or ClusterAnalysisTemplate as MetricTemplates, one for each of its metrics that has an equal. */
export function convertTemplate(found: Found, namespace: string | undefined): ConvertedTemplate {
  const { object } = found;
  const notes = createNotes(found);
  const spec = jsonOf(object['spec']);
  const args = listOf(spec['args']);
  const defaults = new Map<string, string>();
  for (const [index, arg] of args.entries()) {
    const name = textOf(arg['name']) ?? '';
    if (typeof arg['value'] === 'string') defaults.set(name, arg['value']);
    if (arg['valueFrom'] !== undefined)
      notes.say(
        'by-hand',
        `spec.args[${index}].valueFrom`,
        `the argument ${name} comes from a Secret or a field; MetricTemplates take values only, and sign in by provider.secretRef`,
      );
  }
  for (const field of Object.keys(spec))
    if (!['metrics', 'args'].includes(field))
      notes.say(field === 'templates' ? 'by-hand' : 'told', `spec.${field}`, `${field} has no equal and has no effect`);
  const list = listOf(spec['metrics']);
  const metrics: Judged[] = [];
  for (const [index, metric] of list.entries()) {
    const field = `spec.metrics[${index}]`;
    const name = textOf(metric['name']) ?? String(index);
    const say = (level: Note['level'], below: string, text: string): void =>
      notes.say(level, below === '' ? field : `${field}.${below}`, `metric ${name}: ${text}`);
    const judged = convertMetric(metric, {
      name: objectName(
        list.length === 1 || name === object.metadata.name ? object.metadata.name : `${object.metadata.name}-${name}`,
      ),
      namespace,
      defaults,
      say,
    });
    if (judged) metrics.push(judged);
  }
  return { found, metrics, defaults, notes: notes.list };
}

interface MetricContext {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly defaults: ReadonlyMap<string, string>;
  readonly say: (level: Note['level'], field: string, text: string) => void;
}

function convertMetric(metric: Json, { name, namespace, defaults, say }: MetricContext): Judged | undefined {
  const bounds = boundsOf(metric, say);
  const provider = providerOf(jsonOf(metric['provider']), defaults, say);
  for (const field of Object.keys(metric))
    if (!knownMetric.has(field)) say('told', field, `${field} has no equal and has no effect`);
  for (const field of [
    'initialDelay',
    'count',
    'inconclusiveLimit',
    'consecutiveErrorLimit',
    'consecutiveSuccessLimit',
  ])
    if (metric[field] !== undefined)
      say(
        'told',
        field,
        `${field} has no effect: it is measured at each interval of the Canary, and what cannot be found out holds the release`,
      );
  if (!bounds || !provider) return undefined;
  const variables = new Map<string, string>();
  const query = provider.query.replaceAll(/\{\{ ?args\.([\w.-]{1,100}) ?\}\}/g, (_, arg: string) => {
    const variable = arg.replaceAll(/[^A-Za-z0-9_]/g, '_');
    variables.set(arg, variable);
    return `{{ variables.${variable} }}`;
  });
  const limit = Number(metric['failureLimit'] ?? 0);
  return {
    template: {
      apiVersion: 'flagger.app/v1beta1',
      kind: 'MetricTemplate',
      metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
      spec: { provider: provider.object, query },
    },
    bounds,
    interval: textOf(metric['interval']),
    failureLimit: Number.isInteger(limit) && limit > 0 ? limit : 0,
    variables,
  };
}

function boundsOf(metric: Json, say: MetricContext['say']): Bounds | undefined {
  const success = textOf(metric['successCondition']);
  const failure = textOf(metric['failureCondition']);
  const field = success === undefined ? 'failureCondition' : 'successCondition';
  const text = success ?? failure;
  if (text === undefined) {
    say('by-hand', '', 'has no condition; write a MetricTemplate, and a thresholdRange in the Canary');
    return undefined;
  }
  const condition = readCondition(text, success === undefined);
  if (!condition) {
    say(
      'by-hand',
      field,
      `"${text}" is more than a range; write the query so that one number says it, and a thresholdRange in the Canary`,
    );
    return undefined;
  }
  if (condition.isWidened)
    say('told', field, 'a thresholdRange takes its bounds as kept: < and > become at most and at least');
  if (condition.holdsWithoutValue)
    say(
      'told',
      field,
      'without a value it passed; here what has no value is a failed check, unless the Canary says otherwise (inconclusive)',
    );
  if (success !== undefined && failure !== undefined)
    say('told', 'failureCondition', 'what is neither success nor failure was inconclusive; here it fails');
  return condition.bounds;
}

interface Provider {
  readonly object: Json;
  readonly query: string;
}

function providerOf(
  given: Json,
  defaults: ReadonlyMap<string, string>,
  say: MetricContext['say'],
): Provider | undefined {
  const [kind = ''] = Object.keys(given);
  const one = jsonOf(given[kind]);
  const refuse = (text: string): undefined => {
    say('by-hand', kind === '' ? 'provider' : `provider.${kind}`, text);
    return undefined;
  };
  const query = textOf(one['query']);
  const filled = (text: string): string =>
    text.replaceAll(/\{\{ ?args\.([\w.-]{1,100}) ?\}\}/g, (whole, arg: string) => defaults.get(arg) ?? whole);
  const address = filled(textOf(one['address']) ?? '');
  if (address.includes('{{'))
    return refuse(`its address holds an argument without a value; write it out in the MetricTemplate`);
  if (kind === 'prometheus' || kind === 'graphite') {
    if (query === undefined) return refuse('has no query');
    if (address === '') return refuse('has no address; Serin asks --metrics-server only for built-in metrics');
    for (const field of Object.keys(one))
      if (!['address', 'query', 'timeout', 'insecure', 'headers'].includes(field))
        say(
          'by-hand',
          `provider.${kind}.${field}`,
          `${field} is not taken over: put credentials into a Secret and name it in provider.secretRef`,
        );
    const headers: Record<string, string[]> = {};
    for (const header of listOf(one['headers'])) {
      const [key, value] = [textOf(header['key']), textOf(header['value'])];
      if (key !== undefined && value !== undefined) headers[key] = [filled(value)];
    }
    const object = {
      type: kind,
      address,
      ...(Object.keys(headers).length > 0 ? { headers } : {}),
      ...(one['insecure'] === true ? { insecureSkipVerify: true } : {}),
    };
    return { object, query };
  }
  if (kind === 'datadog' || kind === 'newRelic') {
    if (query === undefined) return refuse('has no single query; write a MetricTemplate with one');
    const [type, keys] =
      kind === 'datadog'
        ? ['datadog', 'datadog_api_key and datadog_application_key']
        : ['newrelic', 'newrelic_account_id and newrelic_query_key'];
    const secret = textOf(at(one, 'secretRef', 'name')) ?? textOf(one['profile']) ?? type;
    say(
      'by-hand',
      `provider.${kind}`,
      `make a Secret ${secret} with the keys ${keys}; Argo Rollouts names them otherwise`,
    );
    return { object: { type, secretRef: { name: secret } }, query };
  }
  if (kind === 'web') return refuse(webHint(one));
  if (kind === 'job')
    return refuse('a Job is not run; call it by a webhook of type pre-rollout, or let `serin loadtester` run the test');
  const known = isRecord(given[kind]) ? kind : 'of this kind';
  return refuse(`a provider ${known} is not taken over; "serin providers" lists those that MetricTemplates may name`);
}

const webHint = (one: Json): string => {
  const path = textOf(one['jsonPath']) ?? '{$}';
  return `write it as a MetricTemplate of type web: its address, and as the query the path of ${textOf(one['url']) ?? 'the URL'} and on the next line ${path.replace(/^\{|\}$/g, '')}`;
};

/** A name that Kubernetes takes. */
const objectName = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]/g, '-')
    .slice(0, 253);

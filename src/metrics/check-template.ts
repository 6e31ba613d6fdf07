import { AgentError, messageOf } from '../lib/errors.ts';
import { isReadable } from '../lib/http/plain-http.ts';
import { checkTemplate } from '../lib/template.ts';
import type { KubeObject } from '../manifest/types.ts';
import { metricProviderFor, metricProviderProblem } from './registry.ts';

/** What queries may use: `{{ namespace }}`, `{{ variables.x }}`. */
const QUERY_VALUES = ['name', 'namespace', 'target', 'service', 'ingress', 'route', 'interval', 'variables'] as const;

export interface TemplateProblem {
  /** Path of the field, e.g. `spec.query`. */
  readonly field: string;
  readonly message: string;
  /** Absent: an error. */
  readonly severity?: 'warning';
}

/** Why a query cannot be rendered, whatever the values; undefined where it can. */
export function queryProblem(query: string): string | undefined {
  try {
    checkTemplate(query, QUERY_VALUES);
    return undefined;
  } catch (error) {
    if (error instanceof AgentError) return error.message;
    throw error;
  }
}

/** What is wrong with a MetricTemplate, as far as it can be told without asking anybody. */
export function metricTemplateProblems(template: KubeObject): readonly TemplateProblem[] {
  const { provider = {}, query } = (template['spec'] ?? {}) as {
    readonly provider?: {
      readonly type?: unknown;
      readonly address?: unknown;
      readonly secretRef?: unknown;
      readonly region?: unknown;
    };
    readonly query?: unknown;
  };
  const problems: TemplateProblem[] = [];
  const type = typeof provider.type === 'string' ? provider.type : 'prometheus';
  const address = typeof provider.address === 'string' ? provider.address : '';
  const secretRef = provider.secretRef ?? undefined;
  try {
    const found = metricProviderFor(type);
    found.check({
      address: address || (found.address ?? ''),
      ...(typeof provider.region === 'string' ? { region: provider.region } : {}),
    });
    if (found.secretKeys && secretRef === undefined) {
      const message = `is missing: ${type} needs a Secret with ${found.secretKeys.join(' and ')}`;
      problems.push({ field: 'spec.provider.secretRef', message });
    }
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    problems.push({ field: 'spec.provider', message: messageOf(error) });
  }
  if (isReadable(address) && secretRef !== undefined) {
    const message = 'is plain HTTP: everybody on the way can read what spec.provider.secretRef names; use https';
    problems.push({ field: 'spec.provider.address', message, severity: 'warning' });
  }
  if (typeof query !== 'string' || query.trim() === '') {
    problems.push({ field: 'spec.query', message: 'the query is missing' });
    return problems;
  }
  const isKnown = metricProviderProblem(type) === undefined;
  const wrong = queryProblem(query) ?? (isKnown ? metricProviderFor(type).queryProblem?.(query) : undefined);
  if (wrong !== undefined) problems.push({ field: 'spec.query', message: wrong });
  return problems;
}

import { textOf } from '../canary/evidence-text.ts';
import { metricKind, units } from '../canary/metric-kind.ts';
import type { CanarySpec, CheckResult, Evidence, Finding, MetricSource, MetricSpec } from '../canary/types.ts';
import { told } from './told-release.ts';
import type { ShownCheck } from './types.ts';

/** Each check that a Canary has, as it was asked last, and what else its looks tell of. `looks`: oldest first. */
export function checksOf(spec: CanarySpec, looks: readonly Evidence[]): readonly ShownCheck[] {
  const last = new Map<string, { readonly look: Evidence; readonly check: CheckResult }>();
  const queries = new Map<string, string>();
  for (const look of looks)
    for (const check of look.checks) {
      last.set(check.name, { look, check });
      const query = sourceOf(check.found)?.query;
      // Most queries are the same at every look, and only the first look tells them.
      if (query !== undefined) queries.set(check.name, query);
    }
  const configured = [
    ...spec.analysis.webhooks
      .filter(({ type }) => type === 'rollout' || type === 'pre-rollout')
      .map(({ name }): ShownCheck => shown(name, 'webhook', last.get(name), queries)),
    ...spec.analysis.metrics.map((metric): ShownCheck => {
      const found = shown(metric.name, 'metric', last.get(metric.name), queries);
      return found.state === 'not-asked' ? { ...found, ...boundsOf(metric) } : found;
    }),
  ];
  const names = new Set(configured.map(({ name }) => name));
  const others = [...last].flatMap(([name, entry]) =>
    names.has(name) ? [] : [shown(name, kindOf(entry.check.found), entry, queries)],
  );
  return [...configured, ...others];
}

function shown(
  name: string,
  kind: ShownCheck['kind'],
  entry: { readonly look: Evidence; readonly check: CheckResult } | undefined,
  queries: ReadonlyMap<string, string>,
): ShownCheck {
  if (!entry) return { name: told(name), kind, state: 'not-asked', text: 'not asked yet' };
  const { look, check } = entry;
  const { found } = check;
  const source = sourceOf(found);
  const query = queries.get(name);
  const measured = found.kind === 'measured' ? found.measurement : undefined;
  return {
    name: told(name),
    kind,
    state: check.inconclusive === undefined ? (check.passed ? 'passed' : 'failed') : 'inconclusive',
    text: told(textOf(check)),
    atMs: source?.measuredAtMs ?? look.atMs,
    weight: look.canaryWeight,
    ...(measured ? { value: measured.value, unit: measured.unit, side: measured.side } : {}),
    ...(measured?.min === undefined ? {} : { min: measured.min }),
    ...(measured?.max === undefined ? {} : { max: measured.max }),
    ...(source?.provider === undefined ? {} : { provider: told(source.provider) }),
    ...(source?.windowMs === undefined ? {} : { windowMs: source.windowMs }),
    ...(query === undefined ? {} : { query }),
    found,
  };
}

function boundsOf(metric: MetricSpec): Partial<ShownCheck> {
  const { range } = metric;
  const kind = metricKind(metric);
  const unit = kind === undefined ? 'own' : units[kind];
  return {
    unit,
    ...(range.min === undefined ? {} : { min: range.min }),
    ...(range.max === undefined ? {} : { max: range.max }),
  };
}

function sourceOf(found: Finding): Partial<MetricSource> | undefined {
  if (found.kind === 'measured') return found.measurement;
  return found.kind === 'no-data' ? found.source : undefined;
}

function kindOf(found: Finding): ShownCheck['kind'] {
  switch (found.kind) {
    case 'measured':
    case 'no-data':
    case 'unanswered':
    case 'unknown-metric':
    case 'metrics-lost':
      return 'metric';
    case 'hook':
      return 'webhook';
    case 'pods':
    case 'not-ready':
      return 'readiness';
    case 'approved':
    case 'called-back':
    case 'asked':
      return 'person';
    default:
      return 'other';
  }
}

import type { ValueType } from './syntax.ts';

export interface Signature {
  readonly args: readonly ValueType[];
  /** How many of the last arguments may be left out. */
  readonly optional?: number;
  readonly returns: ValueType;
}

const perSample: Signature = { args: ['vector'], returns: 'vector' };
const perRange: Signature = { args: ['matrix'], returns: 'vector' };

/** The functions of PromQL that are known here. */
export const signatures: Readonly<Record<string, Signature>> = {
  abs: perSample,
  absent: perSample,
  avg_over_time: perRange,
  ceil: perSample,
  changes: perRange,
  clamp: { args: ['vector', 'scalar', 'scalar'], returns: 'vector' },
  clamp_max: { args: ['vector', 'scalar'], returns: 'vector' },
  clamp_min: { args: ['vector', 'scalar'], returns: 'vector' },
  count_over_time: perRange,
  delta: perRange,
  exp: perSample,
  floor: perSample,
  histogram_quantile: { args: ['scalar', 'vector'], returns: 'vector' },
  idelta: perRange,
  increase: perRange,
  irate: perRange,
  label_replace: { args: ['vector', 'string', 'string', 'string', 'string'], returns: 'vector' },
  last_over_time: perRange,
  ln: perSample,
  log10: perSample,
  log2: perSample,
  max_over_time: perRange,
  min_over_time: perRange,
  rate: perRange,
  resets: perRange,
  round: { args: ['vector', 'scalar'], optional: 1, returns: 'vector' },
  scalar: { args: ['vector'], returns: 'scalar' },
  sgn: perSample,
  sort: perSample,
  sort_desc: perSample,
  sqrt: perSample,
  sum_over_time: perRange,
  time: { args: [], returns: 'scalar' },
  timestamp: perSample,
  vector: { args: ['scalar'], returns: 'vector' },
};

/** Aggregations, with the type of the parameter that some take first. */
export const aggregations: Readonly<Record<string, ValueType | undefined>> = {
  sum: undefined,
  avg: undefined,
  min: undefined,
  max: undefined,
  count: undefined,
  group: undefined,
  stddev: undefined,
  stdvar: undefined,
  topk: 'scalar',
  bottomk: 'scalar',
  quantile: 'scalar',
};

import { keyOf, type Labels } from '../labels.ts';
import { ExecutionError } from './syntax.ts';

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

export interface Point {
  readonly timeMs: number;
  readonly value: number;
}

export interface RangeSeries {
  readonly labels: Labels;
  readonly points: readonly Point[];
}

export type Value =
  | { readonly type: 'scalar'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'vector'; readonly samples: readonly Sample[] }
  | { readonly type: 'matrix'; readonly series: readonly RangeSeries[] };

/** Prometheus never answers with two samples of the same labels. */
export function distinct(samples: readonly Sample[]): readonly Sample[] {
  const keys = new Set(samples.map(({ labels }) => keyOf(labels)));
  if (keys.size < samples.length) throw new ExecutionError('vector cannot contain metrics with the same labelset');
  return samples;
}

import { textOf } from './labels.ts';
import { numberText } from './number-text.ts';
import type { Registry } from './registry.ts';

/** The counters as a scraped program shows them: Prometheus' text format 0.0.4, without types. */
export function exposition(registry: Registry): string {
  const lines = [...registry.cells()].map(({ labels, value }) => `${textOf(labels)} ${numberText(value)}\n`);
  return lines.sort().join('');
}

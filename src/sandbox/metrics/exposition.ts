import { textOf } from './labels.ts';
import { numberText } from './number-text.ts';
import type { Registry } from './registry.ts';
import type { Series } from './series-store.ts';

/** The counters as a scraped program shows them: Prometheus' text format 0.0.4, without types. */
export function exposition(registry: Registry): string {
  const lines = [...registry.cells()].map(({ labels, value }) => `${textOf(labels)} ${numberText(value)}\n`);
  return lines.sort().join('');
}

/** All samples as OpenMetrics with times, which `promtool tsdb create-blocks-from openmetrics` reads into a real Prometheus. */
export function openMetrics(series: readonly Series[]): string {
  const lines = series.flatMap(({ labels, times, values }) =>
    times.flatMap((timeMs, index) => {
      const value = values[index];
      return typeof value === 'number' ? [`${textOf(labels)} ${numberText(value)} ${timeMs / 1000}\n`] : [];
    }),
  );
  return `${lines.join('')}# EOF\n`;
}

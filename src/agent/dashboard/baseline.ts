import { measuringPrimary } from '../../analysis/measure.ts';
import type { CanarySpec } from '../../canary/types.ts';
import type { Deps } from '../deps.ts';

/** What the old version has for a metric that was just measured of the new one. Null: no value. Undefined: this metric is not measured of it. Never rejects. */
export type Baseline = (spec: CanarySpec, metric: string) => Promise<number | null> | undefined;

/** Pictures are worth no more of a metrics server that all checks share: what is beyond is drawn as missing. */
const most = { atOnce: 4, perSecond: 10 } as const;
const deadlineMs = 2_000;

/** Asks for the old version's built-in metrics, beside the checks. */
export function createBaseline(
  {
    http,
    clock,
    settings,
  }: Pick<Deps, 'http'> & {
    readonly clock: Pick<Deps['clock'], 'now' | 'elapsed'>;
    readonly settings: Pick<Deps['settings'], 'metricsServer' | 'provider'>;
  },
  signal: AbortSignal,
): Baseline {
  const { metricsServer, provider: meshProvider } = settings;
  let underWay = 0;
  let begunInSecond = 0;
  let secondMs = clock.elapsed();
  const isAllowed = (): boolean => {
    const nowMs = clock.elapsed();
    if (nowMs - secondMs >= 1_000) {
      secondMs = nowMs;
      begunInSecond = 0;
    }
    return underWay < most.atOnce && begunInSecond < most.perSecond;
  };
  return (spec, name) => {
    const metric = spec.analysis.metrics.find((one) => one.name === name);
    if (!metric) return undefined;
    const ask = measuringPrimary(spec, metric, { http, clock, metricsServer, meshProvider });
    if (!ask) return undefined;
    if (!isAllowed()) return Promise.resolve(null);
    underWay += 1;
    begunInSecond += 1;
    return ask(AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]))
      .catch(() => null)
      .finally(() => void (underWay -= 1));
  };
}

import type { CanarySpec, Evidence, Finding, Unit } from '../../canary/types.ts';
import type { AppStatus, Explanation } from '../../report/types.ts';
import type { Series } from './series.ts';
import type { Gap, Marker, Panel, Point, Story } from './story-shape.ts';

/** Told looks and measurements that are nearer than this are one. */
const sameMs = 400;
/** Of intervals without a measurement, from which on it is told as missing. */
const patience = 2.5;
const most = { panels: 6, markers: 40 } as const;

/** The release under way, or the last one. Undefined: nothing is known of one. */
export function storyOf(explanation: Explanation, series: Series | undefined, nowMs: number): Story | undefined {
  const { looks, status, spec } = explanation;
  const { release } = status;
  const firstMs = Math.min(release?.sinceMs ?? Number.POSITIVE_INFINITY, looks[0]?.atMs ?? Number.POSITIVE_INFINITY);
  if (!Number.isFinite(firstMs)) return undefined;
  const isOver = !status.isMoving;
  const lastLookMs = looks.at(-1)?.atMs ?? firstMs;
  const endMs = release?.outcome?.atMs ?? (isOver ? (status.sinceMs ?? lastLookMs) : nowMs);
  const toMs = Math.max(endMs, lastLookMs, firstMs + 1_000);
  const isWithin = ([atMs]: Point): boolean => atMs >= firstMs - sameMs && atMs <= toMs + sameMs;
  const intervalMs = spec?.analysis.intervalMs ?? status.intervalMs ?? 60_000;
  const weight = weightOf({ looks, series, status, firstMs, toMs, isWithin });
  return {
    fromMs: firstMs,
    toMs,
    weight,
    panels: panelsOf({ looks, series, spec, intervalMs, toMs, isWithin, isOver }),
    markers: markersOf(explanation, weight, firstMs),
  };
}

interface Around {
  readonly looks: readonly Evidence[];
  readonly series: Series | undefined;
  readonly toMs: number;
  readonly isWithin: (point: Point) => boolean;
}

function weightOf({
  looks,
  series,
  status,
  firstMs,
  toMs,
  isWithin,
}: Around & { readonly status: AppStatus; readonly firstMs: number }): readonly Point[] {
  const told: Point[] = [
    ...looks.map(({ atMs, canaryWeight }): Point => [atMs, canaryWeight]),
    ...(series?.weight ?? []).filter(isWithin),
  ].toSorted(([a], [b]) => a - b);
  const [first] = told;
  const points: Point[] = !first || first[0] > firstMs ? [[firstMs, 0], ...told] : told;
  const last = points.at(-1)?.[1] ?? 0;
  points.push([
    toMs,
    status.isMoving ? status.weight : status.phase === 'Failed' || status.phase === 'Succeeded' ? 0 : last,
  ]);
  // Steps: only where it changes, and the last point.
  return points.filter(
    ([, value], index) => index === 0 || index === points.length - 1 || points[index - 1]?.[1] !== value,
  );
}

function panelsOf({
  looks,
  series,
  spec,
  intervalMs,
  toMs,
  isWithin,
  isOver,
}: Around & {
  readonly spec: CanarySpec | undefined;
  readonly intervalMs: number;
  readonly isOver: boolean;
}): readonly Panel[] {
  const names = new Set<string>(spec?.analysis.metrics.map(({ name }) => name));
  for (const { checks } of looks) for (const { name, found } of checks) if (isOfMetric(found)) names.add(name);
  return [...names].slice(0, most.panels).map((name): Panel => {
    const metric = spec?.analysis.metrics.find((one) => one.name === name);
    const told = looks.flatMap((look) =>
      look.checks.filter((check) => check.name === name).map((check) => ({ look, check })),
    );
    const measured = told.flatMap(({ check: { found } }) => (found.kind === 'measured' ? [found.measurement] : []));
    const last = measured.at(-1);
    const unit = last?.unit ?? unitOf(metric?.name);
    const known: (readonly [number, number | null, string?])[] = told.map(({ look, check: { found } }) =>
      found.kind === 'measured'
        ? [found.measurement.measuredAtMs ?? look.atMs, finite(found.measurement.value)]
        : [look.atMs, null, causeOf(found)],
    );
    const more = (series?.canary.get(name) ?? [])
      .filter(isWithin)
      .filter(([atMs]) => !known.some(([at]) => Math.abs(at - atMs) < Math.max(sameMs, intervalMs / 3)));
    const points = [...known, ...more].toSorted(([a], [b]) => a - b);
    const { min, max } = last ?? metric?.range ?? {};
    return {
      name,
      unit,
      ...(min === undefined ? {} : { min }),
      ...(max === undefined ? {} : { max }),
      ...withGaps(points, intervalMs, isOver ? undefined : toMs),
      primary: (series?.primary.get(name) ?? []).filter(isWithin),
    };
  });
}

/** Where a value is missing the curve ends, and the cause is told. `untilMs`: it should go on until then; undefined: it has ended. */
function withGaps(
  points: readonly (readonly [number, number | null, string?])[],
  intervalMs: number,
  untilMs: number | undefined,
): Pick<Panel, 'canary' | 'gaps'> {
  const canary: Point[] = [];
  const gaps: Gap[] = [];
  let beforeMs: number | undefined;
  for (const [atMs, value, cause = 'no value'] of points) {
    const isLate = beforeMs !== undefined && atMs - beforeMs > patience * intervalMs;
    if (value === null || isLate) {
      const fromMs = beforeMs ?? atMs - intervalMs;
      const before = gaps.at(-1);
      const told = value === null ? cause : 'not measured';
      if (before && before.toMs >= fromMs && before.cause === told) gaps[gaps.length - 1] = { ...before, toMs: atMs };
      else gaps.push({ fromMs, toMs: atMs, cause: told });
      if (canary.at(-1)?.[1] !== null && canary.length > 0)
        canary.push([value === null ? atMs : (beforeMs ?? atMs) + 1, null]);
    }
    if (value !== null) canary.push([atMs, value]);
    beforeMs = atMs;
  }
  if (untilMs !== undefined && beforeMs !== undefined && untilMs - beforeMs > patience * intervalMs)
    gaps.push({ fromMs: beforeMs, toMs: untilMs, cause: 'not measured since' });
  return { canary, gaps };
}

function markersOf({ looks, status }: Explanation, weight: readonly Point[], firstMs: number): readonly Marker[] {
  const { release } = status;
  const markers: Marker[] = [
    {
      atMs: firstMs,
      kind: 'began',
      text: `began${release?.revision === undefined ? '' : `, judged at ${release.revision.slice(0, 12)}`}`,
    },
  ];
  let before = 0;
  for (const [atMs, share] of weight) {
    if (share !== null && share > before) markers.push({ atMs, kind: 'step', text: `${share} % of users` });
    before = share ?? before;
  }
  for (const { atMs, checks } of looks) {
    const failed = checks.filter(({ passed, inconclusive }) => !passed && inconclusive !== 'hold');
    const held = checks.filter(({ inconclusive }) => inconclusive === 'hold');
    if (failed.length > 0)
      markers.push({ atMs, kind: 'failed', text: `failed: ${failed.map(({ name }) => name).join(', ')}` });
    else if (held.length > 0)
      markers.push({ atMs, kind: 'held', text: `nothing found out: ${held.map(({ name }) => name).join(', ')}` });
  }
  const outcome = release?.outcome;
  if (outcome && outcome.verdict !== 'withdrawn' && outcome.atMs !== undefined)
    markers.push({
      atMs: outcome.atMs,
      kind: outcome.verdict,
      text:
        outcome.verdict === 'promoted'
          ? 'promoted'
          : `rolled back${outcome.failedCheck === undefined ? '' : `: ${outcome.failedCheck}`}`,
    });
  if (outcome?.commit !== undefined && outcome.atMs !== undefined)
    markers.push({ atMs: outcome.atMs, kind: 'commit', text: `in Git as ${outcome.commit.slice(0, 12)}` });
  markers.sort((a, b) => a.atMs - b.atMs);
  // The end tells most.
  return markers.length > most.markers ? [...markers.slice(0, 1), ...markers.slice(1 - most.markers)] : markers;
}

const isOfMetric = ({ kind }: Finding): boolean => kind === 'measured' || kind === 'no-data';
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

function unitOf(name: string | undefined): Unit {
  return name === 'request-success-rate' ? 'percent' : name === 'request-duration' ? 'milliseconds' : 'own';
}

function causeOf(found: Finding): string {
  switch (found.kind) {
    case 'no-data':
      return found.cause === 'noTraffic' ? 'no traffic to measure' : 'no values found';
    case 'unanswered':
      return 'no answer';
    default:
      return 'no value';
  }
}

import type { FC } from 'hono/jsx';
import { panelBound, showNumber } from '../model/checks.ts';
import type { Marker, Panel, Point, Story } from '../model/story-shape.ts';
import { Icon, type IconName } from './icons.tsx';
import { clockTime } from './times.ts';

/*
 * A release on one time axis, drawn here so that it can be read without a script. The script puts the same, with values under the pointer, in its place.
 */

const width = 1_000;
const height = 100;
/** What is told as it comes. */
const mostMarkers = 12;

export const StoryChart: FC<{ readonly story: Story }> = ({ story }) => (
  <div class="story">
    <div class="plots" data-story={JSON.stringify(story)}>
      <PlotTitle name="Share of users" value={`${story.weight.at(-1)?.[1] ?? 0} %`} bound="" />
      <WeightPlot story={story} />
      {story.panels.map((panel) => (
        <>
          <PlotTitle name={panel.name} value={lastValue(panel)} bound={panelBound(panel)} />
          <PanelPlot panel={panel} story={story} />
          {panel.gaps.length === 0 ? null : <p class="gap-text small">{gapText(panel)}</p>}
        </>
      ))}
      <p class="axis-times" aria-hidden="true">
        <span>{clockTime(story.fromMs)}</span>
        <span>{clockTime((story.fromMs + story.toMs) / 2)}</span>
        <span>{clockTime(story.toMs)} UTC</span>
      </p>
    </div>
    <Markers markers={story.markers} />
  </div>
);

const PlotTitle: FC<{ readonly name: string; readonly value: string; readonly bound: string }> = ({
  name,
  value,
  bound,
}) => (
  <h3>
    <b>{name}</b>
    <span>{value}</span>
    {bound === '' ? null : <span>threshold {bound}</span>}
  </h3>
);

const lastValue = ({ canary, gaps, unit }: Panel): string => {
  const last = canary.findLast(([, value]) => value !== null);
  const gap = gaps.at(-1);
  if (gap && (last === undefined || gap.toMs > last[0])) return gap.cause;
  return last?.[1] == null ? 'not measured' : `${showNumber(last[1], unit)} new`;
};

const gapText = ({ gaps }: Panel): string =>
  `No data ${gaps
    .slice(-3)
    .map(({ fromMs, toMs, cause }) => `from ${clockTime(fromMs)} to ${clockTime(toMs)} (${cause})`)
    .join(', ')}.`;

interface Scale {
  readonly x: (ms: number) => number;
  readonly y: (value: number) => number;
}

const round = (value: number): number => Math.round(value * 10) / 10;

function scaleOf({ fromMs, toMs }: Story, low: number, high: number): Scale {
  const range = high - low || 1;
  return {
    x: (ms) => round(((Math.min(Math.max(ms, fromMs), toMs) - fromMs) / (toMs - fromMs || 1)) * width),
    y: (value) => round(height - 4 - ((value - low) / range) * (height - 8)),
  };
}

const Plot: FC<{ readonly label: string; readonly children?: unknown }> = ({ label, children }) => (
  <svg class="chart" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" role="img" aria-label={label}>
    {children as never}
  </svg>
);

const WeightPlot: FC<{ readonly story: Story }> = ({ story }) => {
  const { x, y } = scaleOf(story, 0, 100);
  const line = stepPath(story.weight, { x, y });
  const end = x(story.weight.at(-1)?.[0] ?? story.toMs);
  return (
    <Plot
      label={`The new version's share of users: ${story.weight.map(([ms, value]) => `${value ?? 'unknown'} % at ${clockTime(ms)}`).join(', ')}`}
    >
      {[0, 50, 100].map((value) => (
        <path class="axis" d={`M0 ${y(value)}H${width}`} />
      ))}
      <Lines markers={story.markers} x={x} />
      <path class="canary-area" d={`${line}L${end} ${y(0)}L0 ${y(0)}Z`} />
      <path class="canary" vector-effect="non-scaling-stroke" d={line} />
    </Plot>
  );
};

const PanelPlot: FC<{ readonly panel: Panel; readonly story: Story }> = ({ panel, story }) => {
  const { canary, primary, gaps, min, max, name, unit } = panel;
  const [low, high] = rangeOf(panel);
  const scale = scaleOf(story, low, high);
  const { x, y } = scale;
  return (
    <Plot
      label={`${name}: ${canary.flatMap(([ms, value]) => (value === null ? [] : [`${showNumber(value, unit)} at ${clockTime(ms)}`])).join(', ') || 'no values'}`}
    >
      {[low, high].map((value) => (
        <path class="axis" d={`M0 ${y(value)}H${width}`} />
      ))}
      {gaps.map(({ fromMs, toMs }) => (
        <path class="hatch" vector-effect="non-scaling-stroke" d={hatch(x(fromMs), x(toMs))} />
      ))}
      <Lines markers={story.markers} x={x} />
      {[min, max].map((bound) =>
        bound === undefined ? null : (
          <path class="bound" vector-effect="non-scaling-stroke" d={`M0 ${y(bound)}H${width}`} />
        ),
      )}
      <path class="primary" vector-effect="non-scaling-stroke" d={linePath(primary, scale)} />
      <path class="canary" vector-effect="non-scaling-stroke" d={linePath(canary, scale)} />
    </Plot>
  );
};

const Lines: FC<{ readonly markers: readonly Marker[]; readonly x: Scale['x'] }> = ({ markers, x }) => (
  <>
    {markers
      .filter(({ kind }) => kind === 'failed' || kind === 'promoted' || kind === 'rolled-back')
      .map(({ atMs, kind }) => (
        <path
          class={`marker ${kind === 'promoted' ? 'promoted' : 'failed'}`}
          vector-effect="non-scaling-stroke"
          d={`M${x(atMs)} 0V${height}`}
        />
      ))}
  </>
);

/** Room for values and bounds; percent of successes near 100 are looked at closely. */
function rangeOf({ canary, primary, min, max, unit }: Panel): readonly [low: number, high: number] {
  const values = [...canary, ...primary].flatMap(([, value]) => (value === null ? [] : [value]));
  const all = [...values, ...[min, max].filter((bound) => bound !== undefined)];
  if (all.length === 0) return unit === 'percent' ? [0, 100] : [0, 1];
  const high = all.reduce((a, b) => Math.max(a, b));
  const low = all.reduce((a, b) => Math.min(a, b));
  if (unit === 'percent' && high <= 100) return [Math.max(0, Math.floor(low - Math.max(1, (100 - low) / 4))), 100];
  const room = (high - low) / 6 || Math.abs(high) / 4 || 1;
  return [low >= 0 ? Math.max(0, unit === 'milliseconds' ? 0 : low - room) : low - room, high + room];
}

/** One line for each stretch without a missing value; a value alone is a dot of it. */
function linePath(points: readonly Point[], { x, y }: Scale): string {
  let path = '';
  let isOpen = false;
  for (const [index, [ms, value]] of points.entries()) {
    if (value === null) {
      isOpen = false;
      continue;
    }
    path += `${isOpen ? 'L' : 'M'}${x(ms)} ${y(value)}`;
    if (!isOpen && (points[index + 1]?.[1] ?? null) === null) path += 'h3';
    isOpen = true;
  }
  return path;
}

function stepPath(points: readonly Point[], { x, y }: Scale): string {
  return points
    .map(([ms, value], index) => (index === 0 ? `M${x(ms)} ${y(value ?? 0)}` : `H${x(ms)}V${y(value ?? 0)}`))
    .join('');
}

/** Slanted lines from top to bottom, at most a hundred. */
function hatch(from: number, to: number): string {
  const gap = Math.max(8, (to - from) / 100);
  let path = `M${from} 0V${height}M${to} 0V${height}`;
  for (let at = from; at < to; at += gap) path += `M${round(at)} ${height}L${round(Math.min(at + 7, to))} 0`;
  return path;
}

const markerIcons: Readonly<Record<Marker['kind'], { readonly icon: IconName; readonly tone: string }>> = {
  began: { icon: 'dot', tone: 'idle' },
  step: { icon: 'step', tone: 'moving' },
  failed: { icon: 'failed', tone: 'failed' },
  held: { icon: 'waits', tone: 'waits' },
  promoted: { icon: 'ok', tone: 'ok' },
  'rolled-back': { icon: 'failed', tone: 'failed' },
  commit: { icon: 'commit', tone: 'idle' },
};

export const Markers: FC<{ readonly markers: readonly Marker[] }> = ({ markers }) => {
  const told = folded(markers);
  return (
    <ol class="markers" data-part="markers" aria-label="Steps, verdicts and commits">
      {told.slice(-mostMarkers).map(({ atMs, kind, text, count }) => (
        <li>
          <span class={`mark ${markerIcons[kind].tone}`}>
            <Icon name={markerIcons[kind].icon} />
          </span>
          <span>
            {clockTime(atMs)} {text}
            {count > 1 ? ` × ${count}` : ''}
          </span>
        </li>
      ))}
    </ol>
  );
};

/** The same one after the other is told once. */
function folded(markers: readonly Marker[]): readonly (Marker & { readonly count: number })[] {
  const rows: (Marker & { readonly count: number })[] = [];
  for (const marker of markers) {
    const before = rows.at(-1);
    if (before?.kind === marker.kind && before.text === marker.text)
      rows[rows.length - 1] = { ...before, count: before.count + 1 };
    else rows.push({ ...marker, count: 1 });
  }
  return rows;
}

// Draws a release with uPlot in the place of the drawing that the page came with: the same, with values under the pointer, and live.

const box = document.querySelector('.plots[data-story]');
const sync = 'release';
let plots = [];
let story;

/** A colour of the style sheet, as the browser resolves it now. */
function colour(name) {
  const probe = document.createElement('i');
  probe.hidden = true;
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const palette = () =>
  Object.fromEntries(
    ['canary', 'canary-soft', 'primary', 'failed', 'ok', 'line', 'line-strong', 'muted', 'surface'].map((name) => [name, colour(name)]),
  );

const shown = (value, unit) => {
  if (value == null) return 'no data';
  const rounded = Math.abs(value) >= 100 && unit !== 'percent' ? Math.round(value) : Math.round(value * 100) / 100;
  return `${rounded}${unit === 'percent' ? ' %' : unit === 'milliseconds' ? ' ms' : ''}`;
};
const boundText = ({ min, max, unit }) =>
  min !== undefined && max !== undefined
    ? `threshold ${shown(min, unit)} to ${shown(max, unit)}`
    : min !== undefined
      ? `threshold ≥ ${shown(min, unit)}`
      : max !== undefined
        ? `threshold ≤ ${shown(max, unit)}`
        : '';
const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 19);

/** What one plot shows: the share first, then one for each metric. */
function plotsOf({ weight, panels }) {
  return [
    { key: 'share', name: 'Share of users', unit: 'percent', canary: weight, primary: [], gaps: [], isShare: true },
    ...panels.map((panel) => ({ ...panel, key: `metric ${panel.name}`, isShare: false })),
  ];
}

function dataOf({ canary, primary }) {
  const table = (points) => [points.map(([ms]) => ms / 1000), points.map(([, value]) => value)];
  const tables = [table(canary), table(primary)];
  return uPlot.join(tables);
}

function rangeOf({ canary, primary, min, max, unit, isShare }) {
  if (isShare) return [0, 100];
  const values = [...canary, ...primary].map(([, value]) => value).filter((value) => value != null);
  const all = [...values, min, max].filter((value) => value !== undefined);
  if (all.length === 0) return unit === 'percent' ? [0, 100] : [0, 1];
  const high = Math.max(...all);
  const low = Math.min(...all);
  if (unit === 'percent' && high <= 100) return [Math.max(0, Math.floor(low - Math.max(1, (100 - low) / 4))), 100];
  const room = (high - low) / 6 || Math.abs(high) / 4 || 1;
  return [low >= 0 ? (unit === 'milliseconds' ? 0 : Math.max(0, low - room)) : low - room, high + room];
}

function gapAt({ gaps }, seconds) {
  return gaps.find(({ fromMs, toMs }) => seconds * 1000 >= fromMs && seconds * 1000 <= toMs)?.cause;
}

function make(holder, plot, isLast) {
  const paint = palette();
  const ratio = devicePixelRatio || 1;
  const title = document.createElement('h3');
  const frame = document.createElement('div');
  frame.className = 'plot';
  holder.append(title, frame);
  let current = plot;
  const say = () => {
    const last = current.canary.findLast(([, value]) => value !== null);
    const gap = current.gaps.at(-1);
    const value = gap && (!last || gap.toMs > last[0]) ? gap.cause : last ? shown(last[1], current.unit) : 'not measured';
    const old = current.primary.findLast(([, one]) => one !== null);
    const texts = [value, old ? `old ${shown(old[1], current.unit)}` : '', boundText(current)].filter((text) => text !== '');
    title.replaceChildren(
      Object.assign(document.createElement('b'), { textContent: current.name }),
      ...texts.map((text) => Object.assign(document.createElement('span'), { textContent: text })),
    );
  };
  const tip = document.createElement('div');
  tip.className = 'u-tip';
  tip.hidden = true;
  const axis = { stroke: paint.muted, font: `11px ${getComputedStyle(document.body).fontFamily}`, grid: { stroke: paint.line, width: 1 }, ticks: { show: false } };
  const verticals = (u, width) => {
    u.ctx.setLineDash([]);
    for (const { atMs, kind } of story.markers) {
      if (kind !== 'failed' && kind !== 'promoted' && kind !== 'rolled-back') continue;
      const x = Math.round(u.valToPos(atMs / 1000, 'x', true)) + 0.5;
      u.ctx.strokeStyle = kind === 'promoted' ? paint.ok : paint.failed;
      u.ctx.globalAlpha = kind === 'failed' ? 0.35 : 0.9;
      u.ctx.lineWidth = width;
      u.ctx.beginPath();
      u.ctx.moveTo(x, u.bbox.top);
      u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
      u.ctx.stroke();
    }
    u.ctx.globalAlpha = 1;
  };
  const drawBefore = (u) => {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const { fromMs, toMs } of current.gaps) {
      const from = u.valToPos(fromMs / 1000, 'x', true);
      const to = u.valToPos(toMs / 1000, 'x', true);
      ctx.save();
      ctx.beginPath();
      ctx.rect(from, bbox.top, Math.max(to - from, 2), bbox.height);
      ctx.clip();
      ctx.strokeStyle = paint['line-strong'];
      ctx.lineWidth = ratio;
      ctx.beginPath();
      for (let x = from - bbox.height; x < to; x += 7 * ratio) {
        ctx.moveTo(x, bbox.top + bbox.height);
        ctx.lineTo(x + bbox.height, bbox.top);
      }
      ctx.stroke();
      ctx.restore();
    }
    ctx.restore();
  };
  /** Above the grid, which may have a line at the very bound. */
  const drawAbove = (u) => {
    const { ctx, bbox } = u;
    ctx.save();
    verticals(u, ratio);
    ctx.strokeStyle = paint.failed;
    ctx.lineWidth = ratio;
    ctx.setLineDash([2 * ratio, 3 * ratio]);
    for (const bound of [current.min, current.max]) {
      if (bound === undefined) continue;
      const y = Math.round(u.valToPos(bound, 'y', true)) + 0.5;
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  };
  const pointAt = (u) => {
    const { left, idx, top } = u.cursor;
    if (left === undefined || left < 0 || top < 0) {
      tip.hidden = true;
      return;
    }
    const seconds = u.posToVal(left, 'x');
    const text = [`${clock(seconds)}`];
    const valueOf = (points) => {
      if (current.isShare) return points.findLast(([ms]) => ms <= seconds * 1000)?.[1];
      return idx == null ? undefined : u.data[points === current.canary ? 1 : 2]?.[idx];
    };
    const gap = gapAt(current, seconds);
    text.push(gap ? gap : `new ${shown(valueOf(current.canary), current.unit)}`);
    if (current.primary.length > 0) text.push(`old ${shown(valueOf(current.primary), current.unit)}`);
    tip.textContent = text.join(' · ');
    tip.hidden = false;
    const room = u.over.clientWidth - tip.offsetWidth;
    tip.style.left = `${Math.max(0, Math.min(left + 12, room))}px`;
    tip.style.top = '4px';
  };
  const common = { spanGaps: false };
  const u = new uPlot(
    {
      width: Math.max(holder.clientWidth, 200),
      height: isLast ? 122 : 96,
      padding: [8, 30, isLast ? 0 : 4, 0],
      legend: { show: false },
      cursor: { sync: { key: sync, setSeries: false }, points: { size: 6 }, drag: { x: false, y: false }, y: false },
      scales: {
        x: { time: true, range: () => [story.fromMs / 1000, story.toMs / 1000] },
        y: { range: () => rangeOf(current) },
      },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
      axes: [
        {
          ...axis,
          size: isLast ? 26 : 0,
          space: 90,
          values: (_u, ticks) => (isLast ? ticks.map(clock) : ticks.map(() => '')),
        },
        { ...axis, size: 52, space: 34, values: (_u, ticks) => ticks.map((tick) => shown(tick, current.unit)) },
      ],
      series: [
        {},
        {
          ...common,
          label: 'new',
          stroke: paint.canary,
          width: 2,
          ...(plot.isShare
            ? { fill: `${paint['canary-soft']}`, paths: uPlot.paths.stepped({ align: 1 }), points: { show: false } }
            : { points: { show: (_u, _s, from, to) => to - from < 60, size: 5, fill: paint.canary } }),
        },
        { ...common, label: 'old', stroke: paint.primary, width: 1.5, dash: [5, 4], points: { show: false } },
      ],
      hooks: { drawClear: [drawBefore], drawAxes: [drawAbove], setCursor: [pointAt] },
    },
    dataOf(plot),
    frame,
  );
  u.over.append(tip);
  u.over.addEventListener('mouseleave', () => (tip.hidden = true));
  say();
  return {
    key: plot.key,
    resize: () => u.setSize({ width: Math.max(holder.clientWidth, 200), height: u.height }),
    take(next) {
      current = next;
      u.setData(dataOf(next));
      say();
    },
    end() {
      u.destroy();
    },
  };
}

function draw(next) {
  if (!box) return;
  story = next;
  const wanted = plotsOf(story);
  const isSame = plots.length === wanted.length && wanted.every(({ key }, index) => plots[index]?.key === key);
  if (isSame) {
    for (const [index, plot] of wanted.entries()) plots[index].take(plot);
    return;
  }
  for (const plot of plots) plot.end();
  const holder = document.createElement('div');
  holder.className = 'live-plots';
  box.replaceChildren(holder);
  plots = wanted.map((plot, index) => make(holder, plot, index === wanted.length - 1));
}

if (box && typeof uPlot === 'function') {
  draw(JSON.parse(box.dataset.story));
  new ResizeObserver(() => {
    for (const plot of plots) plot.resize();
  }).observe(box);
  const again = () => {
    const last = story;
    for (const plot of plots) plot.end();
    plots = [];
    draw(last);
  };
  document.addEventListener('serin-theme', again);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', again);
}
document.addEventListener('serin-story', ({ detail }) => {
  // A first release after the page was made: the page has a place for it only when it is read anew.
  if (box && typeof uPlot === 'function') draw(detail);
  else if (!box && detail) location.reload();
});

import type { Child, FC } from 'hono/jsx';
import type { Tone } from '../model/tone.ts';
import { Icon, type IconName } from './icons.tsx';
import { ago, day, clockTime, isoTime } from './times.ts';

/** A shape, a word and a colour. */
export const Mark: FC<{ readonly tone: Tone; readonly word: string; readonly pill?: boolean }> = ({
  tone,
  word,
  pill,
}) => (
  <span class={pill ? `mark pill ${tone}` : `mark ${tone}`}>
    <Icon name={tone} />
    {word}
  </span>
);

/** `3 min ago`; the whole time on hover and for machines. The script keeps it current. */
export const Ago: FC<{ readonly atMs: number; readonly nowMs: number }> = ({ atMs, nowMs }) => (
  <time datetime={isoTime(atMs)} title={`${day(atMs)} ${clockTime(atMs)} UTC`} data-ago="">
    {ago(atMs, nowMs)}
  </time>
);

/** `20:15:04 · 3 min ago`, with the day where it is another one. */
export const Moment: FC<{ readonly atMs: number; readonly nowMs: number }> = ({ atMs, nowMs }) => (
  <span class="nowrap">
    {day(atMs) === day(nowMs) ? clockTime(atMs) : `${day(atMs)} ${clockTime(atMs).slice(0, 5)}`}
    {' · '}
    <Ago atMs={atMs} nowMs={nowMs} />
  </span>
);

/** The canary's share of users as a bar and a number. */
export const Share: FC<{ readonly weight: number }> = ({ weight }) => (
  <span class="share">
    <svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
      <rect class="rest" width="100" height="6" />
      <rect class="part" width={String(Math.min(100, Math.max(0, weight)))} height="6" />
    </svg>
    {weight} %
  </span>
);

export const Card: FC<{
  readonly id?: string;
  readonly title: string;
  readonly aside?: Child;
  readonly bare?: boolean;
  readonly children?: Child;
}> = ({ id, title, aside, bare, children }) => (
  <section class="card" {...(id === undefined ? {} : { id })}>
    <header>
      <h2>{title}</h2>
      {aside === undefined ? null : <span class="aside">{aside}</span>}
    </header>
    {bare ? children : <div class="in">{children}</div>}
  </section>
);

export const Note: FC<{ readonly kind: 'done' | 'refused' | 'waits' | 'plain'; readonly children?: Child }> = ({
  kind,
  children,
}) => (
  <div class={`note ${kind}`} role={kind === 'refused' ? 'alert' : 'status'}>
    <Icon name={noteIcons[kind]} />
    <div>{children}</div>
  </div>
);

const noteIcons: Readonly<Record<'done' | 'refused' | 'waits' | 'plain', IconName>> = {
  done: 'ok',
  refused: 'failed',
  waits: 'waits',
  plain: 'dot',
};

/** `2.1.0 → 2.1.2`. */
export const Versions: FC<{ readonly from: string; readonly to?: string }> = ({ from, to }) => (
  <>
    {from || '–'}
    {to === undefined || to === from ? null : (
      <>
        <span class="arrow" aria-hidden="true">
          {' → '}
        </span>
        <span class="visually-hidden"> to </span>
        <b>{to}</b>
      </>
    )}
  </>
);

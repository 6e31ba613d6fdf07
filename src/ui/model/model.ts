import type { AppKey } from '../../lib/key.ts';
import { own } from '../../lib/own.ts';
import { tagOf } from '../../release/subject.ts';
import { explain } from '../../report/explain.ts';
import { statusOf } from '../../report/status.ts';
import type { AppFacts, Explanation, Group, ToldEvent } from '../../report/types.ts';
import type { AgentAbout, Change } from '../feed.ts';
import type { Row } from './fleet.ts';
import { createSeriesRing, type SeriesRing } from './series.ts';
import { storyOf } from './story.ts';
import type { Story } from './story-shape.ts';

/** What is known of all apps, for pages. */
export interface FleetModel {
  /** Cheap: nothing is made of it before somebody looks. */
  take(change: Change): void;
  apps(): ReadonlyMap<AppKey, AppFacts>;
  readonly about: AgentAbout | undefined;
  /** Called after each change of an app, and when it has gone. `isOfRow`: what lists show of it may differ. Ends with what it gives. */
  subscribe(listener: (app: AppKey, isOfRow: boolean) => void): () => void;
  /** Each app's status is kept until its facts change, at most for a few seconds. */
  rows(nowMs: number): readonly Row[];
  row(app: AppKey, nowMs: number): Row | undefined;
  /** Of the row before its last change, where somebody has looked at it. */
  groupBefore(app: AppKey): Group | undefined;
  explain(app: AppKey, nowMs: number): Explanation | undefined;
  story(app: AppKey, nowMs: number): Story | undefined;
}

interface Known {
  facts: AppFacts;
  row?: { readonly made: Row; readonly atMs: number };
  series?: SeriesRing;
  groupBefore?: Group;
  /** Newest last. */
  said: ToldEvent[];
}

/** What is late is told late by this at most. */
const keptMs = 15_000;
const most = { said: 60, series: 400 } as const;

export function createFleetModel(): FleetModel {
  const apps = new Map<AppKey, Known>();
  /** Apps with curves, who moved last at the end. */
  const moving = new Set<AppKey>();
  const listeners = new Set<(app: AppKey, isOfRow: boolean) => void>();
  let told: Set<AppKey> | undefined;
  let about: AgentAbout | undefined;

  const tell = (app: AppKey, isOfRow: boolean): void => {
    for (const listener of listeners) listener(app, isOfRow);
  };
  const remove = (app: AppKey): void => {
    moving.delete(app);
    if (apps.delete(app)) tell(app, true);
  };
  const seriesOf = (app: AppKey, known: Known): SeriesRing => {
    moving.delete(app);
    moving.add(app);
    for (const old of moving) {
      if (moving.size <= most.series) break;
      moving.delete(old);
      delete apps.get(old)?.series;
    }
    return (known.series ??= createSeriesRing());
  };
  const rowOf = (app: AppKey, known: Known, nowMs: number): Row => {
    const { row } = known;
    if (row && nowMs - row.atMs < keptMs) return row.made;
    const made = madeRow(app, known.facts, nowMs);
    known.row = { made, atMs: nowMs };
    return made;
  };
  const explained = (app: AppKey, nowMs: number): Explanation | undefined => {
    const known = apps.get(app);
    return known && explain(withSaid(known), nowMs);
  };

  return {
    take(change) {
      switch (change.kind) {
        case 'begin':
          told = new Set();
          return;
        case 'end':
          for (const app of apps.keys()) if (told?.has(app) === false) remove(app);
          told = undefined;
          return;
        case 'agent':
          about = change.about;
          return;
        case 'gone':
          remove(change.app);
          return;
        case 'app': {
          const { app, facts } = change;
          told?.add(app);
          const known = apps.get(app);
          if (known) {
            known.facts = facts;
            if (known.row) known.groupBefore = known.row.made.status.group;
            delete known.row;
          } else apps.set(app, { facts, said: [] });
          tell(app, true);
          return;
        }
        case 'said': {
          const known = apps.get(change.app);
          if (!known) return;
          const { atMs, type, message } = change;
          known.said.push({ atMs, type, message });
          if (known.said.length > most.said) known.said.shift();
          tell(change.app, false);
          return;
        }
        case 'measured':
        case 'looked': {
          const known = apps.get(change.app);
          if (!known) return;
          seriesOf(change.app, known).take(change);
          tell(change.app, false);
        }
      }
    },
    apps: () => new Map([...apps].map(([app, { facts }]) => [app, facts])),
    get about() {
      return about;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    rows: (nowMs) => [...apps].map(([app, known]) => rowOf(app, known, nowMs)),
    row(app, nowMs) {
      const known = apps.get(app);
      return known && rowOf(app, known, nowMs);
    },
    groupBefore: (app) => apps.get(app)?.groupBefore,
    explain: explained,
    story(app, nowMs) {
      const explanation = explained(app, nowMs);
      return explanation && storyOf(explanation, apps.get(app)?.series?.series, nowMs);
    },
  };
}

/** Events that the facts do not have, because nobody read them since. */
function withSaid({ facts, said }: Known): AppFacts {
  const events = facts.events ?? [];
  const known = new Set(events.map(({ atMs, message }) => `${Math.round(atMs / 1_000)} ${message}`));
  const more = said.filter(({ atMs, message }) => !known.has(`${Math.round(atMs / 1_000)} ${message}`));
  // A look may be written down already while it is still told.
  const written = new Set((facts.record?.outcome?.evidence ?? facts.record?.evidence ?? []).map(({ atMs }) => atMs));
  const evidence = (facts.evidence ?? []).filter(({ atMs }) => !written.has(atMs));
  return { ...facts, events: [...events, ...more], evidence };
}

function madeRow(key: AppKey, facts: AppFacts, nowMs: number): Row {
  const status = statusOf(facts, nowMs);
  const stable = facts.ledger?.stable?.images ?? {};
  const judged = status.isMoving || status.group === 'needs-person' ? (status.release?.images ?? {}) : {};
  return { key, status, version: versionIn(stable), candidate: differing(judged, stable) };
}

/** Of the one container, or of the first. */
function versionIn(images: Readonly<Record<string, string>>): string {
  const [first] = Object.values(images);
  return first === undefined ? '' : tagOf(first);
}

/** The version of what is another one; empty: nothing is. */
function differing(images: Readonly<Record<string, string>>, stable: Readonly<Record<string, string>>): string {
  const changed = Object.entries(images).find(([container, image]) => own(stable, container) !== image);
  return changed ? tagOf(changed[1]) : '';
}

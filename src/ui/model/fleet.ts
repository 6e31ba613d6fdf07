import type { AppKey } from '../../lib/key.ts';
import type { AppStatus, Group } from '../../report/types.ts';

/** An app in a list. */
export interface Row {
  readonly key: AppKey;
  readonly status: AppStatus;
  /** What users have, and what is judged beside it; empty: not known. */
  readonly version: string;
  readonly candidate: string;
}

/** What is asked of the list of all apps. Empty texts ask for nothing. */
export interface FleetFilter {
  /** Words that stand in the name, the namespace or a version; all of them. */
  readonly words: string;
  readonly namespace: string;
  /** A group, or one of Flagger's phases. */
  readonly phase: string;
  /** `team=web`, or `team` for any value. */
  readonly label: string;
  /** From 1. */
  readonly page: number;
}

export interface FleetView {
  readonly filter: FleetFilter;
  readonly isFiltered: boolean;
  readonly needsPerson: Section;
  readonly moving: Section;
  /** Held, or failed lately. */
  readonly noted: Section;
  readonly all: Section & { readonly page: number; readonly pages: number };
  /** Of all that the viewer may see, whatever is asked for. */
  readonly counts: Readonly<Record<Group, number>> & { readonly all: number };
  readonly namespaces: readonly string[];
  /** `name=value`, the most common ones. */
  readonly labels: readonly string[];
}

export interface Section {
  readonly rows: readonly Row[];
  /** How many there are beside those that are shown. */
  readonly more: number;
}

/** So many that a page of a thousand apps stays small. */
const most = { needsPerson: 25, moving: 25, noted: 10, all: 50, labels: 60, words: 200 } as const;

const groups: readonly Group[] = ['needs-person', 'moving', 'held', 'failed', 'resting'];

/** From the query of the address; foreign text. */
export function readFilter(query: URLSearchParams): FleetFilter {
  const text = (name: string): string => (query.get(name) ?? '').slice(0, most.words).trim();
  const page = Number.parseInt(text('page'), 10);
  return {
    words: text('q'),
    namespace: text('namespace'),
    phase: text('phase'),
    label: text('label'),
    page: Number.isSafeInteger(page) && page > 0 ? page : 1,
  };
}

/** `rows`: what the viewer may see. */
export function fleetView(rows: readonly Row[], filter: FleetFilter): FleetView {
  const counts = { all: rows.length, 'needs-person': 0, moving: 0, held: 0, failed: 0, resting: 0 };
  for (const { status } of rows) counts[status.group] += 1;
  const found = rows.filter(wanted(filter)).toSorted(byUrgency);
  const of = (...wantedGroups: readonly Group[]): readonly Row[] =>
    found.filter(({ status }) => wantedGroups.includes(status.group));
  const pages = Math.max(1, Math.ceil(found.length / most.all));
  const page = Math.min(filter.page, pages);
  const byName = found.toSorted(byKey);
  const { words, namespace, phase, label } = filter;
  return {
    filter: { ...filter, page },
    isFiltered: [words, namespace, phase, label].some((text) => text !== ''),
    needsPerson: first(of('needs-person'), most.needsPerson),
    moving: first(of('moving'), most.moving),
    noted: first(of('held', 'failed'), most.noted),
    all: {
      rows: byName.slice((page - 1) * most.all, page * most.all),
      more: Math.max(0, found.length - page * most.all),
      page,
      pages,
    },
    counts,
    namespaces: [...new Set(rows.map(({ status }) => status.namespace))].toSorted(),
    labels: commonLabels(rows),
  };
}

const first = (rows: readonly Row[], max: number): Section => ({
  rows: rows.slice(0, max),
  more: Math.max(0, rows.length - max),
});

function wanted({ words, namespace, phase, label }: FleetFilter): (row: Row) => boolean {
  const parts = words
    .toLowerCase()
    .split(/\s+/)
    .filter((part) => part !== '');
  const [name = '', ...rest] = label.split('=');
  const value = rest.join('=');
  return ({ key, status, version, candidate }) => {
    if (namespace !== '' && status.namespace !== namespace) return false;
    if (phase !== '' && status.group !== phase && status.phase !== phase) return false;
    if (label !== '') {
      if (!Object.hasOwn(status.labels, name)) return false;
      if (label.includes('=') && status.labels[name] !== value) return false;
    }
    if (parts.length === 0) return true;
    const text = `${key} ${version} ${candidate}`.toLowerCase();
    return parts.every((part) => text.includes(part));
  };
}

const byKey = (a: Row, b: Row): number => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

/** The group first, then what happened last. */
function byUrgency(a: Row, b: Row): number {
  const order = groups.indexOf(a.status.group) - groups.indexOf(b.status.group);
  return order || (b.status.sinceMs ?? 0) - (a.status.sinceMs ?? 0) || byKey(a, b);
}

function commonLabels(rows: readonly Row[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { status } of rows)
    for (const [name, value] of Object.entries(status.labels)) {
      const text = `${name}=${value}`;
      // Labels that differ by app, as its name, are found by search.
      if (text.length <= 100) counts.set(text, (counts.get(text) ?? 0) + 1);
    }
  return [...counts]
    .filter(([, count]) => count > 1)
    .toSorted(([a, many], [b, few]) => few - many || (a < b ? -1 : 1))
    .slice(0, most.labels)
    .map(([text]) => text)
    .toSorted();
}

export const rowId = (key: AppKey): string => `app-${key.replace('/', '.')}`;

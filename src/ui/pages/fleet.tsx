import type { Child, FC } from 'hono/jsx';
import { partsOf } from '../../lib/key.ts';
import { type FleetView, fleetView, readFilter, type Row, rowId, type Section } from '../model/fleet.ts';
import { toneOf, wordOf } from '../model/tone.ts';
import { appPath, type PageRoute } from '../page.ts';
import type { Shown } from './links.ts';
import { Ago, Mark, Note, Share, Versions } from './parts.tsx';

export const fleet: PageRoute = {
  path: '/',
  needs: 'read-any',
  page({ model, viewer, query, href, nowMs }) {
    const may = (row: Row): boolean => viewer.may('read', row.status.namespace);
    const view = fleetView(model.rows(nowMs).filter(may), readFilter(query));
    return {
      title: 'Apps',
      live: '/live',
      body: <Fleet view={view} notes={model.about?.notes ?? []} href={href} nowMs={nowMs} />,
    };
  },
};

const Fleet: FC<Shown & { readonly view: FleetView; readonly notes: readonly string[] }> = ({
  view,
  notes,
  href,
  nowMs,
}) => {
  const { counts, needsPerson, moving, noted, all, isFiltered } = view;
  const shown = { href, nowMs };
  return (
    <>
      <div class="fleet-head">
        <h1>Apps</h1>
        <p class="tally">
          <span>
            <b>{counts.all}</b> in all
          </span>
          <span>
            <b data-count="needs-person">{counts['needs-person']}</b> need a person
          </span>
          <span>
            <b data-count="moving">{counts.moving}</b> moving
          </span>
          <span>
            <b data-count="held failed">{counts.held + counts.failed}</b> held or failed lately
          </span>
        </p>
      </div>
      {notes.map((text) => (
        <Note kind="waits">{text}</Note>
      ))}
      <Part
        id="needs-person"
        title="Needs a person"
        section={needsPerson}
        all="needs-person"
        {...shown}
        none={isFiltered ? undefined : 'Nothing waits for you.'}
      />
      <Part
        id="moving"
        title="Moving"
        section={moving}
        all="moving"
        {...shown}
        none={isFiltered ? undefined : 'No release is under way.'}
      />
      <Part id="noted" title="Held or failed lately" section={noted} all="failed" {...shown} />
      <section aria-labelledby="all-title">
        <div class="section-head">
          <h2 id="all-title">All apps</h2>
        </div>
        <Filters view={view} href={href} />
        {all.rows.length === 0 ? (
          <p class="card empty">
            {counts.all === 0 ? 'There is no Canary that you may see yet.' : 'No app is like that.'}{' '}
            {isFiltered ? <a href={href('/')}>Show all</a> : null}
          </p>
        ) : (
          <Apps rows={all.rows} {...shown} />
        )}
        <Pager view={view} href={href} />
      </section>
    </>
  );
};

const Part: FC<
  Shown & {
    readonly id: string;
    readonly title: string;
    readonly section: Section;
    readonly all: string;
    readonly none?: string | undefined;
  }
> = ({ id, title, section: { rows, more }, all, none, ...shown }) =>
  rows.length === 0 && none === undefined ? (
    <section id={id} />
  ) : (
    <section id={id} aria-labelledby={`${id}-title`}>
      <div class="section-head">
        <h2 id={`${id}-title`}>{title}</h2>
        <span class="count">{rows.length + more || ''}</span>
        {more > 0 ? <a href={shown.href(`/?phase=${all}`)}>{more} more</a> : null}
      </div>
      {rows.length === 0 ? <p class="card empty">{none}</p> : <Apps rows={rows} {...shown} />}
    </section>
  );

const Apps: FC<Shown & { readonly rows: readonly Row[] }> = ({ rows, ...shown }) => (
  <div class="card">
    <table class="apps">
      <thead>
        <tr>
          <th class="c-mark">State</th>
          <th class="c-app">App</th>
          <th class="c-version">Version</th>
          <th class="c-share">Share</th>
          <th class="c-why">Why</th>
          <th class="c-since">Since</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <AppLine row={row} {...shown} />
        ))}
      </tbody>
    </table>
  </div>
);

/** One app; the live view puts a newer one in its place. */
export const AppLine: FC<Shown & { readonly row: Row }> = ({ row, href, nowMs }) => {
  const { status, version, candidate } = row;
  const { namespace, name } = partsOf(row.key);
  return (
    <tr data-part={rowId(row.key)}>
      <td class="m">
        <Mark tone={toneOf(status)} word={wordOf(status)} />
      </td>
      <td class="app">
        <a href={href(appPath(row.key))}>{name}</a> <span>{namespace}</span>
      </td>
      <td class="version">
        <Versions from={version} {...(candidate === '' ? {} : { to: candidate })} />
      </td>
      <td class="s">{status.isMoving ? <Share weight={status.weight} /> : null}</td>
      <td class="why">{status.needsPerson?.why ?? (status.group === 'resting' ? '' : status.line)}</td>
      <td class="since">{status.sinceMs === undefined ? '' : <Ago atMs={status.sinceMs} nowMs={nowMs} />}</td>
    </tr>
  );
};

const phases: readonly (readonly [value: string, label: string])[] = [
  ['needs-person', 'needs a person'],
  ['moving', 'moving'],
  ['held', 'held'],
  ['failed', 'failed lately'],
  ['resting', 'at rest'],
  ['Initializing', 'Initializing'],
  ['Initialized', 'Initialized'],
  ['Waiting', 'Waiting'],
  ['Progressing', 'Progressing'],
  ['WaitingPromotion', 'WaitingPromotion'],
  ['Promoting', 'Promoting'],
  ['Finalising', 'Finalising'],
  ['Succeeded', 'Succeeded'],
  ['Failed', 'Failed'],
];

const Filters: FC<{ readonly view: FleetView; readonly href: Shown['href'] }> = ({ view, href }) => {
  const { words, namespace, phase, label } = view.filter;
  return (
    <form class="filters" method="get" action={href('/')} role="search" aria-label="Filter apps">
      <input type="search" name="q" value={words} placeholder="Name, namespace or version" aria-label="Search apps" />
      <Choice
        name="namespace"
        label="Namespace"
        any="all namespaces"
        value={namespace}
        options={view.namespaces.map((one) => [one, one])}
      />
      <Choice name="phase" label="Phase" any="all phases" value={phase} options={phases} />
      {view.labels.length === 0 && label === '' ? null : (
        <Choice
          name="label"
          label="Label"
          any="all labels"
          value={label}
          options={view.labels.map((one) => [one, one])}
        />
      )}
      <button type="submit">Filter</button>
      {view.isFiltered ? <a href={href('/')}>Clear</a> : null}
    </form>
  );
};

const Choice: FC<{
  readonly name: string;
  readonly label: string;
  readonly any: string;
  readonly value: string;
  readonly options: readonly (readonly [string, string])[];
}> = ({ name, label, any, value, options }) => {
  // What was asked for stays chosen, though no app has it any more.
  const all = value === '' || options.some(([one]) => one === value) ? options : [[value, value] as const, ...options];
  return (
    <select name={name} aria-label={label}>
      <option value="">{any}</option>
      {all.map(([one, text]) => (
        <option value={one} {...(one === value ? { selected: true } : {})}>
          {text}
        </option>
      ))}
    </select>
  );
};

const Pager: FC<{ readonly view: FleetView; readonly href: Shown['href'] }> = ({ view, href }) => {
  const { page, pages } = view.all;
  if (pages === 1) return <></>;
  const to = (number: number, text: string): Child => <a href={href(`/?${queryOf(view, number)}`)}>{text}</a>;
  return (
    <nav class="pager" aria-label="Pages">
      {page > 1 ? to(page - 1, 'Back') : null}
      <span>
        Page {page} of {pages}
      </span>
      {page < pages ? to(page + 1, 'Next') : null}
    </nav>
  );
};

function queryOf({ filter }: FleetView, page: number): string {
  const { words, namespace, phase, label } = filter;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ q: words, namespace, phase, label }))
    if (value !== '') query.set(name, value);
  query.set('page', String(page));
  return query.toString();
}

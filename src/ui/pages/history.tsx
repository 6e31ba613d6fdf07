import type { FC } from 'hono/jsx';
import { tagOf } from '../../release/subject.ts';
import type { HistoryEntry } from '../../report/types.ts';
import type { Tone } from '../model/tone.ts';
import { appPath, type PageRoute, UiError } from '../page.ts';
import { foundApp } from './app-found.ts';
import { AppHead } from './app-head.tsx';
import type { Shown } from './links.ts';
import { Card, Mark, Moment, Versions } from './parts.tsx';
import { Patches } from './patch.tsx';

const perPage = 50;

export const history: PageRoute = {
  path: '/apps/:namespace/:name/history',
  needs: 'read',
  async page(context) {
    const { row } = foundApp(context);
    const { ask, query, href, nowMs } = context;
    const before = query.get('before') ?? '';
    const entries = await ask.history(row.key, { limit: perPage, ...(isRevision(before) ? { before } : {}) });
    const last = entries.at(-1);
    return {
      title: `History of ${row.status.name}`,
      body: (
        <>
          <AppHead row={row} href={href} tab="history" />
          <Card title="History" aside="from Git, newest first, UTC" bare>
            {entries.length === 0 ? (
              <p class="empty">Git tells nothing of this app{before === '' ? ' yet' : ' before that'}.</p>
            ) : (
              <ol class="log">
                {entries.map((entry) => (
                  <Entry entry={entry} path={appPath(row.key, `history/${entry.commit}`)} href={href} nowMs={nowMs} />
                ))}
              </ol>
            )}
          </Card>
          {last && entries.length === perPage ? (
            <nav class="pager" aria-label="Pages">
              <a href={href(`${appPath(row.key, 'history')}?before=${last.commit}`)}>Older</a>
            </nav>
          ) : null}
        </>
      ),
    };
  },
};

const verdicts: Readonly<Record<HistoryEntry['verdict'], { readonly tone: Tone; readonly word: string }>> = {
  promoted: { tone: 'ok', word: 'Promoted' },
  'rolled-back': { tone: 'failed', word: 'Rolled back' },
  withdrawn: { tone: 'idle', word: 'Taken back' },
  adopted: { tone: 'ok', word: 'Adopted' },
  removed: { tone: 'idle', word: 'Removed' },
  'by-hand': { tone: 'moving', word: 'By hand' },
};

const Entry: FC<Shown & { readonly entry: HistoryEntry; readonly path: string }> = ({ entry, path, href, nowMs }) => (
  <li>
    <Mark {...verdicts[entry.verdict]} />
    <div class="what">
      <p class="subject">
        <a href={href(path)}>{entry.subject}</a>
      </p>
      <p class="by">
        <Changed entry={entry} />
        {entry.by === undefined ? '' : ` · by ${entry.by}`}
        {' · '}
        <span class="mono">{entry.commit.slice(0, 12)}</span>
        {entry.tag === undefined ? '' : ` · ${entry.tag}`}
        {entry.asked.map((text) => ` · ${text}`)}
      </p>
      {entry.failedCheck === undefined ? null : <p class="small">Failed: {entry.failedCheck}</p>}
    </div>
    <p class="at">
      <Moment atMs={entry.atMs} nowMs={nowMs} />
    </p>
  </li>
);

const Changed: FC<{ readonly entry: HistoryEntry }> = ({ entry: { changed } }) => {
  const { images, others } = changed;
  if (images.length === 0 && others.length === 0) return <>no version changed</>;
  return (
    <>
      {images.map(({ container, from, to }, index) => (
        <>
          {index > 0 ? ', ' : ''}
          {container} <Versions from={from === undefined ? '' : tagOf(from)} to={tagOf(to)} />
        </>
      ))}
      {others.length === 0 ? '' : `${images.length > 0 ? ', ' : ''}${others.join(', ')}`}
    </>
  );
};

export const commit: PageRoute = {
  path: '/apps/:namespace/:name/history/:revision',
  needs: 'read',
  async page(context) {
    const { row } = foundApp(context);
    const { ask, params, href, nowMs } = context;
    const { revision = '' } = params;
    if (!isRevision(revision)) throw new UiError(404, 'That is no commit.');
    const entries = await ask.history(row.key, { limit: 200 });
    const entry = entries.find((one) => one.commit === revision);
    const { files, truncated } = await ask.diff(row.key, revision);
    return {
      title: entry?.subject ?? `Commit ${revision.slice(0, 12)}`,
      body: (
        <>
          <AppHead row={row} href={href} tab="history" />
          <div class="stack">
            {entry ? <Told entry={entry} href={href} nowMs={nowMs} /> : null}
            <Card title="What it changes" aside={<span class="mono">git show {revision.slice(0, 12)}</span>}>
              <Patches files={files} truncated={truncated} />
            </Card>
          </div>
        </>
      ),
    };
  },
};

const Told: FC<Shown & { readonly entry: HistoryEntry }> = ({ entry, nowMs }) => {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['By', entry.by],
    ['Judged at', entry.revision],
    ['Told by', entry.commit],
    ['Tag', entry.tag],
    ['Failed check', entry.failedCheck],
    ['Cluster', entry.cluster],
    ['Asked for', entry.asked.length === 0 ? undefined : entry.asked.join('; ')],
    ['Superseded', entry.supersedes.length === 0 ? undefined : entry.supersedes.join(', ')],
  ];
  return (
    <section class="card">
      <header>
        <Mark {...verdicts[entry.verdict]} pill />
        <h2>{entry.subject}</h2>
        <span class="aside">
          <Moment atMs={entry.atMs} nowMs={nowMs} />
        </span>
      </header>
      <div class="in">
        <dl class="told">
          <div>
            <dt>Changed</dt>
            <dd>
              <Changed entry={entry} />
            </dd>
          </div>
          {rows.map(([label, value]) =>
            value === undefined ? null : (
              <div>
                <dt>{label}</dt>
                <dd>{value}</dd>
              </div>
            ),
          )}
        </dl>
        {entry.evidence.length === 0 ? null : (
          <>
            <h3>Evidence</h3>
            <pre class="text" tabindex={0}>
              {entry.evidence.join('\n')}
            </pre>
          </>
        )}
      </div>
    </section>
  );
};

const isRevision = (text: string): boolean => /^[0-9a-f]{7,64}$/.test(text);

import type { FC } from 'hono/jsx';
import { partsOf } from '../../lib/key.ts';
import { tagOf } from '../../release/subject.ts';
import type { Tone } from '../model/tone.ts';
import { appPath, type PageRoute } from '../page.ts';
import type { ImageFacts } from '../questions.ts';
import { sentence } from './acts.tsx';
import { foundApp } from './app-found.ts';
import { AppHead } from './app-head.tsx';
import type { Shown } from './links.ts';
import { Ago, Card, Mark, Note } from './parts.tsx';
import type { Row } from '../model/fleet.ts';

const mostTags = 60;

export const images: PageRoute = {
  path: '/apps/:namespace/:name/images',
  needs: 'read',
  async page(context) {
    const { row } = foundApp(context);
    const { ask, model, viewer, query, href, nowMs } = context;
    const all = query.get('all') !== null;
    const found = await ask.images(row.key);
    const quarantine = model.apps().get(row.key)?.ledger?.quarantine ?? [];
    const rejected = new Set(
      quarantine.flatMap((entry) =>
        Object.entries(entry.images).map(([container, image]) => `${container} ${tagOf(image)}`),
      ),
    );
    const mayRelease = viewer.may('operate', partsOf(row.key).namespace);
    return {
      title: `Images of ${row.status.name}`,
      body: (
        <>
          <AppHead row={row} href={href} tab="images" />
          <div class="stack">
            {found.length === 0 ? (
              <p class="card empty">Git has no workload of this app, so there is no image to choose.</p>
            ) : null}
            {found.map((image) => (
              <Container
                image={image}
                row={row}
                rejected={rejected}
                mayRelease={mayRelease}
                all={all}
                href={href}
                nowMs={nowMs}
              />
            ))}
          </div>
        </>
      ),
    };
  },
};

const Container: FC<
  Shown & {
    readonly image: ImageFacts;
    readonly row: Row;
    readonly rejected: ReadonlySet<string>;
    readonly mayRelease: boolean;
    readonly all: boolean;
  }
> = ({
  image: { container, image, now, policy, wanted, state, reason, hold, problem, tags },
  row,
  rejected,
  mayRelease,
  all,
  href,
  nowMs,
}) => {
  const shown = all ? tags : tags.slice(0, mostTags);
  return (
    <Card title={container} aside={<span class="mono">{image}</span>} bare>
      <div class="in">
        <dl class="told">
          <div>
            <dt>In Git</dt>
            <dd>{now ?? 'no tag'}</dd>
          </div>
          <div>
            <dt>Policy</dt>
            <dd>{policy ?? 'none: versions are chosen by hand'}</dd>
          </div>
          {policy === undefined ? null : (
            <div>
              <dt>It wants</dt>
              <dd>
                {wanted ?? 'nothing newer'} <span class="muted">{reason === '' ? state : `${state}: ${reason}`}</span>
              </dd>
            </div>
          )}
          {hold ? (
            <div>
              <dt>Held</dt>
              <dd>
                Picked by {hold.by || 'hand'} instead of {hold.instead}: no policy moves it on.
              </dd>
            </div>
          ) : null}
        </dl>
        {problem === undefined ? null : <Note kind="refused">The registry does not tell its versions: {problem}</Note>}
      </div>
      {shown.length === 0 ? null : (
        <div class="wide">
          <table class="tags">
            <thead>
              <tr>
                <th>Version</th>
                <th>State</th>
                <th>Why</th>
                <th />
              </tr>
            </thead>
            <tbody>
              {shown.map(({ tag, reason: why, madeAtMs }) => {
                const mark = markOf({ tag, now, wanted, isRejected: rejected.has(`${container} ${tag}`), row });
                return (
                  <tr>
                    <td class="tag">{tag}</td>
                    <td>{mark ? <Mark {...mark} /> : null}</td>
                    <td class="muted">
                      {why === '' ? '' : sentence(why)}{' '}
                      {madeAtMs === undefined ? null : <Ago atMs={madeAtMs} nowMs={nowMs} />}
                    </td>
                    <td class="right">
                      {mayRelease && tag !== now ? (
                        <a
                          class="button"
                          href={href(
                            `${appPath(row.key, 'acts/release')}?${new URLSearchParams({ container, tag }).toString()}`,
                          )}
                          aria-label={`Release ${tag} of ${container}`}
                        >
                          Release …
                        </a>
                      ) : null}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
      {tags.length > shown.length ? (
        <p class="pager">
          <a href={href(`${appPath(row.key, 'images')}?all`)}>{tags.length - shown.length} more</a>
        </p>
      ) : null}
    </Card>
  );
};

interface Tag {
  readonly tag: string;
  readonly now: string | undefined;
  readonly wanted: string | undefined;
  readonly isRejected: boolean;
  readonly row: Row;
}

/** A version that was rolled back is not the current one, whatever Git had for a moment. */
function markOf({
  tag,
  now,
  wanted,
  isRejected,
  row,
}: Tag): { readonly tone: Tone; readonly word: string } | undefined {
  if (tag === row.candidate) return { tone: 'moving', word: 'Judged now' };
  if (tag === row.version) return { tone: 'ok', word: 'Users have it' };
  if (isRejected) return { tone: 'failed', word: 'Rolled back' };
  if (tag === now) return { tone: 'idle', word: 'In Git' };
  return tag === wanted ? { tone: 'moving', word: 'Wanted' } : undefined;
}

import type { FC } from 'hono/jsx';
import type { AppStatus, Explanation, Move, ShownCheck, ToldEvent } from '../../report/types.ts';
import type { Row } from '../model/fleet.ts';
import { checkRows, failedRows, type FailedRow, foldEvents, panelBound, showNumber } from '../model/checks.ts';
import type { Story } from '../model/story-shape.ts';
import type { Tone } from '../model/tone.ts';
import { appPath, type PageRoute } from '../page.ts';
import { foundApp } from './app-found.ts';
import type { OfferedAct } from '../../acts/acts.ts';
import { Acts, offeredActs, sentence } from './acts.tsx';
import { StoryChart } from './chart.tsx';
import { AppHead } from './app-head.tsx';
import type { Shown } from './links.ts';
import { Icon } from './icons.tsx';
import { Ago, Card, Mark, Moment, Share } from './parts.tsx';
import { PodsPart, podSides } from './pods.tsx';
import { clockTime, lasting } from './times.ts';

export const app: PageRoute = {
  path: '/apps/:namespace/:name',
  needs: 'read',
  async page(context) {
    const { model, nowMs, href } = context;
    const { row, explanation } = foundApp(context);
    const { status } = explanation;
    const shown = { href, nowMs };
    const sides = await podSides(context, row);
    return {
      title: `${status.name} · ${status.namespace}`,
      live: appPath(row.key, 'live'),
      body: (
        <>
          <AppHead row={row} href={href} tab="" />
          <div class="stack">
            <Now row={row} explanation={explanation} acts={offeredActs(context, row)} {...shown} />
            <StoryPart story={model.story(row.key, nowMs)} row={row} />
            <div class="columns">
              <div class="stack">
                <Checks explanation={explanation} {...shown} />
                <Failed explanation={explanation} {...shown} />
              </div>
              <div class="stack">
                <PodsPart sides={sides} nowMs={nowMs} />
              </div>
            </div>
            <Events events={explanation.events} {...shown} />
          </div>
        </>
      ),
    };
  },
};

/** Where it is, why, what would move it, and what one can do. */
const Now: FC<
  Shown & { readonly row: Row; readonly explanation: Explanation; readonly acts: readonly OfferedAct[] }
> = ({ row, explanation, acts, ...shown }) => (
  <section class="card" aria-label="Now">
    <div class="now-and-acts">
      <NowPart row={row} explanation={explanation} {...shown} />
      <Acts acts={acts} row={row} href={shown.href} />
    </div>
    <FactsPart status={row.status} nowMs={shown.nowMs} />
  </section>
);

export const NowPart: FC<Shown & { readonly row: Row; readonly explanation: Explanation }> = ({
  explanation,
  nowMs,
}) => {
  const { status, why, moves, unknown } = explanation;
  const [lead = status.line, ...rest] = why.length > 0 ? why : [status.line];
  return (
    <div data-part="now" class="now">
      <p class="lead">{sentence(lead)}</p>
      {rest.map((text) => (
        <p class="more">{sentence(text)}</p>
      ))}
      {/* Before its first release an app has no record. */}
      {(status.release ? unknown : []).map((text) => (
        <p class="more">Not known: {text}</p>
      ))}
      <Moves moves={moves} nowMs={nowMs} />
    </div>
  );
};

/** What acts a person has stands beside it; only what is waited for is told here. */
const isTold = ({ act }: Move): boolean => act === undefined || act === 'approve' || act === 'resume' || act === 'set';

const Moves: FC<{ readonly moves: readonly Move[]; readonly nowMs: number }> = ({ moves, nowMs }) =>
  moves.length === 0 ? (
    <></>
  ) : (
    <ul class="moves">
      {moves.filter(isTold).map(({ if: condition, outcome, untilMs, act }) => (
        <li>
          <Icon name={act === undefined ? 'step' : 'waits'} />
          <span>
            If {condition}: {outcome}
            {untilMs === undefined ? (
              ''
            ) : (
              <span class="muted">
                {' '}
                (until {clockTime(untilMs)}, {<Ago atMs={untilMs} nowMs={nowMs} />})
              </span>
            )}
          </span>
        </li>
      ))}
    </ul>
  );

export const FactsPart: FC<{ readonly status: AppStatus; readonly nowMs: number }> = ({ status, nowMs }) => {
  const { weight, steps, rounds, failedChecks, intervalMs, waits, sinceMs, strategy, isMoving } = status;
  return (
    <dl class="facts" data-part="facts">
      <div>
        <dt>Users with the new version</dt>
        <dd>{isMoving ? <Share weight={weight} /> : <span class="muted">no release under way</span>}</dd>
      </div>
      {rounds ? (
        <div>
          <dt>Rounds</dt>
          <dd>
            {rounds.passed} of {rounds.of}
          </dd>
        </div>
      ) : steps.length > 0 ? (
        <div>
          <dt>Steps</dt>
          <dd>
            {steps.length > 8 ? `${steps.slice(0, 7).join(', ')} … ${steps.at(-1)}` : steps.join(', ')}{' '}
            <span class="muted">%</span>
          </dd>
        </div>
      ) : null}
      <div>
        <dt>Failed checks</dt>
        <dd>
          {failedChecks.count} <span class="muted">of {failedChecks.threshold}</span>
        </dd>
      </div>
      {waits ? (
        <div>
          <dt>Waits for</dt>
          <dd>
            {waits.what}
            {waits.untilMs === undefined ? null : (
              <span class="muted">
                {' '}
                until {clockTime(waits.untilMs)} (<Ago atMs={waits.untilMs} nowMs={nowMs} />)
              </span>
            )}
          </dd>
        </div>
      ) : null}
      <div>
        <dt>Strategy</dt>
        <dd>
          {strategy}
          {intervalMs === undefined ? null : <span class="muted"> judged every {lasting(intervalMs)}</span>}
        </dd>
      </div>
      {sinceMs === undefined ? null : (
        <div>
          <dt>In this phase since</dt>
          <dd>
            <Moment atMs={sinceMs} nowMs={nowMs} />
          </dd>
        </div>
      )}
    </dl>
  );
};

const StoryPart: FC<{ readonly story: Story | undefined; readonly row: Row }> = ({ story, row }) => (
  <section class="card" id="story">
    <StoryHead row={row} />
    {story ? (
      <StoryChart story={story} />
    ) : (
      <p class="empty">
        Nothing has been seen of a release since the dashboard started. The history page has those before.
      </p>
    )}
  </section>
);

export const StoryHead: FC<{ readonly row: Row }> = ({ row }) => (
  <header data-part="story-head">
    <h2>{row.status.isMoving ? 'The release so far' : 'The last release'}</h2>
    <span class="aside">
      <StoryLegend row={row} />
    </span>
  </header>
);

const StoryLegend: FC<{ readonly row: Row }> = ({ row: { version, candidate } }) => (
  <span class="legend">
    <span>
      <i class="canary" /> new{candidate === '' ? '' : ` (${candidate})`}
    </span>
    <span>
      <i class="primary" /> old{version === '' ? '' : ` (${version})`}
    </span>
    <span>
      <i class="bound" /> threshold
    </span>
    <span>
      <i class="gap" /> no data
    </span>
  </span>
);

export const Checks: FC<Shown & { readonly explanation: Explanation }> = ({ explanation: { checks }, nowMs }) => (
  <div data-part="checks">
    <Card title="Checks" aside="as asked last" bare>
      {checks.length === 0 ? (
        <p class="empty">The Canary asks for no check.</p>
      ) : (
        <div class="wide">
          <table class="checks">
            <thead>
              <tr>
                <th>Check</th>
                <th>Result</th>
                <th>Value</th>
                <th>Threshold</th>
                <th class="right">Asked</th>
              </tr>
            </thead>
            <tbody>
              {checkRows(checks).map((check) => (
                <CheckLine check={check} nowMs={nowMs} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  </div>
);

const stateTones: Readonly<Record<ShownCheck['state'], Tone>> = {
  passed: 'ok',
  failed: 'failed',
  inconclusive: 'waits',
  'not-asked': 'idle',
};
const stateWords: Readonly<Record<ShownCheck['state'], string>> = {
  passed: 'Passed',
  failed: 'Failed',
  inconclusive: 'No answer',
  'not-asked': 'Not asked',
};

const CheckLine: FC<{ readonly check: ShownCheck; readonly nowMs: number }> = ({ check, nowMs }) => (
  <tr>
    <td>
      <b>{check.name}</b>
      {check.query === undefined ? (
        check.value === undefined && check.text !== '' ? (
          <p class="muted small">{check.text}</p>
        ) : null
      ) : (
        <details data-key={`query-${check.name}`}>
          <summary>
            Query{check.provider === undefined ? '' : ` to ${check.provider}`}
            {check.windowMs === undefined ? '' : `, ${lasting(check.windowMs)} window`}
          </summary>
          <pre>{check.query}</pre>
          {check.value === undefined ? <p class="muted small">{check.text}</p> : null}
        </details>
      )}
    </td>
    <td>
      <Mark tone={stateTones[check.state]} word={stateWords[check.state]} />
    </td>
    <td class="value">
      {check.value === undefined ? <span class="muted">–</span> : showNumber(check.value, check.unit)}
    </td>
    <td class="nowrap">{panelBound(check) || <span class="muted">–</span>}</td>
    <td class="right">{check.atMs === undefined ? '' : <Ago atMs={check.atMs} nowMs={nowMs} />}</td>
  </tr>
);

export const Failed: FC<Shown & { readonly explanation: Explanation }> = ({ explanation: { looks }, nowMs }) => {
  const rows = failedRows(looks);
  return (
    <div data-part="failed">
      {rows.length === 0 ? null : (
        <Card title="Failed checks" aside={`${rows.length} lately`}>
          <ul class="timeline">
            {rows.map((row) => (
              <FailedLine row={row} nowMs={nowMs} />
            ))}
          </ul>
        </Card>
      )}
    </div>
  );
};

const FailedLine: FC<{ readonly row: FailedRow; readonly nowMs: number }> = ({
  row: { atMs, weight, name, text, isInconclusive },
  nowMs,
}) => (
  <li>
    <time>{clockTime(atMs)}</time>
    <span class={isInconclusive ? 'mark waits' : 'mark failed'}>
      <Icon name={isInconclusive ? 'waits' : 'failed'} />
    </span>
    <span>
      <b>{name}</b> at {weight} %: {text}{' '}
      <span class="muted small">
        (<Ago atMs={atMs} nowMs={nowMs} />)
      </span>
    </span>
  </li>
);

export const Events: FC<Shown & { readonly events: readonly ToldEvent[] }> = ({ events, nowMs }) => {
  const rows = foldEvents(events);
  return (
    <div data-part="events">
      <Card title="What happened" aside="newest first, UTC">
        {rows.length === 0 ? (
          <p class="empty">The Canary has no events.</p>
        ) : (
          <ul class="timeline">
            {rows.map(({ atMs, type, message, count }) => (
              <li>
                <time>{clockTime(atMs)}</time>
                <span class={type === 'Warning' ? 'mark waits' : 'mark idle'}>
                  <Icon name={type === 'Warning' ? 'waits' : 'dot'} />
                  <span class="visually-hidden">{type}</span>
                </span>
                <span>
                  {message}
                  <span class="muted small">
                    {count > 1 ? ` × ${count}` : ''} (<Ago atMs={atMs} nowMs={nowMs} />)
                  </span>
                </span>
              </li>
            ))}
          </ul>
        )}
      </Card>
    </div>
  );
};

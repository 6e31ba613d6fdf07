import type { FC } from 'hono/jsx';
import { tagOf } from '../../release/subject.ts';
import type { Row } from '../model/fleet.ts';
import type { PageContext, PageRoute } from '../page.ts';
import type { PodFacts } from '../questions.ts';
import { foundApp } from './app-found.ts';
import { AppHead } from './app-head.tsx';
import { Icon } from './icons.tsx';
import { Ago, Card } from './parts.tsx';

/** Pods as they are now, with what those wrote last that are not ready. A text: why they are not known. */
export type Sides =
  | string
  | { readonly pods: readonly PodFacts[]; readonly logs: ReadonlyMap<string, readonly string[]> };

/** Logs are asked of so many pods at most. */
const mostLogs = 3;
const mostPods = 12;

export async function podSides({ ask }: PageContext, { key }: Row): Promise<Sides> {
  try {
    const pods = await ask.pods(key);
    const wanted = pods.filter(({ role, isReady, restarts }) => role === 'canary' && (!isReady || restarts > 0));
    const told = wanted.length > 0 ? wanted : pods.filter(({ role }) => role === 'canary').slice(0, 1);
    const logs = await Promise.all(
      told
        .slice(0, mostLogs)
        .map(async ({ name }) => [name, await ask.podLog(key, name).catch(() => undefined)] as const),
    );
    return { pods, logs: new Map(logs.flatMap(([name, lines]) => (lines ? [[name, lines] as const] : []))) };
  } catch (error) {
    return error instanceof Error ? error.message : 'the agent does not answer';
  }
}

/** Only the pods: what the script of the app's page asks for while a release moves. */
export const pods: PageRoute = {
  path: '/apps/:namespace/:name/pods',
  needs: 'read',
  async page(context) {
    const { row } = foundApp(context);
    return {
      title: `Pods of ${row.status.name}`,
      body: (
        <>
          <AppHead row={row} href={context.href} tab="" />
          <PodsPart sides={await podSides(context, row)} nowMs={context.nowMs} />
        </>
      ),
    };
  },
};

export const PodsPart: FC<{ readonly sides: Sides; readonly nowMs: number }> = ({ sides, nowMs }) => (
  <div data-part="pods" class="stack">
    <Card title="Pods">
      {typeof sides === 'string' ? (
        <p class="muted">Not known: {sides}</p>
      ) : (
        <div class="pods">
          <Side title="Old version" pods={sides.pods.filter(({ role }) => role === 'primary')} nowMs={nowMs} />
          <Side title="New version" pods={sides.pods.filter(({ role }) => role === 'canary')} nowMs={nowMs} />
        </div>
      )}
    </Card>
    {typeof sides === 'string' || sides.logs.size === 0 ? null : (
      <Card title="Last log lines" aside="of the new version; values of Secrets are left out">
        {[...sides.logs].map(([name, lines]) => (
          <details open={lines.length > 0 && sides.logs.size === 1} data-key={`log-${name}`}>
            <summary class="mono">{name}</summary>
            {lines.length === 0 ? (
              <p class="muted small">It has written nothing.</p>
            ) : (
              <pre tabindex={0}>{lines.join('\n')}</pre>
            )}
          </details>
        ))}
      </Card>
    )}
  </div>
);

const Side: FC<{ readonly title: string; readonly pods: readonly PodFacts[]; readonly nowMs: number }> = ({
  title,
  pods: all,
  nowMs,
}) => {
  const ready = all.filter(({ isReady }) => isReady).length;
  const versions = [...new Set(all.flatMap(({ images }) => images.slice(0, 1).map(tagOf)))];
  return (
    <div>
      <h3>
        {title}
        {versions.length === 0 ? '' : ` ${versions.join(', ')}`}
        <span class="muted">{all.length === 0 ? 'no pods' : `${ready} of ${all.length} ready`}</span>
      </h3>
      <ul>
        {all.slice(0, mostPods).map((pod) => (
          <li>
            <span class={pod.isReady ? 'mark ok' : 'mark waits'}>
              <Icon name={pod.isReady ? 'ok' : 'waits'} />
              <span class="visually-hidden">{pod.isReady ? 'ready' : 'not ready'}</span>
            </span>
            <span class="mono">{pod.name}</span>
            <span class="muted small nowrap">
              {pod.restarts > 0 ? `${pod.restarts} ${pod.restarts === 1 ? 'restart' : 'restarts'} · ` : ''}
              <Ago atMs={pod.madeAtMs} nowMs={nowMs} />
            </span>
            {pod.reason === undefined ? null : <span class="reason">{pod.reason}</span>}
          </li>
        ))}
      </ul>
      {all.length > mostPods ? <p class="muted small">and {all.length - mostPods} more</p> : null}
    </div>
  );
};

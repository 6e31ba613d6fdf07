import type { FC } from 'hono/jsx';
import { actsOf, readAct } from '../../acts/acts.ts';
import { at } from '../../lib/json.ts';
import type { KubeObject } from '../../manifest/types.ts';
import { appPath, type PageContext, type PageRoute, UiError } from '../page.ts';
import type { Preview } from '../questions.ts';
import { sentence } from './acts.tsx';
import { foundApp } from './app-found.ts';
import { AppHead } from './app-head.tsx';
import { Card, Note } from './parts.tsx';
import { Patches } from './patch.tsx';
import { settingText } from './settings.tsx';

/** What an act will write, and the form that does it. Nothing is written by looking. */
export const act: PageRoute = {
  path: '/apps/:namespace/:name/acts/:act',
  needs: 'read',
  async page(context) {
    const { row } = foundApp(context);
    const { viewer, model, ask, params, query, href } = context;
    const { act: kind = '' } = params;
    if (!viewer.may('operate', row.status.namespace))
      throw new UiError(403, `That needs operate in ${row.status.namespace}, which you do not have.`);
    const fields = changedFields(query, model.apps().get(row.key)?.canary);
    const asked = readAct(kind, row.key, fields);
    const preview = typeof asked === 'string' ? undefined : await ask.preview(asked);
    const needsReason = actsOf(row.status).find(({ name }) => name === kind)?.needsReason === true;
    return {
      title: `${kind} ${row.status.name}`,
      body: (
        <>
          <AppHead row={row} href={href} tab={kind === 'set' ? 'settings' : kind === 'release' ? 'images' : ''} />
          <div class="stack">
            {typeof asked === 'string' ? <Note kind="refused">{sentence(asked)}</Note> : null}
            {preview ? (
              <Shown
                preview={preview}
                context={context}
                path={appPath(row.key, `acts/${kind}`)}
                fields={fields}
                needsReason={needsReason}
                namespace={row.status.namespace}
              />
            ) : null}
            <p>
              <a href={href(appPath(row.key))}>Back to the app</a>
            </p>
          </div>
        </>
      ),
    };
  },
};

const mostFields = 40;
const mostLetters = 2_000;

const Shown: FC<{
  readonly preview: Preview;
  readonly context: PageContext;
  readonly path: string;
  readonly fields: ReadonlyMap<string, string>;
  readonly namespace: string;
  readonly needsReason: boolean;
}> = ({ preview, context: { href, csrf, viewer }, path, fields, namespace, needsReason }) => {
  if (preview.kind === 'refused') return <Note kind="refused">{sentence(preview.text)}</Note>;
  const isCommit = preview.kind === 'commit';
  return (
    <>
      <Card title={isCommit ? 'The commit that this makes' : 'What this writes to the Canary'}>
        {isCommit ? (
          <>
            <pre class="text" tabindex={0}>
              {preview.message}
            </pre>
            <div class="patches">
              <Patches files={preview.files} />
            </div>
          </>
        ) : (
          <>
            <p>{sentence(preview.said)}</p>
            <pre class="text" tabindex={0}>
              {Object.entries(preview.annotations)
                .map(([name, value]) => (value === null ? `- ${name}` : `+ ${name}: ${value}`))
                .join('\n')}
            </pre>
          </>
        )}
      </Card>
      <form class="card" method="post" action={href(path)}>
        <div class="in form">
          <input type="hidden" name="csrf" value={csrf} />
          {[...fields].map(([name, value]) =>
            name === 'reason' ? null : <input type="hidden" name={name} value={value} />,
          )}
          <label class="field">
            Why
            <input
              type="text"
              name="reason"
              value={fields.get('reason') ?? ''}
              maxlength={300}
              {...(needsReason ? { required: true } : {})}
            />
            <span class="hint">
              {isCommit ? 'Stands in the commit' : 'Stands in the annotation and in the commit of the release'}, with
              your name: {viewer.name}.
            </span>
          </label>
          <p class="does">
            <button class="strong" type="submit">
              {isCommit ? 'Commit' : 'Do it'}
            </button>
            <span class="muted small">needs operate in {namespace}</span>
          </p>
        </div>
      </form>
    </>
  );
};

/** What a form of settings leaves as it is is no change. */
function changedFields(query: URLSearchParams, canary: KubeObject | undefined): ReadonlyMap<string, string> {
  const fields = [...query]
    .slice(0, mostFields)
    .map(([name, value]) => [name, value.slice(0, mostLetters).trim()] as const);
  return new Map(
    fields.filter(([name, value]) => {
      if (!name.startsWith('set.')) return name !== 'csrf';
      return settingText(at(canary?.['spec'], ...name.split('.').slice(1))) !== value;
    }),
  );
}

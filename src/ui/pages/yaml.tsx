import type { FC } from 'hono/jsx';
import type { PageRoute } from '../page.ts';
import { foundApp } from './app-found.ts';
import { AppHead } from './app-head.tsx';
import { Card } from './parts.tsx';

const mostLines = 3_000;

export const yaml: PageRoute = {
  path: '/apps/:namespace/:name/yaml',
  needs: 'read',
  async page(context) {
    const { row } = foundApp(context);
    const { ask, href } = context;
    const { inGit, live } = await ask.yaml(row.key);
    return {
      title: `YAML of ${row.status.name}`,
      body: (
        <>
          <AppHead row={row} href={href} tab="yaml" />
          <div class="stack">
            <Card title="In Git" aside={inGit ? `${inGit.path}, line ${inGit.line}` : undefined} bare>
              {inGit ? (
                <Code text={inGit.text} />
              ) : (
                <p class="empty">No file of a source that is followed has this Canary.</p>
              )}
            </Card>
            <Card title="In the cluster" aside="with its status" bare>
              <Code text={live} />
            </Card>
          </div>
        </>
      ),
    };
  },
};

const Code: FC<{ readonly text: string }> = ({ text }) => {
  const lines = text.replace(/\n$/, '').split('\n');
  return (
    <pre class="code" tabindex={0}>
      {lines.slice(0, mostLines).map((line) => (
        <span>{line}</span>
      ))}
    </pre>
  );
};

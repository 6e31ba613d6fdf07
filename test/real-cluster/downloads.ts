import { request } from 'node:http';
import { expect } from 'vitest';
import { until } from './command.ts';
import { type Door, doorOf } from './load.ts';
import { phase, podsOf, status } from './look.ts';
import { type AppOptions, podinfoApp } from './podinfo-app.ts';
import type { Stage } from './stage.ts';
import { patienceMs } from './story.ts';

const lines = 100;
/** Ten lines a second, ten seconds in sum, and nothing that ends gracefully. */
const script = `mkdir -p /tmp/www/cgi-bin && cd /tmp/www && echo ok > index.html && cat > cgi-bin/slow <<'CGI'
#!/bin/sh
printf 'Content-Type: text/plain\\nX-Version: %s\\n\\n' "$VERSION"
i=0
while [ $i -lt ${lines} ]; do i=$((i + 1)); echo "line $i of ${lines}"; sleep 0.1; done
CGI
chmod +x cgi-bin/slow && exec busybox httpd -f -p 9898 -h /tmp/www`;

function deployment({ namespace }: AppOptions, version: string): string {
  return JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'podinfo', namespace },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'podinfo' } },
      template: {
        metadata: { labels: { app: 'podinfo' } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'httpd',
              image: 'registry.test:5000/busybox:1.35',
              imagePullPolicy: 'IfNotPresent',
              command: ['/bin/busybox', 'sh', '-c', script],
              env: [{ name: 'VERSION', value: version }],
              ports: [{ name: 'http', containerPort: 9898 }],
              readinessProbe: { httpGet: { path: '/index.html', port: 'http' }, periodSeconds: 1 },
            },
          ],
        },
      },
    },
  });
}

interface Download {
  readonly version: string;
  readonly text: string;
  readonly isWhole: boolean;
}

function download({ address, port, host }: Door): Promise<Download> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: address, port, path: '/cgi-bin/slow', headers: { host }, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      const version = String(answer.headers['x-version'] ?? '');
      answer.once('close', () => resolve({ version, text, isWhole: answer.complete }));
      answer.once('error', () => undefined);
    });
    asked.once('error', reject).end();
  });
}

/** A download of ten seconds, begun at the canary right before its promotion, has all its bytes; the pods go afterwards. */
export async function tellDownloads(stage: Stage, plain: AppOptions): Promise<void> {
  const { namespace } = plain;
  const gate = `    webhooks:\n      - name: step\n        type: confirm-promotion\n        url: ${stage.hooks.url(namespace)}\n`;
  const app = { ...plain, analysis: `    threshold: 5\n    stepWeights: [100]\n${gate}` };
  const made = podinfoApp(app);
  const canary = (made['canary.yaml'] ?? '').replace('spec:\n', 'spec:\n  scaleDownDelay: 15s\n');
  const files = Object.entries({ ...made, 'deployment.yaml': deployment(app, '1'), 'canary.yaml': canary });
  await stage.push(
    `add a server of downloads to ${namespace}`,
    Object.fromEntries(files.map(([name, text]) => [`${namespace}/${name}`, text] as const)),
  );
  await phase(stage, app, 'Initialized', patienceMs);
  const door = await doorOf(app.way.url, app.host);
  await stage.push('release version 2', { [`${namespace}/deployment.yaml`]: deployment(app, '2') });
  await phase(stage, app, 'WaitingPromotion', patienceMs);
  // Everybody is with the canary as soon as the proxy knows.
  await until('the proxy leads to the canary', 30_000, async () => (await versionAt(door)) === '2');
  // Some begin while it is promoted, each half a second later.
  const begun: Promise<Download>[] = [];
  stage.hooks.allow(namespace, 1);
  for (let hasLeft = false; !hasLeft; ) {
    begun.push(download(door));
    await status(stage, app, 'it goes on', 2_000, ({ phase: now }) => now !== undefined);
    hasLeft = await status(
      stage,
      app,
      'it is promoted',
      500,
      ({ phase: now }) => now === 'Finalising' || now === 'Succeeded',
    ).then(
      () => true,
      () => false,
    );
  }
  await phase(stage, app, 'Succeeded', patienceMs);
  const met = await Promise.all(begun);
  const told = met.map(({ version, text, isWhole }) => `${version} ${text.split('\n').length - 1} ${isWhole}`);
  expect(
    told.filter((each) => !/^[12] 100 true$/.test(each)),
    told.join(', '),
  ).toEqual([]);
  expect(met.some(({ version }) => version === '2')).toBe(true);
  await until('the pods of the canary go then', 60_000, async () => (await podsOf(stage, namespace)) === 0);
}

/** Asks for the head of a download, and leaves. */
function versionAt({ address, port, host }: Door): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: address, port, path: '/cgi-bin/slow', headers: { host }, agent: false }, (answer) => {
      resolve(String(answer.headers['x-version'] ?? ''));
      answer.destroy();
    });
    asked.once('error', reject).end();
  });
}

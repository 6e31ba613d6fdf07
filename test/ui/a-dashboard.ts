import { request, type IncomingHttpHeaders } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { systemClock } from '../../src/lib/clock.ts';
import { keyOf } from '../../src/lib/key.ts';
import { createLogger } from '../../src/lib/log.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { createFleetModel, type FleetModel } from '../../src/ui/model/model.ts';
import type { AgentDoor } from '../../src/ui/questions.ts';
import { serveUi } from '../../src/ui/serve.ts';
import type { UiSettings } from '../../src/ui/settings.ts';

export const plainSettings: UiSettings = {
  port: 0,
  host: '127.0.0.1',
  url: undefined,
  hosts: ['serin.serin.svc'],
  anonymous: 'none',
  tokenFile: undefined,
  kubernetes: false,
  oidc: undefined,
};

export const canaryOf = (namespace: string, name: string, more: Partial<KubeObject> = {}): KubeObject => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { namespace, name, uid: `${namespace}-${name}`, resourceVersion: '1' },
  spec: {
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
    service: { port: 80 },
    analysis: { interval: '10s', threshold: 3, maxWeight: 50, stepWeight: 10 },
  },
  ...more,
});

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** The server of the dashboard in this process, on what a test says of apps and of the agent. */
export async function aDashboard(
  settings: Partial<UiSettings> = {},
  door: Partial<AgentDoor> = {},
  apps: readonly KubeObject[] = [canaryOf('shop', 'web'), canaryOf('pay', 'api')],
) {
  const model: FleetModel = createFleetModel();
  for (const canary of apps)
    model.take({ kind: 'app', app: keyOf(canary.metadata), facts: { canary, provider: 'kubernetes' } });
  const lines: string[] = [];
  const log = createLogger('debug', (line) => lines.push(line));
  const acts: { readonly kind: string; readonly by: string }[] = [];
  const whole: AgentDoor = {
    pods: () => Promise.resolve([]),
    podLog: () => Promise.resolve([]),
    textInGit: () => Promise.resolve(undefined),
    history: () => Promise.resolve([]),
    changedBy: () => Promise.resolve({ files: [], truncated: false }),
    images: () => Promise.resolve([]),
    planned: () => Promise.resolve({ kind: 'refused', text: 'nothing is previewed here' }),
    perform: (act, by) => {
      acts.push({ kind: act.kind, by });
      return Promise.resolve({ kind: 'done', text: 'it is done' });
    },
    reviewToken: () => Promise.resolve(undefined),
    reviewAccess: () => Promise.resolve(false),
    ...door,
  };
  const server = await serveUi({
    settings: { ...plainSettings, ...settings },
    model,
    door: whole,
    clock: systemClock,
    log,
  });
  const { host, origin, ask } = askerOf(server.port);
  return { server, host, origin, model, lines, acts, ask };
}

/** Who asks a server on loopback, by HTTP and nothing else. */
export function askerOf(port: number) {
  const host = `127.0.0.1:${port}`;
  const ask = (path: string, { method = 'GET', headers = {}, body }: Sent = {}): Promise<Answered> =>
    new Promise((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, path, method, headers }, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', reject);
        answer.on('end', () => {
          const whole = Buffer.concat(parts);
          const plain = answer.headers['content-encoding'] === 'gzip' ? gunzipSync(whole) : whole;
          resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: plain.toString('utf8') });
        });
      });
      asked.on('error', reject);
      asked.end(body);
    });
  return { host, origin: `http://${host}`, ask };
}

export type Dashboard = Awaited<ReturnType<typeof aDashboard>>;

/** A browser of one person: it keeps cookies, follows nothing, and sends forms as browsers do. */
export function aBrowser({ ask, origin }: Pick<Dashboard, 'ask' | 'origin'>) {
  const jar = new Map<string, string>();
  const send = async (path: string, sent: Sent = {}): Promise<Answered> => {
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await ask(path, { ...sent, headers: { ...(cookie === '' ? {} : { cookie }), ...sent.headers } });
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [pair = ''] = line.split(';');
      jar.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
    }
    return answer;
  };
  const csrfIn = (html: string): string => /name="csrf" value="([\w-]+)"/.exec(html)?.[1] ?? '';
  return {
    jar,
    get: (path: string) => send(path),
    csrfIn,
    /** A form of a page, with its token. */
    async post(page: string, path: string, fields: Readonly<Record<string, string>>): Promise<Answered> {
      const csrf = csrfIn((await send(page)).body);
      return send(path, {
        method: 'POST',
        headers: { origin, 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ csrf, ...fields }).toString(),
      });
    },
    send,
  };
}

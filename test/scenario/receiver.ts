import { startServer, type TestServer } from '../helpers/http-server.ts';

interface EventTold {
  readonly phase: string;
  readonly message: string;
  readonly type: string;
  readonly sequence: number;
}

/** Whoever is told: hooks, event webhooks and Slack, on one real server. */
export interface Receiver {
  readonly url: string;
  readonly server: TestServer;
  /** Hooks of a path, with the phase that they were told: `confirm-rollout Initialized`. */
  hooks(): readonly string[];
  events(): readonly EventTold[];
  /** Alerts that came to `/slack/<name>`: color and text. */
  alerts(name: string): readonly { readonly color: string; readonly text: string; readonly author: string }[];
  close(): Promise<void>;
}

interface Payload {
  readonly phase?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly attachments?: readonly { readonly color: string; readonly text: string; readonly author_name: string }[];
}

/** Answers every hook with 200 except those below `/shut`, and never what is asked below `/dead`. */
export async function startReceiver(): Promise<Receiver> {
  const server = await startServer(({ url = '' }, response) => {
    if (url.startsWith('/dead')) return;
    response.writeHead(url.startsWith('/shut') ? 403 : 200).end(url.startsWith('/shut') ? 'Forbidden' : 'ok');
  });
  const told = (prefix: string) =>
    server.requests
      .filter(({ path }) => path.startsWith(prefix))
      .map(({ path, body, headers }) => ({
        rest: path.slice(prefix.length),
        payload: JSON.parse(body) as Payload,
        sequence: Number(headers['x-sequence'] ?? 0),
      }));
  return {
    url: server.url,
    server,
    hooks: () => told('/hook/').map(({ rest, payload }) => `${rest} ${payload.phase ?? ''}`),
    events: () =>
      told('/events').map(({ payload: { phase = '', metadata = {} }, sequence }) => ({
        phase,
        message: metadata['eventMessage'] ?? '',
        type: metadata['eventType'] ?? '',
        sequence,
      })),
    alerts: (name) =>
      told(`/slack/${name}`).flatMap(({ payload }) =>
        (payload.attachments ?? []).map(({ color, text, author_name: author }) => ({ color, text, author })),
      ),
    close: () => server.close(),
  };
}

import { createHash, timingSafeEqual } from 'node:crypto';
import type { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { messageOf } from '../lib/errors.ts';
import type { Logger } from '../lib/log.ts';
import { imagesIn } from './hook-payload.ts';
import { answer, createApp, createLimitedServer, listen, listenerOf, type RunningServer } from './listen.ts';

export interface HookServerOptions {
  readonly port: number;
  /** Absent: all addresses. */
  readonly host?: string;
  /** Tokens, one of which ends the path of a webhook or is its bearer token; asked each time. */
  readonly tokens: () => Promise<readonly string[]>;
  /** Looks at an image's registry now. Gives how many repositories are looked at: none, where no policy wants it. */
  readonly look: (image: string) => number;
  readonly log: Logger;
}

const maxBytes = 262_144;
const place = '/hook/images';

/**
 * Where registries tell that they have something new: `POST /hook/images/TOKEN`. It only makes the agent ask sooner, so nothing that is said here
 * reaches Git; whoever knows the token can cost requests, and those are paced.
 */
export function startHookServer(options: HookServerOptions): Promise<RunningServer> {
  const { port, host, log } = options;
  const server = createLimitedServer(listenerOf(hookApp(options)));
  return listen(server, { port, ...(host === undefined ? {} : { host }), setting: '--hook-port', log });
}

function hookApp({ tokens, look, log }: HookServerOptions): Hono {
  const app = createApp((error) => {
    log.error({ reason: messageOf(error) }, 'a webhook could not be answered');
    return answer(503, 'try again');
  });
  const bounded = bodyLimit({ maxSize: maxBytes, onError: () => answer(400, '') });
  const isKnown = async (token: string | undefined): Promise<boolean> =>
    token !== undefined && isAmong(await tokens(), token);
  const told = (body: string): Response => {
    const images = imagesIn(parsed(body));
    if (!images) return answer(400, 'this names no image; send {"image": "HOST/NAME"}');
    const looked = images.reduce((sum, image) => sum + look(image), 0);
    log.debug({ images, looked }, 'a registry tells of new images');
    return answer(202, '');
  };
  app.get('/healthz', () => answer(200, 'OK'));
  app.post(place, bounded, async ({ req }) => {
    const [, bearer] = /^Bearer (\S+)$/i.exec(req.header('authorization') ?? '') ?? [];
    return (await isKnown(bearer)) ? told(await req.text()) : answer(401, '');
  });
  app.post(`${place}/:token`, bounded, async ({ req }) =>
    (await isKnown(req.param('token'))) ? told(await req.text()) : answer(401, ''),
  );
  app.all(`${place}/*`, () => answer(405, 'only POST'));
  app.notFound(() => answer(404, `webhooks go to ${place}/TOKEN`));
  return app;
}

/** Takes the same time for every wrong token. */
function isAmong(tokens: readonly string[], given: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return tokens.filter((token) => timingSafeEqual(digest(token), digest(given))).length > 0;
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch {
    return undefined;
  }
}

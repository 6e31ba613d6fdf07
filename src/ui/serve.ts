import type { Clock } from '../lib/clock.ts';
import type { Logger } from '../lib/log.ts';
import { callerLimits, createLimitedServer, listen, listenerOf, type RunningServer } from '../server/listen.ts';
import { createJudge } from './auth/judge.ts';
import { createOidc } from './auth/oidc.ts';
import { createSessions } from './auth/sessions.ts';
import type { FleetModel } from './model/model.ts';
import type { AgentDoor } from './questions.ts';
import { createUiApp } from './server/app.ts';
import { loadAssets } from './server/assets.ts';
import { redirectUriOf, tableOf } from './server/table.ts';
import { createLive } from './server/live.ts';
import { prefixOf, type UiSettings } from './settings.ts';

export interface ServeOptions {
  readonly settings: UiSettings;
  readonly model: FleetModel;
  readonly door: AgentDoor;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Behind a proxy all callers have one address. */
const connectionsOfOne = 512;
/** A stream of changes ends after this, and the browser asks for another one. */
const streamMs = 3_600_000;
const isStream = ({ url }: { readonly url?: string | undefined }): boolean =>
  url?.split('?', 1)[0]?.endsWith('/live') === true;

/** Opens the server of the dashboard. Throws CONFIG_INVALID where it cannot listen. */
export async function serveUi({ settings, model, door, clock, log }: ServeOptions): Promise<RunningServer> {
  const judge = createJudge({ settings, door, clock, log });
  const { oidc } = settings;
  const parts = {
    settings,
    model,
    door,
    judge,
    sessions: createSessions(clock),
    oidc: oidc && createOidc({ settings: oidc, redirectUri: redirectUriOf(settings), clock, log }),
    assets: loadAssets(),
    live: createLive({ model, href: (path) => `${prefixOf(settings)}${path}`, clock, log }),
    clock,
    log,
  };
  const app = createUiApp(parts, (answers) => tableOf(parts, answers));
  const server = createLimitedServer(listenerOf(app), {
    connectionsOfOne,
    answerMs: (request) => (isStream(request) ? streamMs : callerLimits.answerMs),
  });
  const { port, host } = settings;
  const running = await listen(server, { port, ...(host === undefined ? {} : { host }), setting: '--ui', log });
  return {
    port: running.port,
    close() {
      parts.live.close();
      return running.close();
    },
  };
}

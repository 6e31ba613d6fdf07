import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import type { Clock } from '../../lib/clock.ts';
import { stackOf } from '../../lib/errors.ts';
import { partsOf } from '../../lib/key.ts';
import type { Logger } from '../../lib/log.ts';
import { createAttempts } from '../auth/attempts.ts';
import type { Identity } from '../auth/identity.ts';
import type { Judge } from '../auth/judge.ts';
import type { Oidc } from '../auth/oidc.ts';
import type { Sessions, Visit } from '../auth/sessions.ts';
import type { FleetModel } from '../model/model.ts';
import { type Page, type PageContext, UiError } from '../page.ts';
import { layout, problemPage } from '../pages/pages.tsx';
import type { AgentDoor } from '../questions.ts';
import type { Asked, Route } from '../routes.ts';
import { prefixOf, type UiSettings } from '../settings.ts';
import type { Viewer } from '../viewer.ts';
import { askOf } from './ask-of.ts';
import type { Assets } from './assets.ts';
import { mostFormBytes, readForm } from './form.ts';
import { securityHeaders } from './headers.ts';
import type { Live } from './live.ts';
import { isOwnHost, isOwnOrigin } from './hosts.ts';

/** What the server stands on. */
export interface UiParts {
  readonly settings: UiSettings;
  readonly model: FleetModel;
  readonly door: AgentDoor;
  readonly judge: Judge;
  readonly sessions: Sessions;
  /** Undefined: nobody signs in so. */
  readonly oidc: Oidc | undefined;
  readonly assets: Assets;
  readonly live: Live;
  readonly clock: Clock;
  readonly log: Pick<Logger, 'error' | 'warn' | 'info'>;
}

/** What a table of routes needs to answer. */
export interface Answers {
  /** The whole document of a page. */
  show(page: Page, context: PageContext): Promise<Response>;
  /** Goes to a path of the dashboard. */
  redirect(path: string): Response;
  /** The browser has this visit from now on. */
  withVisit(response: Response, visit: Visit): Response;
}

interface Env {
  readonly Bindings: { readonly incoming?: IncomingMessage };
}

/** As Kubernetes has them; what else stands in a path is no app. */
const namespacePattern = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const namePattern = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

const zipped = promisify(gzip);
/** Less than this is not worth it. */
const zipFromBytes = 2_048;

/** The dashboard as an app of hono. Everything that comes in goes through `letIn`, whichever route it is for. */
export function createUiApp(parts: UiParts, tableOf: (answers: Answers) => readonly Route[]): Hono<Env> {
  const { settings, model, door, judge, sessions, assets, clock, log } = parts;
  const prefix = prefixOf(settings);
  const isSecure = settings.url?.startsWith('https:') === true;
  const cookieName = `${isSecure ? (prefix === '' ? '__Host-' : '__Secure-') : ''}serin`;
  const cookieRest = `Path=${prefix === '' ? '/' : prefix}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
  const attempts = createAttempts(clock);

  // With or without the prefix: some proxies take it away, others do not.
  const pathOf = (request: Request): string => {
    const { pathname } = new URL(request.url);
    if (prefix === '' || (pathname !== prefix && !pathname.startsWith(`${prefix}/`))) return pathname;
    return pathname.slice(prefix.length) || '/';
  };
  const app = new Hono<Env>({ getPath: pathOf });

  const answers: Answers = {
    async show(page, context) {
      const made = (await layout(page, context)) as { toString(): string };
      const html = `<!doctype html>${made.toString()}`;
      return new Response(html, {
        status: page.status ?? 200,
        headers: { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' },
      });
    },
    redirect: (path) =>
      new Response(null, { status: 303, headers: { location: `${prefix}${path}`, 'cache-control': 'no-store' } }),
    withVisit(response, visit) {
      response.headers.append('set-cookie', `${cookieName}=${visit.cookie}; ${cookieRest}`);
      return response;
    },
  };

  const contextOf = (c: Context<Env>, viewer: Viewer, visit: Visit): PageContext => ({
    viewer,
    model,
    params: c.req.param() as Readonly<Record<string, string>>,
    query: new URL(c.req.url).searchParams,
    ask: askOf(door, model, viewer),
    nowMs: clock.now(),
    csrf: visit.csrf(),
    href: (path) => `${prefix}${path}`,
    asset: (name) => `${prefix}${assets.path(name)}`,
    flash: undefined,
  });
  const problem = async (
    c: Context<Env>,
    status: number,
    title: string,
    text: string,
    who?: Come,
  ): Promise<Response> => {
    const { viewer, visit } = who ?? { viewer: judge.anonymous, visit: sessions.begin() };
    return answers.show(problemPage(status, title, text), contextOf(c, viewer, visit));
  };

  /** Who comes. */
  const identityIn = async (
    c: Context<Env>,
  ): Promise<{ visit: Visit; isBearer: boolean; isNew: boolean; identity: Identity | undefined }> => {
    const bearer = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
    if (bearer !== undefined) {
      const address = addressOf(c);
      if (attempts.isTooMany(address)) throw new TooMany();
      const identity = await judge.identify(bearer);
      if (!identity) {
        attempts.failed(address);
        throw new Unknown();
      }
      return { visit: sessions.begin(), isBearer: true, isNew: false, identity };
    }
    const known = sessions.visit(cookieIn(c.req.header('cookie'), cookieName));
    const visit = known ?? sessions.begin();
    return { visit, isBearer: false, isNew: known === undefined, identity: visit.identity };
  };
  const come = async (c: Context<Env>, route: Route): Promise<Come> => {
    const { identity, ...rest } = await identityIn(c);
    const { namespace } = c.req.param() as { namespace?: string };
    const namespaces =
      namespace === undefined ? [...model.apps().keys()].map((key) => partsOf(key).namespace) : [namespace];
    // What everybody may have asks nobody for rights.
    const viewer = identity && route.needs !== 'nothing' ? await judge.viewer(identity, namespaces) : undefined;
    if (identity && route.needs !== 'nothing' && !viewer) sessions.signOut(rest.visit);
    const again = async (): Promise<Viewer | undefined> => {
      if (!identity) return judge.anonymous;
      if (!rest.isBearer && !sessions.visit(rest.visit.cookie)?.identity) return undefined;
      return judge.viewer(identity, namespaces);
    };
    return { ...rest, viewer: viewer ?? judge.anonymous, again };
  };

  const isLetIn = ({ needs }: Route, viewer: Viewer, namespace: string): boolean => {
    switch (needs) {
      case 'nothing':
        return true;
      case 'read-any':
        return viewer.mayAnywhere('read');
      case 'read':
      case 'operate':
        return viewer.may(needs, namespace);
    }
  };
  const turnedAway = (c: Context<Env>, route: Route, who: Come): Promise<Response> | Response => {
    const { viewer, isBearer } = who;
    const { namespace = '' } = c.req.param() as { namespace?: string };
    if (!viewer.isSignedIn && !isBearer && !viewer.may('read', namespace)) {
      const { pathname, search } = new URL(c.req.url);
      const next =
        route.method === 'GET'
          ? `${prefix !== '' && pathname.startsWith(`${prefix}/`) ? pathname.slice(prefix.length) : pathname}${search}`
          : '/';
      return answers.redirect(`/sign-in?next=${encodeURIComponent(next)}`);
    }
    if (route.needs === 'operate' && viewer.may('read', namespace))
      return problem(c, 403, 'You may not do this', `It needs the right to operate apps of ${namespace}.`, who);
    if (route.needs === 'read-any')
      return problem(c, 403, 'You may see nothing here', 'You have no right to any app. Ask who runs Serin.', who);
    // Who may not see it does not learn whether it is there.
    return problem(c, 404, 'Not found', 'There is no such app, or you may not see it.', who);
  };

  const serve =
    (route: Route) =>
    async (c: Context<Env>): Promise<Response> => {
      const params = c.req.param() as Readonly<Record<string, string>>;
      const { namespace, name } = params;
      if (namespace !== undefined && !namespacePattern.test(namespace)) return c.notFound();
      if (name !== undefined && route.path.includes(':namespace/:name') && !namePattern.test(name)) return c.notFound();
      const who = await come(c, route);
      const { viewer, visit } = who;
      let form: ReadonlyMap<string, string> = new Map();
      if (route.method === 'POST') {
        const origin = c.req.header('origin');
        const isOwn = isOwnOrigin(settings, { origin, host: c.req.header('host') });
        // A header of its own is never sent by another site's form.
        if (!isOwn && !(who.isBearer && origin === undefined))
          return problem(c, 403, 'Not sent from here', 'The form was not sent by a page of this dashboard.', who);
        if (!(c.req.header('content-type') ?? '').startsWith('application/x-www-form-urlencoded'))
          return problem(c, 415, 'No form', 'Only forms are taken here.', who);
        const read = readForm(await c.req.text());
        if (!read) return problem(c, 400, 'No form', 'The form has too many fields.', who);
        form = read;
        if (!who.isBearer && !sessions.isCsrf(visit, form.get('csrf')))
          return problem(c, 403, 'The page is too old', 'Load it again, then send the form once more.', who);
      }
      if (!isLetIn(route, viewer, namespace ?? '')) return turnedAway(c, route, who);
      const isPage = route.method === 'GET' && route.needs !== 'nothing';
      const flash = isPage && !who.isNew ? sessions.takeFlash(visit) : undefined;
      const context = { ...contextOf(c, viewer, visit), flash };
      const asked: Asked = {
        context,
        visit,
        url: new URL(c.req.url),
        form,
        address: addressOf(c),
        accepts: (encoding) => encodingsOf(c).includes(encoding),
        again: who.again,
      };
      const response = await route.answer(asked);
      const isHtml = response.headers.get('content-type')?.startsWith('text/html') === true;
      if (!who.isBearer && who.isNew && isHtml && !response.headers.has('set-cookie'))
        answers.withVisit(response, visit);
      return response;
    };

  app.onError(async (error, c) => {
    if (error instanceof UiError) return problem(c, error.status, titles[error.status], error.message);
    if (error instanceof TooMany) return problem(c, 429, 'Too many attempts', 'Wait a minute.');
    if (error instanceof Unknown) {
      const response = await problem(c, 401, 'Not known', 'The token is not known, or not valid any more.');
      response.headers.set('www-authenticate', 'Bearer realm="serin"');
      return response;
    }
    log.error({ path: c.req.path, error: stackOf(error) }, 'a page of the dashboard could not be made');
    return problem(c, 500, 'Something went wrong', 'The log of the agent says what.');
  });
  app.use(async (c, next) => {
    await next();
    for (const [name, value] of securityHeaders) c.res.headers.set(name, value);
    if (!c.res.headers.has('cache-control')) c.res.headers.set('cache-control', 'no-store');
  });
  app.use(async (c, next) => {
    await next();
    const isHtml = c.res.headers.get('content-type')?.startsWith('text/html') === true;
    if (!isHtml || !encodingsOf(c).includes('gzip')) return;
    const bytes = await c.res.arrayBuffer();
    const headers = new Headers(c.res.headers);
    headers.set('vary', 'accept-encoding');
    const isWorth = bytes.byteLength >= zipFromBytes;
    if (isWorth) headers.set('content-encoding', 'gzip');
    const { status } = c.res;
    // Hono adds headers of a response that it replaces.
    c.res = undefined;
    c.res = new Response(isWorth ? new Uint8Array(await zipped(bytes, { level: 4 })) : bytes, { status, headers });
  });
  app.use(async (c, next) => {
    if (!isOwnHost(settings, c.req.header('host')) && c.req.path !== '/healthz')
      return new Response('this server is not asked by that name; --ui-url says by which it is\n', { status: 421 });
    if (!['GET', 'HEAD', 'POST'].includes(c.req.method)) return new Response('only GET and POST\n', { status: 405 });
    await next();
    return undefined;
  });
  const bounded = bodyLimit({ maxSize: mostFormBytes, onError: () => new Response('too large\n', { status: 413 }) });
  for (const route of tableOf(answers)) {
    if (route.method === 'GET') app.get(route.path, serve(route));
    else app.post(route.path, bounded, serve(route));
  }
  app.notFound((c) => problem(c, 404, 'Not found', 'There is no such page.'));
  return app;
}

interface Come {
  readonly viewer: Viewer;
  readonly visit: Visit;
  /** A token came with the request itself, no cookie. */
  readonly isBearer: boolean;
  /** The browser has no cookie of ours yet. */
  readonly isNew: boolean;
  readonly again: () => Promise<Viewer | undefined>;
}

class Unknown extends Error {}
class TooMany extends Error {}

const titles: Readonly<Record<UiError['status'], string>> = {
  400: 'That cannot be done',
  403: 'You may not do this',
  404: 'Not found',
  409: 'It has changed meanwhile',
  503: 'Not now',
};

const addressOf = (c: Context<Env>): string => c.env?.incoming?.socket.remoteAddress ?? '';

const encodingsOf = (c: Context<Env>): readonly string[] =>
  (c.req.header('accept-encoding') ?? '').split(',').map((one) => one.split(';', 1)[0]?.trim() ?? '');

/** The value of a cookie; the first of its name. */
function cookieIn(header: string | undefined, name: string): string | undefined {
  for (const part of (header ?? '').split(';')) {
    const at = part.indexOf('=');
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return undefined;
}

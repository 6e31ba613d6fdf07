import { createAttempts } from '../auth/attempts.ts';
import { readAct } from '../../acts/acts.ts';
import { keyOf, shownKey } from '../../lib/key.ts';
import { appPath, type Flash, UiError } from '../page.ts';
import { pages, problemPage, signInPage, type SignInWays } from '../pages/pages.tsx';
import type { Asked, Route } from '../routes.ts';
import type { Answers, UiParts } from './app.ts';
import { localPath } from './form.ts';

/** Everything that the dashboard answers. A test holds each POST against the rights of who only reads. */
export function tableOf(parts: UiParts, answers: Answers): readonly Route[] {
  return [
    ...pages.map(
      (route): Route => ({
        method: 'GET',
        path: route.path,
        needs: route.needs,
        answer: async ({ context }) => answers.show(await route.page(context), context),
      }),
    ),
    {
      method: 'POST',
      path: '/apps/:namespace/:name/acts/:act',
      needs: 'operate',
      async answer({ context: { params, viewer }, visit, form }) {
        const { namespace = '', name = '', act: kind = '' } = params;
        const app = keyOf({ namespace, name });
        if (!parts.model.apps().has(app)) throw new UiError(404, 'There is no such app, or you may not see it.');
        const act = readAct(kind, app, form);
        const flash: Flash =
          typeof act === 'string' ? { kind: 'refused', text: act } : await parts.door.perform(act, viewer.name);
        parts.log.info(
          { canary: shownKey(app), act: kind, by: viewer.name, result: flash.kind },
          'somebody acted on an app',
        );
        parts.sessions.leave(visit, flash);
        return answers.redirect(appPath(app));
      },
    },
    {
      method: 'GET',
      path: '/live',
      needs: 'read-any',
      answer: ({ context, again }) => parts.live.stream(undefined, context.viewer, again),
    },
    {
      method: 'GET',
      path: '/apps/:namespace/:name/live',
      needs: 'read',
      answer({ context: { params, viewer }, again }) {
        const { namespace = '', name = '' } = params;
        return parts.live.stream(keyOf({ namespace, name }), viewer, again);
      },
    },
    ...signingIn(parts, answers),
    {
      method: 'GET',
      path: '/assets/:hash/:file',
      needs: 'nothing',
      answer({ context: { params }, accepts }) {
        const asset = parts.assets.find(params['hash'] ?? '', params['file'] ?? '');
        if (!asset) return new Response('no such file\n', { status: 404 });
        const isZipped = accepts('gzip');
        return new Response(isZipped ? asset.zipped : asset.bytes, {
          headers: {
            'content-type': asset.type,
            'cache-control': 'public, max-age=31536000, immutable',
            vary: 'accept-encoding',
            ...(isZipped ? { 'content-encoding': 'gzip' } : {}),
          },
        });
      },
    },
    { method: 'GET', path: '/healthz', needs: 'nothing', answer: () => new Response('OK\n') },
  ];
}

function signingIn({ settings, judge, sessions, oidc, clock, log }: UiParts, answers: Answers): readonly Route[] {
  const ways: SignInWays = {
    token: settings.tokenFile !== undefined,
    kubernetes: settings.kubernetes,
    oidc: oidc !== undefined,
  };
  const attempts = createAttempts(clock);
  const form = ({ context }: Asked, next: string, problem?: string): Promise<Response> =>
    answers.show(signInPage(ways, { problem, next }, context), context);
  const own = (): NonNullable<typeof oidc> => {
    if (!oidc) throw new UiError(404, 'Nobody signs in so here.');
    return oidc;
  };
  return [
    {
      method: 'GET',
      path: '/sign-in',
      needs: 'nothing',
      answer: (asked) =>
        ways.token || ways.kubernetes || ways.oidc
          ? form(asked, localPath(asked.context.query.get('next') ?? undefined))
          : answers.show(problemPage(404, 'Nobody signs in here', 'No way to sign in is set up.'), asked.context),
    },
    {
      method: 'POST',
      path: '/sign-in',
      needs: 'nothing',
      async answer(asked) {
        const { form: fields, address, visit } = asked;
        const next = localPath(fields.get('next'));
        if (attempts.isTooMany(address)) return form(asked, next, 'Too many attempts; wait a minute.');
        const identity = await judge.identify((fields.get('token') ?? '').trim());
        if (!identity) {
          attempts.failed(address);
          log.warn({ address }, 'somebody tried to sign in to the dashboard with a token that nobody has');
          return form(asked, next, 'The token is not known, or not valid any more.');
        }
        sessions.signOut(visit);
        log.info({ name: identity.name, by: identity.kind }, 'somebody has signed in to the dashboard');
        return answers.withVisit(answers.redirect(next), sessions.signIn(identity));
      },
    },
    {
      method: 'POST',
      path: '/sign-out',
      needs: 'nothing',
      answer({ visit }) {
        sessions.signOut(visit);
        return answers.withVisit(answers.redirect('/'), sessions.begin());
      },
    },
    {
      method: 'GET',
      path: '/oidc/start',
      needs: 'nothing',
      async answer({ visit, context }) {
        const address = await own().start(visit.cookie, localPath(context.query.get('next') ?? undefined));
        const response = new Response(null, {
          status: 303,
          headers: { location: address.href, 'cache-control': 'no-store' },
        });
        return answers.withVisit(response, visit);
      },
    },
    {
      method: 'GET',
      path: '/oidc/callback',
      needs: 'nothing',
      async answer({ visit, url }) {
        const callback = new URL(`${settings.url ?? url.origin}/oidc/callback${url.search}`);
        const { identity, next } = await own().finish(visit.cookie, callback);
        sessions.signOut(visit);
        log.info({ name: identity.name, by: identity.kind }, 'somebody has signed in to the dashboard');
        return answers.withVisit(answers.redirect(next), sessions.signIn(identity));
      },
    },
  ];
}

/** Where a provider sends browsers back to. */
export const redirectUriOf = (settings: UiParts['settings']): string => `${settings.url ?? ''}/oidc/callback`;

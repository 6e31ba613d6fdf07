import type { Child } from 'hono/jsx';
import { keyOf, partsOf } from '../../lib/key.ts';
import { appPath, type Page, type PageContext, type PageRoute, UiError } from '../page.ts';

/** The whole document of a page. */
export const layout = (page: Page, { viewer, href, asset, csrf, flash }: PageContext): Child => (
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <title>{page.title} · Serin</title>
      <link rel="stylesheet" href={asset('style.css')} />
    </head>
    <body>
      <header>
        <a href={href('/')}>Serin</a> <span>{viewer.name}</span>
        {viewer.isSignedIn && (
          <form method="post" action={href('/sign-out')}>
            <input type="hidden" name="csrf" value={csrf} />
            <button type="submit">Sign out</button>
          </form>
        )}
      </header>
      {flash && <p role="status">{flash.text}</p>}
      <main>{page.body}</main>
    </body>
  </html>
);

export const problemPage = (status: number, title: string, text: string): Page => ({
  title,
  status,
  body: (
    <>
      <h1>{title}</h1>
      <p>{text}</p>
    </>
  ),
});

/** How one can sign in here. */
export interface SignInWays {
  readonly token: boolean;
  readonly kubernetes: boolean;
  readonly oidc: boolean;
}

/** `problem`: why the attempt before failed. `next`: the path to go to afterwards. */
export const signInPage = (
  ways: SignInWays,
  { problem, next }: { readonly problem: string | undefined; readonly next: string },
  { href, csrf }: PageContext,
): Page => ({
  title: 'Sign in',
  status: problem === undefined ? 200 : 401,
  body: (
    <>
      <h1>Sign in</h1>
      {problem !== undefined && <p role="alert">{problem}</p>}
      {ways.oidc && <a href={href(`/oidc/start?next=${encodeURIComponent(next)}`)}>Sign in with your account</a>}
      {(ways.token || ways.kubernetes) && (
        <form method="post" action={href('/sign-in')}>
          <input type="hidden" name="csrf" value={csrf} />
          <input type="hidden" name="next" value={next} />
          <label>
            {ways.kubernetes ? 'Token of Kubernetes' : 'Token'}
            <input type="password" name="token" autocomplete="current-password" required />
          </label>
          <button type="submit">Sign in</button>
        </form>
      )}
    </>
  ),
});

const fleet: PageRoute = {
  path: '/',
  needs: 'read-any',
  page: ({ model, viewer, href }) => ({
    title: 'Apps',
    body: (
      <>
        <h1>Apps</h1>
        <ul>
          {[...model.apps().keys()]
            .filter((app) => viewer.may('read', partsOf(app).namespace))
            .map((app) => (
              <li>
                <a href={href(appPath(app))}>{app}</a>
              </li>
            ))}
        </ul>
      </>
    ),
  }),
};

const app: PageRoute = {
  path: '/apps/:namespace/:name',
  needs: 'read',
  page({ model, params }) {
    const { namespace = '', name = '' } = params;
    const app = keyOf({ namespace, name });
    if (!model.apps().has(app)) throw new UiError(404, `There is no app ${app}.`);
    return { title: name, body: <h1>{name}</h1> };
  },
};

export const pages: readonly PageRoute[] = [fleet, app];

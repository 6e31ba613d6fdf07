import type { Child } from 'hono/jsx';
import type { Flash, Page, PageContext, PageRoute } from '../page.ts';
import { act } from './act.tsx';
import { app } from './app.tsx';
import { fleet } from './fleet.tsx';
import { commit, history } from './history.tsx';
import { Icon, Sprite } from './icons.tsx';
import { images } from './images.tsx';
import { Note } from './parts.tsx';
import { pods } from './pods.tsx';
import { settings } from './settings.tsx';
import { yaml } from './yaml.tsx';

/** The whole document of a page. */
export const layout = (page: Page, { viewer, model, href, asset, csrf, flash, query, nowMs }: PageContext): Child => (
  <html lang="en">
    <head>
      <meta charset="utf-8" />
      <meta name="viewport" content="width=device-width, initial-scale=1" />
      <meta name="color-scheme" content="light dark" />
      <title>{page.title} · Serin</title>
      <link rel="icon" type="image/svg+xml" href={asset('bird.svg')} />
      <link rel="stylesheet" href={asset('style.css')} />
      <script src={asset('theme.js')} />
      {page.live === undefined ? null : (
        <>
          <link rel="stylesheet" href={asset('uplot.css')} />
          <script src={asset('uplot.js')} defer />
          <script type="module" src={asset('charts.js')} />
        </>
      )}
      <script type="module" src={asset('live.js')} />
    </head>
    <body>
      <a class="skip" href="#main">
        Skip to the page
      </a>
      <Sprite />
      <header class="top">
        <div class="top-in">
          <a class="brand" href={href('/')}>
            <svg aria-hidden="true" focusable="false">
              <use href="#i-bird" />
            </svg>
            Serin
          </a>
          {model.about === undefined || model.about.cluster === '' ? null : (
            <span class="cluster">{model.about.cluster}</span>
          )}
          <form class="search" method="get" action={href('/')} role="search" aria-label="Search all apps">
            <input
              type="search"
              name="q"
              value={query.get('q') ?? ''}
              placeholder="Find an app"
              aria-label="Find an app"
              aria-keyshortcuts="/"
            />
            <kbd aria-hidden="true">/</kbd>
          </form>
          <div class="who">
            <span class="mark waits offline" role="status">
              <Icon name="waits" />
              not live
            </span>
            <button
              type="button"
              class="plain theme"
              data-theme-switch=""
              aria-label="Light or dark"
              title="Light or dark"
            >
              <Icon name="theme" />
            </button>
            <span class="name" title={viewer.name}>
              {viewer.name}
            </span>
            {viewer.isSignedIn ? (
              <form method="post" action={href('/sign-out')}>
                <input type="hidden" name="csrf" value={csrf} />
                <button type="submit" class="plain">
                  Sign out
                </button>
              </form>
            ) : null}
          </div>
        </div>
      </header>
      <main
        id="main"
        tabindex={-1}
        data-now={String(nowMs)}
        {...(page.live === undefined ? {} : { 'data-live': href(page.live) })}
      >
        {flash ? <FlashNote flash={flash} /> : null}
        {page.body}
      </main>
      <footer>{model.about === undefined ? null : <About about={model.about} />}</footer>
    </body>
  </html>
);

const FlashNote = ({ flash }: { readonly flash: Flash }): Child => (
  <div class="flash">
    <Note kind={flash.kind === 'waiting' ? 'waits' : flash.kind}>{flash.text}</Note>
  </div>
);

const About = ({ about }: { readonly about: NonNullable<PageContext['model']['about']> }): Child => (
  <>
    <span>Serin {about.version}</span>
    {about.sources.map(({ name, branch, path, synced, trouble }) => (
      <span>
        {about.sources.length > 1 ? `${name}: ` : ''}
        {branch}
        {path === '' ? '' : ` ${path}`} at{' '}
        {synced === undefined ? 'no commit yet' : <span class="mono">{synced.slice(0, 12)}</span>}
        {trouble === undefined ? '' : `: ${trouble}`}
      </span>
    ))}
    <span>all times UTC</span>
  </>
);

export const problemPage = (status: number, title: string, text: string): Page => ({
  title,
  status,
  body: (
    <section class="card problem">
      <div class="in">
        <h1>{title}</h1>
        <p>{text}</p>
      </div>
    </section>
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
    <section class="card sign">
      <div class="in">
        <h1>Sign in</h1>
        {problem === undefined ? null : <Note kind="refused">{problem}</Note>}
        {ways.oidc ? (
          <a class="button strong" href={href(`/oidc/start?next=${encodeURIComponent(next)}`)}>
            Sign in with your account
          </a>
        ) : null}
        {ways.token || ways.kubernetes ? (
          <form class="form" method="post" action={href('/sign-in')}>
            <input type="hidden" name="csrf" value={csrf} />
            <input type="hidden" name="next" value={next} />
            <label class="field">
              {ways.kubernetes ? 'Token of Kubernetes' : 'Token'}
              <input type="password" name="token" autocomplete="current-password" required />
              {ways.kubernetes ? (
                <span class="hint">kubectl create token NAME gives one. The API server decides what you may.</span>
              ) : null}
            </label>
            <p class="does">
              <button class={ways.oidc ? '' : 'strong'} type="submit">
                Sign in
              </button>
            </p>
          </form>
        ) : null}
      </div>
    </section>
  ),
});

export const pages: readonly PageRoute[] = [fleet, app, pods, history, commit, images, settings, yaml, act];

import type { FC } from 'hono/jsx';
import type { Row } from '../model/fleet.ts';
import { toneOf, wordOf } from '../model/tone.ts';
import { appPath } from '../page.ts';
import type { Shown } from './links.ts';
import { Mark, Versions } from './parts.tsx';

const tabs = [
  ['', 'Release'],
  ['history', 'History'],
  ['images', 'Images'],
  ['settings', 'Settings'],
  ['yaml', 'YAML'],
] as const;

/** Name, state and the ways on, the same on all pages of an app. */
export const AppHead: FC<{
  readonly row: Row;
  readonly href: Shown['href'];
  readonly tab: (typeof tabs)[number][0];
}> = ({ row, href, tab }) => {
  const { key, status } = row;
  const { namespace } = status;
  return (
    <>
      <p class="crumbs">
        <a href={href('/')}>Apps</a> / <a href={href(`/?namespace=${encodeURIComponent(namespace)}`)}>{namespace}</a>
      </p>
      <HeadPart row={row} />
      <nav class="tabs" aria-label="Pages of the app">
        {tabs.map(([path, text]) => (
          <a
            href={href(appPath(key, path === '' ? undefined : path))}
            {...(path === tab ? { 'aria-current': 'page' as const } : {})}
          >
            {text}
          </a>
        ))}
      </nav>
    </>
  );
};

export const HeadPart: FC<{ readonly row: Row }> = ({ row: { status, version, candidate } }) => (
  <div class="app-head" data-part="head">
    <h1>{status.name}</h1>
    <Mark tone={toneOf(status)} word={wordOf(status)} pill />
    <span class="image">
      <Versions from={version} {...(candidate === '' ? {} : { to: candidate })} />
    </span>
  </div>
);

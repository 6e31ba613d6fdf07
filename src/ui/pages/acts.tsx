import type { FC } from 'hono/jsx';
import { actsOf, type OfferedAct } from '../../acts/acts.ts';
import type { ActName, AppStatus } from '../../report/types.ts';
import type { Row } from '../model/fleet.ts';
import { appPath, type PageContext } from '../page.ts';
import type { Shown } from './links.ts';

/** What the viewer may do now. */
export function offeredActs({ viewer }: PageContext, { status }: Row): readonly OfferedAct[] {
  if (!viewer.may('operate', status.namespace)) return [];
  return actsOf(status).filter(({ name, notNow }) => notNow === undefined && !hasPage(name));
}

/** A version and settings are chosen on pages of their own. */
const hasPage = (name: ActName): boolean => name === 'release' || name === 'set';

const tones: Partial<Record<ActName, string>> = {
  approve: ' strong',
  resume: ' strong',
  abort: ' danger',
  rollback: ' danger',
};

export const Acts: FC<{ readonly acts: readonly OfferedAct[]; readonly row: Row; readonly href: Shown['href'] }> = ({
  acts,
  row,
  href,
}) => (
  <div data-part="acts" data-acts={actsSignature(row.status)}>
    {acts.length === 0 ? null : (
      <ul class="acts-list" aria-label="What you can do">
        {acts.map(({ name, title, effect, right }) => (
          <li>
            <a class={`button${tones[name] ?? ''}`} href={href(actPath(row, name))}>
              {title}
            </a>
            <span>
              {sentence(effect)}{' '}
              <span class="writes">
                {right === 'push'
                  ? 'Makes a commit'
                  : 'Sets an annotation of the Canary; the release’s commit names you'}
                ; needs operate in {row.status.namespace}.
              </span>
            </span>
          </li>
        ))}
      </ul>
    )}
  </div>
);

/** With what the person sees, so that nothing comes of it where another release is under way by then. */
const actPath = ({ key, status }: Row, name: ActName): string =>
  `${appPath(key, `acts/${name}`)}${status.requestFor === '' ? '' : `?${new URLSearchParams({ release: status.requestFor }).toString()}`}`;

/** Changes when other acts can be had: then the script fetches them anew. */
export const actsSignature = (app: AppStatus): string =>
  actsOf(app)
    .filter(({ notNow }) => notNow === undefined)
    .map(({ name }) => name)
    .join(' ');

const ends = new Set(['.', '!', '?', '…']);

/** With a capital letter and a full stop. */
export function sentence(text: string): string {
  const said = `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
  return ends.has(said.slice(-1)) ? said : `${said}.`;
}

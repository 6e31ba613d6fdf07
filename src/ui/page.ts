import type { Child } from 'hono/jsx';
import type { AppKey } from '../lib/key.ts';
import type { FleetModel } from './model/model.ts';
import type { Ask } from './questions.ts';
import type { Flash } from './told.ts';
import type { Viewer } from './viewer.ts';

export { type Flash, UiError } from './told.ts';

/** What a page is made from. */
export interface PageContext {
  readonly viewer: Viewer;
  readonly model: FleetModel;
  /** Of the path, decoded: `namespace`, `name` and others. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** Questions to the agent. Each rejects with UiError where the agent does not answer in time. */
  readonly ask: Ask;
  readonly nowMs: number;
  /** For a hidden field `csrf` in each form. */
  readonly csrf: string;
  /** A path of the dashboard as browsers know it, below the public prefix. */
  readonly href: (path: string) => string;
  /** The address of a file of `ui/assets`, with its hash. */
  readonly asset: (name: string) => string;
  /** What came of the act before. Undefined: there was none. */
  readonly flash: Flash | undefined;
}

/** Where an app is shown; for `href`. `part`: `history`, `acts/hold`. */
export const appPath = (app: AppKey, part?: string): string => `/apps/${app}${part === undefined ? '' : `/${part}`}`;

export interface Page {
  readonly title: string;
  readonly body: Child;
  /** The path of its stream of changes. Absent: it has none. */
  readonly live?: string;
  /** Absent: 200. */
  readonly status?: number;
}

/**
 * `read`: of the namespace in the path; who may not is answered as if it were not there. `read-any`: of some namespace; a list then has only
 * what the viewer may read.
 */
export interface PageRoute {
  readonly path: string;
  readonly needs: 'read' | 'read-any';
  page(context: PageContext): Page | Promise<Page>;
}

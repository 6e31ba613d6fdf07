import type { PageContext } from './page.ts';
import type { Viewer } from './viewer.ts';
import type { Visit } from './auth/sessions.ts';

/** A request that was let in. */
export interface Asked {
  readonly context: PageContext;
  readonly visit: Visit;
  /** The address as the browser knows it. */
  readonly url: URL;
  /** Fields of a form; none of a GET. */
  readonly form: ReadonlyMap<string, string>;
  /** Where it comes from, as far as this server sees it: behind a proxy, the proxy. */
  readonly address: string;
  /** Whether the browser takes an encoding. */
  readonly accepts: (encoding: string) => boolean;
  /** Who asks by now: his session and his rights are looked at once more. Undefined: he has none any more. */
  readonly again: () => Promise<Viewer | undefined>;
}

/**
 * What may be asked of the dashboard: all of it stands in one table, and the server answers nothing else. A GET changes nothing. `nothing`: also
 * who has not signed in. `read-any`: whoever may read some namespace. `read`, `operate`: of the namespace in the path, which there has to be.
 */
export interface Route {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly needs: 'nothing' | 'read-any' | 'read' | 'operate';
  answer(asked: Asked): Response | Promise<Response>;
}

import type { Ask } from '../../src/ui/questions.ts';
import { createFleetModel, type FleetModel } from '../../src/ui/model/model.ts';
import type { PageContext, PageRoute } from '../../src/ui/page.ts';
import { layout } from '../../src/ui/pages/pages.tsx';
import type { Right, Viewer } from '../../src/ui/viewer.ts';
import { nowMs, type factsOf } from './fleet-fixture.ts';

export const operator: Viewer = viewerWho('jane@example.com', () => true);
export const reader: Viewer = viewerWho('reader', (right) => right === 'read');

export function viewerWho(name: string, may: (right: Right, namespace: string) => boolean): Viewer {
  return { name, isSignedIn: true, may, mayAnywhere: (right) => may(right, 'any') };
}

export function modelOf(apps: readonly ReturnType<typeof factsOf>[]): FleetModel {
  const model = createFleetModel();
  model.take({ kind: 'begin' });
  for (const { app, facts } of apps) model.take({ kind: 'app', app, facts });
  model.take({ kind: 'end' });
  model.take({
    kind: 'agent',
    about: {
      version: '0.1.0',
      cluster: 'production',
      sources: [{ name: 'default', branch: 'main', path: 'apps', synced: 'f'.repeat(40), trouble: undefined }],
      notes: [],
    },
  });
  return model;
}

export const silent: Ask = {
  pods: async () => [],
  podLog: async () => [],
  yaml: async () => ({ inGit: undefined, live: '' }),
  history: async () => [],
  diff: async () => ({ files: [], truncated: false }),
  images: async () => [],
  preview: async () => ({ kind: 'refused', text: 'nobody is asked' }),
};

/** What a page is made from, with what a test says of it. */
export function contextOf(
  model: FleetModel,
  given: Partial<PageContext> & { readonly search?: string } = {},
): PageContext {
  const { search = '', ...rest } = given;
  return {
    viewer: operator,
    model,
    params: {},
    query: new URLSearchParams(search),
    ask: silent,
    nowMs,
    csrf: 'token-of-the-session',
    href: (path) => `/serin${path}`,
    asset: (name) => `/serin/assets/0123456789abcdef/${name}`,
    flash: undefined,
    ...rest,
  };
}

/** A whole document, as a browser gets it. */
export async function textOf(route: PageRoute, context: PageContext): Promise<string> {
  const made = await layout(await route.page(context), context);
  return String(await (made as { toString(): string | Promise<string> }).toString());
}

import { describe, expect, it } from 'vitest';
import type { Ask } from '../../src/ui/questions.ts';
import { pages } from '../../src/ui/pages/pages.tsx';
import { liveApp, liveRow } from '../../src/ui/pages/live.tsx';
import { factsOf, looksOf, nowMs, ordinaryDay } from './fleet-fixture.ts';
import { contextOf, modelOf, operator, reader, silent, textOf } from './stand-in.ts';

const revision = 'd'.repeat(40);
const paths: Readonly<Record<string, Readonly<Record<string, string>>>> = Object.fromEntries(
  pages.map(({ path }) => [path, { namespace: 'shop', name: 'cart', revision, act: 'hold' }]),
);

/** What others write into names, messages, answers and logs. */
const hostile = [
  '<script>alert(1)</script>',
  '"><img src=x onerror=alert(1)>',
  "'/onfocus='alert(1)' autofocus='",
  '</textarea></pre></title><svg onload=alert(1)>',
  'javascript:alert(1)',
  '{{constructor.constructor("alert(1)")()}}',
];

function hostileAsk(text: string): Ask {
  const image = `registry.test/${text}:${text}`;
  return {
    ...silent,
    pods: async () => [
      { name: text, role: 'canary', images: [image], isReady: false, restarts: 3, reason: text, madeAtMs: nowMs },
      { name: text, role: 'primary', images: [image], isReady: true, restarts: 0, reason: undefined, madeAtMs: nowMs },
    ],
    podLog: async () => [text, text],
    yaml: async () => ({ inGit: { path: text, line: 1, text }, live: text }),
    history: async () => [
      {
        namespace: 'shop',
        name: 'cart',
        atMs: nowMs,
        verdict: 'rolled-back',
        by: text,
        commit: revision,
        tag: text,
        subject: text,
        changed: { images: [{ container: text, from: image, to: image }], others: [text] },
        failedCheck: text,
        asked: [text],
        evidence: [text],
        cluster: text,
        supersedes: [text],
      },
    ],
    diff: async () => ({ files: [{ path: text, patch: `@@ ${text}\n+${text}\n-${text}` }], truncated: true }),
    images: async () => [
      {
        container: text,
        image,
        now: text,
        policy: text,
        wanted: text,
        state: text,
        reason: text,
        hold: { by: text, instead: text, at: text },
        problem: text,
        tags: [{ tag: `${text}2`, reason: text }],
      },
    ],
    preview: async () => ({ kind: 'commit', message: text, files: [{ path: text, patch: `+${text}` }] }),
  };
}

function hostileModel(text: string) {
  const looks = looksOf({ count: 3, missing: [2] }).map((look) => ({
    ...look,
    checks: look.checks.map((check) => ({ ...check, name: text })),
  }));
  return modelOf([
    factsOf({
      name: 'cart',
      phase: 'Progressing',
      weight: 20,
      candidate: text,
      stable: text,
      looks,
      labels: { [text]: text, team: text },
      annotations: { [text]: text },
      events: [{ atMs: nowMs, type: 'Warning', message: text }],
      webhooks: [{ name: text, type: 'rollout', url: 'http://hook.test/' }],
    }),
  ]);
}

/** Tags with their attributes, as a browser would see them. */
const tagsOf = (html: string): readonly string[] =>
  [...html.matchAll(/<[a-zA-Z!/](?:"[^"]*"|'[^']*'|[^>"'])*>/g)].map(([tag]) => tag);

describe('pages of the dashboard', () => {
  describe.each(pages.map((route) => [route.path, route] as const))('%s', (path, route) => {
    it.each(hostile)('has %s as text and never as markup', async (text) => {
      const context = contextOf(hostileModel(text), {
        params: paths[path] ?? {},
        ask: hostileAsk(text),
        search: new URLSearchParams({
          release: 'b',
          q: text,
          label: text,
          namespace: text,
          reason: text,
          container: 'app',
          tag: 'x',
        }).toString(),
        viewer: { ...operator, name: text },
        flash: { kind: 'refused', text },
      });
      const plain = contextOf(hostileModel('plain'), {
        params: paths[path] ?? {},
        ask: hostileAsk('plain'),
        search: 'release=b',
      });
      const [html, known] = [await textOf(route, context), await textOf(route, plain)];
      const namesOf = (one: string) =>
        new Set(tagsOf(one).map((tag) => /^<\/?([a-zA-Z0-9!]+)/.exec(tag)?.[1]?.toLowerCase()));
      const news = [...namesOf(html)].filter(
        (name) => !namesOf(known).has(name) && name !== 'option' && name !== 'b' && name !== 'div',
      );
      expect(news).toEqual([]);
      for (const tag of tagsOf(html)) {
        const bare = tag.replaceAll(/"[^"]*"/g, '""');
        expect(bare).not.toMatch(/\son\w+=|\sstyle=|\sautofocus|srcdoc/i);
        for (const [, address = ''] of tag.matchAll(/\s(?:href|src|action)="([^"]*)"/g))
          expect(address).toMatch(/^(?:\/serin\/|#)/);
      }
    });

    it('has no script and no style of its own, so that a strict policy is enough', async () => {
      const html = await textOf(
        route,
        contextOf(modelOf(ordinaryDay()), { params: paths[path] ?? {}, ask: hostileAsk('plain'), search: 'release=b' }),
      );
      for (const [, attributes = '', content = ''] of html.matchAll(/<script([^>]*)>([^<]*)/g)) {
        expect(content).toBe('');
        expect(attributes).toContain('src="/serin/assets/');
      }
      expect(html).not.toMatch(/<style|\sstyle="|https?:\/\/(?!hook\.test)/);
      expect(html.match(/<h1/g)).toHaveLength(1);
    });

    it('offers nothing that a reader may not do', async () => {
      const context = contextOf(modelOf(ordinaryDay()), {
        viewer: reader,
        params: paths[path] ?? {},
        ask: hostileAsk('plain'),
        search: 'release=b',
      });
      if (path.includes('acts')) {
        await expect(async () => textOf(route, context)).rejects.toThrow('needs operate in shop');
        return;
      }
      const html = await textOf(route, context);
      expect(html).not.toContain('/acts/');
      expect([...html.matchAll(/<form[^>]*method="post"[^>]*action="([^"]*)"/g)].map(([, action]) => action)).toEqual([
        '/serin/sign-out',
      ]);
    });
  });

  it('names what each button writes and the right that it needs', async () => {
    const route = pages.find(({ path }) => path === '/apps/:namespace/:name');
    if (!route) throw new Error('there is no such page');
    const html = await textOf(
      route,
      contextOf(modelOf(ordinaryDay()), { params: { namespace: 'shop', name: 'cart' } }),
    );
    const list = /<ul class="acts-list"[^]*?<\/ul>/.exec(html)?.[0] ?? '';
    const items = list.split('<li>').slice(1);
    expect(items.map((item) => /<a class="button[^"]*"[^>]*>([^<]*)/.exec(item)?.[1])).toEqual([
      'Hold',
      'Promote now',
      'Abort',
    ]);
    for (const item of items)
      expect(item).toMatch(/(?:Sets an annotation of the Canary|Makes a commit)[^]*needs operate in\s+shop/);
  });

  it('is not found for an app that is not there', async () => {
    const route = pages.find(({ path }) => path === '/apps/:namespace/:name');
    const context = contextOf(modelOf([]), { params: { namespace: 'shop', name: 'none' } });
    await expect(async () => route?.page(context)).rejects.toThrow('There is no Canary shop/none in the cluster.');
  });

  it('shows an app though the agent does not tell its pods', async () => {
    const route = pages.find(({ path }) => path === '/apps/:namespace/:name');
    if (!route) throw new Error('there is no such page');
    const ask: Ask = { ...silent, pods: () => Promise.reject(new Error('the agent does not answer')) };
    const html = await textOf(
      route,
      contextOf(modelOf(ordinaryDay()), { params: { namespace: 'shop', name: 'cart' }, ask }),
    );
    expect(html).toContain('Not known: the agent does not answer');
    expect(html).toContain('request-success-rate');
  });
});

describe('the live view', () => {
  const shown = { href: (path: string) => `/serin${path}`, nowMs };

  it('sends an app of the first page as the row that the page has, with the group before and now', () => {
    const before = factsOf({ name: 'cart', phase: 'Progressing', weight: 10, candidate: '2' });
    const model = modelOf([before]);
    model.rows(nowMs);
    model.take({ kind: 'app', ...factsOf({ name: 'cart', phase: 'Succeeded', stable: '2' }) });
    expect(liveRow(model, before.app, shown)).toMatchObject({
      part: 'app-shop.cart',
      group: 'resting',
      was: 'moving',
      html: expect.stringContaining('<tr data-part="app-shop.cart">'),
    });
    model.take({ kind: 'gone', app: before.app });
    expect(liveRow(model, before.app, shown)).toMatchObject({ part: 'app-shop.cart', gone: true });
  });

  it.each(hostile)('has %s as text, too', (text) => {
    const model = hostileModel(text);
    const [app] = [...model.apps().keys()];
    if (app === undefined) throw new Error('there is no app');
    const live = liveApp(model, app, shown);
    const row = liveRow(model, app, shown);
    const html = [...Object.values(live?.parts ?? {}), 'html' in row ? row.html : ''].join('\n');
    for (const tag of tagsOf(html))
      expect(tag.replaceAll(/"[^"]*"/g, '""')).not.toMatch(/^<(?:script|img)|\son\w+=|autofocus/i);
    expect(Object.keys(live?.parts ?? {})).toEqual([
      'head',
      'now',
      'facts',
      'story-head',
      'checks',
      'failed',
      'events',
      'markers',
    ]);
  });
});

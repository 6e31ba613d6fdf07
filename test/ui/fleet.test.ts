import { describe, expect, it } from 'vitest';
import { fleetView, readFilter } from '../../src/ui/model/fleet.ts';
import { fleet } from '../../src/ui/pages/fleet.tsx';
import { factsOf, nowMs, ordinaryDay } from './fleet-fixture.ts';
import { contextOf, modelOf, textOf, viewerWho } from './stand-in.ts';

const rows = modelOf(ordinaryDay()).rows(nowMs);
const keysOf = (section: { readonly rows: readonly { readonly key: string }[] }): readonly string[] =>
  section.rows.map(({ key }) => key);

describe('the first page of the dashboard', () => {
  it('shows first what needs a person, then what is moving, then what is held or failed lately, then all apps by name', () => {
    const view = fleetView(rows, readFilter(new URLSearchParams()));
    expect(keysOf(view.needsPerson)).toEqual(['search/indexer', 'shop/checkout']);
    expect(keysOf(view.moving)).toEqual(['shop/cart', 'search/ranker']);
    expect(keysOf(view.noted)).toEqual(['pay/ledger']);
    expect(keysOf(view.all)).toEqual(rows.map(({ key }) => key).toSorted());
    expect(view.counts).toMatchObject({ all: 17, 'needs-person': 2, moving: 2, failed: 1 });
  });

  it.each([
    ['namespace=pay&phase=Failed', ['pay/ledger']],
    ['phase=moving', ['search/ranker', 'shop/cart']],
    ['label=team%3Dsearch&phase=moving', ['search/ranker']],
    ['q=2.1.2', ['shop/cart']],
    ['q=shop+CHECK', ['shop/checkout']],
    ['q=none+such', []],
    ['label=__proto__', []],
    ['label=constructor', []],
    ['page=99999999999999999999', rows.map(({ key }) => key).toSorted()],
    ['page=-1&q=ranker', ['search/ranker']],
  ])('finds apps by %s', (query, keys) => {
    expect(keysOf(fleetView(rows, readFilter(new URLSearchParams(query))).all)).toEqual(keys);
  });

  it('has only apps of namespaces that the viewer may see, also in its counts and choices', async () => {
    const viewer = viewerWho('pat', (right, namespace) => right === 'read' && namespace === 'pay');
    const html = await textOf(fleet, contextOf(modelOf(ordinaryDay()), { viewer }));
    expect(html).toContain('ledger');
    for (const hidden of ['checkout', 'indexer', 'ranker', 'team=shop']) expect(html).not.toContain(hidden);
  });

  it('stays below 100 kB with a thousand apps of which a hundred move and fifty need a person', async () => {
    const apps = Array.from({ length: 1_000 }, (_, index) =>
      factsOf({
        namespace: `team-${index % 25}`,
        name: `service-with-a-usual-name-${index}`,
        phase: index < 100 ? 'Progressing' : index < 150 ? 'WaitingPromotion' : 'Succeeded',
        weight: index < 150 ? 30 : 0,
        candidate: index < 150 ? '12.4.1-build.778' : '',
        stable: '12.4.0-build.771',
        labels: { team: `team-${index % 25}`, tier: index % 2 === 0 ? 'front' : 'back' },
        webhooks: [{ name: 'gate', type: 'confirm-promotion', url: 'http://gate.test/' }],
      }),
    );
    const model = modelOf(apps);
    const html = await textOf(fleet, contextOf(model));
    expect(html.length).toBeGreaterThan(40_000);
    expect(Buffer.byteLength(html)).toBeLessThan(100_000);
    expect(html).toContain('Page 1 of 20');
    expect(html).toContain('75 more');
  });

  it('says so where there is nothing', async () => {
    const html = await textOf(fleet, contextOf(modelOf([])));
    expect(html).toContain('Nothing waits for you.');
    expect(html).toContain('There is no Canary that you may see yet.');
  });
});

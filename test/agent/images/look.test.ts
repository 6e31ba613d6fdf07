import { describe, expect, it } from 'vitest';
import { withList, withPlatforms, withTagDigest, withTaken, type Known } from '../../../src/agent/images/known.ts';
import { lookAt, type Look } from '../../../src/agent/images/look.ts';
import { type WatchedApp, watchedIn } from '../../../src/agent/images/watched.ts';
import { checkManifests } from '../../../src/checks/check.ts';
import { atOnce } from '../../../src/lib/turns.ts';
import { parseManifests } from '../../../src/manifest/parse.ts';
import type { Manifest } from '../../../src/manifest/types.ts';
import { type Ledger, parseLedger } from '../../../src/release/ledger.ts';

const nowMs = Date.parse('2026-11-30T12:00:00Z');
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

function manifestOf(
  image: string,
  annotations: Record<string, string> = {},
  nodeSelector?: Record<string, string>,
): Manifest {
  const all = { 'fluxcd.io/automated': 'true', 'fluxcd.io/tag.one': 'semver:~1', ...annotations };
  const text = JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'shop', namespace: 'test', annotations: all },
    spec: { template: { spec: { containers: [{ name: 'one', image }], ...(nodeSelector ? { nodeSelector } : {}) } } },
  });
  const [manifest] = parseManifests('shop.yaml', text).manifests;
  if (!manifest) throw new Error('it is not read');
  return manifest;
}
function appOf(image: string, annotations: Record<string, string> = {}): WatchedApp {
  const app = watchedIn(manifestOf(image, annotations), [{ id: { namespace: 'test', name: 'shop' } }], 'default');
  if (!app) throw new Error('it has no policy');
  return app;
}
const ledgerOf = (text: string): Ledger => parseLedger('l.yaml', `apiVersion: serin.dev/v1\nkind: Ledger\n${text}`);
const listed = (...tags: string[]): Known => withList(undefined, { tags }, { nowMs, intervalMs: 300_000 });
const withDigests = (known: Known, digests: Record<string, string>): Known => {
  let all = known;
  for (const [tag, value] of Object.entries(digests)) all = withTagDigest(all, tag, value, nowMs);
  return all;
};
function look(
  image: string,
  known: Known | undefined,
  more: { ledger?: Ledger; busy?: string; trouble?: string } = {},
): Look {
  const repositories = { known: () => known, trouble: () => more.trouble };
  const [one] = atOnce(lookAt(appOf(image), { ledger: more.ledger, busy: more.busy }, repositories, nowMs));
  if (!one) throw new Error('it was not looked at');
  return one;
}
const failed = (image: string): string => `quarantine: [{images: {one: "${image}"}, reason: it broke}]\n`;

describe('What a policy comes to', () => {
  it('waits for the digest, and for a release that is under way', () => {
    const known = listed('1.0.0', '1.1.0');
    expect(look('shop:1.0.0', known)).toMatchObject({
      stay: 'asking',
      decision: { need: { what: 'digest', tags: ['1.1.0'] } },
    });
    const ready = withDigests(known, { '1.1.0': digest('a') });
    expect(look('shop:1.0.0', ready)).toMatchObject({ stay: 'due', due: { from: 'shop:1.0.0', to: 'shop:1.1.0' } });
    expect(look('shop:1.0.0', ready, { busy: 'a release is under way' })).toMatchObject({
      stay: 'busy',
      reason: 'a release is under way',
    });
  });

  it.each<[string, Known | undefined, string, string]>([
    ['shop:1.0.0', undefined, 'unlisted', 'the registry has not answered yet'],
    ['shop:1.0.0', listed('1.1.0'), 'uncertain', 'the current tag "1.0.0" is not in the list of tags'],
    ['shop:1.1.0', listed('1.0.0', '1.1.0'), 'current', '1.1.0 is the newest that the policy takes'],
    ['shop', listed('1.0.0'), 'uncertain', 'the image has no tag, so nothing can be called newer'],
  ])('moves nothing of %s', (image, known, stay, reason) => {
    expect(look(image, known)).toMatchObject({ stay, reason });
  });

  it('moves nothing while the registry is in trouble, whatever is known of it', () => {
    const known = withDigests(listed('1.0.0', '1.1.0'), { '1.1.0': digest('a') });
    expect(look('shop:1.0.0', known, { trouble: 'it answers 500' })).toMatchObject({
      stay: 'unlisted',
      reason: 'it answers 500',
    });
  });

  it('passes over what failed, by its tag, by its digest, and by the digest that it had when it was taken', () => {
    const known = withDigests(listed('1.0.0', '1.1.0', '1.2.0'), { '1.1.0': digest('a'), '1.2.0': digest('b') });
    const due = (ledger: string, at: Known = known): unknown =>
      look('shop:1.0.0', at, { ledger: ledgerOf(ledger) }).due?.to;
    expect(due('')).toBe('shop:1.2.0');
    expect(due(failed('shop:1.2.0'))).toBe('shop:1.1.0');
    expect(due(failed('docker.io/library/shop:1.2.0'))).toBe('shop:1.1.0');
    expect(due(failed(`mirror.example.com/shop@${digest('b')}`))).toBe('shop:1.1.0');
    expect(due(failed('other:1.2.0'))).toBe('shop:1.2.0');
    expect(due(`${failed('shop:1.2.0').replace('}]', ', expires: 2026-11-30T11:59:00Z}]')}`)).toBe('shop:1.2.0');
    // Pushed again: another image, and nodes may have the one that failed.
    expect(due(failed('shop:1.2.0'), withTaken(known, '1.2.0', digest('c')))).toBe(`shop:1.2.0@${digest('b')}`);
    expect(due(failed('shop:1.2.0'), withTaken(known, '1.2.0', digest('b')))).toBe('shop:1.1.0');
  });

  it('moves nothing that a person has picked, as long as it stands there', () => {
    const known = withDigests(listed('1.0.0', '1.1.0'), { '1.1.0': digest('a') });
    const ledger = ledgerOf('holds: [{container: one, image: "shop:1.0.0", instead: "shop:1.1.0", by: Ana}]\n');
    expect(look('shop:1.0.0', known, { ledger })).toMatchObject({
      stay: 'held',
      reason: 'it was picked by Ana instead of shop:1.1.0',
    });
    const other = ledgerOf('holds: [{container: one, image: "shop:0.9.0", instead: "shop:1.0.0"}]\n');
    expect(look('shop:1.0.0', known, { ledger: other }).stay).toBe('due');
  });
});

it('a policy that cannot be read is told with its line, by validate and by each sync', () => {
  const text = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  namespace: test
  annotations:
    fluxcd.io/automated: "true"
    fluxcd.io/tag.one: semver:~~1
    fluxcd.io/tag.two: semver:~1
spec:
  template: {spec: {containers: [{name: one, image: shop:1.0.0}]}}
`;
  const { manifests } = parseManifests('shop.yaml', text);
  const settings = { provider: 'kubernetes', minIntervalMs: 10_000, defaultNamespace: 'default' };
  const problems = checkManifests(manifests, [], settings, () => text);
  expect(
    problems.map(({ severity, line, message }) => [severity, line, message.split(':').slice(0, 2).join(':')]),
  ).toEqual([
    ['warning', 9, 'fluxcd.io/tag.two: there is no container two'],
    ['error', 8, 'fluxcd.io/tag.one: the range "~~1" cannot be read'],
  ]);
});

describe('An image that runs nowhere here', () => {
  const [arm, amd] = ['linux/arm64', 'linux/amd64'];
  const lookFor = (
    known: Known,
    wanted: readonly string[] | undefined,
    selector?: Record<string, string>,
  ): Look | undefined => {
    const app = watchedIn(manifestOf('shop:1.0.0', {}, selector), [], 'default');
    if (!app) throw new Error('it has no policy');
    const repositories = { known: () => known, trouble: () => undefined };
    const state = { ledger: undefined, busy: undefined, ...(wanted ? { platforms: wanted } : {}) };
    return atOnce(lookAt(app, state, repositories, nowMs))[0];
  };
  const listedWith = (platforms: Record<string, readonly string[] | null>): Known => {
    let known = withDigests(listed('1.0.0', '1.1.0', '1.2.0'), { '1.1.0': digest('a'), '1.2.0': digest('b') });
    for (const [letter, value] of Object.entries(platforms)) known = withPlatforms(known, digest(letter), value);
    return known;
  };

  it('is passed over by every policy, and the next one is taken', () => {
    expect(lookFor(listedWith({}), [amd])).toMatchObject({
      stay: 'asking',
      decision: { need: { what: 'platforms', tags: ['1.2.0'] } },
    });
    const next = lookFor(listedWith({ b: [arm], a: [arm, amd] }), [amd]);
    expect(next).toMatchObject({ stay: 'due', due: { to: 'shop:1.1.0' } });
    expect(next?.decision?.rejected).toContainEqual({
      tag: '1.2.0',
      reason: 'it has no image for linux/amd64, but for linux/arm64',
    });
    expect(lookFor(listedWith({ b: [arm], a: [] }), [amd])).toMatchObject({
      stay: 'unfit',
      reason: '1.2.0 is not taken: it has no image for linux/amd64, but for linux/arm64',
    });
  });

  it('is another one where the nodes of the workload are others, or several are named', () => {
    const known = listedWith({ b: [arm], a: [amd] });
    const to = (...asked: [readonly string[] | undefined, Record<string, string>?]): string | undefined =>
      lookFor(known, ...asked)?.due?.to;
    expect(to([amd], { 'kubernetes.io/arch': 'arm64' })).toBe('shop:1.2.0');
    expect(to([amd], { 'beta.kubernetes.io/arch': 'arm64', 'kubernetes.io/os': 'linux' })).toBe('shop:1.2.0');
    expect(to([amd], { 'kubernetes.io/arch': 'amd64' })).toBe('shop:1.1.0');
    expect(to([amd], { 'kubernetes.io/arch': 'amd64', 'kubernetes.io/os': 'windows' })).toBeUndefined();
    expect(to([amd], { disk: 'fast' })).toBe('shop:1.1.0');
    expect(to([amd, arm])).toBe('shop:1.2.0');
    expect(to(undefined)).toBe('shop:1.2.0');
  });

  it('is no reason where nothing says what it is for', () => {
    expect(lookFor(listedWith({ b: null }), [amd])).toMatchObject({ stay: 'due', due: { to: 'shop:1.2.0' } });
  });
});

describe('A tag that is pushed again while it waits for its age', () => {
  const hourMs = 3_600_000;
  const lookOf = (known: Known, atMs: number): Look | undefined => {
    const app = appOf('shop:1.0.0', { 'serin.dev/image-min-age': '2h' });
    const repositories = { known: () => known, trouble: () => undefined };
    return atOnce(lookAt(app, { ledger: undefined, busy: undefined }, repositories, atMs))[0];
  };

  it('is asked for its digest at once, and waits anew', () => {
    const known = listed('1.0.0', '1.1.0');
    expect(lookOf(known, nowMs)).toMatchObject({
      stay: 'too-new',
      decision: { need: { what: 'digest', tags: ['1.1.0'] } },
    });
    const seen = withTagDigest(known, '1.1.0', digest('a'), nowMs + 1_000);
    expect(lookOf(seen, nowMs + hourMs)).toMatchObject({
      stay: 'too-new',
      reason: expect.stringContaining('1h0m0s < 2h0m0s') as string,
    });
    expect(lookOf(seen, nowMs + 2 * hourMs)?.due?.to).toBe('shop:1.1.0');
    const moved = withTagDigest(seen, '1.1.0', digest('b'), nowMs + hourMs);
    expect(lookOf(moved, nowMs + 2 * hourMs)).toMatchObject({
      stay: 'too-new',
      reason: '1.1.0 is not taken: too new: 1h0m0s < 2h0m0s since it was pushed again with another digest',
    });
    expect(lookOf(moved, nowMs + 3 * hourMs)?.due?.to).toBe('shop:1.1.0');
  });
});

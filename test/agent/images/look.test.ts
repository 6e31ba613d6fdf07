import { describe, expect, it } from 'vitest';
import { withList, withTagDigest, withTaken, type Known } from '../../../src/agent/images/known.ts';
import { lookAt, type Look } from '../../../src/agent/images/look.ts';
import { type WatchedApp, watchedIn } from '../../../src/agent/images/watched.ts';
import { checkManifests } from '../../../src/checks/check.ts';
import { atOnce } from '../../../src/lib/turns.ts';
import { parseManifests } from '../../../src/manifest/parse.ts';
import type { Manifest } from '../../../src/manifest/types.ts';
import { type Ledger, parseLedger } from '../../../src/release/ledger.ts';

const nowMs = Date.parse('2026-11-30T12:00:00Z');
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

function manifestOf(image: string, annotations: Record<string, string> = {}): Manifest {
  const all = { 'fluxcd.io/automated': 'true', 'fluxcd.io/tag.one': 'semver:~1', ...annotations };
  const text = JSON.stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'shop', namespace: 'test', annotations: all },
    spec: { template: { spec: { containers: [{ name: 'one', image }] } } },
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

import { describe, expect, it } from 'vitest';
import { type Listings, maxWatches } from '../../../src/agent/images/listings.ts';
import { createUpgrades } from '../../../src/agent/images/upgrades.ts';
import { asRevision } from '../../../src/git/repo.ts';
import { createLogger } from '../../../src/lib/log.ts';
import { parseManifests } from '../../../src/manifest/parse.ts';
import { createTenancy } from '../../../src/manifest/tenancy.ts';
import type { Manifest } from '../../../src/manifest/types.ts';
import { eventually } from '../../helpers/eventually.ts';
import { manualClock } from '../../helpers/manual-clock.ts';

const tenancy = createTenancy([
  { name: 'a', folder: 'a', namespaces: ['a'] },
  { name: 'b', folder: 'b', namespaces: ['b'] },
]);

/** Automated Deployments of a tenant, each with an image of its own. */
function deployments(tenant: string, count: number): readonly Manifest[] {
  const texts = Array.from({ length: count }, (_, at) =>
    JSON.stringify({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {
        name: `app-${at}`,
        namespace: tenant,
        annotations: { 'fluxcd.io/automated': 'true', 'fluxcd.io/tag.one': 'semver:~1' },
      },
      spec: {
        template: { spec: { containers: [{ name: 'one', image: `registry.test/${tenant}/app-${at}:1.0.0` }] } },
      },
    }),
  );
  return parseManifests(`${tenant}/apps.yaml`, texts.join('\n---\n')).manifests;
}

/** What is wanted of registries, what is asked, and what is logged, for these objects. */
async function follow(
  manifests: readonly Manifest[],
  known: (key: string) => undefined = () => undefined,
): Promise<{
  readonly wanted: readonly string[];
  readonly looked: readonly string[];
  readonly log: readonly string[];
}> {
  let wanted: readonly string[] = [];
  const log: string[] = [];
  const listings: Listings = {
    want: (_asker, all) => void (wanted = [...all.keys()]),
    known,
    trouble: () => undefined,
    ask: () => undefined,
    took: () => undefined,
    poke: () => 0,
    onChange: () => undefined,
    entries: () => [],
    run: () => Promise.resolve(),
  };
  const nothing = (): Promise<never> => Promise.reject(new Error('nobody asks Git'));
  let isDone = false;
  const upgrades = createUpgrades({
    source: 'default',
    clock: manualClock(),
    log: createLogger('info', (line) => void log.push(line)),
    repo: { blobs: nothing, commit: nothing, entry: nothing, has: nothing },
    listings,
    settings: { path: '', ledgerDir: '.releases', defaultNamespace: 'default', tenancy },
    trailers: [],
    ledger: () => undefined,
    submit: () => undefined,
    tell: () => undefined,
    onLanded: () => undefined,
    telemetry: { imageUpgrades: { inc: () => undefined }, imagePolicies: { set: () => void (isDone = true) } },
  });
  upgrades.know({ revision: asRevision('1'.repeat(40)), loaded: { manifests }, apps: [], files: new Map() });
  const stop = new AbortController();
  const running = upgrades.run(stop.signal);
  await eventually('all were looked at', () => isDone);
  stop.abort(new Error('the test is over'));
  await running;
  return { wanted, looked: upgrades.looks().map(([app]) => app.object), log };
}

describe('what is wanted of registries', () => {
  it('is what each tenant asks for, however many images another one has', async () => {
    const many = await follow([...deployments('a', maxWatches + 50), ...deployments('b', 3)]);
    expect(many.wanted).toHaveLength(maxWatches);
    expect(many.wanted.filter((key) => key.startsWith('registry.test/b/'))).toHaveLength(3);
    expect(many.log.filter((line) => line.includes('repositories of images are wanted'))).toHaveLength(1);
    const few = await follow([...deployments('a', 5), ...deployments('b', 3)]);
    expect(few.wanted).toHaveLength(8);
    expect(few.log).toEqual([]);
  });

  it('goes on for the others where one app cannot be looked at', async () => {
    const { looked, log } = await follow([...deployments('a', 2), ...deployments('b', 2)], (key) => {
      if (key.includes('a/app-0')) throw new Error('it is broken');
      return undefined;
    });
    expect(looked).toHaveLength(3);
    expect(log).toEqual([expect.stringContaining('the images of an app cannot be looked at')]);
  });
});

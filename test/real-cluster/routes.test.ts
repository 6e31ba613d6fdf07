import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { uniqueName } from '../contract/cluster-under-test.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { type Kubectl, kubectlAs, until } from './command.ts';

const { env } = process;
const kubeconfigPath = env.SERIN_TEST_INSIDE === '1' ? env.KUBECONFIG : undefined;
const why = kubeconfigPath === undefined ? ' (left out: not inside a cluster of our own)' : '';
const fixtures = join(import.meta.dirname, '../../fixtures');

/** Definitions of each system, and which goldens are of its kinds. Two of App Mesh have the same names: the one is taken away before the other comes. */
const systems: readonly (readonly [definitions: string, goldens: RegExp])[] = [
  ['apisix', /^apisix/],
  ['appmesh', /^appmesh-v1beta2/],
  ['appmesh-v1beta1', /^appmesh(-v1beta1|-by-users)?\.json$|^appmesh-v1beta1-by-users/],
  ['contour', /^contour/],
  ['gateway-api', /^gatewayapi/],
  ['gloo', /^gloo/],
  ['istio', /^istio/],
  ['kuma', /^kuma/],
  ['smi', /^(smi|linkerd|osm)/],
  ['traefik', /^traefik/],
  ['Kubernetes itself', /^(nginx|skipper)/],
];

describe.skipIf(kubeconfigPath === undefined)(`routing objects on a real API server${why}`, () => {
  let folder = '';
  let admin: Kubectl;
  let namespace = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'serin-routes-'));
    admin = kubectlAs(kubeconfigPath ?? '', folder);
    namespace = uniqueName('routes');
    await admin(['create', 'namespace', namespace]);
  });
  afterAll(async () => {
    await admin(['delete', 'namespace', namespace, '--wait=false']);
    await rm(folder, { recursive: true, force: true });
  });

  /** Those that nobody has installed, for as long as `work` takes. */
  async function withDefinitions(name: string, work: () => Promise<void>): Promise<void> {
    const text = name === 'Kubernetes itself' ? '' : readFileSync(join(fixtures, `crds/${name}.yaml`), 'utf8');
    const wanted = parseAllDocuments(text).map((document) => document.toJS() as KubeObject | null);
    const standing = new Set((await admin(['get', 'crd', '-o', 'name'])).split('\n').map((line) => line.split('/')[1]));
    const missing = wanted
      .filter((definition) => definition !== null)
      .filter(({ metadata }) => !standing.has(metadata.name));
    const names = missing.map(({ metadata }) => metadata.name);
    try {
      for (const definition of missing) await admin(['create', '-f', '-'], { input: JSON.stringify(definition) });
      if (names.length > 0)
        await admin(['wait', '--for=condition=Established', '--timeout=30s', ...names.map((one) => `crd/${one}`)]);
      await work();
    } finally {
      if (names.length > 0) await admin(['delete', 'crd', ...names]);
    }
  }

  it.each(systems)('are taken whole and valid, with the definitions of %s', async (definitions, goldens) => {
    const files = readdirSync(join(fixtures, 'routers')).filter((file) => goldens.test(file));
    expect(files.length).toBeGreaterThan(0);
    await withDefinitions(definitions, async () => {
      for (const file of files) {
        const states = JSON.parse(readFileSync(join(fixtures, 'routers', file), 'utf8')) as Record<
          string,
          KubeObject[]
        >;
        for (const [state, objects] of Object.entries(states)) {
          const items = objects.map((object) => ({
            ...object,
            metadata: { ...object.metadata, ...(object.metadata.namespace === undefined ? {} : { namespace }) },
          }));
          const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
          // A kind is served a little after its definition is established.
          const said = await until(`${file}, ${state}`, 20_000, () =>
            admin(['create', '--dry-run=server', '--validate=strict', '-f', '-'], { input }),
          );
          expect(said.match(/created \(server dry run\)/g)).toHaveLength(objects.length);
        }
      }
    });
  });

  it('are of every system that a golden is of', () => {
    const files = readdirSync(join(fixtures, 'routers'));
    expect(files.filter((file) => systems.filter(([, goldens]) => goldens.test(file)).length !== 1)).toEqual([]);
  });
});

import { expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { KubeObject } from '../../src/manifest/types.ts';
import { objectLines, shareLine, weightsOf } from '../rollouts/golden/facets.ts';
import { objectsOf, recordingOf, userObjects } from '../rollouts/golden/recording.ts';
import { canary } from './look.ts';
import { outcome } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onceMore, onStage, type Stage } from './stage.ts';

const namespace = 'demo';
const app = { namespace, name: 'app' };
const host = 'app.example.org';
const path = 'apps/app.yaml';

/** The recorded image is known to nobody but a stand-in; that of this cluster is as good. Its clock is too fast to be measured in milliseconds. */
const runnable = (text: string): string =>
  text.replaceAll('example.org/app:', 'example.org/podinfo:').replace('max: 500', 'max: 10000');

/** What stood before the Canary was made, as somebody would commit it, and the Canary. */
function filesOf(canarySpec: Readonly<Record<string, unknown>>): string {
  const [target] = userObjects();
  const objects = [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'app-config', namespace }, data: { message: 'one' } },
    target,
    { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', metadata: app, spec: canarySpec },
    {
      apiVersion: 'traefik.io/v1alpha1',
      kind: 'IngressRoute',
      metadata: app,
      spec: {
        entryPoints: ['web'],
        routes: [
          {
            match: `Host(\`${host}\`)`,
            kind: 'Rule',
            services: [{ name: 'app', kind: 'TraefikService', port: 9898 }],
          },
        ],
      },
    },
  ];
  return objects.map((object) => runnable(stringify(object))).join('---\n');
}

/** Weights in the order in which they were written. */
function watchWeights({ sandbox }: Stage): string[] {
  const seen: string[] = [];
  sandbox.store.onEvent(({ type, object }) => {
    if (object.kind !== 'TraefikService' || type === 'DELETED') return;
    const line = shareLine(weightsOf(object));
    if (line !== seen.at(-1)) seen.push(line);
  });
  return seen;
}

/** What Flagger logs without an event. */
const logOnly = /^(Synced |Scaling down Deployment |\w+ \S+ (created|synced)$)/;
const distinct = (lines: readonly string[]): string[] => lines.filter((line, at) => line !== lines[at - 1]);

it('the whole agent does on a cluster what was recorded of Flagger', onceMore, async () => {
  const name = 'promotion.traefik';
  const gold = recordingOf(name);
  const goldObjects = objectsOf(name);
  await onStage(
    {
      files: { [path]: filesOf(gold.canarySpec) },
      flags: { 'mesh-provider': 'traefik' },
      routing: 'traefik',
      hosts: [host],
      perSecond: 8,
      started: false,
    },
    async (stage) => {
      const weights = watchWeights(stage);
      await stage.start();
      await stage.until('it is initialised', () => canary(stage, app).phase === 'Initialized');
      await stage.edit('app 2.0.0', path, (text) => text.replace('podinfo:1.0.0', 'podinfo:2.0.0'));
      await stage.until('it is promoted', () => canary(stage, app).phase === 'Succeeded');
      expect((await outcome(stage, 1)).subject).toBe('promote demo/app 2.0.0');

      expect(weights).toEqual(gold.weights.map(({ t: _t, object: _object, ...shares }) => shareLine(shares)));
      // How often pods are waited for depends on how fast they are.
      const lines = (all: readonly string[]): string[] =>
        distinct(all.filter((line) => !line.includes(' not ready: ') && !logOnly.test(line)));
      const told = lines(stage.happened.map(({ message }) => message));
      expect(told).toEqual(lines(gold.log.map(({ msg }) => msg)));
      const standing = Object.values(goldObjects?.after ?? {}).map(
        ({ apiVersion, kind, metadata }) =>
          stage.sandbox.store.get(apiVersion, kind, namespace, metadata.name) as KubeObject | undefined,
      );
      expect(objectLines(standing.filter((object) => object !== undefined))).toEqual(
        objectLines(Object.values(goldObjects?.after ?? {})).map(runnable),
      );
      await expectSound(stage);
    },
  );
});

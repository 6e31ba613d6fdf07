import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { openViews } from '../../../src/agent/views/views.ts';
import { ownerOf } from '../../../src/canary/owner.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';
import { eventually } from '../../helpers/eventually.ts';
import { never, startStage } from '../../sync/a-cluster.ts';
import { aKey } from '../../helpers/a-key.ts';

it('an agent that starts finds autoscalers that were made for Canaries which refer to none any more', async () => {
  const stage = await startStage();
  const { cluster } = stage;
  const definition = new URL('../../../manifests/crds/canaries.flagger.app.yaml', import.meta.url);
  await cluster.create(parse(readFileSync(definition, 'utf8')) as KubeObject, { manager: 'test' }, never);
  const canary = await cluster.create(
    {
      apiVersion: 'flagger.app/v1beta1',
      kind: 'Canary',
      metadata: { name: 'web', namespace: 'default' },
      spec: {
        targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        service: { port: 80 },
        analysis: { interval: '10s', threshold: 1, stepWeight: 50 },
      },
    },
    { manager: 'test' },
    never,
  );
  const hpa = (name: string, ownerReferences?: KubeObject['metadata']['ownerReferences']): KubeObject => ({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name, namespace: 'default', ...(ownerReferences ? { ownerReferences } : {}) },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web-primary' }, maxReplicas: 3 },
  });
  const stopping = new AbortController();
  const watched = (views: ReturnType<typeof openViews>): boolean =>
    views.trouble().some((line) => line.includes('HorizontalPodAutoscaler'));
  try {
    await cluster.create(hpa('somebodys-own'), { manager: 'test' }, never);
    const idle = openViews({ cluster, clock: systemClock, key: aKey() }, stopping.signal);
    await idle.findScalers();
    expect([idle.scalersOf(canary), watched(idle)]).toEqual([[], false]);
    await cluster.create(hpa('web-primary', [ownerOf(canary)]), { manager: 'test' }, never);
    const views = openViews({ cluster, clock: systemClock, key: aKey() }, stopping.signal);
    await views.findScalers();
    expect(views.scalersOf(canary).map(({ metadata }) => metadata.name)).toEqual(['web-primary']);
    await cluster.remove({ ...hpa('web-primary'), ...hpa('web-primary').metadata }, {}, never);
    await eventually('it is known to be gone', () => views.scalersOf(canary).length === 0);
  } finally {
    stopping.abort();
    await stage.close();
  }
});

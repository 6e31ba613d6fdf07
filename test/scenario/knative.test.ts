import { describe, expect, it } from 'vitest';
import { at } from '../../src/lib/json.ts';
import type { StoredObject } from '../../src/sandbox/types.ts';
import { canary } from './look.ts';
import { namespaceYaml } from './apps.ts';
import { adopted, outcome } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, patient, type Stage } from './stage.ts';

const serving = 'serving.knative.dev/v1';

const definitionYaml = (kind: string): string => `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: ${kind.toLowerCase()}s.serving.knative.dev
spec:
  group: serving.knative.dev
  scope: Namespaced
  names: { kind: ${kind}, plural: ${kind.toLowerCase()}s, singular: ${kind.toLowerCase()}, listKind: ${kind}List }
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true }
`;
const serviceYaml = `apiVersion: ${serving}
kind: Service
metadata:
  name: podinfo
  namespace: test
spec:
  template:
    spec:
      containers:
        - name: podinfo
          image: "registry.test/podinfo:3.1.0" # moved by releases
`;
const canaryYaml = `apiVersion: flagger.app/v1beta1
kind: Canary
metadata:
  name: podinfo
  namespace: test
spec:
  provider: knative
  revertOnDeletion: true
  targetRef:
    apiVersion: ${serving}
    kind: Service
    name: podinfo
  analysis:
    interval: 10s
    threshold: 1
    stepWeights: [20, 40]
    metrics:
      - name: answer
        query: vector({{ if eq route "podinfo-00003" }}0{{ else }}1{{ end }})
        thresholdRange: { min: 1 }
`;

/** What Knative would do: a Revision for each template, ready at once, and a note of the last one. */
function actAsKnative({ sandbox }: Stage): void {
  const made = new Map<string, string[]>();
  sandbox.store.onEvent(({ type, object }) => {
    if (type === 'DELETED' || object.apiVersion !== serving || object.kind !== 'Service') return;
    setImmediate(() => {
      const live = sandbox.store.get(serving, 'Service', object.metadata.namespace, object.metadata.name);
      if (live) revise(live);
    });
  });
  const revise = ({ metadata, ...rest }: StoredObject): void => {
    const template = JSON.stringify((rest['spec'] as { template: unknown }).template);
    const templates = made.get(metadata.name) ?? [];
    if (templates.at(-1) === template) return;
    made.set(metadata.name, [...templates, template]);
    const name = `${metadata.name}-${String(templates.length + 1).padStart(5, '0')}`;
    sandbox.store.create({
      apiVersion: serving,
      kind: 'Revision',
      metadata: { name, namespace: metadata.namespace, labels: { 'serving.knative.dev/service': metadata.name } },
      spec: (JSON.parse(template) as { spec: unknown }).spec,
      status: { conditions: [{ type: 'Ready', status: 'True' }] },
    });
    sandbox.store.update(serving, 'Service', metadata.namespace, metadata.name, (draft) => {
      draft['status'] = { latestCreatedRevisionName: name, latestReadyRevisionName: name };
    });
  };
}

describe('a Knative Service', patient, () => {
  it('is pinned, promoted, taken back in Git, and let go [E40] [E41]', async () => {
    const files = {
      'apps/crds.yaml': ['Service', 'Revision'].map(definitionYaml).join('---\n'),
      'apps/namespace.yaml': namespaceYaml('test'),
      'apps/podinfo/service.yaml': serviceYaml,
      'apps/podinfo/canary.yaml': canaryYaml,
    };
    await onStage({ files, started: false }, async (stage) => {
      actAsKnative(stage);
      await stage.start();
      await adopted(stage);
      const live = (): StoredObject | undefined => stage.sandbox.store.get(serving, 'Service', 'test', 'podinfo');
      const pin = (): string | undefined => live()?.metadata.annotations?.['flagger.app/primary-revision'];
      const traffic = (): unknown => at(live(), 'spec', 'traffic');
      const pinned = (name: string): unknown[] => [
        { latestRevision: true, percent: 0 },
        { revisionName: name, percent: 100 },
      ];
      expect(pin()).toBe('podinfo-00001');
      expect(traffic()).toEqual(pinned('podinfo-00001'));

      const path = 'apps/podinfo/service.yaml';
      await stage.edit('podinfo 3.1.1', path, (text) => text.replace('3.1.0', '3.1.1'));
      expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
      expect(pin()).toBe('podinfo-00002');
      expect(traffic()).toEqual(pinned('podinfo-00002'));

      const before = await stage.file(path);
      await stage.edit('podinfo 3.1.2', path, (text) => text.replace('3.1.1', '3.1.2'));
      expect((await outcome(stage, 2)).trailers).toMatchObject({ Verdict: 'rolled-back' });
      expect(await stage.file(path)).toBe(before);
      await stage.until('the status', () => canary(stage).phase === 'Failed');
      expect(traffic()).toEqual(pinned('podinfo-00002'));
      await expectSound(stage);

      await stage.push('no canary any more', { 'apps/podinfo/canary.yaml': null });
      await stage.until('the Canary is gone', () => pin() === undefined);
      // The latest is what was promoted, made anew by the revert.
      expect(traffic()).toEqual([{ latestRevision: true, percent: 100 }]);
    });
  });
});

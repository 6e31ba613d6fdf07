import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { installCrds } from '../../src/sandbox/sandbox.ts';
import { appFiles, appPath, canaryYaml, hostOf, toTag } from './apps.ts';
import { canary, object, weights } from './look.ts';
import { adopted, outcome } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, patient, type Stage } from './stage.ts';

const hosts = [hostOf()];
const flaggerCrds = new URL('../../fixtures/crds/flagger.yaml', import.meta.url);

/** Somebody applies a Canary past Git. */
async function applyByHand({ sandbox }: Stage, yaml: string): Promise<Response> {
  const body = parse(yaml) as { metadata: { name: string; namespace: string } };
  const { name, namespace } = body.metadata;
  const path = `/apis/flagger.app/v1beta1/namespaces/${namespace}/canaries/${name}`;
  return fetch(`${sandbox.apiUrl}${path}?fieldManager=kubectl&force=true`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/apply-patch+yaml' },
    body: JSON.stringify(body),
  });
}
const crooked = canaryYaml({ name: 'crooked' }).replace('stepWeights: [20, 40]', 'stepWeight: 7.5');
const told = ({ happened }: Stage, name: string): string[] =>
  happened.filter(({ canary: whose }) => whose === name).map(({ message }) => message);

describe('a Canary that is wrong', patient, () => {
  it('spoils only itself, also where the cluster lets half a percent through and when the agent starts again [R1] [R81]', async () => {
    await onStage({ files: appFiles(), hosts }, async (stage) => {
      await adopted(stage);
      expect((await applyByHand(stage, crooked)).status).toBe(422);
      // Flagger's own definitions say `number`.
      await installCrds(stage.sandbox.apiUrl, await readFile(flaggerCrds, 'utf8'));
      expect((await applyByHand(stage, crooked)).status).toBe(201);
      const complaint =
        'invalid canary spec: canary crooked.test: spec.analysis.stepWeight: must be a whole number, not 7.5';
      await stage.until('it is said', () => told(stage, 'crooked.test').some((text) => text.startsWith(complaint)));
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
      expect(told(stage, 'crooked.test')).toHaveLength(1);

      await stage.agent.stop();
      await stage.start();
      await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      expect((await outcome(stage, 2)).subject).toMatch(/^rollback test\/podinfo 3\.1\.2/);
      expect(canary(stage, { name: 'crooked' }).phase).toBe('');
      await expectSound(stage);
    });
  });

  it('because it has the target of another one is refused, and the traffic of that one stays as it is [R89]', async () => {
    await onStage({ files: appFiles(), hosts }, async (stage) => {
      await adopted(stage);
      const second = canaryYaml({ name: 'second' }).replace('name: second\n  progress', 'name: podinfo\n  progress');
      expect((await applyByHand(stage, second)).status).toBe(201);
      await stage.until('it is refused', () =>
        told(stage, 'second.test').some((text) =>
          text.includes('Deployment podinfo.test is released by the canary podinfo already'),
        ),
      );
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
      expect(told(stage, 'second.test')).toHaveLength(1);
      expect(canary(stage, { name: 'second' }).phase).toBe('');
      expect(object(stage, 'HTTPRoute', 'second')).toBeUndefined();
      await expectSound(stage);
    });
  });

  it('since it was edited amid a release holds where it is, and goes on when it is mended [R80] [R81]', async () => {
    const flags = { 'no-cross-namespace-refs': 'true' };
    const files: Record<string, string> = {
      ...appFiles({ steps: '[20, 40, 60]' }),
      'apps/namespaces/other.yaml': 'apiVersion: v1\nkind: Namespace\nmetadata: { name: other }\n',
      'apps/namespaces/template.yaml': [
        'apiVersion: flagger.app/v1beta1',
        'kind: MetricTemplate',
        'metadata: { name: always, namespace: other }',
        'spec: { provider: { type: prometheus }, query: vector(1) }',
      ].join('\n'),
    };
    await onStage({ files, hosts, flags }, async (stage) => {
      await adopted(stage);
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      await stage.until('the first step', () => canary(stage).weight === 20);
      const before = files['apps/podinfo/canary.yaml'] ?? '';
      const forbidden = `${before}      - name: foreign\n        templateRef: { name: always, namespace: other }\n        thresholdRange: { min: 1 }\n`;
      await stage.push('measure by the others', { 'apps/podinfo/canary.yaml': forbidden });
      const complaint = "can't access metric template always.other, cross-namespace references are blocked";
      await stage.until('it is said', () => told(stage, 'podinfo.test').some((text) => text.includes(complaint)));
      // A step that was under way may have moved the users already.
      const held = weights(stage);
      await stage.restsFor(40_000);
      expect(canary(stage)).toMatchObject({ phase: 'Progressing' });
      expect(weights(stage)).toEqual(held);
      expect(told(stage, 'podinfo.test').filter((text) => text.includes(complaint))).toHaveLength(1);

      await stage.push('measure alone', { 'apps/podinfo/canary.yaml': before });
      expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
      await expectSound(stage);
    });
  });
});

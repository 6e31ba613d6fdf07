import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { installCrds } from '../../src/sandbox/sandbox.ts';
import { startServer } from '../helpers/http-server.ts';
import { appFiles, appPath, canaryYaml, hostOf, namespaceYaml, toTag } from './apps.ts';
import { canary, object, weights } from './look.ts';
import { adopted, outcome } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onceMore, onStage, type Stage } from './stage.ts';

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

describe('a Canary that is wrong', onceMore, () => {
  it('spoils only itself, also where the cluster lets half a percent through and when the agent starts again [R1] [R81] [R89]', async () => {
    await onStage({ files: appFiles(), hosts }, async (stage) => {
      await adopted(stage);
      expect((await applyByHand(stage, crooked)).status).toBe(422);
      // Flagger's own definitions say `number`.
      await installCrds(stage.sandbox.apiUrl, await readFile(flaggerCrds, 'utf8'));
      expect((await applyByHand(stage, crooked)).status).toBe(201);
      const complaint =
        'invalid canary spec: canary crooked.test: spec.analysis.stepWeight: must be a whole number, not 7.5';
      // It wants the target of another one.
      const second = canaryYaml({ name: 'second' }).replace('name: second\n  progress', 'name: podinfo\n  progress');
      expect((await applyByHand(stage, second)).status).toBe(201);
      const refusal = 'Deployment podinfo.test is released by the canary podinfo already';
      await stage.until(
        'both are told',
        () =>
          told(stage, 'crooked.test').some((text) => text.startsWith(complaint)) &&
          told(stage, 'second.test').some((text) => text.includes(refusal)),
      );

      await stage.agent.stop();
      await stage.start();
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
      for (const name of ['crooked', 'second']) {
        // Once by each agent.
        expect(told(stage, `${name}.test`).length).toBeLessThanOrEqual(2);
        expect(canary(stage, { name }).phase).toBe('');
        expect(object(stage, 'HTTPRoute', name)).toBeUndefined();
      }
      await expectSound(stage);
    });
  });

  it('is told of again every hour as long as it is, and at no look in between', async () => {
    const files = { 'apps/namespaces/test.yaml': namespaceYaml() };
    await onStage({ files, speed: 1_500 }, async (stage) => {
      await stage.until('the namespace is there', () => object(stage, 'Namespace', 'test', ''));
      await installCrds(stage.sandbox.apiUrl, await readFile(flaggerCrds, 'utf8'));
      expect((await applyByHand(stage, crooked)).status).toBe(201);
      const count = (): number => told(stage, 'crooked.test').length;
      await stage.until('it is told', () => count() > 0);
      const firstMs = stage.clock.now();
      await stage.until('it is told again', () => count() > 1);
      expect(stage.clock.now() - firstMs).toBeGreaterThan(3_000_000);
      expect(count()).toBe(2);
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

describe('looks at one Canary', onceMore, () => {
  /** A check that takes its time, and counts how many wait for it at once. */
  async function startSlowHook(ms: number) {
    let waiting = 0;
    let most = 0;
    const server = await startServer((_request, response) => {
      waiting += 1;
      most = Math.max(most, waiting);
      setTimeout(() => {
        waiting -= 1;
        response.writeHead(200).end();
      }, ms);
    });
    return { server, most: () => most, waiting: () => waiting };
  }
  const withHook = (url: string, more = ''): string =>
    `${canaryYaml({ steps: '[5, 10, 15, 20, 25, 30, 35, 40]' }).replace('spec:\n', `spec:\n${more}`)}    webhooks:\n      - { name: slow, url: ${url} }\n`;

  it('never overlap, also when its interval is changed amid one, and end with it for good [R26] [R27]', async () => {
    const hook = await startSlowHook(200);
    const path = 'apps/podinfo/canary.yaml';
    const files = { ...appFiles(), [path]: withHook(hook.server.url, '  revertOnDeletion: true\n') };
    try {
      await onStage({ files, hosts }, async (stage) => {
        await adopted(stage);
        await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
        await stage.until('a look waits for the hook', () => hook.waiting() > 0);
        const from = stage.log.length;
        await stage.edit('every 11 s', path, (text) => text.replace('interval: 10s', 'interval: 11s'));
        await stage.said(/^Synced /, { from });
        await stage.until('the next look waits for the hook', () => hook.waiting() > 0);
        await stage.push('no more canary', { [path]: null });
        await stage.until('the Canary is gone', () => object(stage, 'Canary', 'podinfo') === undefined);
        const asked = hook.server.requests.length;
        await stage.restsFor(40_000);
        expect(hook.most()).toBe(1);
        expect(hook.server.requests).toHaveLength(asked);
        // What was given back to the users of the target stays so.
        expect(told(stage, 'podinfo.test').at(-1)).toBe('Terminated canary podinfo.test');
        expect(object(stage, 'Service', 'podinfo')?.['spec']).toMatchObject({ selector: { app: 'podinfo' } });
        await expectSound(stage);
      });
    } finally {
      await hook.server.close();
    }
  });
});

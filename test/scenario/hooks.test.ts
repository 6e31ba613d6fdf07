import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { setGate } from '../../src/agent/canaries/gates.ts';
import { openCluster } from '../../src/cluster/client.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { appFiles, appPath, canaryYaml, toTag } from './apps.ts';
import { canary, object, weights } from './look.ts';
import { adopted, outcome } from './outcomes.ts';
import { type Receiver, startReceiver } from './receiver.ts';
import { onceMore, onStage, type Stage } from './stage.ts';

let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(() => receiver.close());

const types = [
  'confirm-rollout',
  'pre-rollout',
  'rollout',
  'confirm-traffic-increase',
  'confirm-promotion',
  'post-rollout',
];

/** The files of an app whose Canary has every type of hook, and says this of its analysis. */
function files(analysis: string, more = ''): Record<string, string> {
  const hooks = types.map((type) => `      - { name: ${type}, type: ${type}, url: "${receiver.url}/hook/${type}" }`);
  const text = canaryYaml()
    .replace(/ {4}stepWeights: .*\n/, analysis)
    .replace(/ {4}metrics:[^]*/, `    webhooks:\n${hooks.join('\n')}\n${more}`);
  return { ...appFiles(), 'apps/podinfo/canary.yaml': text };
}

const eventHooks = (): string =>
  [
    `      - { name: dead, type: event, url: "${receiver.url}/dead", timeout: 1m, retries: 3 }`,
    `      - { name: events, type: event, url: "${receiver.url}/events", metadata: { team: shop, eventType: mine } }`,
    '',
  ].join('\n');

const slackProvider = (name: string, namespace: string): string => `
apiVersion: flagger.app/v1beta1
kind: AlertProvider
metadata: { name: ${name}, namespace: ${namespace} }
spec: { type: slack, channel: alerts, secretRef: { name: ${name}-url } }
---
apiVersion: v1
kind: Secret
metadata: { name: ${name}-url, namespace: ${namespace} }
stringData: { address: "${receiver.url}/slack/${name}" }
`;

/** Events about the readiness of pods come as often as the machine is slow. */
const isAboutReadiness = (message: string): boolean => /not ready: /.test(message);
const stream = (): string[] =>
  receiver
    .events()
    .filter(({ message }) => !isAboutReadiness(message))
    .map(({ phase, message }) => `${phase}: ${message}`)
    // Told at each look at a primary that is not ready: before that and after it, and more often where the machine is slow.
    .filter((line, at, all) => !line.includes('metrics providers') || line !== all[at - 2]);

/** Initialised, then another tag pushed and released. */
async function release(stage: Stage): Promise<void> {
  await adopted(stage);
  await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
  expect((await outcome(stage, 1)).subject).toBe('promote test/podinfo 3.1.1');
  await stage.until('the last event', () => stream().some((line) => line.includes('Promotion completed!')));
}

const beginning = [
  'Initializing: all the metrics providers are available!',
  'Initializing: all the metrics providers are available!',
  'Initialized: Initialization done! podinfo.test',
  'Initialized: Confirm-rollout check confirm-rollout passed',
  'Progressing: New revision detected! Scaling up podinfo.test',
];

describe('what hooks and people are told', onceMore, () => {
  it('of a weighted release: every event in order with its phase, every hook, every alert [CE02] [CW03] [SD16] [NT01] [R65]', async () => {
    const alerts = `    alerts:
      - { name: here, severity: info, providerRef: { name: here } }
      - { name: there, providerRef: { name: there, namespace: ops } }
      - { name: errors, severity: error, providerRef: { name: here } }
`;
    const app = files('    stepWeight: 100\n    stepWeightPromotion: 50\n', `${eventHooks()}${alerts}`);
    const others = `apiVersion: v1\nkind: Namespace\nmetadata: { name: ops }\n---${slackProvider('there', 'ops')}`;
    const all = { ...app, 'apps/here.yaml': slackProvider('here', 'test'), 'apps/there.yaml': others };
    await onStage({ files: all }, async (stage) => {
      await release(stage);
      expect(stream()).toEqual([
        ...beginning,
        'Progressing: Starting canary analysis for podinfo.test',
        'Progressing: Pre-rollout check pre-rollout passed',
        'Progressing: Confirm-traffic-increase check confirm-traffic-increase passed',
        'Progressing: Advance podinfo.test canary weight 100',
        'Progressing: Confirm-traffic-increase check confirm-traffic-increase passed',
        'Progressing: Confirm-promotion check confirm-promotion passed',
        'Progressing: Copying podinfo.test template spec to podinfo-primary.test',
        'Promoting: Advance podinfo.test primary weight 50',
        'Promoting: Advance podinfo.test primary weight 100',
        'Succeeded: Post-rollout check post-rollout passed',
        'Succeeded: Promotion completed! Scaling down podinfo.test',
      ]);
      expect(receiver.hooks()).toEqual([
        'confirm-rollout Initialized',
        'pre-rollout Progressing',
        'confirm-traffic-increase Progressing',
        'rollout Progressing',
        'confirm-traffic-increase Progressing',
        'confirm-promotion Progressing',
        'post-rollout Succeeded',
      ]);
      // The receiver that never answers has been told one event, and delayed nothing.
      expect(receiver.server.requests.filter(({ path }) => path === '/dead')).toHaveLength(1);
      const sequences = receiver.events().map(({ sequence }) => sequence);
      expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
      const [first] = receiver.server.requests.filter(({ path }) => path === '/events');
      expect(JSON.parse(first?.body ?? '')).toEqual({
        name: 'podinfo',
        namespace: 'test',
        phase: 'Initializing',
        checksum: expect.stringMatching(/^\w+$/),
        metadata: {
          eventMessage: 'all the metrics providers are available!',
          eventType: 'Normal',
          team: 'shop',
          timestamp: expect.stringMatching(/^\d{13}/),
        },
      });
      const said = (text: string) => ({ color: 'good', author: 'podinfo.test', text });
      const expected = [
        said('New Deployment detected, initialization completed.'),
        said('New revision detected, progressing canary analysis.'),
        said('Canary analysis completed successfully, promotion finished.'),
      ];
      await stage.until('the alerts', () => receiver.alerts('there').length === 3);
      expect(receiver.alerts('here')).toEqual(expected);
      expect(receiver.alerts('there')).toEqual(expected);
      for (const line of stage.log) expect(JSON.stringify(line)).not.toContain('/slack/');
    });
  });

  it('of a release without analysis [CE01]', async () => {
    const app = files('    stepWeight: 10\n', eventHooks());
    await onStage({ files: app }, async (stage) => {
      await adopted(stage);
      const path = 'apps/podinfo/canary.yaml';
      await stage.edit('no analysis', path, (text) => text.replace('  analysis:', '  skipAnalysis: true\n  analysis:'));
      const isSkipping = () =>
        (object(stage, 'Canary', 'podinfo')?.['spec'] as { skipAnalysis?: boolean } | undefined)?.skipAnalysis;
      await stage.until('the change of the Canary', isSkipping);
      await release(stage);
      expect(stream()).toEqual([
        ...beginning,
        'Progressing: Copying podinfo.test template spec to podinfo-primary.test',
        'Succeeded: Post-rollout check post-rollout passed',
        'Succeeded: Promotion completed! Canary analysis was skipped for podinfo.test',
      ]);
      expect(receiver.hooks()).toEqual(['confirm-rollout Initialized', 'post-rollout Succeeded']);
    });
  });

  it('of pods that never get ready: the alert comes, whatever other receivers do [R60] [R76] [R78]', async () => {
    const alerts = `    alerts:
      - { name: gone, providerRef: { name: nobody } }
      - { name: dead, providerRef: { name: dead } }
      - { name: here, severity: warn, providerRef: { name: here } }
`;
    const providers = [
      slackProvider('here', 'test'),
      slackProvider('dead', 'test').replace('/slack/dead', '/dead'),
    ].join('---');
    const app = files('    stepWeight: 20\n', `${eventHooks()}${alerts}`);
    await onStage({ files: { ...app, 'apps/providers.yaml': providers } }, async (stage) => {
      await adopted(stage);
      await stage.edit('podinfo 3.1.4', appPath(), toTag('3.1.4'));
      const { subject } = await outcome(stage, 1);
      expect(subject).toBe('rollback test/podinfo 3.1.4: readiness probe fails (HTTP 503)');
      await stage.until('the alert', () => receiver.alerts('here').length > 0);
      const [alert, ...more] = receiver.alerts('here');
      expect(alert).toMatchObject({ color: 'danger', author: 'podinfo.test' });
      expect(alert?.text).toMatch(/^Progress deadline exceeded canary deployment podinfo\.test not ready: /);
      expect(more).toEqual([]);
      await stage.until('the status', () => canary(stage).phase === 'Failed');
      const level = (text: string) => stage.log.find(({ msg }) => msg.startsWith(text))?.level;
      expect([level('Canary failed!'), level('New revision detected!')]).toEqual(['warn', 'info']);
      const refusal = 'alert provider nobody.test error: alertprovider.flagger.app "nobody" not found';
      await stage.said(refusal);
      expect(stage.happened.filter(({ message }) => message === refusal)).toHaveLength(1);
    });
  });

  it('hold up no user: a webhook that hangs is left for what cannot wait', async () => {
    // Asked at the first step for as long as this test may last, by the wall's clock.
    const hang = `      - { name: slow, type: rollout, url: "${receiver.url}/dead/slow", timeout: 5m, retries: 9 }
      - { name: back, type: rollback, url: "http://serin.serin/rollback/check" }
`;
    const app = files('    stepWeights: [50, 80]\n', hang);
    await onStage({ files: app }, async (stage) => {
      const hanging = (): number => receiver.server.requests.filter(({ path }) => path === '/dead/slow').length;
      const source = { kind: 'text' as const, text: stage.sandbox.kubeconfig };
      const cluster = await openCluster(source, { clock: stage.clock, log: silentLogger });
      try {
        await adopted(stage);
        await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
        await stage.until('the question that is not answered', () => hanging() === 1);
        expect(weights(stage)).toEqual([50, 50]);
        const target = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'test', name: 'podinfo' };
        const person = { manager: 'kubectl' };
        await cluster.mergePatch(target, { spec: { replicas: 0 } }, person, AbortSignal.timeout(5_000));
        await stage.until('everybody on the primary', () => weights(stage)[0] === 100, 10_000);
        await stage.until('the next such question', () => hanging() === 2);
        const back = { gate: 'rollback', namespace: 'test', name: 'podinfo', open: true } as const;
        await setGate(cluster, back, AbortSignal.timeout(5_000));
        expect((await outcome(stage, 1)).subject).toBe('rollback test/podinfo 3.1.1: rollback asked for by back');
      } finally {
        await cluster.close();
      }
    });
  });
});

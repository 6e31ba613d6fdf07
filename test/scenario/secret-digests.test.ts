import { expect, it } from 'vitest';
import { configChecksum } from '../../src/canary/configs.ts';
import { plainDigests } from '../helpers/digests.ts';
import { appFiles, appPath, deploymentYaml, hostOf, toTag } from './apps.ts';
import { canary, object } from './look.ts';
import { adopted, outcome, outcomes } from './outcomes.ts';
import { onStage, patient, type Stage } from './stage.ts';

/** All of them are guessed in no time. */
const secrets: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  pin: { pin: '4711' },
  flags: { enabled: 'true', empty: '', letter: 'x' },
  word: { password: 'sesame', json: '{"a":1}', 'name.txt': 'größe\n' },
};

const withSecrets = (text: string): string =>
  text.replace(
    '          envFrom:\n',
    `          envFrom:\n${Object.keys(secrets)
      .map((name) => `            - secretRef: { name: ${name} }\n`)
      .join('')}`,
  );

/** What others can read: everything but the data of Secrets. */
async function outputs(stage: Stage, since: string): Promise<string> {
  const kinds: readonly (readonly [string, string])[] = [
    ['flagger.app/v1beta1', 'Canary'],
    ['apps/v1', 'Deployment'],
    ['v1', 'ConfigMap'],
    ['v1', 'Event'],
    ['v1', 'Service'],
    ['v1', 'Secret'],
    ['gateway.networking.k8s.io/v1', 'HTTPRoute'],
  ];
  const objects = kinds.flatMap(([apiVersion, kind]) => stage.sandbox.store.list(apiVersion, kind));
  return [
    JSON.stringify(objects.map(({ data, ...rest }) => (rest.kind === 'Secret' ? rest : { data, ...rest }))),
    await stage.run('log', '--patch', '--format=%B%(trailers)', `${since}..main`),
    await stage.run('for-each-ref', '--format=%(refname) %(contents)'),
    JSON.stringify(stage.log),
    JSON.stringify(stage.happened),
  ].join('\n');
}

it(
  'no output of a release holds a digest by which a Secret could be guessed, and what former agents wrote goes without a new release',
  patient,
  async () => {
    const files = { ...appFiles(), [appPath()]: '' };
    const app = withSecrets(`${deploymentYaml()}---\n${appFiles()[appPath()]?.split('---\n').at(-1) ?? ''}`);
    const options = { files: { ...files, [appPath()]: app }, hosts: [hostOf()], started: false };
    await onStage(options, async (stage) => {
      const { store } = stage.sandbox;
      store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'test' } });
      for (const [name, values] of Object.entries(secrets)) {
        const data = Object.fromEntries(
          Object.entries(values).map(([key, text]) => [key, Buffer.from(text).toString('base64')]),
        );
        store.create({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'test' }, type: 'Opaque', data });
      }
      await stage.start();
      await adopted(stage);
      const tracked = (): Readonly<Record<string, string>> =>
        (object(stage, 'Canary', 'podinfo')?.['status'] as { trackedConfigs?: Record<string, string> } | undefined)
          ?.trackedConfigs ?? {};
      expect(tracked()['secret/pin']).toMatch(/^keyed-/);

      // As an agent of before, or Flagger, left it.
      await stage.agent.stop();
      const plain = Object.fromEntries(
        Object.keys(tracked()).map((key) => {
          const [kind, name = ''] = key.split('/');
          const config = object(stage, kind === 'secret' ? 'Secret' : 'ConfigMap', name);
          return [key, config ? configChecksum(config as Parameters<typeof configChecksum>[0]) : ''];
        }),
      );
      const asBefore = (draft: object): void => {
        Object.assign((draft as { status: object }).status, { trackedConfigs: plain });
      };
      store.update('flagger.app/v1beta1', 'Canary', 'test', 'podinfo', asBefore, 'status');
      const ledger = 'apps/.releases/test/podinfo.yaml';
      const former = await stage.edit('former ledger', ledger, (text) =>
        Object.entries(plain).reduce(
          (left, [key, checksum]) => left.replace(new RegExp(`${key}: .*`), `${key}: "${checksum}"`),
          text,
        ),
      );
      const digests = new Set(Object.values(secrets).flatMap((values) => [...plainDigests(values)]));
      const leaks = async (): Promise<readonly string[]> => {
        const all = await outputs(stage, former);
        return [...digests].filter((digest) => all.includes(digest));
      };
      // The test finds what there is to be found.
      expect((await leaks()).length).toBeGreaterThanOrEqual(Object.keys(secrets).length);

      await stage.start();
      await stage.until('its status is migrated', () =>
        Object.keys(secrets).every((name) => tracked()[`secret/${name}`]?.startsWith('keyed-')),
      );
      expect(canary(stage).phase).toBe('Initialized');
      await stage.edit('podinfo 3.1.2', appPath(), toTag('3.1.2'));
      expect((await outcome(stage, 1)).trailers).toMatchObject({ Verdict: 'rolled-back' });
      expect(await outcomes(stage)).toHaveLength(1);
      expect(await stage.file(ledger)).not.toContain('secret/');
      await stage.edit('podinfo 3.1.1', appPath(), toTag('3.1.1'));
      expect((await outcome(stage, 2)).trailers).toMatchObject({ Verdict: 'promoted' });
      expect(await stage.file(ledger)).toContain('secret/pin: keyed-');
      // The patch of the rollback shows what it took away.
      const removed = (await stage.run('log', '--patch', '--format=', `${former}..main`))
        .split('\n')
        .filter((line) => line.startsWith('-'));
      const left = (await leaks()).filter((digest) => !removed.some((line) => line.includes(digest)));
      expect(left).toEqual([]);
    });
  },
);

import { expect, it } from 'vitest';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { ageKey, encrypted, sopsProgram } from '../helpers/sops.ts';
import { canaryYaml, deploymentYaml, hostOf, namespaceYaml } from './apps.ts';
import { canary, image, object } from './look.ts';
import { outcome } from './outcomes.ts';
import { onStage, patient, type Stage } from './stage.ts';

const bare = (text: string): string => text.replaceAll(/\n {2}namespace: test/g, '');
const password = 'correct-horse-battery-staple';
const secret = (failRate: string): string =>
  encrypted(
    `apiVersion: v1\nkind: Secret\nmetadata: { name: podinfo-login }\nstringData:\n  FAIL_RATE: "${failRate}"\n  PASSWORD: ${password}-${failRate}\n`,
  );
const describedBy = (text: string): string => `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: { name: shop, namespace: flux-system }
spec:
  prune: true
  sourceRef: { kind: GitRepository, name: flux-system }
  path: ./apps/shop
  targetNamespace: test
${text}`;

/** What others can read: everything but the data of Secrets. */
async function outputs(stage: Stage, since: string): Promise<string> {
  const kinds: readonly (readonly [string, string])[] = [
    ['flagger.app/v1beta1', 'Canary'],
    ['apps/v1', 'Deployment'],
    ['v1', 'ConfigMap'],
    ['v1', 'Event'],
    ['v1', 'Secret'],
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

const isWithout = kustomizeProgram === undefined || sopsProgram === undefined;

it.skipIf(isWithout)(
  'an encrypted Secret waits for its key, is judged like any config, and goes back as the bytes that it was; a value of the cluster is followed',
  patient,
  async () => {
    const good = secret('0');
    const files = {
      'cluster/namespaces.yaml': namespaceYaml(),
      'cluster/shop.yaml': describedBy(
        '  decryption: { provider: sops, secretRef: { name: sops-age } }\n  postBuild: { substituteFrom: [{ kind: ConfigMap, name: vars }] }\n',
      ),
      'apps/shop/podinfo.yaml': bare(deploymentYaml())
        .replace(
          '            - configMapRef:\n                name: podinfo-settings',
          '            - secretRef: { name: podinfo-login }',
        )
        .replace(':3.1.0"', ':${TAG}"'),
      'apps/shop/canary.yaml': bare(canaryYaml()),
      'apps/shop/login.yaml': good,
    };
    const flags = { kustomize: kustomizeProgram ?? '', sops: sopsProgram ?? '', 'git-path': 'cluster' };
    await onStage({ files, flags, hosts: [hostOf()] }, async (stage) => {
      const since = (await stage.run('rev-parse', 'main')).trim();
      const { store } = stage.sandbox;
      const make = (kind: 'Secret' | 'ConfigMap', name: string, data: Readonly<Record<string, string>>): void => {
        store.create({ apiVersion: 'v1', kind, metadata: { name, namespace: 'flux-system' }, data });
      };
      await stage.said(
        /substituteFrom names the ConfigMap flux-system\/vars, which is neither in Git nor in the cluster/,
      );
      store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'flux-system' } });
      make('ConfigMap', 'vars', { TAG: '3.1.0' });
      await stage.said(/there is no Secret flux-system\/sops-age with its key/);
      expect(object(stage, 'Deployment', 'podinfo')).toBeUndefined();

      make('Secret', 'sops-age', { 'age.agekey': Buffer.from(ageKey.identity).toString('base64') });
      await stage.untilPushed('the ledger', () => stage.file('cluster/.releases/test/podinfo.yaml'));
      expect(image(stage, 'podinfo-primary')).toMatch(/:3\.1\.0$/);

      const better = secret('0.001');
      await stage.push('another login', { 'apps/shop/login.yaml': better });
      expect((await outcome(stage, 1)).trailers).toMatchObject({ Verdict: 'promoted' });

      await stage.push('a bad login', { 'apps/shop/login.yaml': secret('1') });
      const { trailers, changed } = await outcome(stage, 2);
      expect(trailers).toMatchObject({ Verdict: 'rolled-back' });
      expect(changed).toContain('apps/shop/login.yaml');
      expect(await stage.file('apps/shop/login.yaml')).toBe(better);

      store.update('v1', 'ConfigMap', 'flux-system', 'vars', (draft) => {
        draft['data'] = { TAG: '3.1.1' };
      });
      await stage.until('the value is followed', () => image(stage, 'podinfo').endsWith(':3.1.1'));
      await stage.until('and promoted', () => image(stage, 'podinfo-primary').endsWith(':3.1.1'), 60_000);
      await stage.until('at rest', () => canary(stage).phase === 'Succeeded');

      // Nothing in Git can be taken back: users stay where they are until somebody mends the value.
      store.update('v1', 'ConfigMap', 'flux-system', 'vars', (draft) => {
        draft['data'] = { TAG: '3.1.4' };
      });
      await stage.until('it is rejected', () => canary(stage).phase === 'Failed', 60_000);
      expect(image(stage, 'podinfo-primary')).toMatch(/:3\.1\.1$/);

      const all = await outputs(stage, since);
      expect(all).not.toContain(password);
      expect(all).not.toContain(Buffer.from(password).toString('base64').slice(0, 24));
      expect(all).not.toContain('AGE-SECRET-KEY-');
    });
  },
);

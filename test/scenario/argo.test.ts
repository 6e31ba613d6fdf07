import { expect, it } from 'vitest';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { canaryYaml, deploymentYaml, hostOf, namespaceYaml } from './apps.ts';
import { image } from './look.ts';
import { outcome } from './outcomes.ts';
import { onStage } from './stage.ts';

const bare = (text: string): string => text.replaceAll(/\n {2}namespace: test/g, '');
const application = (name: string, path: string, more = ''): string => `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: { name: ${name}, namespace: argocd }
spec:
  project: default
  destination: { server: https://kubernetes.default.svc, namespace: test }
  syncPolicy: { automated: { prune: true } }
  source:
    repoURL: https://github.com/acme/fleet
    targetRevision: HEAD
    path: ${path}
${more}`;
const shop = (tag: string): string =>
  application(
    'shop',
    'shop',
    `    kustomize:\n      images:\n      - registry.test/podinfo:${tag} # moved by releases\n`,
  );

it.skipIf(kustomizeProgram === undefined)(
  'an app of apps runs without Argo CD, and a bad version goes back in the Application that brought it',
  { timeout: 120_000 },
  async () => {
    const files = {
      'root.yaml': application('root', 'apps'),
      'apps/namespace.yaml': namespaceYaml(),
      'apps/shop.yaml': shop('3.1.0'),
      'shop/kustomization.yaml': 'resources: [podinfo.yaml, canary.yaml, settings.yaml]\n',
      'shop/podinfo.yaml': bare(deploymentYaml({ tag: '3.0.0' })),
      'shop/canary.yaml': bare(canaryYaml()),
      'shop/settings.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: podinfo-settings }\ndata: { PODINFO_UI_MESSAGE: one }\n',
      // Nobody names it.
      'staging/podinfo.yaml': deploymentYaml({ tag: '3.0.0' }),
    };
    const flags = { kustomize: kustomizeProgram ?? '', 'git-path': '' };
    await onStage({ files, flags, hosts: [hostOf()] }, async (stage) => {
      await stage.untilPushed('the ledger', () => stage.file('.releases/test/podinfo.yaml'));
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.0');

      await stage.push('a good version', { 'apps/shop.yaml': shop('3.1.1') });
      expect((await outcome(stage, 1)).trailers).toMatchObject({ Verdict: 'promoted' });

      await stage.push('a bad version', { 'apps/shop.yaml': shop('3.1.2') });
      expect((await outcome(stage, 2)).trailers).toMatchObject({ Verdict: 'rolled-back' });
      expect(await stage.file('apps/shop.yaml')).toBe(shop('3.1.1'));
      await stage.until('the target is what Git says again', () => image(stage, 'podinfo') === 'podinfo:3.1.1');
    });
  },
);

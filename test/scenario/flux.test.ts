import { expect, it } from 'vitest';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { canaryYaml, deploymentYaml, hostOf, namespaceYaml } from './apps.ts';
import { image, object } from './look.ts';
import { outcome } from './outcomes.ts';
import { onStage } from './stage.ts';

const bare = (text: string): string => text.replaceAll(/\n {2}namespace: test/g, '');
const flux = (name: string, spec: string): string => `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata:
  name: ${name}
  namespace: flux-system
spec:
  interval: 10m
  prune: true
  sourceRef: { kind: GitRepository, name: flux-system }
${spec.replaceAll(/^/gm, '  ')}
`;
const shop = (tag: string): string =>
  flux(
    'shop',
    `path: ./apps/shop\ntargetNamespace: test\npostBuild:\n  substitute:\n    TAG: ${tag} # moved by releases`,
  );

it.skipIf(kustomizeProgram === undefined)(
  'what Flux has bootstrapped runs without it, and a bad version goes back in the variable that brought it',
  { timeout: 120_000 },
  async () => {
    const files = {
      'clusters/prod/flux-system/gotk-sync.yaml': `apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: { name: flux-system, namespace: flux-system }
spec: { interval: 1m, url: "ssh://git@github.com/acme/fleet" }
---
${flux('flux-system', 'path: ./clusters/prod')}`,
      'clusters/prod/flux-system/kustomization.yaml': 'resources: [gotk-sync.yaml]\n',
      'clusters/prod/namespaces.yaml': flux('namespaces', 'path: ./namespaces'),
      'clusters/prod/shop.yaml': shop('3.1.0'),
      'namespaces/test.yaml': namespaceYaml(),
      'apps/shop/podinfo.yaml': bare(deploymentYaml({ tag: '3.1.0' })).replace(/(image: .*):3\.1\.0/, '$1:${TAG}'),
      'apps/shop/canary.yaml': bare(canaryYaml()),
      'apps/shop/settings.yaml':
        'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: podinfo-settings }\ndata: { PODINFO_UI_MESSAGE: one }\n',
      'clusters/prod/alerts.yaml':
        'apiVersion: notification.toolkit.fluxcd.io/v1beta3\nkind: Alert\nmetadata: { name: chat, namespace: flux-system }\nspec: { providerRef: { name: chat } }\n',
      // Of another cluster.
      'apps/staging/podinfo.yaml': deploymentYaml({ tag: '3.0.0' }),
    };
    const flags = { kustomize: kustomizeProgram ?? '', 'git-path': '' };
    await onStage({ files, flags, hosts: [hostOf()] }, async (stage) => {
      await stage.untilPushed('the ledger', () => stage.file('.releases/test/podinfo.yaml'));
      expect(image(stage, 'podinfo-primary')).toBe('podinfo:3.1.0');
      // The cluster knows no kind of Flux, which holds nothing up.
      expect(stage.log.filter(({ msg }) => msg.includes('Alert flux-system/chat is not applied'))).toHaveLength(1);
      expect(stage.log.filter(({ level }) => level === 'error')).toEqual([]);

      await stage.push('a good version', { 'clusters/prod/shop.yaml': shop('3.1.1') });
      expect((await outcome(stage, 1)).trailers).toMatchObject({ Verdict: 'promoted' });

      await stage.push('a bad version', { 'clusters/prod/shop.yaml': shop('3.1.2') });
      expect((await outcome(stage, 2)).trailers).toMatchObject({ Verdict: 'rolled-back' });
      expect(await stage.file('clusters/prod/shop.yaml')).toBe(shop('3.1.1'));
      await stage.until('the target is what Git says again', () => image(stage, 'podinfo') === 'podinfo:3.1.1');
      expect(object(stage, 'Deployment', 'podinfo-primary')).toBeDefined();
    });
  },
);

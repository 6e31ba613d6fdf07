import { describe, expect, it } from 'vitest';
import { kustomizeProgram } from '../helpers/kustomize.ts';
import { appFiles, appPath, canaryYaml, configYaml, deploymentYaml, hostOf, namespaceYaml, toTag } from './apps.ts';
import { canary, image, weights } from './look.ts';
import { outcome, outcomes } from './outcomes.ts';
import { onStage, patient } from './stage.ts';

/** Long enough that a commit is seen while it is judged. */
const judgedLong = { threshold: 8, steps: '[20, 30, 40, 50]' };
const bare = (text: string): string => text.replaceAll(/\n {2}namespace: test/g, '');
const shop = (tag: string, more = ''): string => `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: { name: shop, namespace: flux-system }
spec:
  path: ./shop
  prune: true${more}
  sourceRef: { kind: GitRepository, name: flux-system }
  targetNamespace: test
  postBuild: { substitute: { TAG: ${tag} } }
`;
const described = {
  'cluster/test.yaml': namespaceYaml(),
  'cluster/shop.yaml': shop('3.1.0'),
  'shop/podinfo.yaml': bare(deploymentYaml({ tag: '3.1.0' })).replace(/(image: .*):3\.1\.0/, '$1:${TAG}'),
  'shop/canary.yaml': bare(canaryYaml(judgedLong)),
  'shop/settings.yaml': bare(configYaml()),
};
const plain = appFiles(judgedLong);
const plainText = (tag: string): string => toTag(tag)(plain[appPath()] ?? '');
const ofFlux = { kustomize: kustomizeProgram ?? '', 'git-path': '' };

interface Story {
  readonly files: Readonly<Record<string, string>>;
  readonly flags: Readonly<Record<string, string>>;
  readonly ledger: string;
  readonly path: string;
  readonly text: (tag: string) => string;
  readonly hidden: string;
}

const stories: readonly (readonly [string, Story])[] = [
  [
    'whose file cannot be read',
    {
      files: plain,
      flags: {},
      ledger: 'apps/.releases/test/podinfo.yaml',
      path: appPath(),
      text: plainText,
      hidden: `<<<<<<< HEAD\n${plainText('3.1.2')}`,
    },
  ],
  ...(kustomizeProgram === undefined
    ? []
    : [
        [
          'whose Kustomization is suspended',
          {
            files: described,
            flags: ofFlux,
            ledger: '.releases/test/podinfo.yaml',
            path: 'cluster/shop.yaml',
            text: shop,
            hidden: shop('3.1.2', '\n  suspend: true'),
          },
        ] as const,
      ]),
];

describe('a bad version', patient, () => {
  it.each(stories)(
    '%s while it is judged is held, also by an agent that starts meanwhile, and is taken back in Git once it can be read again',
    async (_, { files, flags, ledger, path, text, hidden }) => {
      await onStage({ files, flags, hosts: [hostOf()] }, async (stage) => {
        await stage.untilPushed('the ledger', () => stage.file(ledger));
        await stage.push('a bad version', { [path]: text('3.1.2') });
        await stage.until('it is judged', () => canary(stage).weight > 0);
        await stage.push('not now', { [path]: hidden });
        const told = await stage.until('it is told', () =>
          stage.happened.find(({ message }) => message.startsWith('Rollback of podinfo.test cannot be written to Git')),
        );
        expect(told.message).toContain(`it cannot be read now: ${path} `);
        await stage.until('the status', () => canary(stage).phase === 'Failed');
        expect(weights(stage)).toEqual([100, 0]);
        expect(await outcomes(stage)).toEqual([]);

        await stage.agent.stop();
        await stage.start();

        await stage.push('go on', { [path]: text('3.1.2') });
        expect((await outcome(stage, 1)).trailers).toMatchObject({ Verdict: 'rolled-back' });
        expect(await stage.file(path)).toBe(text('3.1.0'));
        await stage.until('the target is back', () => image(stage, 'podinfo') === 'podinfo:3.1.0');
        await stage.restsFor(20_000);
        expect(stage.happened.filter(({ message }) => message.startsWith('New revision'))).toHaveLength(1);
        expect(weights(stage)).toEqual([100, 0]);
        expect(await outcomes(stage)).toHaveLength(1);
      });
    },
  );
});

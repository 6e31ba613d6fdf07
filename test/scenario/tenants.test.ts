import { expect, it } from 'vitest';
import { canaryYaml, configYaml, deploymentYaml, hostOf, namespaceYaml, toTag } from './apps.ts';
import { canary, object } from './look.ts';
import { outcome, adopted } from './outcomes.ts';
import { expectSound } from './soundness.ts';
import { onStage, patient, type Stage } from './stage.ts';

const teams = ['alfa', 'bravo'] as const;
type Team = (typeof teams)[number];

const app = (team: Team): { namespace: string; interval: string; threshold: number } => ({
  namespace: team,
  interval: '5s',
  threshold: 4,
});
const appPath = (team: Team): string => `apps/${team}/app.yaml`;
const filesOf = (team: Team): Record<string, string> => ({
  [`apps/admin/${team}.yaml`]: namespaceYaml(team),
  [appPath(team)]: `${deploymentYaml(app(team))}---\n${configYaml(app(team))}`,
  [`apps/${team}/canary.yaml`]: canaryYaml(app(team)),
});
const tenants = [
  ...teams.map((name) => ({ name, folder: `apps/${name}`, namespaces: [name, 'shared'] })),
  { name: 'admin', folder: 'apps/admin', namespaces: ['*'], kinds: ['*'] },
];

const config = (place: string, data = 'a: b', labels = ''): string => {
  const [namespace = '', name = ''] = place.split('/');
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, namespace: ${namespace}${labels}}\ndata: {${data}}\n`;
};
const binding = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: everything}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: User, name: mallory, apiGroup: rbac.authorization.k8s.io}]
`;
const definition = (group: string, kind: string): string => `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: x${group === '' ? '' : `.${group}`}}
spec: {group: "${group}", scope: Cluster, names: {kind: ${kind}, plural: x}}
`;

/** What a tenant may commit against another one, by the name of its file in its folder; with a part of what is told of it. */
const attacks = (
  own: Team,
  other: Team,
): Readonly<Record<string, readonly [text: string, told: string | undefined]>> => ({
  '0-hijack.yaml': [
    configYaml({ namespace: other, message: 'hijacked' }),
    `ConfigMap ${other}/podinfo-settings: tenant ${own} may not write to namespace ${other}`,
  ],
  '0-image.yaml': [
    deploymentYaml({ namespace: other, tag: '3.1.2' }),
    `Deployment ${other}/podinfo: tenant ${own} may not write to namespace ${other}`,
  ],
  '0-canary.yaml': [canaryYaml({ namespace: other }), `may not write to namespace ${other}`],
  '0-shared.yaml': [config('shared/from-bravo', 'v: hijacked'), own === 'alfa' ? 'a second time' : undefined],
  'agent.yaml': [
    `${config('serin/serin-inventory-9', `objects: "apps/v1\\tDeployment\\t${other}\\tpodinfo\\tapps/${own}/gone.yaml"`, ', labels: {serin.dev/inventory: "true"}')}---\n${deploymentYaml({ namespace: 'serin' })}`,
    "is in the agent's own namespace",
  ],
  'namespaces.yaml': [
    'apiVersion: v1\nkind: Namespace\nmetadata: {name: kube-system, labels: {pod-security.kubernetes.io/enforce: privileged}}\n',
    `tenant ${own} may not write objects without a namespace`,
  ],
  'rights.yaml': [binding, `tenant ${own} may not write objects without a namespace`],
  'kinds.yaml': [`${definition('', 'ConfigMap')}---\n${definition('flagger.app', 'Canary')}`, 'without a namespace'],
  'evil/kustomization.yaml': [`resources: [../../${other}, ../../..]\nnamePrefix: x-\n`, 'kustomize would refuse this'],
  '.serinignore': [`../${other}\n/apps/${other}\n**/${other}/**\n${'*a'.repeat(12)}b\n`, undefined],
  'unreadable.yaml': [`apiVersion: v1\nkind: [ # podinfo podinfo-settings ${other}\n`, 'not readable'],
  'group.yaml': ['apiVersion: constructor/v1\nkind: Thing\nmetadata: {name: a, namespace: alfa}\n', undefined],
  [`${'a'.repeat(60)}.yaml`]: ['x: y\n', undefined],
  'keys.yaml': [
    `${config(`${own}/keys`)}${Array.from({ length: 4_000 }, (_, n) => `k${n}: ${n}\n`).join('')}`,
    undefined,
  ],
  'reference.yaml': [
    canaryYaml({ namespace: own, name: 'spy' }).replace(
      '      - name: request-success-rate\n',
      `      - name: theirs\n        templateRef: { name: secret, namespace: ${other} }\n`,
    ),
    undefined,
  ],
});

/** A release of one team; how long it took from the push to its commit, by the stage's clock. */
async function release(stage: Stage, team: Team, tag: string, count: number): Promise<number> {
  const startedMs = stage.clock.now();
  await stage.edit(`${team} ${tag}`, appPath(team), toTag(tag));
  expect((await outcome(stage, count, 60_000)).subject).toBe(`promote ${team}/podinfo ${tag}`);
  const tookMs = stage.clock.now() - startedMs;
  await stage.until('the promotion is over', () => canary(stage, { namespace: team }).phase === 'Succeeded');
  return tookMs;
}

it(
  'two tenants do to each other what they can, and the releases of the other one go through, on time',
  patient,
  async () => {
    const files = {
      ...filesOf('alfa'),
      ...filesOf('bravo'),
      'apps/admin/shared.yaml': namespaceYaml('shared'),
      'apps/bravo/shared.yaml': config('shared/from-bravo', 'v: "1"'),
    };
    const hosts = teams.map((team) => hostOf(app(team)));
    await onStage({ files, hosts, tenants, speed: 20, perSecond: 6 }, async (stage) => {
      await adopted(stage, ...teams.map((team) => `${team}/podinfo`));
      let count = 0;
      const undisturbedMs = await release(stage, 'bravo', '3.1.1', (count += 1));
      for (const [own, other] of [
        ['alfa', 'bravo'],
        ['bravo', 'alfa'],
      ] as const) {
        const from = stage.log.length;
        const tried = attacks(own, other);
        const pushed = Object.entries(tried).map(([name, [text]]) => [`apps/${own}/${name}`, text] as const);
        await stage.push(`${own} attacks`, Object.fromEntries(pushed));
        const tookMs = await release(stage, other, '6.0.1', (count += 1));
        expect(tookMs).toBeLessThan(undisturbedMs * 2 + 10_000);
        for (const [name, [, told]] of Object.entries(tried))
          if (told !== undefined)
            expect(
              stage.log.slice(from).find(({ msg }) => msg.startsWith(`apps/${own}/${name}:`) && msg.includes(told)),
              `${name} is told`,
            ).toBeDefined();
        const settings = object(stage, 'ConfigMap', 'podinfo-settings', other);
        expect(settings?.['data']).toEqual({ PODINFO_UI_MESSAGE: 'hello' });
        expect(object(stage, 'ConfigMap', 'from-bravo', 'shared')?.['data']).toEqual({ v: '1' });
        expect(object(stage, 'ConfigMap', 'serin-inventory-9', 'serin')).toBeUndefined();
        expect(object(stage, 'Deployment', 'podinfo', 'serin')).toBeUndefined();
        expect(
          stage.sandbox.store.get('v1', 'Namespace', undefined, 'kube-system')?.metadata.labels,
        ).not.toHaveProperty('pod-security.kubernetes.io/enforce');
        expect(
          stage.sandbox.store.get('rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', undefined, 'everything'),
        ).toBeUndefined();
        expect(
          stage.happened.some(
            ({ canary: whose, message }) => whose === `spy.${own}` && message.includes(`secret.${other}`),
          ),
        ).toBe(true);
        // What it takes away again is deleted while the other one has nothing to wait for.
        const kept = `apps/${other}/kept.yaml`;
        await stage.push('one more', { [kept]: config(`${other}/kept`) });
        await stage.until('it is there', () => object(stage, 'ConfigMap', 'kept', other));
        await stage.push('and gone', { [kept]: null });
        await stage.until('it is gone', () => object(stage, 'ConfigMap', 'kept', other) === undefined);
        await stage.push('peace', Object.fromEntries(pushed.map(([path]) => [path, null])));
        await stage.until('nothing is wrong any more', () => stage.agent.notReady().length === 0);
      }
      await expectSound(stage);
    });
  },
);

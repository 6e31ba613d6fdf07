import { expect, it } from 'vitest';
import { canaryYaml, configYaml, deploymentYaml, hostOf, namespaceYaml } from './apps.ts';
import { canary, object } from './look.ts';
import { adopted } from './outcomes.ts';
import { onStage } from './stage.ts';

const common = (message: string): string => configYaml({ message }).replace('podinfo-settings', 'common');
const app = (name: string): string => deploymentYaml({ name }).replaceAll(`${name}-settings`, 'common');

/** It is judged for longer than all of this takes. */
const steps = JSON.stringify(Array.from({ length: 90 }, (_, step) => step + 1));

interface Primary {
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly Container[] } } };
}
interface Container {
  readonly envFrom: readonly { readonly configMapRef: { readonly name: string } }[];
}

it('a primary does not read what another app with the same ConfigMap was promoted with, and copies that nobody reads go', {
  timeout: 120_000,
}, async () => {
  const files = {
    'apps/ns.yaml': namespaceYaml(),
    'apps/common.yaml': common('one'),
    'apps/good.yaml': `${app('good')}---\n${canaryYaml({ name: 'good' })}`,
    'apps/bad.yaml': `${app('bad')}---\n${canaryYaml({ name: 'bad', steps, threshold: 30 })}`,
  };
  await onStage({ files, hosts: [hostOf({ name: 'good' }), hostOf({ name: 'bad' })] }, async (stage) => {
    const copyOf = (name: string): string => {
      const { spec } = object(stage, 'Deployment', `${name}-primary`) as unknown as Primary;
      return spec.template.spec.containers[0]?.envFrom[0]?.configMapRef.name ?? '';
    };
    const read = (name: string): unknown => object(stage, 'ConfigMap', copyOf(name))?.['data'];
    await adopted(stage, 'test/good', 'test/bad');
    await stage.push('change what both read', { 'apps/common.yaml': common('two') });
    await stage.until(
      'the quicker one is promoted',
      () => canary(stage, { name: 'good' }).phase === 'Succeeded',
      60_000,
    );
    expect(canary(stage, { name: 'bad' }).phase).toBe('Progressing');
    expect(read('good')).toMatchObject({ PODINFO_UI_MESSAGE: 'two' });
    expect(read('bad')).toMatchObject({ PODINFO_UI_MESSAGE: 'one' });

    // A name with a hash, as kustomize gives it: the copy of the one before goes.
    const before = copyOf('good');
    const hashed = app('good').replaceAll('common', 'common-5h2k8m');
    await stage.push('give the config another name', {
      'apps/hashed.yaml': common('three').replace('common', 'common-5h2k8m'),
      'apps/good.yaml': `${hashed}---\n${canaryYaml({ name: 'good' })}`,
    });
    await stage.until('it has its copy', () => copyOf('good') === 'common-5h2k8m-primary', 60_000);
    await stage.until('the copy of before is gone', () => object(stage, 'ConfigMap', before) === undefined, 60_000);
    expect(read('good')).toMatchObject({ PODINFO_UI_MESSAGE: 'three' });
    expect(read('bad')).toMatchObject({ PODINFO_UI_MESSAGE: 'one' });
  });
});

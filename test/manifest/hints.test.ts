import { describe, expect, it } from 'vitest';
import { hintsOf } from '../../src/manifest/hints.ts';
import { hintProblems } from '../../src/manifest/validate.ts';
import { isIgnored, isKept } from '../../src/sync/annotations.ts';
import { aManifest } from '../sync/a-manifest.ts';

const withHint = (key: string, value: string) =>
  aManifest('Job test/a', { metadata: { annotations: { [key]: value } } });
const told = (key: string, value: string): string[] => hintProblems(withHint(key, value)).map(({ message }) => message);

describe('hints of other tools', () => {
  it.each([
    ['helm.sh/hook', 'pre-delete'],
    ['helm.sh/hook', 'post-delete, pre-rollback'],
    ['helm.sh/hook', 'test'],
    ['helm.sh/hook', 'test-success'],
    ['argocd.argoproj.io/hook', 'SyncFail'],
    ['argocd.argoproj.io/hook', 'PostDelete'],
    ['argocd.argoproj.io/hook', 'Skip'],
    ['config.kubernetes.io/local-config', 'true'],
  ])('%s: %s is not applied, and that is told', (key, value) => {
    expect(hintsOf(withHint(key, value).object).skip).toBeDefined();
    expect(told(key, value)).toEqual([expect.stringMatching(/^Job test\/a is .* is not applied$/)]);
  });

  it.each([
    ['helm.sh/hook', 'pre-install,pre-upgrade'],
    ['helm.sh/hook', 'post-delete,post-install'],
    ['argocd.argoproj.io/hook', 'PreSync'],
    ['argocd.argoproj.io/hook', 'Sync,PostDelete'],
    ['argocd.argoproj.io/sync-options', 'Replace=true'],
    ['argocd.argoproj.io/sync-options', 'SkipDryRunOnMissingResource=true, ServerSideApply=false'],
    ['kustomize.toolkit.fluxcd.io/ssa', 'ifnotpresent'],
  ])('%s: %s is applied, and what it does not do here is told', (key, value) => {
    expect(hintsOf(withHint(key, value).object).skip).toBeUndefined();
    expect(told(key, value)).toHaveLength(1);
  });

  it.each([
    ['helm.sh/resource-policy', 'keep'],
    ['kustomize.toolkit.fluxcd.io/prune', 'disabled'],
    ['argocd.argoproj.io/sync-options', 'Prune=false'],
    ['argocd.argoproj.io/sync-options', 'Replace=true, Prune=false'],
    ['argocd.argoproj.io/sync-options', 'ServerSideApply=true,Prune=confirm'],
    ['argocd.argoproj.io/sync-options', 'Delete=false'],
    ['client.lifecycle.config.k8s.io/deletion', 'detach'],
    ['cli-utils.sigs.k8s.io/on-remove', 'keep'],
  ])('%s: %s stays when it is gone from Git', (key, value) => {
    expect(isKept(withHint(key, value).object)).toBe(true);
    expect(isIgnored(withHint(key, value).object)).toBe(false);
  });

  it.each([
    ['helm.sh/resource-policy', 'delete'],
    ['argocd.argoproj.io/sync-options', 'Prune=true'],
    ['argocd.argoproj.io/sync-options', 'PruneLast=true'],
    ['config.kubernetes.io/local-config', 'false'],
    ['kustomize.toolkit.fluxcd.io/ssa', 'Merge'],
    ['argocd.argoproj.io/sync-wave', '-1'],
    ['helm.sh/hook', ''],
  ])('%s: %s changes nothing', (key, value) => {
    const { object } = withHint(key, value);
    expect([isKept(object), isIgnored(object), hintsOf(object).skip, told(key, value)]).toEqual([
      false,
      false,
      undefined,
      [],
    ]);
  });

  it('ssa: Ignore leaves an object alone, and IfNotPresent makes it only where it is missing', () => {
    expect(isIgnored(withHint('kustomize.toolkit.fluxcd.io/ssa', 'Ignore').object)).toBe(true);
    expect(hintsOf(withHint('kustomize.toolkit.fluxcd.io/ssa', 'IfNotPresent').object).onlyIfAbsent).toBe(true);
  });

  it('are looked for in bounded work, whatever is written there', () => {
    const long = `${'Replace=false,'.repeat(200_000)}Prune=false`;
    expect(told('argocd.argoproj.io/sync-options', long)).toEqual([]);
    expect(told('helm.sh/hook', 'x'.repeat(100_000))[0]?.length).toBeLessThan(200);
  });
});

import { describe, expect, it } from 'vitest';
import { lockOf, readAnnotations, type ReadPolicies } from '../../src/images/annotations.ts';
import { createLineFinder } from '../../src/manifest/locate.ts';
import { parseManifests } from '../../src/manifest/parse.ts';
import type { Manifest } from '../../src/manifest/types.ts';

const manifestOf = (text: string): Manifest => {
  const [manifest] = parseManifests('apps/podinfo.yaml', text).manifests;
  if (!manifest) throw new Error('no manifest');
  return manifest;
};
const read = (text: string): ReadPolicies =>
  readAnnotations(
    manifestOf(text),
    createLineFinder(() => text),
  );
const told = ({ problems }: ReadPolicies): readonly string[] =>
  problems.map(({ severity, path, line, message }) => `${severity} ${path}:${line} ${message}`);

const workload = (
  annotations: string,
  containers = 'podinfod=stefanprodan/podinfo:3.1.0',
  kind = 'Deployment',
): string => `apiVersion: apps/v1
kind: ${kind}
metadata:
  name: podinfo
  namespace: test
  annotations:
${annotations
  .trim()
  .split('\n')
  .map((line) => `    ${line.trim()}`)
  .join('\n')}
spec:
  template:
    spec:
      containers:
${containers
  .split(' ')
  .map((one) => `        - name: ${one.split('=')[0] ?? ''}\n          image: ${one.split('=')[1] ?? ''}`)
  .join('\n')}
`;
const shown = ({ policies }: ReadPolicies): readonly string[] =>
  policies.map(({ place, policy }) => `${place.container} ${policy.text}`);

describe('Annotations of Flux v1', () => {
  it.each([
    ['the later prefix', 'fluxcd.io/automated: "true"\nfluxcd.io/tag.podinfod: semver:~3.1'],
    ['the former prefix', 'flux.weave.works/automated: "true"\nflux.weave.works/tag.podinfod: semver:~3.1'],
    ['a filter', 'fluxcd.io/automated: "true"\nfilter.fluxcd.io/podinfod: semver:~3.1'],
    [
      'both, where they say the same',
      'flux.weave.works/automated: "true"\nfluxcd.io/automated: "true"\nflux.weave.works/tag.podinfod: semver:~3.1\nfilter.fluxcd.io/podinfod: semver:~3.1',
    ],
  ])('make a policy by %s', (_, annotations) => {
    const policies = read(workload(annotations));
    expect(told(policies)).toEqual([]);
    expect(shown(policies)).toEqual(['podinfod semver:~3.1']);
    expect(policies.policies[0]?.place.fields).toEqual({ image: 'spec.template.spec.containers[0].image' });
    expect(policies.policies[0]?.reference).toEqual({
      registry: 'docker.io',
      repository: 'stefanprodan/podinfo',
      tag: '3.1.0',
    });
  });

  it.each([
    ['without "automated"', 'fluxcd.io/tag.podinfod: semver:~3.1'],
    ['where it is not "true"', 'fluxcd.io/automated: "false"\nfluxcd.io/tag.podinfod: semver:~3.1'],
    ['that are locked', 'fluxcd.io/automated: "true"\nfluxcd.io/locked: "true"\nfluxcd.io/tag.podinfod: semver:~3.1'],
    [
      'that are locked by the other prefix',
      'fluxcd.io/automated: "true"\nflux.weave.works/locked: "true"\nfluxcd.io/tag.podinfod: semver:~3.1',
    ],
    ['that are ignored', 'fluxcd.io/automated: "true"\nfluxcd.io/ignore: "true"\nfluxcd.io/tag.podinfod: semver:~3.1'],
  ])('make none of workloads %s', (_, annotations) => {
    const policies = read(workload(annotations));
    expect(policies).toEqual({ policies: [], problems: [] });
  });

  it('say who locked a workload, and why', () => {
    const locked = manifestOf(
      workload('fluxcd.io/locked: "true"\nfluxcd.io/locked_user: Ana <ana@example.com>\nfluxcd.io/locked_msg: sales'),
    );
    expect(lockOf(locked)).toEqual({ user: 'Ana <ana@example.com>', message: 'sales' });
    expect(lockOf(manifestOf(workload('fluxcd.io/locked: "no"')))).toBeUndefined();
  });

  it('give each container its own pattern', () => {
    const policies = read(
      workload(
        'fluxcd.io/automated: "true"\nfilter.fluxcd.io/a: glob:master-*\nfluxcd.io/tag.b: regexp:^v',
        'a=ghcr.io/x/a:master-1 b=localhost:5000/b:v1 c=c:1',
      ),
    );
    expect(shown(policies)).toEqual(['a glob:master-*', 'b regexp:^v', 'c glob:*']);
    expect(told(policies)).toEqual([
      'warning apps/podinfo.yaml:7 fluxcd.io/automated: container c has no pattern of tags, so whatever image was made last is taken',
    ]);
  });

  it.each([
    [
      'a pattern that cannot be read',
      'filter.fluxcd.io/podinfod: semver:~3.x.1.2',
      'error',
      8,
      'the range "~3.x.1.2" cannot be read',
    ],
    ['an expression that cannot be read', 'filter.fluxcd.io/podinfod: "regex:("', 'error', 8, 'a "(" has no ")"'],
    [
      'a pattern with a misspelt word',
      'filter.fluxcd.io/podinfod: semvre:~3',
      'error',
      8,
      'begins with none of semver:',
    ],
    [
      'two patterns for a container',
      'filter.fluxcd.io/podinfod: semver:~3\nfluxcd.io/tag.podinfod: semver:~4',
      'error',
      9,
      'said in two ways',
    ],
    [
      'an annotation of ours that is not known',
      'filter.fluxcd.io/podinfod: semver:~3\nserin.dev/image-minage: 24h',
      'error',
      9,
      'did you mean serin.dev/image-min-age?',
    ],
    [
      'an annotation of ours that cannot be read',
      'filter.fluxcd.io/podinfod: semver:~3\nserin.dev/image-windows: at night',
      'error',
      9,
      'has not five fields of cron',
    ],
  ])('pick nothing by %s, and tell it with its line', (_, annotations, severity, line, message) => {
    const policies = read(workload(`fluxcd.io/automated: "true"\n${annotations}`));
    expect(policies.policies).toEqual([]);
    expect(policies.problems[0]).toMatchObject({ severity, line, path: 'apps/podinfo.yaml' });
    expect(policies.problems[0]?.message).toContain(message);
  });

  it('that name no container, or stand where nothing has containers, are told', () => {
    const misspelt = read(
      workload(
        'fluxcd.io/automated: "true"\nfilter.fluxcd.io/podinfo: semver:~3\nfilter.fluxcd.io/podinfod: semver:~3',
      ),
    );
    expect(misspelt.policies).toHaveLength(1);
    expect(misspelt.problems[0]).toMatchObject({ line: 8, hint: 'did you mean podinfod?' });
    const config = read(
      'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations:\n    fluxcd.io/automated: "true"\n',
    );
    expect(told(config)).toEqual([
      'warning apps/podinfo.yaml:6 fluxcd.io/automated: has no effect on a ConfigMap: it has no containers',
    ]);
    const odd = read(workload('fluxcd.io/automated: "yes"'));
    expect(told(odd)[0]).toContain('"yes" is not "true"');
  });

  it('are read with what ours ask for beside them', () => {
    const { policies } = read(
      workload(`fluxcd.io/automated: "true"
        filter.fluxcd.io/podinfod: semver:~3.1-0
        serin.dev/image-min-age: 24h
        serin.dev/image-windows: 0 9 * * 1-5 8h Europe/Berlin
        serin.dev/image-freeze: sales
        serin.dev/image-digest: always
        serin.dev/image-prereleases: natural`),
    );
    expect(policies[0]?.policy).toMatchObject({
      minAgeMs: 86_400_000,
      frozen: 'sales',
      digest: 'always',
      windows: [{ durationMs: 28_800_000 }],
      selection: { kind: 'semver', prereleases: 'natural' },
    });
  });

  it.each(['StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job'])('are read on a %s', (kind) => {
    expect(shown(read(workload('fluxcd.io/automated: "true"\nfilter.fluxcd.io/a: semver:*', 'a=a:1', kind)))).toEqual([
      'a semver:*',
    ]);
  });

  it('are read on a CronJob, a Knative Service and init containers', () => {
    const annotations =
      'metadata: { name: a, annotations: { fluxcd.io/automated: "true", filter.fluxcd.io/a: "semver:*" } }';
    const pod = 'spec: { initContainers: [{ name: a, image: a:1 }], containers: [] }';
    const cronJob = read(
      `apiVersion: batch/v1\nkind: CronJob\n${annotations}\nspec: { jobTemplate: { spec: { template: { ${pod} } } } }\n`,
    );
    expect(cronJob.policies[0]?.place.fields).toEqual({
      image: 'spec.jobTemplate.spec.template.spec.initContainers[0].image',
    });
    const knative = read(
      `apiVersion: serving.knative.dev/v1\nkind: Service\n${annotations}\nspec: { template: { ${pod} } }\n`,
    );
    expect(knative.policies[0]?.place.fields).toEqual({ image: 'spec.template.spec.initContainers[0].image' });
  });

  it('of hostile names and values cost one object, and nothing else', () => {
    const policies = read(
      workload(`fluxcd.io/automated: "true"
        filter.fluxcd.io/__proto__: semver:*
        filter.fluxcd.io/constructor: semver:*
        filter.fluxcd.io/podinfod: "${'semver:'.repeat(2_000)}"`),
    );
    expect(policies.policies).toEqual([]);
    expect(Math.max(...told(policies).map((line) => line.length))).toBeLessThan(400);
  });
});

describe('A HelmRelease', () => {
  const release = (annotations: string, values: string): string => `apiVersion: flux.weave.works/v1beta1
kind: HelmRelease
metadata:
  name: frontend
  namespace: test
  annotations:
    flux.weave.works/automated: "true"
${annotations
  .split('\n')
  .map((line) => `    ${line.trim()}`)
  .join('\n')}
spec:
  values:
${values
  .split('\n')
  .map((line) => `    ${line}`)
  .join('\n')}
`;

  it.each<[string, string, string, object]>([
    ['an image alone', 'image: quay.io/a/b:1.4.0', 'quay.io/a/b:1.4.0', { image: 'spec.values.image' }],
    ['image and tag', 'image: a/b\ntag: 1.4.0', 'a/b:1.4.0', { name: 'spec.values.image', tag: 'spec.values.tag' }],
    [
      'registry, image and tag',
      'registry: quay.io\nimage: a/b\ntag: 1.4.0',
      'quay.io/a/b:1.4.0',
      { name: 'spec.values.image', tag: 'spec.values.tag' },
    ],
    [
      'a map with repository and tag',
      'image:\n  repository: quay.io/a/b\n  tag: 1.4.0',
      'quay.io/a/b:1.4.0',
      { name: 'spec.values.image.repository', tag: 'spec.values.image.tag' },
    ],
    [
      'a map with registry',
      'image: { registry: quay.io, repository: a/b, tag: 1.4.0 }',
      'quay.io/a/b:1.4.0',
      { name: 'spec.values.image.repository', tag: 'spec.values.image.tag' },
    ],
    [
      'a map with the tag in the repository',
      'image: { repository: "a/b:1.4.0" }',
      'a/b:1.4.0',
      { image: 'spec.values.image.repository' },
    ],
  ])('has its image found as %s', (_, values, image, fields) => {
    const { policies, problems } = read(release('flux.weave.works/tag.chart-image: semver:~1.4', values));
    expect(problems).toEqual([]);
    expect(policies[0]?.place).toEqual({ container: 'chart-image', image, fields });
    expect(policies[0]?.policy.text).toBe('semver:~1.4');
  });

  it('has images found one level down, and no deeper', () => {
    const { policies } = read(
      release(
        'filter.fluxcd.io/sidecar: semver:~1.4',
        'sidecar:\n  image: { repository: a/b, tag: 1.4.0 }\n  deeper:\n    image: c:1\nimage: d:1',
      ),
    );
    expect(policies.map(({ place }) => place.container)).toEqual(['chart-image', 'sidecar']);
  });

  it('has images of any depth where paths are named, which go before the shape', () => {
    const { policies, problems } = read(
      release(
        'repository.fluxcd.io/app: a.b.repository\nregistry.fluxcd.io/app: a.b.host\ntag.fluxcd.io/app: a.b.version\nfilter.fluxcd.io/app: semver:~1.4',
        'a: { b: { host: quay.io, repository: x/y, version: 1.4.0 } }',
      ),
    );
    expect(problems).toEqual([]);
    expect(policies[0]?.place).toEqual({
      container: 'app',
      image: 'quay.io/x/y:1.4.0',
      fields: { name: 'spec.values.a.b.repository', tag: 'spec.values.a.b.version' },
    });
  });

  it('whose paths lead nowhere, or to what everything inherits, is told', () => {
    for (const path of ['a.c', 'a.constructor', '__proto__', 'a.b.c.d', '']) {
      const { policies, problems } = read(
        release(`repository.fluxcd.io/app: "${path}"\nfilter.fluxcd.io/app: semver:~1.4`, 'a: { b: c }'),
      );
      expect(policies).toEqual([]);
      expect(problems[0]?.message).toContain('there is no text at spec.values');
    }
  });
});

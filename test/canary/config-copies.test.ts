import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyNamesOf, flaggerCopy, ownCopy } from '../../src/canary/config-copies.ts';
import { configRefsOf, parseConfigKey } from '../../src/canary/configs.ts';
import { withPrimaryConfigs } from '../../src/canary/configs.ts';
import { jsonOf } from '../../src/lib/json.ts';
import { ownerOf } from '../../src/canary/owner.ts';
import type { ConfigKey, ConfigSeen, Seen } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { createStory } from '../faults/a-story.ts';

const canaryNamed = (name: string): KubeObject => ({
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { name, namespace: 'demo', uid: 'ours' },
});
const nameOf = (key: ConfigKey): string => parseConfigKey(key).name;

describe('the name of a copy for one Canary alone', () => {
  const word = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/);
  const name = fc.array(word, { minLength: 1, maxLength: 30 }).map((words) =>
    words
      .join('.')
      .slice(0, 253)
      .replace(/[.-]+$/, ''),
  );

  it('is one that the API server takes, however long the others are', () => {
    fc.assert(
      fc.property(name, name, (config, canary) => {
        const copy = nameOf(ownCopy(`configmap/${config}`, canaryNamed(canary)));
        expect(copy.length).toBeLessThanOrEqual(253);
        expect(copy).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
      }),
    );
  });

  it('is always the same, and another one for each config, kind and Canary', () => {
    const long = 'x'.repeat(250);
    const keys: ConfigKey[] = [
      'configmap/a',
      'secret/a',
      'configmap/a-primary',
      `configmap/${long}1`,
      `configmap/${long}2`,
    ];
    const all = ['b', 'a-b', 'b-primary'].flatMap((canary) => keys.map((key) => ownCopy(key, canaryNamed(canary))));
    expect(new Set(all.map(nameOf)).size).toBe(all.length);
    expect(ownCopy('configmap/a', canaryNamed('b'))).toBe(ownCopy('configmap/a', canaryNamed('b')));
    expect(nameOf(ownCopy('configmap/a', canaryNamed('b')))).toMatch(/^a-primary-b-[0-9a-f]{10}$/);
  });
});

describe('the copy that a primary is to read next', () => {
  const key: ConfigKey = 'configmap/settings';
  const usual = flaggerCopy(key);
  const own = ownCopy(key, canaryNamed('web'));
  const ours: ConfigSeen = { checksum: 'x', tracked: true, owners: ['ours'], canaries: ['ours'] };
  const podsReading = (...names: readonly string[]): KubeObject => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      template: { spec: { containers: [{ envFrom: names.map((name) => ({ configMapRef: { name } })) }] } },
    },
  });
  const next = (
    copies: Readonly<Record<string, ConfigSeen>>,
    { primary, target = podsReading('settings'), readByOthers = [] as ConfigKey[] } = {} as {
      primary?: KubeObject;
      target?: KubeObject;
      readByOthers?: ConfigKey[];
    },
  ): ConfigKey | undefined => {
    const configs = new Map(Object.entries(copies) as [ConfigKey, ConfigSeen][]);
    const seen = { canary: canaryNamed('web'), configs, primary, target, readByOthers: new Set(readByOthers) };
    return copyNamesOf([key], seen as unknown as Seen).next.get(key);
  };

  it.each([
    ['nothing has it', {}],
    ['it is this Canary’s alone', { [usual]: ours }],
    ['a tool of theirs owns it too', { [usual]: { ...ours, owners: ['ours', 'a tool'] } }],
  ])('has Flagger’s name where %s', (_, copies) => {
    expect(next(copies)).toBe(usual);
  });

  it.each([
    ['it is nobody’s', { [usual]: { checksum: 'x', tracked: true } }],
    ['it is another Canary’s', { [usual]: { ...ours, owners: ['theirs'], canaries: ['theirs'] } }],
    ['it is another Canary’s too', { [usual]: { ...ours, owners: ['ours', 'theirs'], canaries: ['ours', 'theirs'] } }],
    ['something else owns it', { [usual]: { checksum: 'x', tracked: true, owners: ['something'] } }],
  ])('has a name of its own where %s', (_, copies) => {
    expect(next(copies)).toBe(own);
  });

  it('has a name of its own where another primary reads it, there or not', () => {
    expect(next({}, { readByOthers: [usual] })).toBe(own);
    expect(next({ [usual]: ours }, { readByOthers: [usual] })).toBe(own);
  });

  it('has a name of its own where the target itself reads what has that name', () => {
    expect(next({}, { target: podsReading('settings', 'settings-primary') })).toBe(own);
  });

  it('keeps the name of its own that it has', () => {
    expect(next({ [own]: ours }, { primary: podsReading(nameOf(own)) })).toBe(own);
    expect(next({ [own]: ours }, { primary: podsReading('settings-primary') })).toBe(usual);
  });

  it('has a name of its own where Flagger’s would be too long', () => {
    const long: ConfigKey = `secret/${'s'.repeat(250)}`;
    const seen = { canary: canaryNamed('web'), configs: new Map(), primary: undefined, target: undefined };
    expect(copyNamesOf([long], seen as unknown as Seen).next.get(long)).toBe(ownCopy(long, canaryNamed('web')));
  });

  it('is named at every place of the pods, and everything else stays', () => {
    const podSpec = {
      volumes: [
        { configMap: { name: 'settings' } },
        { projected: { sources: [{ configMap: { name: 'settings' } }, { secret: { name: 'settings' } }] } },
      ],
      containers: [
        {
          envFrom: [{ configMapRef: { name: 'settings' } }],
          env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'settings', key: 'a' } } }],
        },
      ],
    };
    const made = withPrimaryConfigs(podSpec, new Set([key]), new Map([[key, own]]));
    expect(JSON.stringify(made).split(nameOf(own))).toHaveLength(5);
    expect(made).toMatchObject({ volumes: [{}, { projected: { sources: [{}, { secret: { name: 'settings' } }] } }] });
  });
});

describe('copies of configs with a hash in their name', () => {
  /** As kustomize does: each content has a name of its own, and the one before goes from Git with the same commit. */
  const release = (story: ReturnType<typeof createStory>, from: string, to: string): void => {
    const { objects } = story.world;
    objects.set(`ConfigMap/settings-${to}`, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: `settings-${to}`, namespace: 'demo', uid: `uid-of-${to}` },
      data: { message: to },
    });
    const target = JSON.stringify(objects.get('Deployment/app')).replaceAll(
      /app-config|settings-\w+/g,
      `settings-${to}`,
    );
    const { status: _status, ...object } = JSON.parse(target) as KubeObject & { status?: unknown };
    story.world.apply({ kind: 'write', object, over: objects.get('Deployment/app') });
    objects.delete(`ConfigMap/${from}`);
  };
  const copies = ({ world }: ReturnType<typeof createStory>): string[] =>
    [...world.objects.values()]
      .filter(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name.includes('-primary'))
      .map(({ metadata }) => metadata.name);
  const read = ({ world }: ReturnType<typeof createStory>): string[] => {
    const primary = world.objects.get('Deployment/app-primary');
    return primary ? configRefsOf(primary).map(({ name }) => name) : [];
  };

  it('go when the promotion is through that took their place, and not before', () => {
    const story = createStory();
    release(story, 'app-config', '5h2k8m');
    const hasOld = (): boolean => copies(story).includes('app-config-primary');
    story.until(({ status }) => {
      expect(hasOld()).toBe(true);
      return status.phase === 'Finalising' || status.phase === 'Succeeded';
    });
    expect(read(story)).toEqual(['settings-5h2k8m-primary']);
    story.wait(30);
    expect(copies(story)).toEqual(['settings-5h2k8m-primary']);
    for (const [from, to] of [
      ['settings-5h2k8m', '7dk2b4'],
      ['settings-7dk2b4', '9c4t7h'],
    ] as const) {
      release(story, from, to);
      story.wait(120);
    }
    expect(story.status.phase).toBe('Succeeded');
    expect(copies(story)).toEqual(['settings-9c4t7h-primary']);
  });

  it('are made before any that stands is changed: one that is refused leaves the primary what it had', () => {
    const story = createStory();
    const { objects } = story.world;
    const target = JSON.stringify(objects.get('Deployment/app'));
    const both = target.replace('"env":[', '"envFrom":[{"configMapRef":{"name":"a-new-one"}}],"env":[');
    objects.set('ConfigMap/a-new-one', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a-new-one', namespace: 'demo', uid: 'uid-of-new' },
      data: { a: 'b' },
    });
    const { status: _status, ...object } = JSON.parse(both) as KubeObject & { status?: unknown };
    story.world.apply({ kind: 'write', object, over: objects.get('Deployment/app') });
    story.world.setConfig('two');
    story.refuses = (effect) => effect.kind === 'copy-config' && effect.key === 'configmap/a-new-one';
    story.wait(120);
    const message = (): unknown => jsonOf(objects.get('ConfigMap/app-config-primary')?.['data'])['message'];
    expect([story.status.phase, message()]).toEqual(['Progressing', 'one']);
    story.refuses = () => false;
    story.wait(60);
    expect([story.status.phase, message()]).toEqual(['Succeeded', 'two']);
  });

  it('stay for the primary when the release is rejected that would have replaced them', () => {
    const story = createStory();
    story.successRate = 0;
    release(story, 'app-config', '5h2k8m');
    story.wait(180);
    expect(story.status.phase).toBe('Failed');
    expect(copies(story)).toEqual(['app-config-primary']);
    expect(read(story)).toEqual(['app-config-primary']);
  });

  it('stay while pods of the version before may start anew, because the primary is not through', () => {
    const story = createStory();
    story.world.brokenDeployments.add('app-primary');
    release(story, 'app-config', '5h2k8m');
    story.wait(300);
    expect(story.status.phase).toBe('Failed');
    expect(copies(story)).toContain('app-config-primary');
  });

  it('are all that goes, whatever else somebody has made the Canary an owner of', () => {
    const story = createStory();
    const { canary, objects } = story.world;
    for (const name of ['report', 'primary-notes', 'app-primary-notes'])
      objects.set(`ConfigMap/${name}`, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, namespace: 'demo', ownerReferences: [ownerOf(canary)] },
        data: { message: 'theirs' },
      });
    release(story, 'app-config', '5h2k8m');
    story.wait(120);
    expect(copies(story)).toEqual(['app-primary-notes', 'settings-5h2k8m-primary']);
    expect(objects.has('ConfigMap/report') && objects.has('ConfigMap/primary-notes')).toBe(true);
  });

  it('stay where another primary reads them and this Canary is the only owner', () => {
    const story = createStory();
    story.world.objects.set('Deployment/other-primary', {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'other-primary', namespace: 'demo' },
      spec: { template: { spec: { containers: [{ envFrom: [{ configMapRef: { name: 'app-config-primary' } }] }] } } },
    });
    release(story, 'app-config', '5h2k8m');
    story.wait(120);
    expect(story.status.phase).toBe('Succeeded');
    expect(copies(story)).toContain('app-config-primary');
  });
});

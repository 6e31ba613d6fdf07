import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { configRefsOf, parseConfigKey } from '../../src/canary/configs.ts';
import { ownerOf } from '../../src/canary/owner.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { createModelCluster } from '../helpers/model-cluster.ts';
import { createRollout } from '../helpers/rollout.ts';

const names = ['good', 'bad', 'third'] as const;
type Name = (typeof names)[number];

/** Canaries of one namespace whose targets read one ConfigMap, `common`. */
function start(of: readonly Name[], analysis: object = { stepWeight: 50, maxWeight: 50 }) {
  const objects = new Map<string, KubeObject>();
  const apps = new Map<Name, ReturnType<typeof appNamed>>();
  const appNamed = (name: Name, skipAnalysis = false) => {
    const world = createModelCluster({
      name,
      objects,
      config: 'common',
      canarySpec: {
        provider: 'istio',
        targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
        service: { port: 80 },
        skipAnalysis,
        progressDeadlineSeconds: 60,
        analysis: {
          interval: '10s',
          threshold: 2,
          metrics: [{ name: 'request-success-rate', thresholdRange: { min: 99 } }],
          ...analysis,
        },
      },
    });
    const rate = { percent: 100 };
    const rollout = createRollout({ world, answer: () => ({ kind: 'value', value: rate.percent }) });
    return { world, rollout, rate };
  };
  const stage = {
    objects,
    apps,
    join: (name: Name, skipAnalysis = false) => apps.set(name, appNamed(name, skipAnalysis)),
    app(name: Name) {
      const app = apps.get(name);
      if (!app) throw new Error(`there is no ${name}`);
      return app;
    },
    wait(name: Name, seconds: number) {
      const { world, rollout } = stage.app(name);
      rollout.run(world.nowMs + seconds * 1_000);
    },
    waitAll(seconds: number) {
      for (const name of apps.keys()) stage.wait(name, seconds);
    },
    /** The text that a pod of this primary would read that starts now; undefined: it could not start. */
    reads(name: Name): string | undefined {
      return (objects.get(`ConfigMap/${stage.copyOf(name)}`)?.['data'] as { message?: string } | undefined)?.message;
    },
    copyOf(name: Name): string {
      const primary = objects.get(`Deployment/${name}-primary`);
      const [key] = primary ? configRefsOf(primary) : [];
      return key ? parseConfigKey(key.key).name : '';
    },
    copies: () =>
      [...objects.values()]
        .filter(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name !== 'common')
        .map(({ metadata }) => metadata.name)
        .toSorted(),
    push(text: string) {
      const first = [...apps.values()][0];
      first?.world.setConfig(text);
    },
    /** Deletes a Canary with what it owns, as the garbage collector does. */
    remove(name: Name) {
      const { uid } = stage.app(name).world.canary.metadata;
      apps.delete(name);
      for (const [key, object] of objects) {
        const owners = object.metadata.ownerReferences ?? [];
        const left = owners.filter((owner) => owner.uid !== uid);
        if (left.length === owners.length) continue;
        if (left.length === 0) objects.delete(key);
        else objects.set(key, { ...object, metadata: { ...object.metadata, ownerReferences: left } });
      }
    },
    /** As Flagger leaves it: one copy for all of them, which belongs to the one that was promoted last. */
    asFlaggerLeftIt(last: Name) {
      const source = objects.get('ConfigMap/common');
      for (const name of stage.copies()) objects.delete(`ConfigMap/${name}`);
      if (source)
        objects.set('ConfigMap/common-primary', {
          ...source,
          metadata: {
            name: 'common-primary',
            namespace: 'demo',
            uid: 'uid-of-copy',
            ownerReferences: [ownerOf(stage.app(last).world.canary)],
          },
        });
      for (const name of apps.keys()) {
        const primary = objects.get(`Deployment/${name}-primary`);
        const text = JSON.stringify(primary).replaceAll(/"common-primary[^"]*"/g, '"common-primary"');
        const random = text.replaceAll(/"flagger-id":"[^"]*"/g, '"flagger-id":"5b7a2f0e-0f0a-4b7e-9f0e-0c5d6a7b8c9d"');
        if (primary) objects.set(`Deployment/${name}-primary`, JSON.parse(random) as KubeObject);
      }
    },
  };
  for (const name of of) stage.join(name);
  return stage;
}

describe('a ConfigMap that two targets read', () => {
  it('is copied for each of their primaries, for the first one under the name that Flagger gives it', () => {
    const stage = start(['good', 'bad']);
    stage.waitAll(30);
    expect(stage.copyOf('good')).toBe('common-primary');
    expect(stage.copyOf('bad')).toMatch(/^common-primary-bad-[0-9a-f]{10}$/);
    expect(stage.copies()).toEqual([stage.copyOf('good'), stage.copyOf('bad')]);
  });

  it('does not reach a primary whose own canary is still judged, or was rejected', () => {
    const stage = start(['good', 'bad']);
    stage.waitAll(30);
    stage.app('bad').rate.percent = 0;
    stage.push('two');
    stage.wait('good', 120);
    expect(stage.app('good').rollout.status.phase).toBe('Succeeded');
    expect([stage.reads('good'), stage.reads('bad')]).toEqual(['two', 'one']);
    stage.wait('bad', 120);
    expect(stage.app('bad').rollout.status.phase).toBe('Failed');
    expect(stage.reads('bad')).toBe('one');
  });

  it('reaches a primary that is promoted without analysis, and not the other', () => {
    const stage = start(['bad']);
    stage.wait('bad', 30);
    stage.join('good', true);
    stage.wait('good', 30);
    stage.push('two');
    stage.wait('good', 60);
    expect([stage.reads('good'), stage.reads('bad')]).toEqual(['two', 'one']);
  });

  it('is what an app that joins later starts with, whatever the others have', () => {
    const stage = start(['good']);
    stage.wait('good', 30);
    stage.app('good').rate.percent = 0;
    stage.push('two');
    stage.join('third');
    stage.waitAll(90);
    expect([stage.reads('good'), stage.reads('third')]).toEqual(['one', 'two']);
  });

  it('is kept for a primary when the Canary goes with which it was shared', () => {
    const stage = start(['good', 'bad']);
    stage.waitAll(30);
    stage.remove('good');
    expect([stage.reads('good'), stage.reads('bad')]).toEqual([undefined, 'one']);
    stage.push('two');
    stage.wait('bad', 120);
    expect(stage.reads('bad')).toBe('two');
    expect(stage.copies()).toEqual([stage.copyOf('bad')]);
  });
});

describe('a copy that Flagger has left for two primaries', () => {
  const taken = (last: Name) => {
    const stage = start(['good', 'bad']);
    stage.waitAll(30);
    stage.asFlaggerLeftIt(last);
    return stage;
  };

  it.each(names.slice(0, 2))('stays as it is, and begins no release, when the last owner was %s', (last) => {
    const stage = taken(last);
    const before = stage.app('good').rollout.ticks.length;
    stage.waitAll(60);
    expect(stage.app('good').rollout.status.phase).toBe('Initialized');
    expect(
      stage
        .app('good')
        .rollout.ticks.slice(before)
        .flatMap(({ effects }) => effects),
    ).not.toContainEqual(expect.objectContaining({ kind: 'write' }));
    expect([stage.copyOf('good'), stage.copyOf('bad')]).toEqual(['common-primary', 'common-primary']);
  });

  it.each(names.slice(0, 2))('is left by the one that is promoted first, when the last owner was %s', (last) => {
    const stage = taken(last);
    stage.push('two');
    stage.wait('good', 120);
    expect([stage.reads('good'), stage.reads('bad')]).toEqual(['two', 'one']);
    expect(stage.copyOf('bad')).toBe('common-primary');
    stage.wait('bad', 120);
    expect([stage.reads('good'), stage.reads('bad')]).toEqual(['two', 'two']);
    stage.waitAll(60);
    expect(stage.copies()).toEqual([stage.copyOf('bad'), stage.copyOf('good')].toSorted());
  });

  it('does not go with the Canary that owned it', () => {
    const stage = taken('good');
    stage.waitAll(30);
    stage.push('two');
    stage.remove('good');
    expect(stage.reads('bad')).toBe('one');
  });

  it('is made again for its primary alone where somebody deletes it', () => {
    const stage = taken('good');
    stage.waitAll(30);
    stage.objects.delete('ConfigMap/common-primary');
    stage.waitAll(60);
    expect([stage.reads('good'), stage.reads('bad')]).toEqual(['one', 'one']);
  });
});

describe('somebody’s own ConfigMap', () => {
  const own = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'common-primary', namespace: 'demo', uid: 'theirs' },
    data: { message: 'theirs' },
  };

  it('with the name of a copy is neither changed nor read by a primary', () => {
    const stage = start([]);
    stage.objects.set('ConfigMap/common-primary', own);
    stage.join('good');
    stage.wait('good', 30);
    stage.push('two');
    stage.wait('good', 120);
    expect(stage.objects.get('ConfigMap/common-primary')).toBe(own);
    expect(stage.reads('good')).toBe('two');
  });

  it('with the only other name stops the release, and is told', () => {
    const stage = start(['good', 'bad']);
    stage.waitAll(30);
    const name = stage.copyOf('bad');
    stage.objects.set(`ConfigMap/${name}`, { ...own, metadata: { ...own.metadata, name } });
    stage.push('two');
    stage.wait('bad', 60);
    expect(stage.objects.get(`ConfigMap/${name}`)?.['data']).toEqual({ message: 'theirs' });
    expect(JSON.stringify(stage.app('bad').rollout.ticks.at(-1)?.effects)).toContain(
      `configmap ${name}.demo stands already and is no copy for bad-primary.demo: delete or rename it`,
    );
  });
});

const act = fc.record({
  kind: fc.oneof(
    { weight: 6, arbitrary: fc.constant('wait') },
    { weight: 6, arbitrary: fc.constantFrom('push', 'flagger', 'join', 'remove', 'reject', 'accept', 'image', 'lose') },
  ),
  of: fc.constantFrom(...names),
  seconds: fc.constantFrom(5, 20, 60, 120),
});

describe('whatever becomes of apps with one config', () => {
  it('no tick of one changes what the primary of another reads, and no copy stays that nobody reads', {
    timeout: 90_000,
  }, () => {
    fc.assert(
      fc.property(fc.array(act, { minLength: 4, maxLength: 25 }), (acts) => {
        const stage = start(['good', 'bad']);
        stage.waitAll(30);
        let text = 0;
        const others = (of: Name) =>
          [...stage.apps.keys()].filter((name) => name !== of).map((name) => [name, stage.reads(name)]);
        for (const { kind, of, seconds } of acts) {
          if (kind === 'join' && !stage.apps.has(of)) stage.join(of, text % 2 === 1);
          if (!stage.apps.has(of)) continue;
          const { rate, world } = stage.app(of);
          const before = others(of);
          switch (kind) {
            case 'push':
              world.setConfig(`text ${(text += 1)}`);
              break;
            case 'flagger':
              // It wrote one content for all.
              if (before.every(([, read]) => read === stage.reads(of))) stage.asFlaggerLeftIt(of);
              continue;
            case 'remove':
              if (stage.apps.size > 1) stage.remove(of);
              continue;
            case 'image':
              world.setImage(`example.org/app:${(text += 1)}`);
              break;
            case 'lose':
              stage.objects.delete(`ConfigMap/${stage.copyOf(of)}`);
              continue;
            case 'accept':
              rate.percent = 100;
              break;
            case 'reject':
              rate.percent = 0;
              break;
            default:
              stage.wait(of, seconds);
          }
          expect(others(of)).toEqual(before);
        }
        for (const { rate, world } of stage.apps.values()) {
          rate.percent = 100;
          world.setImage('example.org/app:last');
        }
        stage.push('last');
        for (let round = 0; round < 3; round += 1) stage.waitAll(150);
        const read = [...stage.apps.keys()].map((name) => [name, stage.reads(name)]);
        expect(read).toEqual([...stage.apps.keys()].map((name) => [name, 'last']));
        const copies = [...stage.apps.keys()].map((name) => stage.copyOf(name));
        expect(new Set(copies).size).toBe(copies.length);
        expect(stage.copies()).toEqual(copies.toSorted());
      }),
      { numRuns: 15 },
    );
  });
});

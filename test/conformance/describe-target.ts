import { describe, expect, it } from 'vitest';
import type { PrimarySource } from '../../src/canary/primary.ts';
import type { ReadinessInput, Target } from '../../src/canary/targets/target.ts';
import { templateHash } from '../../src/canary/template-hash.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { decideSettings } from '../helpers/rollout.ts';
import { mergePatch } from '../helpers/target-world.ts';

export interface TargetCase {
  /** As the API server has it; frozen by the suite. */
  readonly target: KubeObject;
  /** The same after a push of a new version. */
  readonly next: KubeObject;
  /** The live primary that a write of `writePrimary` leads to. */
  readonly primaryOf: (written: KubeObject) => KubeObject;
  /** A primary whose users are answered, and one where nobody answers; undefined where it always answers. */
  readonly serving: KubeObject;
  readonly silent: KubeObject | undefined;
}

export const canary: KubeObject = {
  apiVersion: 'flagger.app/v1beta1',
  kind: 'Canary',
  metadata: { name: 'app', namespace: 'demo', uid: 'u1' },
};

export function sourceOf(kind: Target, target: KubeObject, more: Partial<PrimarySource> = {}): PrimarySource {
  const selector = kind.selectorOf(target, decideSettings.selectorLabels);
  if (!selector) throw new Error('the target has no label');
  const hash = templateHash(kind.revised(target));
  return { canary, target, selector, templateHash: hash, configs: {}, replicas: 2, settings: decideSettings, ...more };
}

function readinessInput(
  object: KubeObject | undefined,
  role: ReadinessInput['role'],
  more: Partial<ReadinessInput> = {},
): ReadinessInput {
  const name = object?.metadata.name ?? (role === 'primary' ? 'app-primary' : 'app');
  const times = { deadlineSeconds: 60, nowMs: Date.UTC(2026, 0, 1, 0, 10) };
  return { role, namespace: 'demo', name, object, thresholdPercent: 100, ...times, ...more };
}

/** What holds for every kind of target. */
export function describeTarget(kind: Target, { target, next, primaryOf, serving, silent }: TargetCase): void {
  freeze(target);
  freeze(next);
  const written = (source: KubeObject, primary?: KubeObject): KubeObject =>
    primaryOf(kind.writePrimary(sourceOf(kind, source), primary).object);

  describe(`a ${kind.kind}`, () => {
    it('has a primary that runs what it was made from, and nothing else', () => {
      const primary = written(target);
      expect(kind.runs(primary, sourceOf(kind, target))).toBe(true);
      expect(kind.runs(primary, sourceOf(kind, next))).toBe(false);
      expect(kind.runs(written(next, primary), sourceOf(kind, next))).toBe(true);
    });

    it('has a primary that tells from which revision it was made', () => {
      const hash = templateHash(kind.revised(target));
      expect(kind.hasId(written(target), hash, {})).toBe(true);
      expect(kind.hasId(written(target), templateHash(kind.revised(next)), {})).toBe(false);
    });

    it('has a primary of which nothing is left to write when it has been written', () => {
      const primary = written(target);
      const again = written(target, primary);
      expect(again['spec']).toEqual(primary['spec']);
      expect(again.metadata.ownerReferences).toEqual(primary.metadata.ownerReferences);
    });

    it('is a new revision by a push, and not by labels, status or scaling', () => {
      const hash = templateHash(kind.revised(target));
      expect(templateHash(kind.revised(next))).not.toBe(hash);
      const labelled = {
        ...target,
        metadata: { ...target.metadata, labels: { other: 'label' }, resourceVersion: '9' },
      };
      expect(templateHash(kind.revised(labelled))).toBe(hash);
      for (const replicas of [0, 3]) {
        const scaled = mergePatch(target, kind.scaling?.patch(replicas) ?? {}) as KubeObject;
        expect(templateHash(kind.revised(scaled))).toBe(hash);
        expect(kind.runs(written(target), sourceOf(kind, scaled))).toBe(true);
        if (kind.scaling) expect(kind.scaling.replicasOf(scaled) > 0).toBe(replicas > 0);
      }
    });

    it('never makes a primary that is at zero', () => {
      const scaled = mergePatch(target, kind.scaling?.patch(0) ?? {}) as KubeObject;
      const primary = primaryOf(kind.writePrimary(sourceOf(kind, scaled, { replicas: 0 }), undefined).object);
      if (kind.scaling) expect(kind.scaling.replicasOf(primary)).toBeGreaterThan(0);
    });

    it('is ready where somebody answers, and says the whole sentence where nobody does', () => {
      expect(kind.serves(serving)).toBe(true);
      expect(kind.readiness(readinessInput(serving, 'primary'))).toEqual({ kind: 'ready' });
      expect(kind.serves(undefined)).toBe(false);
      for (const role of ['primary', 'canary'] as const) {
        const found = kind.readiness(readinessInput(undefined, role));
        expect(found).toMatchObject({ kind: 'progressing', reason: expect.stringContaining('.demo') });
        if (!silent) continue;
        expect(kind.serves(silent)).toBe(false);
        expect(kind.readiness(readinessInput(silent, role)).kind).not.toBe('ready');
      }
    });

    it('says what is missing in Flagger’s words', () => {
      expect(kind.missing({ name: 'app', namespace: 'demo' })).toMatch(
        / app\.demo get query error: \S+ "app" not found$/,
      );
    });
  });
}

function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  Object.freeze(value);
  Object.values(value).forEach(freeze);
}

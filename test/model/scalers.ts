import { jsonOf, numberOf, textOf, textsOf } from '../../src/lib/json.ts';
import { pausedReplicas } from '../../src/canary/scalers/scaled-object.ts';
import type { AutoscalerSpec } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import type { Happening, Side } from './happenings.ts';
import type { Random } from './random.ts';

/** The autoscaler that a Canary names, as it stands at first. */
export interface ScalerSetting {
  readonly kind: AutoscalerSpec['kind'];
  readonly range: Range;
  /** `primaryScalerReplicas`; absent: those of the target. */
  readonly primaryRange?: Range;
  /** Its controller acts a moment before the agent looks, so that pods are always on their way. */
  readonly isLate: boolean;
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

const ranges: readonly Range[] = [
  { min: 1, max: 3 },
  { min: 2, max: 4 },
  { min: 3, max: 3 },
  { min: 1, max: 5 },
];

export function randomRange(random: Random): Range {
  return random.pick(ranges);
}

export function randomScaler(random: Random, kind: AutoscalerSpec['kind']): ScalerSetting {
  return {
    kind,
    range: randomRange(random),
    ...(random.chance(0.3) ? { primaryRange: { min: 2, max: 6 } } : {}),
    isLate: random.chance(0.4),
  };
}

/** The target's, as a person or Git writes it. */
export function scalerOf(kind: AutoscalerSpec['kind'], { min, max }: Range): KubeObject {
  const metadata = { name: 'app', namespace: 'demo', labels: { app: 'app' } };
  return kind === 'ScaledObject'
    ? {
        apiVersion: 'keda.sh/v1alpha1',
        kind,
        metadata,
        spec: { scaleTargetRef: { name: 'app' }, minReplicaCount: min, maxReplicaCount: max, triggers: [] },
      }
    : {
        apiVersion: 'autoscaling/v2',
        kind,
        metadata,
        spec: {
          scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' },
          minReplicas: min,
          maxReplicas: max,
        },
      };
}

export function isScaler({ kind }: KubeObject): boolean {
  return kind === 'ScaledObject' || kind === 'HorizontalPodAutoscaler';
}

export function rangeOf(scaler: KubeObject): Range {
  const { minReplicas, minReplicaCount, maxReplicas, maxReplicaCount } = jsonOf(scaler['spec']);
  return {
    min: numberOf(minReplicas ?? minReplicaCount) ?? 1,
    max: numberOf(maxReplicas ?? maxReplicaCount) ?? 1,
  };
}

/** Whose pods it counts. */
export function sideOf(scaler: KubeObject): Side {
  return textOf(jsonOf(jsonOf(scaler['spec'])['scaleTargetRef'])['name']) === 'app-primary' ? 'primary' : 'target';
}

/** A ScaledObject that is paused at nothing. */
export function isKeptAtZero(scaler: KubeObject | undefined): boolean {
  return scaler !== undefined && pauseOf(scaler) === 0;
}

/** What people do to them. */
export type ScalerChange = Extract<Happening, { kind: 'scaler' | 'pause' | 'range' }>;

interface Scalers {
  readonly scaler: KubeObject | undefined;
  readonly primaryScaler: KubeObject | undefined;
}

export function changedScalers(
  scalers: Scalers,
  setting: ScalerSetting | undefined,
  change: ScalerChange,
): Partial<Scalers> {
  if (!setting) return {};
  const { kind, range } = setting;
  if (change.kind === 'range') {
    const { scaler } = scalers;
    return scaler ? { scaler: { ...scalerOf(kind, change.range), metadata: scaler.metadata } } : {};
  }
  const role = change.of === 'target' ? 'scaler' : 'primaryScaler';
  const live = scalers[role];
  if (change.kind === 'pause') return { [role]: live && withPause(live, change.at) };
  if (change.is === 'deleted') return { [role]: undefined };
  if (change.is === 'resumed') return { [role]: live && withPause(live, undefined) };
  return change.of === 'target' && !live ? { scaler: scalerOf(kind, range) } : {};
}

/** Of the target. */
export function asksForPods(change: ScalerChange): boolean {
  if (change.kind === 'range' || change.of !== 'target') return false;
  return change.kind === 'pause' ? change.at > 0 : change.is !== 'deleted';
}

/** The number that it is told to keep. */
function pauseOf({ metadata }: KubeObject): number | undefined {
  const paused = metadata.annotations?.[pausedReplicas];
  return paused === undefined ? undefined : Number(paused);
}

function withPause(scaler: KubeObject, replicas: number | undefined): KubeObject {
  if (scaler.kind !== 'ScaledObject' || pauseOf(scaler) === replicas) return scaler;
  const { [pausedReplicas]: _before, ...others } = textsOf(scaler.metadata.annotations);
  const annotations = replicas === undefined ? others : { ...others, [pausedReplicas]: `${replicas}` };
  return { ...scaler, metadata: { ...scaler.metadata, annotations } };
}

/** It takes no pods away. */
function keepsAll(scaler: KubeObject): boolean {
  return jsonOf(jsonOf(jsonOf(scaler['spec'])['behavior'])['scaleDown'])['selectPolicy'] === 'Disabled';
}

/** What its controller makes of these replicas where so many are needed; Kubernetes' own leaves what has none alone. */
export function scaled(scaler: KubeObject, replicas: number, needed: number): number {
  if (scaler.kind === 'HorizontalPodAutoscaler' && replicas === 0) return 0;
  const paused = pauseOf(scaler);
  if (paused !== undefined) return paused;
  const { min, max } = rangeOf(scaler);
  const wanted = Math.min(Math.max(needed, min), max);
  return keepsAll(scaler) ? Math.max(wanted, Math.min(replicas, max)) : wanted;
}

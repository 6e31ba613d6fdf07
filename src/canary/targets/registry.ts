import type { TargetKind } from '../types.ts';
import { daemonset } from './daemonset.ts';
import { deployment } from './deployment.ts';
import { knative } from './knative.ts';
import { service } from './service.ts';
import type { Target } from './target.ts';

/** All kinds of targets, by `CanarySpec.targetKind`. */
export const targets: Readonly<Record<TargetKind, Target>> = {
  Deployment: deployment,
  DaemonSet: daemonset,
  Service: service,
  Knative: knative,
};

/** Which kind of target a `targetRef` names. The version counts only for Services. */
export function targetKindOf(kind: 'Deployment' | 'DaemonSet' | 'Service', apiVersion: string): TargetKind {
  if (kind !== 'Service') return kind;
  return apiVersion.startsWith('serving.knative.dev/') ? 'Knative' : 'Service';
}

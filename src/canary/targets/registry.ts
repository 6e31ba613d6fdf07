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

/** Which kind of target a `targetRef` names. The version counts only for Services; an unknown kind is refused elsewhere. */
export function targetKindOf(kind: string, apiVersion: string): TargetKind {
  if (kind !== 'Service') return kind === 'DaemonSet' ? kind : 'Deployment';
  return apiVersion.startsWith('serving.knative.dev/') ? 'Knative' : 'Service';
}

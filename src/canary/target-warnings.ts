import type { KubeObject } from '../manifest/types.ts';
import type { Finding } from '../manifest/checks/finding.ts';
import { at } from '../lib/json.ts';
import type { CanarySpec } from './types.ts';

/** What a target says that has another effect than it seems, because its Canary leads the users. */
export function targetWarnings(
  target: KubeObject,
  spec: Pick<CanarySpec, 'autoscaler' | 'targetKind' | 'name'>,
): readonly Finding[] {
  if (spec.targetKind !== 'Deployment') return [];
  const { name, namespace = 'default' } = target.metadata;
  const findings: Finding[] = [];
  if (at(target, 'spec', 'replicas') === 0 && !spec.autoscaler)
    findings.push({
      field: 'spec.replicas',
      message: '0 ends no pods, because users are on the primary, which keeps the number that it has',
      hint: `leave it out, or to give users none: kubectl -n ${namespace} scale deployment ${name}-primary --replicas=0`,
      severity: 'warning',
    });
  if (at(target, 'spec', 'paused') === true)
    findings.push({
      field: 'spec.paused',
      message: 'a new version gets no pods, so its release waits until this is gone',
      hint: 'to let no version in, set suspend: true in the Canary',
      severity: 'warning',
    });
  return findings;
}

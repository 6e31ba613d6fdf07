import { fieldsOf, listOf } from '../manifest/checks/finding.ts';
import type { KubeObject } from '../manifest/types.ts';

/** Whether an object does its work once, and is done with it then: what has run is not run again because it is gone. */
export const canRun = ({ apiVersion, kind }: Pick<KubeObject, 'apiVersion' | 'kind'>): boolean =>
  (kind === 'Job' && apiVersion.startsWith('batch/')) || (kind === 'Pod' && apiVersion === 'v1');

/** Whether it goes by itself after that, which nobody may be there to see. */
export function goesByItself(object: KubeObject): boolean {
  if (!canRun(object)) return false;
  const { ttlSecondsAfterFinished, restartPolicy } = fieldsOf(object, 'spec');
  return object.kind === 'Job' ? typeof ttlSecondsAfterFinished === 'number' : isToEnd(restartPolicy);
}

const isToEnd = (restartPolicy: unknown): boolean => restartPolicy === 'Never' || restartPolicy === 'OnFailure';

/** Whether an object of the cluster is done. */
export function isFinished(object: KubeObject): boolean {
  if (!canRun(object)) return false;
  const status = fieldsOf(object, 'status');
  if (object.kind === 'Pod') return status['phase'] === 'Succeeded' || status['phase'] === 'Failed';
  const done = (listOf(object['status'], 'conditions') as readonly { type?: string; status?: string }[]).some(
    ({ type, status: is }) => is === 'True' && (type === 'Complete' || type === 'Failed'),
  );
  return done;
}

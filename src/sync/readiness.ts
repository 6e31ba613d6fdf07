import { isList, isObject } from '../manifest/edit-value.ts';
import type { KubeObject } from '../manifest/types.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * Why an object of the cluster is not ready, for people, by the rules that kubectl and Flux have for all kinds (kstatus); undefined: it is. A Job is ready
 * once it is done.
 */
export function unreadyReason(object: KubeObject): string | undefined {
  const { metadata, kind } = object;
  if (metadata.deletionTimestamp !== undefined) return 'is being deleted';
  const [spec, status] = [fieldsOf(object['spec']), fieldsOf(object['status'])];
  const observed = status['observedGeneration'];
  if (typeof observed === 'number' && metadata.generation !== undefined && observed !== metadata.generation)
    return 'is not looked at yet by its controller';
  const said = conditionsOf(status);
  const stalled = said.get('Stalled');
  if (stalled?.status === 'True') return `is stalled${shown(stalled)}`;
  const reconciling = said.get('Reconciling');
  if (reconciling?.status === 'True') return `is under way${shown(reconciling)}`;
  const own = object.apiVersion.includes('.') || !object.apiVersion.includes('/') ? coreKinds : groupKinds;
  const reason = own.get(kind)?.({ spec, status, said });
  if (own.has(kind)) return reason;
  const ready = said.get('Ready');
  return ready && ready.status !== 'True' ? `is not ready${shown(ready)}` : undefined;
}

interface Condition {
  readonly status: string;
  readonly message: string;
}

interface Looked {
  readonly spec: Fields;
  readonly status: Fields;
  readonly said: ReadonlyMap<string, Condition>;
}

type Look = (looked: Looked) => string | undefined;

const fieldsOf = (value: unknown): Fields => (isObject(value) ? value : {});
const mostShown = 200;
const shown = ({ message }: Condition): string => (message === '' ? '' : ` (${message.slice(0, mostShown)})`);

function conditionsOf({ conditions }: Fields): ReadonlyMap<string, Condition> {
  const found = new Map<string, Condition>();
  for (const one of isList(conditions) ? conditions.slice(0, 100) : []) {
    const { type, status, message } = fieldsOf(one);
    if (typeof type === 'string' && typeof status === 'string')
      found.set(type, { status, message: typeof message === 'string' ? message : '' });
  }
  return found;
}

const numberIn = (fields: Fields, name: string, absent = 0): number =>
  typeof fields[name] === 'number' ? fields[name] : absent;

function pods(wanted: number, counts: readonly (readonly [count: number, what: string])[]): string | undefined {
  for (const [count, what] of counts) if (count < wanted) return `has ${count} of ${wanted} pods ${what}`;
  return undefined;
}

const deployment: Look = ({ spec, status, said }) => {
  const wanted = numberIn(spec, 'replicas', 1);
  const progressing = said.get('Progressing');
  if (progressing?.status === 'False') return `does not come up${shown(progressing)}`;
  const updated = numberIn(status, 'updatedReplicas');
  return (
    pods(wanted, [
      [numberIn(status, 'replicas'), 'made'],
      [updated, 'of its newest version'],
    ]) ??
    (numberIn(status, 'replicas') > updated ? 'has pods of an older version' : undefined) ??
    pods(wanted, [
      [numberIn(status, 'availableReplicas'), 'available'],
      [numberIn(status, 'readyReplicas'), 'ready'],
    ])
  );
};

const statefulSet: Look = ({ spec, status }) => {
  const { type, rollingUpdate } = fieldsOf(spec['updateStrategy']);
  if (type === 'OnDelete') return undefined;
  const wanted = numberIn(spec, 'replicas', 1);
  const partition = numberIn(fieldsOf(rollingUpdate), 'partition');
  return pods(wanted, [
    [numberIn(status, 'replicas'), 'made'],
    [numberIn(status, 'readyReplicas'), 'ready'],
    [partition + numberIn(status, 'updatedReplicas', wanted), 'of its newest version'],
  ]);
};

const daemonSet: Look = ({ status }) => {
  if (status['observedGeneration'] === undefined) return 'is not looked at yet by its controller';
  const wanted = numberIn(status, 'desiredNumberScheduled');
  return pods(wanted, [
    [numberIn(status, 'currentNumberScheduled'), 'made'],
    [numberIn(status, 'updatedNumberScheduled'), 'of its newest version'],
    [numberIn(status, 'numberAvailable'), 'available'],
    [numberIn(status, 'numberReady'), 'ready'],
  ]);
};

const job: Look = ({ said }) => {
  const failed = said.get('Failed');
  if (failed?.status === 'True') return `has failed${shown(failed)}`;
  return said.get('Complete')?.status === 'True' ? undefined : 'is not done yet';
};

const pod: Look = ({ status, said }) => {
  if (status['phase'] === 'Succeeded') return undefined;
  return said.get('Ready')?.status === 'True' ? undefined : 'is not ready';
};

const definition: Look = ({ said }) => {
  const names = said.get('NamesAccepted');
  if (names?.status === 'False') return `has names that are taken${shown(names)}`;
  return said.get('Established')?.status === 'True' ? undefined : 'is not served yet';
};

const groupKinds = new Map<string, Look>([
  ['Deployment', deployment],
  ['StatefulSet', statefulSet],
  ['DaemonSet', daemonSet],
  [
    'ReplicaSet',
    ({ spec, status }) => pods(numberIn(spec, 'replicas', 1), [[numberIn(status, 'availableReplicas'), 'available']]),
  ],
  ['Job', job],
  ['CronJob', () => undefined],
]);

const coreKinds = new Map<string, Look>([
  ['Pod', pod],
  ['CustomResourceDefinition', definition],
  ['PersistentVolumeClaim', ({ status }) => (status['phase'] === 'Bound' ? undefined : 'has no volume yet')],
  ['Service', ({ spec }) => (spec['type'] === 'LoadBalancer' && !spec['clusterIP'] ? 'has no address yet' : undefined)],
]);

import { messageOf } from '../../lib/errors.ts';
import type { StoredObject, StoreEvent, World, WorldOptions } from '../types.ts';
import { reconcileDaemonSet } from './daemon-sets.ts';
import { reconcileDeployment } from './deployments.ts';
import { reconcileCronJob } from './cron-jobs.ts';
import { createEndpoints } from './endpoints.ts';
import { createRecorder, createStamp } from './events.ts';
import { findImage } from './images/registry.ts';
import { standIn } from './images/stand-in.ts';
import { reconcileJob } from './jobs.ts';
import { createKubelet, nodeIp, nodeName } from './kubelet.ts';
import { createLookup } from './lookup.ts';
import { createNames } from './names.ts';
import { controllerOf, createObjects, keyOf, type Objects, timestamp } from './objects.ts';
import { createQueue, type Queue } from './queue.ts';
import { reconcileReplicaSet } from './replica-sets.ts';

/** Makes Deployments, ReplicaSets, DaemonSets, Pods and Services of a store alive. What stands there already is taken up. */
export function startWorld({ store, clock, podStartMs, standIns = false, onRequest, route, log }: WorldOptions): World {
  const objects = createObjects(store);
  // Before all other listeners: what they look up must be what has just been written.
  const lookup = createLookup(store);
  const logging = log === undefined ? {} : { log };
  const stamp = createStamp(clock);
  const recorder = (component: string, node?: string) =>
    createRecorder({ objects, clock, stamp, component, ...(node === undefined ? {} : { node }), ...logging });
  const queue = (name: string, reconcile: (key: string) => void): Queue =>
    createQueue({ name, clock, reconcile, ...logging });
  const now = (): number => clock.now();

  const recordDeployment = recorder('deployment-controller');
  const recordSet = recorder('replicaset-controller');
  const deployments = queue('deployments', (key) =>
    reconcileDeployment({ objects, lookup, record: recordDeployment, now, later: deployments.addAfter }, key),
  );
  const sets = queue('replica-sets', (key) =>
    reconcileReplicaSet({ objects, lookup, record: recordSet, now, later: sets.addAfter }, key),
  );
  const recordDaemon = recorder('daemonset-controller');
  const daemons = queue('daemon-sets', (key) =>
    reconcileDaemonSet({ objects, lookup, record: recordDaemon, now, later: daemons.addAfter }, key),
  );
  const recordJob = recorder('job-controller');
  const jobs = queue('jobs', (key) =>
    reconcileJob({ objects, lookup, record: recordJob, now, later: jobs.addAfter }, key),
  );
  const recordCron = recorder('cronjob-controller');
  const cronJobs = queue('cron-jobs', (key) =>
    reconcileCronJob({ objects, record: recordCron, now, later: cronJobs.addAfter }, key),
  );
  const pods = queue('pods', (key) => kubelet.reconcile(key));
  const services = queue('services', (key) => endpoints.reconcile(key));
  const configs = queue('configs', (namespace) => kubelet.configChanged(namespace));
  const queues = [deployments, sets, daemons, jobs, cronJobs, pods, services, configs];

  const endpoints = createEndpoints(objects, lookup);
  const kubelet = createKubelet({
    objects,
    clock,
    podStartMs,
    findImage: (reference) => findImage(reference, standIns ? standIn : undefined),
    record: recorder('kubelet', nodeName),
    recordScheduled: recorder('default-scheduler'),
    lookUp: (host, port, from) => route?.(host, port, from) ?? names.resolve(host, port, from),
    onRequest,
    enqueue: pods.add,
  });
  const names = createNames(endpoints.table, kubelet);

  const react = ({ type, object, previous }: StoreEvent): void => {
    const { namespace = '' } = object.metadata;
    const enqueueOwners = (kind: string, owners: Queue): void => {
      for (const owner of new Set([controllerOf(object), previous && controllerOf(previous)])) {
        if (owner?.kind === kind) owners.add(`${namespace}/${owner.name}`);
      }
    };
    const orphan = controllerOf(object) === undefined;
    switch (`${object.apiVersion}/${object.kind}`) {
      case 'apps/v1/Deployment':
        return deployments.add(keyOf(object));
      case 'apps/v1/ReplicaSet':
        sets.add(keyOf(object));
        if (orphan) for (const deployment of objects.list('Deployment', namespace)) deployments.add(keyOf(deployment));
        return enqueueOwners('Deployment', deployments);
      case 'apps/v1/DaemonSet':
        return daemons.add(keyOf(object));
      case 'batch/v1/Job':
        jobs.add(keyOf(object));
        return enqueueOwners('CronJob', cronJobs);
      case 'batch/v1/CronJob':
        return cronJobs.add(keyOf(object));
      case 'v1/Pod': {
        pods.add(keyOf(object));
        if (orphan) for (const set of objects.list('ReplicaSet', namespace)) sets.add(keyOf(set));
        enqueueOwners('ReplicaSet', sets);
        enqueueOwners('DaemonSet', daemons);
        enqueueOwners('Job', jobs);
        for (const key of endpoints.servicesOf(object, previous)) {
          endpoints.refresh(key);
          services.add(key);
        }
        if (type === 'DELETED') wakeDeployment(objects, object, deployments);
        return undefined;
      }
      case 'v1/Service':
        endpoints.refresh(keyOf(object));
        return services.add(keyOf(object));
      case 'v1/ConfigMap':
      case 'v1/Secret':
        return configs.add(namespace);
      default:
        return undefined;
    }
  };

  try {
    addNode(objects, timestamp(now()));
  } catch (error) {
    log?.warn({ reason: messageOf(error) }, 'sandbox node could not be created');
  }
  const unsubscribe = store.onEvent(react);
  for (const kind of ['Service', 'Deployment', 'ReplicaSet', 'DaemonSet', 'Job', 'CronJob', 'Pod'] as const) {
    for (const object of objects.list(kind)) react({ type: 'ADDED', object });
  }
  return {
    ...names,
    pod: kubelet.pod,
    async stop() {
      unsubscribe();
      lookup.stop();
      for (const one of queues) one.stop();
      await kubelet.stop();
    },
  };
}

/** Deployments of type Recreate wait until the last old pod is gone; only that pod's end tells them. */
function wakeDeployment(objects: Objects, pod: StoredObject, deployments: Queue): void {
  const { namespace = '' } = pod.metadata;
  const set = objects.get('ReplicaSet', namespace, controllerOf(pod)?.name ?? '');
  const owner = set && controllerOf(set);
  if (owner?.kind === 'Deployment') deployments.add(`${namespace}/${owner.name}`);
}

function addNode(objects: Objects, now: string): void {
  if (objects.get('Node', undefined, nodeName)) return;
  const labels = { 'kubernetes.io/hostname': nodeName, 'kubernetes.io/os': 'linux' };
  const node = objects.create('Node', { metadata: { name: nodeName, labels }, spec: {} });
  objects.changeStatus<'Node'>(node, (draft) => {
    const heard = { lastHeartbeatTime: now, lastTransitionTime: now };
    draft['status'] = {
      addresses: [
        { type: 'InternalIP', address: nodeIp },
        { type: 'Hostname', address: nodeName },
      ],
      capacity: { cpu: '64', memory: '256Gi', pods: '250' },
      allocatable: { cpu: '64', memory: '256Gi', pods: '250' },
      conditions: [
        { type: 'Ready', status: 'True', ...heard, reason: 'KubeletReady', message: 'kubelet is posting ready status' },
      ],
      nodeInfo: {
        machineID: '',
        systemUUID: '',
        bootID: '',
        kernelVersion: 'none',
        osImage: 'embedded cluster',
        containerRuntimeVersion: 'none://0',
        kubeletVersion: 'v1.34.4',
        kubeProxyVersion: '',
        operatingSystem: 'linux',
        architecture: 'amd64',
      },
    };
  });
}

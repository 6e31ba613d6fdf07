import { expect, test } from 'vitest';
import { eventually, type Json, type Seen } from '../cluster-api.ts';
import type { Given } from '../cluster-under-test.ts';
import { deployment, deployments } from './samples.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

interface Container {
  readonly name: string;
  readonly state: Readonly<
    Record<string, { readonly reason?: string; readonly message?: string; readonly exitCode?: number }>
  >;
  readonly lastState: Container['state'];
  readonly restartCount: number;
}

const condition = ({ status }: Seen, type: string): Condition | undefined =>
  (status.conditions as Condition[] | undefined)?.find((one) => one.type === type);
const containersOf = ({ status }: Seen, field = 'containerStatuses'): readonly Container[] =>
  (status[field] ?? []) as Container[];

/** How a cluster shows pods that do not start. */
export function notReady(given: Given): void {
  const read = async (path: string): Promise<Seen> => (await given().api.call('GET', path)).body;
  const podsOf = async (ns: string): Promise<readonly Seen[]> => (await read(`/api/v1/namespaces/${ns}/pods`)).items;
  const eventsOf = async (ns: string, kind: string): Promise<readonly Seen[]> =>
    (await read(`/api/v1/namespaces/${ns}/events?fieldSelector=involvedObject.kind%3D${kind}`)).items;
  /** One replica of a Deployment whose pod spec and container are changed so. */
  const start = (ns: string, container: Json, spec: Json = {}) => {
    const made = deployment('web', given().images.first, { replicas: 1 });
    const template = (made['spec'] as { template: { spec: { containers: Json[] } } }).template;
    Object.assign(template.spec, spec);
    Object.assign(template.spec.containers[0] ?? {}, container);
    return given().api.call('POST', deployments(ns), made);
  };
  const podWith = (ns: string, what: string, enough: (pod: Seen) => boolean): Promise<Seen> =>
    eventually(
      async () => (await podsOf(ns))[0],
      (pod): pod is Seen => pod !== undefined && enough(pod),
      what,
    ) as Promise<Seen>;

  test('a pod that no node fits stays pending, and says why', () =>
    given().inNamespace(async (ns) => {
      await start(ns, {}, { nodeSelector: { disk: 'none-like-this' } });
      const pod = await podWith(ns, 'the scheduler', (one) => condition(one, 'PodScheduled')?.status === 'False');
      const message = expect.stringMatching(
        /^0\/\d+ nodes are available: \d+ node\(s\) didn't match Pod's node affinity\/selector\./,
      ) as string;
      expect(pod.status.phase).toBe('Pending');
      expect(condition(pod, 'PodScheduled')).toMatchObject({ reason: 'Unschedulable', message });
      const events = await eventually(
        () => eventsOf(ns, 'Pod'),
        (all) => all.length > 0,
        'an event',
      );
      expect(events[0]).toMatchObject({ type: 'Warning', reason: 'FailedScheduling', message });
    }));

  test('more cores than any node has are not to be had', () =>
    given().inNamespace(async (ns) => {
      await start(ns, { resources: { requests: { cpu: '9000' } } });
      const pod = await podWith(ns, 'the scheduler', (one) => condition(one, 'PodScheduled')?.status === 'False');
      expect(condition(pod, 'PodScheduled')?.message).toMatch(/^0\/\d+ nodes are available: \d+ Insufficient cpu\./);
    }));

  test('a quota that is used up refuses the pod; ReplicaSet and Deployment say so', () =>
    given().inNamespace(async (ns) => {
      const quota = { metadata: { name: 'few' }, spec: { hard: { pods: '0' } } };
      expect((await given().api.call('POST', `/api/v1/namespaces/${ns}/resourcequotas`, quota)).status).toBe(201);
      await eventually(
        async () => {
          await given().api.call('DELETE', deployments(ns, 'web'));
          await start(ns, {});
          return eventually(
            () => read(deployments(ns, 'web')),
            (one) =>
              condition(one, 'ReplicaFailure')?.status === 'True' || condition(one, 'Available')?.status === 'True',
            'the Deployment',
          );
        },
        // Admission knows of a quota only when it has been counted.
        (one) => condition(one, 'ReplicaFailure')?.status === 'True',
        'a refusal',
      );
      const message = expect.stringMatching(
        /^pods "web-[a-z0-9]+-[a-z0-9]{5}" is forbidden: exceeded quota: few, requested: pods=1, used: pods=0, limited: pods=0$/,
      ) as string;
      expect(condition(await read(deployments(ns, 'web')), 'ReplicaFailure')).toMatchObject({
        reason: 'FailedCreate',
        message,
      });
      const [set] = (await read(`/apis/apps/v1/namespaces/${ns}/replicasets`)).items;
      expect(set && condition(set, 'ReplicaFailure')).toMatchObject({
        status: 'True',
        reason: 'FailedCreate',
        message,
      });
      expect(await podsOf(ns)).toEqual([]);
    }));

  test('a ServiceAccount that is missing refuses the pod', () =>
    given().inNamespace(async (ns) => {
      await start(ns, {}, { serviceAccountName: 'runner' });
      const seen = await eventually(
        () => read(deployments(ns, 'web')),
        (one) => condition(one, 'ReplicaFailure')?.status === 'True',
        'a refusal',
      );
      expect(condition(seen, 'ReplicaFailure')?.message).toMatch(
        new RegExp(
          `^pods "web-[a-z0-9]+-" is forbidden: error looking up service account ${ns}/runner: serviceaccount "runner" not found$`,
        ),
      );
    }));

  test('a key that is missing keeps a container from being made', () =>
    given().inNamespace(async (ns) => {
      const valueFrom = { configMapKeyRef: { name: 'kube-root-ca.crt', key: 'nope' } };
      await start(ns, { env: [{ name: 'X', valueFrom }] });
      const pod = await podWith(ns, 'the kubelet', (one) =>
        containersOf(one).some(({ state }) => state['waiting']?.reason === 'CreateContainerConfigError'),
      );
      expect(containersOf(pod)[0]?.state['waiting']?.message).toBe(
        `couldn't find key nope in ConfigMap ${ns}/kube-root-ca.crt`,
      );
    }));

  test('a container that fails is started again, later each time', () =>
    given().inNamespace(async (ns) => {
      await start(ns, { env: [{ name: 'FAIL_RATE', value: 'much' }] });
      const pod = await podWith(ns, 'a crash loop', (one) =>
        containersOf(one).some(({ state }) => state['waiting']?.reason === 'CrashLoopBackOff'),
      );
      expect(containersOf(pod)[0]?.lastState).toMatchObject({ terminated: { exitCode: 1, reason: 'Error' } });
      const answer = await given().api.call(
        'GET',
        `/api/v1/namespaces/${ns}/pods/${pod.metadata.name}/log?previous=true`,
      );
      expect(JSON.stringify(answer.body)).toContain('FAIL_RATE');
    }));

  test('an init container that fails keeps the others waiting', () =>
    given().inNamespace(async (ns) => {
      const image = given().images.first;
      const initContainers = [{ name: 'migrate', image, env: [{ name: 'DELAY', value: 'soon' }] }];
      await start(ns, {}, { initContainers });
      const pod = await podWith(ns, 'a crash loop', (one) =>
        containersOf(one, 'initContainerStatuses').some(({ state }) => state['waiting']?.reason === 'CrashLoopBackOff'),
      );
      expect(pod.status.phase).toBe('Pending');
      expect(condition(pod, 'Initialized')).toMatchObject({ status: 'False', reason: 'ContainersNotInitialized' });
      expect(containersOf(pod)).toMatchObject([{ state: { waiting: { reason: 'PodInitializing' } } }]);
    }));

  test('a probe that fails is told in an event of the container', () =>
    given().inNamespace(async (ns) => {
      await start(ns, { image: given().images.neverReady });
      const events = await eventually(
        () => eventsOf(ns, 'Pod'),
        (all) => all.some(({ reason }) => reason === 'Unhealthy'),
        'an event',
      );
      expect(events.find(({ reason }) => reason === 'Unhealthy')).toMatchObject({
        type: 'Warning',
        message: 'Readiness probe failed: HTTP probe failed with statuscode: 503',
        involvedObject: { kind: 'Pod', fieldPath: 'spec.containers{app}' },
      });
    }));
}

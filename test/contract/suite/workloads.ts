import { expect, test } from 'vitest';
import type { Answer, Json, Seen } from '../cluster-api.ts';
import { eventually } from '../cluster-api.ts';
import type { Given } from '../cluster-under-test.ts';
import { applyPatch, deployment, deployments, mergePatch } from './samples.ts';

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

interface Sample {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: Readonly<Record<string, unknown>>;
}

const condition = (object: Seen, type: string): Condition | undefined =>
  (object.status.conditions as Condition[] | undefined)?.find((one) => one.type === type);

export function workloads(given: Given): void {
  const read = async (path: string): Promise<Seen> => (await given().api.call('GET', path)).body;
  const settled = (ns: string, name: string, replicas: number): Promise<Seen> =>
    eventually(
      () => read(deployments(ns, name)),
      ({ metadata, status }) =>
        status.observedGeneration === metadata.generation &&
        status.updatedReplicas === replicas &&
        status.availableReplicas === replicas &&
        status.replicas === replicas,
      `${replicas} available replicas`,
    );
  const items = async (ns: string, kind: string): Promise<Seen[]> => (await read(`${kind.replace('NS', ns)}`)).items;
  const replicaSets = '/apis/apps/v1/namespaces/NS/replicasets';
  const pods = '/api/v1/namespaces/NS/pods';
  const setImage = (ns: string, image: string, more: Json = {}) =>
    given().api.call(
      'PATCH',
      deployments(ns, 'web'),
      { spec: { ...more, template: { spec: { containers: [{ name: 'app', image }] } } } },
      { contentType: 'application/strategic-merge-patch+json' },
    );

  test('a Deployment makes a ReplicaSet, it makes Pods, and they become ready', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call('POST', deployments(ns), deployment('web', images.first, { replicas: 2 }));
      const done = await settled(ns, 'web', 2);
      expect(done.metadata.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '1' });
      expect(done.status).toMatchObject({ readyReplicas: 2, observedGeneration: 1 });
      expect(condition(done, 'Available')).toMatchObject({
        status: 'True',
        reason: 'MinimumReplicasAvailable',
        message: 'Deployment has minimum availability.',
      });
      const [set, ...others] = await items(ns, replicaSets);
      expect(others).toEqual([]);
      const hash = set?.metadata.labels?.['pod-template-hash'] ?? '';
      expect(set?.metadata.name).toBe(`web-${hash}`);
      expect(set?.metadata.ownerReferences).toMatchObject([
        { kind: 'Deployment', name: 'web', uid: done.metadata.uid, controller: true },
      ]);
      expect(set?.spec.selector).toEqual({ matchLabels: { app: 'web', 'pod-template-hash': hash } });
      expect(condition(done, 'Progressing')).toMatchObject({
        status: 'True',
        reason: 'NewReplicaSetAvailable',
        message: `ReplicaSet "web-${hash}" has successfully progressed.`,
      });
      const made = await items(ns, pods);
      expect(made).toHaveLength(2);
      for (const pod of made) {
        expect(pod.metadata.name).toMatch(new RegExp(`^web-${hash}-[a-z0-9]{5}$`));
        expect(pod.metadata.ownerReferences).toMatchObject([
          { kind: 'ReplicaSet', name: `web-${hash}`, controller: true },
        ]);
        expect(pod.status).toMatchObject({
          phase: 'Running',
          podIP: expect.stringMatching(/^\d+\./),
          containerStatuses: [
            { name: 'app', ready: true, restartCount: 0, state: { running: { startedAt: expect.any(String) } } },
          ],
        });
        expect(condition(pod, 'Ready')?.status).toBe('True');
        expect(pod.spec).toMatchObject({ nodeName: expect.any(String), serviceAccountName: 'default' });
      }
    }));

  test('a new template rolls out over a second ReplicaSet with the next revision, and back again', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call('POST', deployments(ns), deployment('web', images.first, { replicas: 1 }));
      await settled(ns, 'web', 1);
      await setImage(ns, images.second);
      const second = await settled(ns, 'web', 1);
      expect(second.metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('2');
      const sets = await eventually(
        () => items(ns, replicaSets),
        (all) => all.length === 2 && all.filter(({ status }) => status.replicas === 0).length === 1,
        'one empty ReplicaSet',
      );
      const revisions = sets.map(({ metadata }) => metadata.annotations?.['deployment.kubernetes.io/revision']);
      expect(new Set(revisions)).toEqual(new Set(['1', '2']));
      await setImage(ns, images.first);
      const back = await settled(ns, 'web', 1);
      expect(back.metadata.annotations?.['deployment.kubernetes.io/revision']).toBe('3');
      expect(await items(ns, replicaSets)).toHaveLength(2);
    }));

  test('scaling and pausing are no rollout', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call('POST', deployments(ns), deployment('web', images.first, { replicas: 1 }));
      await settled(ns, 'web', 1);
      await api.call('PATCH', deployments(ns, 'web'), { spec: { replicas: 0 } }, mergePatch);
      await eventually(
        () => items(ns, pods),
        (all) => all.length === 0,
        'no pods',
      );
      await setImage(ns, images.second, { paused: true });
      await eventually(
        () => read(deployments(ns, 'web')),
        (object) =>
          object.status.observedGeneration === object.metadata.generation &&
          condition(object, 'Progressing')?.reason === 'DeploymentPaused',
        'the paused condition',
      );
      expect(await items(ns, replicaSets)).toHaveLength(1);
    }));

  test('a strategy that was filled in is left by who owns it for a moment, and by nobody else', () =>
    given().inNamespace(async (ns) => {
      const sample = deployment('web', given().images.first, { replicas: 0 }) as unknown as Sample;
      const set: Sample = { ...sample, kind: 'StatefulSet', spec: { ...sample.spec, serviceName: 'web' } };
      for (const [object, plural, field, type] of [
        [sample, 'deployments', 'strategy', 'Recreate'],
        [set, 'statefulsets', 'updateStrategy', 'OnDelete'],
      ] as const) {
        const apply = (manager: string, spec: object, rest: object = object): Promise<Answer> => {
          const path = `/apis/apps/v1/namespaces/${ns}/${plural}/web?fieldManager=${manager}&force=true`;
          return given().api.call('PATCH', path, { ...rest, spec } as Json, applyPatch);
        };
        const part = (spec: object): Promise<Answer> =>
          apply('strategy', spec, { apiVersion: object.apiVersion, kind: object.kind, metadata: { name: 'web' } });
        const first = await apply('git', object.spec);
        const { rollingUpdate } = first.body.spec[field] as { rollingUpdate: object };
        const wanted = { ...object.spec, [field]: { type } };
        const refused = await apply('git', wanted);
        expect(refused.status).toBe(422);
        expect(refused.body.message).toContain(`spec.${field}.rollingUpdate: `);
        expect((await part({ [field]: { rollingUpdate } })).body.metadata.generation).toBe(1);
        expect((await part({ [field]: { type } })).body.spec[field]).toEqual({ type });
        expect((await apply('git', wanted)).status).toBe(200);
        expect((await part({})).body.spec[field]).toEqual({ type });
        expect((await apply('git', object.spec)).body.spec[field]).toEqual(first.body.spec[field]);
      }
      const moved = await given().api.call(
        'PATCH',
        `/apis/apps/v1/namespaces/${ns}/statefulsets/web`,
        { spec: { serviceName: 'other' } },
        mergePatch,
      );
      expect(moved.status).toBe(422);
      expect(moved.body.message).toContain(
        "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
      );
    }));

  test('an image that cannot be pulled keeps the old pods, and the deadline passes', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call(
        'POST',
        deployments(ns),
        deployment('web', images.first, { replicas: 1, progressDeadlineSeconds: 2 }),
      );
      await settled(ns, 'web', 1);
      await setImage(ns, images.missing);
      const waiting = await eventually(
        async () => (await items(ns, pods)).map((pod) => ({ pod, reason: waitingReason(pod) })),
        (all) => all.some(({ reason }) => reason === 'ErrImagePull' || reason === 'ImagePullBackOff'),
        'a pod that cannot pull',
      );
      const stuck = waiting.find(({ reason }) => reason !== undefined);
      expect(stuck?.pod.status.phase).toBe('Pending');
      expect(stuck?.pod.status.containerStatuses).toMatchObject([
        { ready: false, image: images.missing, state: { waiting: {} } },
      ]);
      const late = await eventually(
        () => read(deployments(ns, 'web')),
        (object) => condition(object, 'Progressing')?.reason === 'ProgressDeadlineExceeded',
        'the deadline',
      );
      expect(condition(late, 'Progressing')).toMatchObject({
        status: 'False',
        message: expect.stringMatching(/^ReplicaSet "web-[a-z0-9]+" has timed out progressing\.$/),
      });
      expect(late.status).toMatchObject({
        availableReplicas: 1,
        updatedReplicas: 1,
        replicas: 2,
        unavailableReplicas: 1,
      });
    }));

  test('a pod that never becomes ready is running but gets no traffic', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call('POST', `/api/v1/namespaces/${ns}/services`, {
        metadata: { name: 'web' },
        spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] },
      });
      await api.call('POST', deployments(ns), deployment('web', images.neverReady, { replicas: 1 }));
      const [pod] = await eventually(
        () => items(ns, pods),
        ([one]) => one?.status.phase === 'Running',
        'a running pod',
      );
      expect(pod && condition(pod, 'Ready')).toMatchObject({ status: 'False', reason: 'ContainersNotReady' });
      const endpoints = await eventually(
        () => read(`/api/v1/namespaces/${ns}/endpoints/web`),
        (object) => (object.subsets as Json[] | undefined)?.length === 1,
        'endpoints',
      );
      const [subset] = endpoints.subsets as Json[];
      expect(subset?.addresses).toBeUndefined();
      expect(subset?.notReadyAddresses).toMatchObject([{ targetRef: { kind: 'Pod' } }]);
    }));

  test('ready pods stand in the endpoints of their service', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call('POST', `/api/v1/namespaces/${ns}/services`, {
        metadata: { name: 'web' },
        spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
      });
      await api.call('POST', deployments(ns), deployment('web', images.first, { replicas: 1 }));
      await settled(ns, 'web', 1);
      const endpoints = await eventually(
        () => read(`/api/v1/namespaces/${ns}/endpoints/web`),
        (object) => (object.subsets as Json[] | undefined)?.[0]?.addresses !== undefined,
        'an address',
      );
      expect(endpoints.subsets).toMatchObject([
        {
          addresses: [{ targetRef: { kind: 'Pod', namespace: ns } }],
          ports: [{ name: 'http', port: 9898, protocol: 'TCP' }],
        },
      ]);
      const slices = await read(
        `/apis/discovery.k8s.io/v1/namespaces/${ns}/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dweb`,
      );
      expect(slices.items).toMatchObject([{ addressType: 'IPv4', endpoints: [{ conditions: { ready: true } }] }]);
    }));

  test('a deleted pod is made anew, and a deleted Deployment takes all along', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call('POST', deployments(ns), deployment('web', images.first, { replicas: 1 }));
      await settled(ns, 'web', 1);
      const [first] = await items(ns, pods);
      const { body } = await api.call('DELETE', `/api/v1/namespaces/${ns}/pods/${first?.metadata.name ?? ''}`);
      expect(body).toMatchObject({ kind: 'Pod', metadata: { deletionTimestamp: expect.any(String) } });
      await eventually(
        () => items(ns, pods),
        (all) => all.length === 1 && all[0]?.metadata.uid !== first?.metadata.uid,
        'another pod',
      );
      await api.call('DELETE', deployments(ns, 'web'));
      for (const kind of [replicaSets, pods])
        await eventually(
          () => items(ns, kind),
          (all) => all.length === 0,
          'nothing left',
        );
    }));

  test('what happened is told in events', () =>
    given().inNamespace(async (ns) => {
      const { api, images } = given();
      await api.call('POST', deployments(ns), deployment('web', images.first, { replicas: 1 }));
      await settled(ns, 'web', 1);
      const selector = encodeURIComponent('involvedObject.kind=Deployment,involvedObject.name=web');
      const events = await eventually(
        async () => (await read(`/api/v1/namespaces/${ns}/events?fieldSelector=${selector}`)).items,
        (all) => all.length > 0,
        'an event',
      );
      expect(events[0]).toMatchObject({
        type: 'Normal',
        reason: 'ScalingReplicaSet',
        source: { component: 'deployment-controller' },
      });
      expect(events[0]?.message).toMatch(/^Scaled up replica set web-[a-z0-9]+ from 0 to 1$/);
      const newer = await read(`/apis/events.k8s.io/v1/namespaces/${ns}/events`);
      expect(newer.items.map(({ reason }) => reason)).toEqual(
        expect.arrayContaining(['ScalingReplicaSet', 'Scheduled']),
      );
    }));
}

function waitingReason(pod: Seen): string | undefined {
  const [container] = (pod.status.containerStatuses ?? []) as { state?: { waiting?: { reason?: string } } }[];
  return container?.state?.waiting?.reason;
}

import { afterEach, describe, expect, it } from 'vitest';
import type { ContainerStatus } from '../../../src/sandbox/world/kinds.ts';
import { fastClock } from '../../helpers/fast-clock.ts';
import { aDeployment, aService, aWorld, conditionOf, isRolledOut, type TestWorld } from './a-world.ts';

let world: TestWorld;
afterEach(() => world.stop());

const firstStatus = (): ContainerStatus | undefined => world.pods()[0]?.status?.containerStatuses?.[0];
const waitingFor = (reason: string) =>
  world.until(reason, () => {
    const status = firstStatus();
    return status && 'waiting' in status.state && status.state.waiting.reason === reason && status;
  });
const rolledOut = (name = 'podinfo') => world.until('rolled out', () => isRolledOut(world.deployment(name)));
const configMap = (name: string, data: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'test' },
  data,
});
const secret = (name: string, stringData: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: 'test' },
  stringData,
});

describe('a pod', () => {
  it('comes to no node that is cordoned, stays where it runs, and comes when the node takes pods again', async () => {
    world = aWorld({ clock: fastClock(100) });
    const { store, objects } = world;
    const cordon = (isCordoned: boolean): void => {
      const node = objects.get('Node', undefined, 'sandbox');
      if (!node) throw new Error('no node');
      objects.change<'Node'>(node, (draft) => {
        draft['spec'] = { unschedulable: isCordoned };
      });
    };
    store.create(aDeployment({ replicas: 1 }));
    await rolledOut();
    cordon(true);
    store.create(aDeployment({ name: 'late', replicas: 1 }));
    const waits = await world.until('the scheduler', () =>
      world
        .pods()
        .find(({ status }) =>
          status?.conditions?.some(({ type, status: is }) => type === 'PodScheduled' && is === 'False'),
        ),
    );
    expect(waits.status).toMatchObject({
      phase: 'Pending',
      conditions: [
        {
          reason: 'Unschedulable',
          message: expect.stringMatching(/^0\/1 nodes are available: 1 node\(s\) were unschedulable\./) as string,
        },
      ],
    });
    expect(isRolledOut(world.deployment('podinfo'))).toBe(true);
    cordon(false);
    await rolledOut('late');
  });

  it.each(['registry.test:5000/podinfo:missing', 'podinfo:0.0.0-missing', 'podinfo:latest', 'nginx:1.25', 'quotes:9'])(
    'of an image that nobody has, %s, waits for the pull',
    async (image) => {
      world = aWorld({ clock: fastClock(100) });
      world.store.create(aDeployment({ image }));
      const failed = await waitingFor('ErrImagePull');
      expect(failed).toMatchObject({ ready: false, restartCount: 0, started: false });
      await waitingFor('ImagePullBackOff');
      await waitingFor('ErrImagePull');
      expect(world.pods()[0]?.status?.phase).toBe('Pending');
      expect(world.deployment('podinfo').status).toMatchObject({ replicas: 1, unavailableReplicas: 1 });
      expect(world.events()).toContain(`BackOff: Back-off pulling image "${image}"`);
    },
  );

  it('whose program crashes is started again, ever more slowly', async () => {
    world = aWorld({ clock: fastClock(100) });
    world.store.create(aDeployment({ image: 'podinfo:crash-1' }));
    const status = await waitingFor('CrashLoopBackOff');
    expect(status).toMatchObject({ ready: false, lastState: { terminated: { exitCode: 1, reason: 'Error' } } });
    await world.until('three restarts', () => (firstStatus()?.restartCount ?? 0) >= 3);
    const [pod] = world.pods();
    expect(pod?.status?.phase).toBe('Running');
    expect(world.podLog(pod?.metadata.name ?? '')).toContain('podinfo crash-1 cannot start');
    expect(
      world.events().some((event) => event.startsWith('BackOff: Back-off restarting failed container app in pod')),
    ).toBe(true);
    const backOff = world.objects.list('Event', 'test').filter((event) => event['reason'] === 'Created');
    expect(backOff[0]?.['count']).toBeGreaterThanOrEqual(3);
  });

  it('crashes when a setting of its program cannot be read', async () => {
    world = aWorld();
    world.store.create(aDeployment({ container: { env: [{ name: 'DELAY', value: 'soon' }] } }));
    await world.until('a crash', () => firstStatus()?.lastState.terminated?.exitCode === 1);
  });

  it('waits for a ConfigMap that its environment needs, and starts when it comes', async () => {
    world = aWorld();
    const env = [{ name: 'PODINFO_UI_MESSAGE', valueFrom: { configMapKeyRef: { name: 'ui', key: 'message' } } }];
    world.store.create(aDeployment({ container: { env } }));
    world.store.create(aService('podinfo'));
    const waiting = await waitingFor('CreateContainerConfigError');
    expect(waiting.state).toEqual({
      waiting: { reason: 'CreateContainerConfigError', message: 'configmap "ui" not found' },
    });
    world.store.create(configMap('ui', { color: 'red' }));
    await world.until('the key', () =>
      JSON.stringify(firstStatus()).includes("couldn't find key message in ConfigMap test/ui"),
    );
    world.objects.change(world.objects.get('ConfigMap', 'test', 'ui') ?? never(), (draft) => {
      draft.data = { message: 'hello' };
    });
    await rolledOut();
    expect(JSON.parse((await world.ask('http://podinfo:9898/')).text)).toMatchObject({ message: 'hello' });
  });

  it('waits for a Secret given to envFrom, but not for an optional one', async () => {
    world = aWorld();
    const envFrom = [
      { secretRef: { name: 'keys' }, prefix: 'KEY_' },
      { configMapRef: { name: 'none', optional: true } },
    ];
    world.store.create(aDeployment({ container: { envFrom } }));
    world.store.create(aService('podinfo'));
    await waitingFor('CreateContainerConfigError');
    world.store.create(secret('keys', { ONE: 'first' }));
    await rolledOut();
    expect(JSON.parse((await world.ask('http://podinfo:9898/env')).text)).toContain('KEY_ONE=first');
  });

  it('is not created before its volumes are there, and sees their files change', async () => {
    world = aWorld();
    const container = {
      env: [{ name: 'CONFIG_PATH', value: '/config' }],
      volumeMounts: [{ name: 'config', mountPath: '/config' }],
    };
    const podSpec = { volumes: [{ name: 'config', configMap: { name: 'files' } }] };
    world.store.create(aDeployment({ container, podSpec }));
    world.store.create(aService('podinfo'));
    await waitingFor('ContainerCreating');
    expect(await world.until('an event', () => world.events().find((event) => event.startsWith('FailedMount')))).toBe(
      'FailedMount: MountVolume.SetUp failed for volume "config" : configmap "files" not found',
    );
    world.store.create(configMap('files', { message: 'from a file' }));
    await rolledOut();
    const message = async () =>
      (JSON.parse((await world.ask('http://podinfo:9898/')).text) as { message: string }).message;
    expect(await message()).toBe('from a file');
    world.objects.change(world.objects.get('ConfigMap', 'test', 'files') ?? never(), (draft) => {
      draft.data = { message: 'changed' };
    });
    expect(await message()).toBe('changed');
  });

  it('knows its own name and address', async () => {
    world = aWorld();
    const env = [
      { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
      { name: 'APP', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
      { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
      { name: 'URL', value: 'http://$(IP):9898' },
    ];
    world.store.create(aDeployment({ container: { env } }));
    world.store.create(aService('podinfo'));
    await rolledOut();
    const [pod] = world.pods();
    const ip = pod?.status?.podIP;
    expect(JSON.parse((await world.ask('http://podinfo:9898/env')).text)).toEqual(
      expect.arrayContaining([`POD=${pod?.metadata.name}`, 'APP=podinfo', `IP=${ip}`, `URL=http://${ip}:9898`]),
    );
    expect((await world.ask(`http://${ip}:9898/`)).status).toBe(200);
  });

  it('is ready when its readiness probe says so, over HTTP', async () => {
    world = aWorld({ clock: fastClock(20) });
    const container = {
      env: [{ name: 'READY_AFTER', value: '3s' }],
      readinessProbe: { httpGet: { path: '/readyz', port: 'http' }, periodSeconds: 1 },
    };
    world.store.create(aDeployment({ container }));
    await world.until('running', () => world.pods()[0]?.status?.phase === 'Running');
    const [running] = world.pods();
    expect(conditionOf(running, 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [app]',
    });
    await rolledOut();
    expect(world.events()).toContain('Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 503');
  });

  it.each([
    ['podcli', 'check', 'http', 'localhost:9898/readyz'],
    ['wget', '--quiet', '--tries=1', '--timeout=4', '--spider', 'http://localhost:9898/healthz'],
  ])('understands the probe command %s', async (...command) => {
    world = aWorld({ clock: fastClock(20) });
    world.store.create(aDeployment({ container: { readinessProbe: { exec: { command }, initialDelaySeconds: 1 } } }));
    await rolledOut();
  });

  it('stays unready when its probe asks a port where nothing listens', async () => {
    world = aWorld({ clock: fastClock(20) });
    world.store.create(aDeployment({ container: { readinessProbe: { tcpSocket: { port: 81 }, periodSeconds: 1 } } }));
    await world.until('a failed probe', () =>
      world.events().some((event) => /connect: connection refused/.test(event)),
    );
    expect(world.deployment('podinfo').status).not.toHaveProperty('readyReplicas');
  });

  it('is started again when its liveness probe fails too often', async () => {
    world = aWorld({ clock: fastClock(20) });
    const livenessProbe = { httpGet: { path: '/status/500', port: 9898 }, periodSeconds: 1, failureThreshold: 2 };
    world.store.create(aDeployment({ container: { livenessProbe } }));
    await world.until('a restart', () => (firstStatus()?.restartCount ?? 0) > 0);
    expect(world.events()).toContain('Killing: Container app failed liveness probe, will be restarted');
  });

  it('is asked by its other probes only after its startup probe has succeeded', async () => {
    world = aWorld({ clock: fastClock(20) });
    const container = {
      env: [{ name: 'READY_AFTER', value: '3s' }],
      startupProbe: { httpGet: { path: '/readyz', port: 9898 }, periodSeconds: 1, failureThreshold: 30 },
      livenessProbe: { httpGet: { path: '/readyz', port: 9898 }, periodSeconds: 1, failureThreshold: 1 },
    };
    world.store.create(aDeployment({ container }));
    await world.until('running', () => world.pods()[0]?.status?.phase === 'Running');
    expect(firstStatus()).toMatchObject({ started: false, ready: false });
    await rolledOut();
    expect(firstStatus()).toMatchObject({ started: true, ready: true, restartCount: 0 });
  });

  it('goes with its namespace', async () => {
    world = aWorld();
    world.store.create(aDeployment({ replicas: 2 }));
    world.store.create(aService('podinfo'));
    await rolledOut();
    world.store.remove('v1', 'Namespace', undefined, 'test');
    await world.until('gone', () => world.store.get('v1', 'Namespace', undefined, 'test') === undefined);
    expect(world.pods()).toEqual([]);
    expect(world.resolve('podinfo.test', 9898)).toBeUndefined();
  });

  it('that stands alone ends when its program ends', async () => {
    world = aWorld();
    const spec = {
      restartPolicy: 'Never',
      containers: [{ name: 'main', image: 'busybox:1.35', command: ['sh', '-c', 'exit 3'] }],
    };
    world.store.create({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'once', namespace: 'test' }, spec });
    const pod = await world.until('the end', () => world.pods().find(({ status }) => status?.phase === 'Failed'));
    expect(pod.status?.containerStatuses?.[0]?.state).toMatchObject({ terminated: { exitCode: 3, reason: 'Error' } });
  });

  it('answers open requests to the end when it is deleted', async () => {
    world = aWorld();
    world.store.create(aDeployment());
    world.store.create(aService('podinfo'));
    await rolledOut();
    const slow = world.ask('http://podinfo:9898/delay/0.2');
    await new Promise((resolve) => setTimeout(resolve, 50));
    world.store.remove('apps/v1', 'Deployment', 'test', 'podinfo');
    await world.until('out of service', () => world.resolve('podinfo.test', 9898) === undefined);
    expect((await slow).status).toBe(200);
    await world.until('gone', () => world.pods().length === 0);
  });
});

function never(): never {
  throw new Error('it must be there');
}

import { describe, expect, it } from 'vitest';
import { newestReplicaSet, podTrouble, type WorkloadSeen, worstPod } from '../../../src/canary/trouble/pod-trouble.ts';
import { toldTrouble } from '../../../src/canary/trouble/trouble.ts';
import { deployment, ended, event, looping, pod, refusedSet, running, type Status, waiting } from './pods.ts';

const trouble = (seen: Partial<WorkloadSeen>) => podTrouble({ workload: deployment, pods: [], events: [], ...seen });
const ofContainer = (status: Status, ...events: WorkloadSeen['events']) =>
  trouble({ pods: [pod({ containerStatuses: [status] })], events });
const image = 'example.org/app:2';
const resolving = (why: string): string =>
  `rpc error: code = Unknown desc = failed to pull and unpack image "${image}": failed to resolve reference "${image}": ${why}`;

describe('an image that cannot be pulled', () => {
  it.each([
    ['containerd, unknown tag', `${image}: not found`, 'image cannot be pulled (not found)'],
    ['a registry API', 'manifest unknown: manifest unknown', 'image cannot be pulled (not found)'],
    [
      'Docker Hub, unknown repository',
      'pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed',
      'image cannot be pulled (access denied, or there is none)',
    ],
    [
      'a private registry',
      'failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized',
      'image cannot be pulled (access denied)',
    ],
    [
      'an unknown host',
      'failed to do request: Head "https://example.org/v2/app/manifests/2": dial tcp: lookup example.org: no such host',
      'image cannot be pulled (the registry does not answer)',
    ],
    [
      'a rate limit',
      'unexpected status code 429 Too Many Requests: toomanyrequests: You have reached your pull rate limit',
      'image cannot be pulled (the registry limits the rate)',
    ],
    [
      'a self-signed certificate',
      'failed to do request: tls: failed to verify certificate: x509: certificate signed by unknown authority',
      'image cannot be pulled (the registry is not trusted)',
    ],
    [
      'another architecture',
      'no match for platform in manifest: not found',
      'image cannot be pulled (not made for this platform)',
    ],
    ['something new', 'the moon is full', 'image cannot be pulled'],
  ])('is told as %s says it', (_, why, summary) => {
    for (const reason of ['ErrImagePull', 'ImagePullBackOff']) {
      const found = ofContainer(waiting(reason, resolving(why)));
      expect(found).toMatchObject({ cause: 'image', summary, about: image });
      expect(found).not.toHaveProperty('log');
    }
  });

  it('is told from the event where the status only says that it waits', () => {
    const status = waiting('ImagePullBackOff', `Back-off pulling image "${image}"`);
    const said = event(
      'Failed',
      `Failed to pull image "${image}": ${resolving(`${image}: not found`)}`,
      'spec.containers{app}',
    );
    expect(ofContainer(status, said)?.summary).toBe('image cannot be pulled (not found)');
    expect(ofContainer(status)?.summary).toBe('image cannot be pulled');
  });

  it('is not taken for something that only its name says', () => {
    const odd = 'registry.example/denied/not-found:429';
    const seen = pod({
      containers: [{ name: 'app', image: odd }],
      containerStatuses: [waiting('ErrImagePull', `failed to pull "${odd}": ${odd}: the moon is full`)],
    });
    expect(trouble({ pods: [seen] })?.summary).toBe('image cannot be pulled');
  });

  it.each([
    ['InvalidImageName', 'image name is not valid'],
    ['ErrImageNeverPull', 'image is not on the node, and imagePullPolicy is Never'],
  ])('with %s has its own words', (reason, summary) => {
    expect(ofContainer(waiting(reason))?.summary).toBe(summary);
  });
});

describe('a container that does not run', () => {
  it.each([
    ['crashes', looping(ended(1)), 'crash', 'container crashes (exit 1)'],
    ['is killed', looping(ended(139)), 'crash', 'container crashes (exit 139, SIGSEGV)'],
    ['ends well', looping(ended(0, 'Completed')), 'crash', 'container ends instead of running (exit 0)'],
    ['is between two runs', { ...waiting(''), state: { terminated: ended(2) } }, 'crash', 'container crashes (exit 2)'],
    [
      'has just been started once more',
      running({ restartCount: 2, lastState: { terminated: ended(3) } }),
      'crash',
      'container crashes (exit 3)',
    ],
    ['is out of memory', looping(ended(137, 'OOMKilled')), 'out-of-memory', 'container is out of memory'],
    [
      'has a command that is not there',
      looping(
        ended(
          128,
          'StartError',
          'failed to create containerd task: exec: "serve": executable file not found in $PATH: unknown',
        ),
      ),
      'start',
      'command is not in the image',
    ],
    [
      'lacks a Secret',
      waiting('CreateContainerConfigError', 'secret "db" not found'),
      'config',
      'Secret db is missing',
    ],
    [
      'lacks a ConfigMap',
      waiting('CreateContainerConfigError', 'configmap "web" not found'),
      'config',
      'ConfigMap web is missing',
    ],
    [
      'lacks a key',
      waiting('CreateContainerConfigError', "couldn't find key url in Secret test/db"),
      'config',
      'key url of Secret db is missing',
    ],
    [
      'may not be root',
      waiting(
        'CreateContainerConfigError',
        'container has runAsNonRoot and image will run as root (pod: "web-1", container: app)',
      ),
      'config',
      'container has runAsNonRoot and image will run as root (pod: "web-1", container: app)',
    ],
  ])('because it %s', (_, status, cause, summary) => {
    expect(ofContainer(status)).toMatchObject({ cause, summary });
  });

  it('names its memory limit, and whose log tells more', () => {
    const limited = pod({
      containers: [{ name: 'app', image, resources: { limits: { memory: '64Mi' } } }],
      containerStatuses: [looping(ended(137, 'OOMKilled'))],
    });
    expect(trouble({ pods: [limited] })).toMatchObject({
      summary: 'container is out of memory (limit 64Mi)',
      log: { pod: 'web-1', container: 'app', previous: true },
    });
  });

  it('is named where there are several, and init containers come first', () => {
    const containers = [
      { name: 'app', image },
      { name: 'proxy', image },
    ];
    const statuses = [waiting('PodInitializing'), { ...waiting('PodInitializing'), name: 'proxy' }];
    const ofSeveral = pod({ containers, containerStatuses: [running({ ready: true }), looping(ended(1), 'proxy')] });
    expect(trouble({ pods: [ofSeveral] })?.summary).toBe('container proxy crashes (exit 1)');
    const withInit = pod({
      containers,
      initContainers: [{ name: 'migrate', image }],
      containerStatuses: statuses,
      initContainerStatuses: [looping(ended(1), 'migrate')],
    });
    expect(trouble({ pods: [withInit] })).toMatchObject({
      summary: 'init container migrate crashes (exit 1)',
      log: { container: 'migrate' },
    });
    const done = pod({
      containers,
      initContainers: [{ name: 'migrate', image }],
      containerStatuses: [waiting('ErrImagePull', resolving('not found'))],
      initContainerStatuses: [{ name: 'migrate', ready: true, state: { terminated: ended(0, 'Completed') } }],
    });
    expect(trouble({ pods: [done] })?.summary).toBe('container app: image cannot be pulled (not found)');
    const slow = pod({
      initContainers: [{ name: 'wait-for-db', image }],
      initContainerStatuses: [{ ...running(), name: 'wait-for-db' }],
    });
    expect(trouble({ pods: [slow] })).toMatchObject({
      cause: 'not-ready',
      summary: 'init container wait-for-db is still running',
    });
  });
});

describe('a container that runs and is not ready', () => {
  const path = 'spec.containers{app}';
  it.each([
    ['Readiness probe failed: HTTP probe failed with statuscode: 503', 'readiness probe fails (HTTP 503)'],
    [
      'Readiness probe failed: Get "http://10.1.2.3:80/": dial tcp 10.1.2.3:80: connect: connection refused',
      'readiness probe fails (connection refused)',
    ],
    [
      'Startup probe failed: Get "http://10.1.2.3:80/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)',
      'startup probe fails (no answer in time)',
    ],
  ])('for %s', (message, summary) => {
    expect(ofContainer(running(), event('Unhealthy', message, path))).toMatchObject({ cause: 'probe', summary });
  });

  it('keeps what a probe printed out of what Kubernetes says', () => {
    const found = ofContainer(running(), event('Unhealthy', 'Readiness probe failed: login with hunter2 failed', path));
    expect(found).toMatchObject({ summary: 'readiness probe fails', output: 'login with hunter2 failed' });
    expect(found?.detail).not.toContain('hunter2');
  });

  it('because its liveness probe had it killed, which is no crash', () => {
    const events = [
      event('Unhealthy', 'Liveness probe failed: HTTP probe failed with statuscode: 500', path),
      event('Killing', 'Container app failed liveness probe, will be restarted', path, '2026-03-01T10:00:11Z'),
    ];
    const killed = ended(137);
    const summary = 'liveness probe fails (HTTP 500)';
    expect(ofContainer(looping(killed), ...events)?.summary).toBe(summary);
    expect(ofContainer(running({ restartCount: 1, lastState: { terminated: killed } }), ...events)?.summary).toBe(
      summary,
    );
  });

  it('may still be starting', () => {
    expect(ofContainer(running())).toBeUndefined();
    expect(ofContainer(waiting('ContainerCreating'))).toBeUndefined();
    const probed = pod({ containers: [{ name: 'app', image, readinessProbe: {} }], containerStatuses: [running()] });
    expect(trouble({ pods: [probed] })).toMatchObject({ cause: 'not-ready', summary: 'container is not ready' });
  });
});

describe('a pod that has no place', () => {
  it.each([
    [
      '0/3 nodes are available: 1 node(s) had untolerated taint {dedicated: gpu}, 2 Insufficient cpu. preemption: 0/3 nodes are available: 3 No preemption victims found.',
      'no node fits (node(s) had untolerated taint {dedicated: gpu}, Insufficient cpu)',
    ],
    ['0/1 nodes are available: 1 Insufficient memory.', 'no node fits (Insufficient memory)'],
    ['no nodes available to schedule pods', 'no node fits (no nodes available to schedule pods)'],
    ['persistentvolumeclaim "data" not found', 'no node fits (persistentvolumeclaim "data" not found)'],
  ])('for %s', (message, summary) => {
    const conditions = [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }];
    expect(trouble({ pods: [pod({ status: { conditions } })] })).toMatchObject({ cause: 'scheduling', summary });
  });

  it('is evicted, or refused by its node', () => {
    const evicted = { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory. ' };
    expect(trouble({ pods: [pod({ status: evicted })] })?.summary).toBe(
      'pod is evicted (The node was low on resource: memory.)',
    );
    const refused = { phase: 'Failed', reason: 'UnexpectedAdmissionError', message: 'no GPU' };
    expect(trouble({ pods: [pod({ status: refused })] })?.summary).toBe(
      'pod is refused by its node (UnexpectedAdmissionError)',
    );
  });

  it.each([
    [
      'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: container init was OOM-killed (memory limit too low?): unknown',
      'out-of-memory',
      'memory limit is too low to start a container',
    ],
    [
      'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "1": plugin type="calico" failed (add): no addresses',
      'sandbox',
      'pod sandbox cannot be made (network for sandbox "1": plugin type="calico" failed (add):…)',
    ],
    ['Failed to create pod sandbox: the moon is full', 'sandbox', 'pod sandbox cannot be made'],
  ])('for %s', (message, cause, summary) => {
    const pods = [pod({ containerStatuses: [waiting('ContainerCreating')] })];
    expect(trouble({ pods, events: [event('FailedCreatePodSandBox', message)] })).toMatchObject({ cause, summary });
  });

  it('waits for a volume', () => {
    const pods = [pod({ containerStatuses: [waiting('ContainerCreating')] })];
    const mount = 'MountVolume.SetUp failed for volume "conf" : configmap "web" not found';
    expect(trouble({ pods, events: [event('FailedMount', mount)] })).toMatchObject({
      cause: 'volume',
      summary: 'ConfigMap web is missing',
    });
    const key = 'MountVolume.SetUp failed for volume "conf" : configmap references non-existent config key: app.yaml';
    expect(trouble({ pods, events: [event('FailedMount', key)] })?.summary).toBe(
      'key app.yaml of a mounted ConfigMap is missing',
    );
    const attach = 'AttachVolume.Attach failed for volume "pvc-1" : timed out';
    expect(trouble({ pods, events: [event('FailedAttachVolume', attach)] })?.summary).toBe(
      `volume cannot be mounted: ${attach}`,
    );
  });
});

describe('pods that the API server does not take', () => {
  it.each([
    [
      'pods "web-abc-1" is forbidden: exceeded quota: compute, requested: limits.memory=1Gi, used: limits.memory=2Gi, limited: limits.memory=2Gi',
      'quota',
      'quota compute is exceeded (limits.memory=1Gi)',
    ],
    [
      'pods "web-abc-1" is forbidden: failed quota: compute: must specify limits.cpu for: app; limits.memory for: app',
      'quota',
      'quota compute asks for limits.cpu for: app; limits.memory for: app',
    ],
    [
      'pods "web-abc-1" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "app" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities',
      'refused',
      'pod is refused by PodSecurity restricted: allowPrivilegeEscalation != false',
    ],
    [
      'admission webhook "validate.kyverno.svc-fail" denied the request: resource Pod/test/web was blocked due to the following policies',
      'refused',
      'pod is refused by webhook validate.kyverno.svc-fail: resource Pod/test/web was blocked due to the following policies',
    ],
    [
      'Internal error occurred: failed calling webhook "inject.example.org": failed to call webhook: Post "https://x.y.svc:443/": no endpoints available',
      'refused',
      'admission webhook inject.example.org does not answer',
    ],
    [
      'pods "web-abc-" is forbidden: error looking up service account test/runner: serviceaccount "runner" not found',
      'refused',
      'ServiceAccount runner is missing',
    ],
    [
      'pods "web-abc-1" is forbidden: [maximum memory usage per Container is 512Mi, but limit is 1Gi]',
      'refused',
      'pod is refused: [maximum memory usage per Container is 512Mi, but limit is 1Gi]',
    ],
  ])('for %s', (message, cause, summary) => {
    expect(trouble({ replicaSet: refusedSet(message) })).toMatchObject({ cause, summary });
    const create = event('FailedCreate', `Error creating: ${message}`);
    expect(trouble({ workload: { ...deployment, kind: 'DaemonSet' }, events: [create] })?.summary).toBe(summary);
  });
});

describe('the cause', () => {
  it('is told by the pod that says most; those that are ready or going say nothing', () => {
    const broken = pod({ name: 'b', containerStatuses: [looping(ended(1))] });
    const young = pod({ name: 'a', containerStatuses: [waiting('ContainerCreating')] });
    const going = pod({ name: 'c', isGoing: true, containerStatuses: [looping(ended(2))] });
    const ready = pod({ name: 'd', ready: true });
    expect(worstPod([young, going, ready, broken])?.metadata.name).toBe('b');
    expect(worstPod([going, ready])).toBeUndefined();
    expect(trouble({ pods: [ready, going] })).toBeUndefined();
  });

  it('may be a paused rollout, or stand in a Knative Revision', () => {
    expect(trouble({ workload: { ...deployment, spec: { paused: true } } })?.summary).toBe(
      'its rollout is paused (spec.paused)',
    );
    const message = 'Unable to fetch image "app:2": MANIFEST_UNKNOWN';
    const conditions = [{ type: 'Ready', status: 'False', reason: 'ContainerMissing', message }];
    expect(trouble({ workload: { ...deployment, kind: 'Revision', status: { conditions } } })?.summary).toBe(message);
  });

  it('is looked for among the pods of the newest ReplicaSet', () => {
    const set = (name: string, revision: string, uid = 'd') => ({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name,
        annotations: { 'deployment.kubernetes.io/revision': revision },
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', uid }],
      },
    });
    const sets = [set('old', '9'), set('new', '10'), set('foreign', '11', 'other')];
    expect(newestReplicaSet(deployment, sets)?.metadata.name).toBe('new');
  });

  it('is one line of bounded length, whatever is said', () => {
    for (const said of ['x'.repeat(100_000), 'a\n'.repeat(50_000), '" '.repeat(50_000), 'denied '.repeat(20_000)]) {
      const found = [
        ofContainer(waiting('ErrImagePull', said)),
        ofContainer(waiting('CreateContainerConfigError', said)),
        ofContainer(running(), event('Unhealthy', `Readiness probe failed: ${said}`)),
        trouble({ replicaSet: refusedSet(said) }),
        trouble({ pods: [pod({ status: { phase: 'Failed', reason: 'Evicted', message: said } })] }),
      ];
      for (const one of found) {
        expect(one?.summary.length).toBeLessThan(200);
        expect(one?.detail.length).toBeLessThan(600);
        expect(`${one?.summary}${one?.detail}`).not.toContain('\n');
      }
    }
  });
});

describe('what is told', () => {
  const crash = {
    cause: 'crash',
    summary: 'container crashes (exit 1)',
    detail: 'pod web-1, container app: ended with exit code 1',
  } as const;

  it('names the line of the log that says most', () => {
    const said = ['goroutine 1 [running]:', 'panic: no database', 'main.main()', 'exit status 2'];
    expect(toldTrouble(crash, said)).toEqual({
      cause: 'crash',
      summary: crash.summary,
      text: 'container crashes (exit 1): panic: no database',
      lines: [crash.detail, 'last log lines:', ...said.map((line) => `  ${line}`)],
    });
    expect(toldTrouble(crash, ['bye']).text).toBe('container crashes (exit 1): bye');
    expect(toldTrouble(crash, [])).toMatchObject({ text: crash.summary, lines: [crash.detail] });
  });
});

import type { Clock } from '../../../src/lib/clock.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import { createLogger } from '../../../src/lib/log.ts';
import { createStore } from '../../../src/sandbox/api/store.ts';
import type { RequestSeen, SandboxStore, StoredObject, World, WorldOptions } from '../../../src/sandbox/types.ts';
import type { Container, Deployment, Kinds, Pod } from '../../../src/sandbox/world/kinds.ts';
import { createObjects, type Objects, selects } from '../../../src/sandbox/world/objects.ts';
import { startWorld } from '../../../src/sandbox/world/world.ts';

export interface TestWorld extends World {
  readonly store: SandboxStore;
  readonly objects: Objects;
  readonly clock: Clock;
  readonly seen: RequestSeen[];
  /** Waits for an answer that is neither undefined nor false, looking after each write. */
  until<T>(what: string, look: () => T | undefined | false): Promise<T>;
  deployment(name: string): Deployment;
  pods(selector?: Record<string, string>): readonly Pod[];
  events(): readonly string[];
  /** What the containers of a pod have written in their present run. */
  podLog(pod: string): string | undefined;
  /** GET or POST through the world's own names. */
  ask(url: string, body?: string): Promise<{ status: number; text: string; version: string | null }>;
}

const waitMs = 8_000;

/** A store with a namespace `test`, and a world on it. */
export function aWorld(options: Partial<Omit<WorldOptions, 'store'>> = {}): TestWorld {
  const clock = options.clock ?? systemClock;
  const store = createStore(clock);
  store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'test' } });
  const seen: RequestSeen[] = [];
  const complaints: string[] = [];
  const log = createLogger('debug', (line) => complaints.push(line));
  const world = startWorld({ podStartMs: 10, log, onRequest: (one) => seen.push(one), ...options, store, clock });
  const objects = createObjects(store);
  return {
    ...world,
    store,
    objects,
    clock,
    seen,
    until: (what, look) =>
      new Promise((done, reject) => {
        let over = false;
        const check = (): void => {
          if (over) return;
          const found = look();
          if (found === undefined || found === false) return;
          finish();
          done(found);
        };
        const finish = (): void => {
          over = true;
          unsubscribe();
          clearInterval(often);
          clearTimeout(late);
        };
        const unsubscribe = store.onEvent(() => setImmediate(check));
        const often = setInterval(check, 20);
        const late = setTimeout(() => {
          finish();
          reject(new Error(`never came true: ${what}\n${complaints.join('')}`));
        }, waitMs);
        check();
      }),
    deployment(name) {
      const found = objects.get('Deployment', 'test', name);
      if (!found) throw new Error(`no deployment ${name}`);
      return found;
    },
    pods: (selector = {}) =>
      objects.list('Pod', 'test').filter((pod) => selects({ matchLabels: selector }, pod.metadata.labels)),
    podLog: (name) =>
      objects
        .get('Pod', 'test', name)
        ?.spec.containers.flatMap(({ name: container }) => world.pod('test', name)?.log(container, false)?.lines ?? [])
        .map(({ text }) => `${text}\n`)
        .join(''),
    events: () =>
      objects.list('Event', 'test').map((event) => `${String(event['reason'])}: ${String(event['message'])}`),
    async ask(url, body) {
      const { hostname, port, pathname, search } = new URL(url);
      const backend = world.resolve(hostname, Number(port || '80'), 'test');
      if (!backend) throw new Error(`${url} leads nowhere`);
      const response = await fetch(
        `http://${backend.host}:${backend.port}${pathname}${search}`,
        body === undefined ? {} : { method: 'POST', body },
      );
      return { status: response.status, text: await response.text(), version: response.headers.get('x-version') };
    },
  };
}

export interface Given {
  readonly name?: string;
  readonly image?: string;
  readonly replicas?: number;
  readonly container?: Partial<Container>;
  readonly spec?: Record<string, unknown>;
  readonly podSpec?: Record<string, unknown>;
}

export function aDeployment({
  name = 'podinfo',
  image = 'registry.test:5000/podinfo:3.1.0',
  replicas = 1,
  container = {},
  spec = {},
  podSpec = {},
}: Given = {}): Record<string, unknown> {
  const app = { name: 'app', image, ports: [{ name: 'http', containerPort: 9898 }], ...container };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'test', labels: { app: name } },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [app], ...podSpec } },
      ...spec,
    },
  };
}

export function aService(name: string, port = 9898, targetPort: number | string = 'http'): Record<string, unknown> {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'test' },
    spec: { selector: { app: name }, ports: [{ name: 'http', port, targetPort }] },
  };
}

/** Whether the newest template runs everywhere, as `kubectl rollout status` judges. */
export function isRolledOut(deployment: Deployment): boolean {
  const { metadata, spec, status = {} } = deployment;
  const wanted = spec.replicas ?? 1;
  return (
    (status.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
    [status.updatedReplicas, status.replicas, status.availableReplicas].every((count) => (count ?? 0) === wanted)
  );
}

export function conditionOf(object: StoredObject | undefined, type: string) {
  const { conditions = [] } = (object as Kinds['Deployment'] | undefined)?.status ?? {};
  return conditions.find((condition) => condition.type === type);
}

export function setImage(world: TestWorld, name: string, image: string): void {
  world.objects.change<'Deployment'>(world.deployment(name), (draft) => {
    const [container] = draft.spec.template.spec.containers;
    if (container) container.image = image;
  });
}

export function scale(world: TestWorld, name: string, replicas: number): void {
  world.objects.change<'Deployment'>(world.deployment(name), (draft) => {
    draft.spec.replicas = replicas;
  });
}

import { at } from '../../src/lib/json.ts';
import type { Answer, Question } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { routerFor } from '../../src/routers/registry.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import { aRouteContext } from '../helpers/a-route-context.ts';
import { refKey, refOf } from '../../src/manifest/types.ts';
import type { ModelCluster } from '../helpers/model-cluster.ts';
import { createRoutedWorld } from '../helpers/routed-world.ts';
import { createRollout, type Rollout } from '../helpers/rollout.ts';

type Spec = Readonly<Record<string, unknown>>;

export interface PodinfoOptions {
  readonly provider?: string;
  /** By which the target selects its pods. Absent: podinfo. */
  readonly label?: string;
  readonly canary?: Spec;
  readonly service?: Spec;
  readonly analysis?: Spec;
  /** What stands before the Canary, apart from the target and its configs. */
  readonly objects?: readonly KubeObject[];
  readonly answer?: (question: Question) => Answer;
}

/** The Deployment podinfo, its Canary, and real routers, on a cluster whose pods are up after a second. */
export interface Podinfo {
  readonly world: ModelCluster;
  readonly rollout: Rollout;
  /** Ten seconds later: one tick, or more. */
  readonly step: (times?: number) => void;
  /** Ticks until this phase; throws after fifty. */
  readonly until: (phase: string) => void;
  readonly setImage: (tag: string) => void;
  /** Changes spec of the Canary. */
  readonly change: (spec: Spec) => void;
  readonly config: (kind: string, name: string) => unknown;
  /** Changes what the target reads. */
  readonly setConfig: (kind: 'ConfigMap' | 'Secret', text: string) => void;
  /** Weights as the routing objects have them: `90/10`, and `mirrored` where requests are copied. */
  readonly split: () => string;
  readonly route: (kind: string, name?: string) => KubeObject | undefined;
  /** Somebody else writes a routing object. */
  readonly place: (object: KubeObject) => void;
  /** Image, as the Deployment of this name has it. */
  readonly image: (name: string) => unknown;
  readonly replicas: (name: string) => unknown;
  /** Phases with weights, one for each tick that changed them. */
  readonly phases: () => string[];
  readonly messages: () => string[];
}

const target = (label: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'podinfo', namespace: 'demo', labels: { app: label } },
  spec: {
    replicas: 1,
    progressDeadlineSeconds: 60,
    selector: { matchLabels: { app: label } },
    template: {
      metadata: { labels: { app: label } },
      spec: {
        containers: [
          {
            name: 'podinfo',
            image: 'podinfo:1',
            ports: [{ name: 'http', containerPort: 9898 }],
            envFrom: [{ configMapRef: { name: 'podinfo-config' } }, { secretRef: { name: 'podinfo-secret' } }],
          },
        ],
      },
    },
  },
});

const passing = (question: Question): Answer =>
  question.kind === 'hook' ? { kind: 'passed' } : { kind: 'value', value: question.kind === 'metric' ? 100 : 1 };

export function podinfo(options: PodinfoOptions = {}): Podinfo {
  const { provider = 'istio', label = 'podinfo', objects = [], answer = passing } = options;
  const { canary = {}, service = {}, analysis = {} } = options;
  const canarySpec = {
    provider,
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'podinfo' },
    progressDeadlineSeconds: 60,
    service: { port: 9898, hosts: ['podinfo.example.org'], gateways: ['istio-system/public'], ...service },
    analysis: {
      interval: '10s',
      threshold: 3,
      metrics: [
        { name: 'request-success-rate', interval: '1m', thresholdRange: { min: 99 } },
        { name: 'request-duration', interval: '1m', thresholdRange: { max: 500 } },
      ],
      ...analysis,
    },
    ...canary,
  };
  const { world, routes } = createRoutedWorld({ canarySpec, name: 'podinfo', objects: [target(label), ...objects] });
  const rollout = createRollout({ world, answer });
  const setConfig: Podinfo['setConfig'] = (kind, text) => {
    const name = kind === 'Secret' ? 'podinfo-secret' : 'podinfo-config';
    const object: KubeObject = {
      apiVersion: 'v1',
      kind,
      metadata: { name, namespace: 'demo' },
      ...(kind === 'Secret' ? { type: 'Opaque' } : {}),
      data: { text },
    };
    world.apply({ kind: 'write', object, over: world.objects.get(`${kind}/${name}`) });
  };
  setConfig('ConfigMap', 'one');
  setConfig('Secret', 'b25l');
  const step: Podinfo['step'] = (times = 1) => {
    for (let count = 0; count < times; count += 1) {
      world.nowMs += 10_000;
      rollout.tick();
    }
  };
  return {
    world,
    rollout,
    step,
    setConfig,
    until(phase) {
      for (let count = 0; rollout.status.phase !== phase; count += 1) {
        if (count === 50) throw new Error(`${rollout.status.phase} and never ${phase}`);
        step();
      }
    },
    setImage: (tag) => world.setImage(`podinfo:${tag}`),
    change(spec) {
      world.canary = { ...world.canary, spec: { ...(world.canary['spec'] as Spec), ...spec } };
    },
    config: (kind, name) => at(world.objects.get(`${kind}/${name}`), 'data', 'text'),
    split() {
      const spec = parseCanary(world.canary, { provider: 'istio', minIntervalMs: 10_000 });
      const router = routerFor(spec.provider);
      const context = aRouteContext(spec);
      const read = router.read(
        context,
        router.refs(context).map((ref) => routes.get(refKey(ref))),
      );
      return read ? `${100 - read.canaryWeight}/${read.canaryWeight}${read.mirror ? ' mirrored' : ''}` : 'none';
    },
    route: (kind, name) =>
      [...routes.values()].find(({ kind: own, metadata }) => own === kind && (name ?? metadata.name) === metadata.name),
    place: (object) => void routes.set(refKey(refOf(object)), object),
    image: (name) =>
      (at(world.deployment(name), 'spec', 'template', 'spec', 'containers') as { image: string }[] | undefined)?.[0]
        ?.image,
    replicas: (name) => at(world.deployment(name), 'spec', 'replicas'),
    phases: () =>
      rollout.ticks
        .map(({ status }) => `${status.phase} ${status.canaryWeight}`)
        .filter((line, index, all) => line !== all[index - 1]),
    messages: () =>
      rollout.ticks.flatMap(({ effects }) =>
        effects.flatMap((effect) => (effect.kind === 'event' ? [effect.event.message] : [])),
      ),
  };
}

/** Past its initialisation. */
export function initialised(options: PodinfoOptions = {}): Podinfo {
  const story = podinfo(options);
  story.until('Initialized');
  return story;
}

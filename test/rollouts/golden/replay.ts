import { webhookPayload } from '../../../src/analysis/webhook.ts';
import { parseConfigKey } from '../../../src/canary/configs.ts';
import type { Answer, Question } from '../../../src/canary/types.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';
import { createRollout, type Rollout } from '../../helpers/rollout.ts';
import { parseStatus } from '../../../src/canary/status.ts';
import {
  type DeploymentSeen,
  type RecordedObjects,
  type Recording,
  routesOfUsers,
  type ServiceChange,
  userObjects,
} from './recording.ts';
import { createRoutedWorld } from '../../helpers/routed-world.ts';
import { isSight, sightOf } from './sights.ts';

/** Everything that happened in our run, told as the recordings tell it. */
export interface Replayed {
  readonly rollout: Rollout;
  /** `create services app-canary`, in order; status writes are among them, and `first` are those before the first action. */
  readonly writes: readonly string[];
  /** Routing objects after each write, with the seconds since the first action. */
  readonly routes: readonly { readonly t: number; readonly object: KubeObject }[];
  readonly services: readonly ServiceChange[];
  readonly deployments: readonly DeploymentSeen[];
  readonly payloads: readonly Readonly<Record<string, unknown>>[];
  /** What stood where the recordings say what was looked at, in their words. */
  readonly sights: readonly string[];
  readonly before: readonly KubeObject[];
  readonly after: readonly KubeObject[];
}

const builtinAnswers: Readonly<Record<string, Answer>> = {
  good: { kind: 'value', value: 100 },
  bad: { kind: 'value', value: 42 },
  empty: { kind: 'no-data', cause: 'noSeries', reason: 'running query failed: no values found' },
  http500: {
    kind: 'unreachable',
    text: 'Prometheus query failed: running query failed: error response: Status 500 Internal Server Error: internal',
  },
  refused: {
    kind: 'unreachable',
    text: 'Prometheus query failed: running query failed: request failed: 127.0.0.1:9100',
  },
};

const plurals: Readonly<Record<string, string>> = {
  HTTPProxy: 'httpproxies',
  Ingress: 'ingresses',
  Canary: 'canaries',
};

/** Plays what was done to Flagger with our core, our routers and a model of the cluster. */
export function replay(gold: Recording, objects?: RecordedObjects): Replayed {
  const writes: string[] = [];
  const routes: { atMs: number; object: KubeObject }[] = [];
  const services: { atMs: number; change: Omit<ServiceChange, 't'> }[] = [];
  const payloads: Readonly<Record<string, unknown>>[] = [];
  const deployments: (Omit<DeploymentSeen, 't'> & { readonly atMs: number })[] = [];
  const sights: string[] = [];
  const open = new Set<string>();
  let metrics: Answer | undefined = builtinAnswers['good'];

  const note = ({ kind, metadata }: KubeObject, over: unknown): void => {
    writes.push(`${over ? 'update' : 'create'} ${plurals[kind] ?? `${kind.toLowerCase()}s`} ${metadata.name}`);
  };
  const noteService = ({ metadata: { name }, ...object }: KubeObject, deleted?: true): void => {
    const { selector = {} } = object['spec'] as Pick<ServiceChange, 'selector'>;
    services.push({ atMs: world.nowMs, change: { name, selector, ...(deleted ? { deleted } : {}) } });
  };
  const { kind } = gold.canarySpec['targetRef'] as { readonly kind: string };
  const [target, ...ingresses] = userObjects(kind);
  const others = [...ingresses, ...routesOfUsers(objects)];
  const { progressDeadlineSeconds } = gold.canarySpec;
  const deadline = kind === 'Deployment' ? { progressDeadlineSeconds } : {};
  const {
    world,
    routes: liveRoutes,
    collect,
  } = createRoutedWorld({
    canarySpec: gold.canarySpec,
    objects: target
      ? [{ ...target, spec: { ...(target['spec'] as object), ...deadline } } as KubeObject, ...others]
      : [],
    onWrite: (object, over) => {
      note(object, over);
      routes.push({ atMs: world.nowMs, object });
    },
  });
  const { canary: created } = world;
  world.brokenImages.add('example.org/app:2.0.0-notready');

  const answer = (question: Question): Answer => {
    if (question.kind === 'metrics-online') return { kind: 'value', value: 1 };
    if (question.kind === 'pods' || question.kind === 'endpoints') return { kind: question.kind };
    if (question.kind === 'hook') {
      const { hook, phase } = question;
      payloads.push({ ...webhookPayload({ name: 'app', namespace: 'demo' }, phase, parseStatus(world.canary), {}) });
      return open.has(hook.name) ? { kind: 'passed' } : { kind: 'rejected', reason: 'closed' };
    }
    return metrics ?? { kind: 'value', value: 100 };
  };
  const seen = new Map<string, string>();
  const lookAtDeployments = (): void => {
    for (const { kind: found, metadata, ...object } of world.objects.values()) {
      if (found !== 'Deployment') continue;
      const { replicas = 1, template } = object['spec'] as {
        readonly replicas?: number;
        readonly template: { readonly spec: { readonly containers: readonly { readonly image: string }[] } };
      };
      const image = template.spec.containers[0]?.image ?? '';
      if (seen.get(metadata.name) === `${replicas} ${image}`) continue;
      seen.set(metadata.name, `${replicas} ${image}`);
      deployments.push({ atMs: world.nowMs, name: metadata.name, replicas, image });
    }
  };
  const setFile = (content: string): void => {
    const over = world.objects.get('ConfigMap/app-config');
    if (over) apply({ kind: 'write', object: { ...over, binaryData: { file: btoa(content) } } as KubeObject, over });
  };
  const labelApex = (): void => {
    const spec = world.canary['spec'] as { service: object };
    const service = { ...spec.service, apex: { labels: { 'example.org/team': 'rig' } } };
    world.canary = { ...world.canary, spec: { ...spec, service } };
  };
  const apply = world.apply.bind(world);
  world.apply = (effect) => {
    if (effect.kind === 'write') note(effect.object, effect.over);
    if (effect.kind === 'copy-config') {
      const { kind: source, name } = parseConfigKey(effect.key);
      const isThere = world.objects.has(`${source}/${name}-primary`);
      writes.push(`${isThere ? 'update' : 'create'} ${source.toLowerCase()}s ${name}-primary`);
    }
    if (effect.kind === 'scale-target') writes.push(`patch ${kind.toLowerCase()}s app to ${effect.replicas}`);
    apply(effect);
    lookAtDeployments();
    if (effect.kind === 'write' && effect.object.kind === 'Service') noteService(effect.object);
  };
  if (gold.actions.some(({ what }) => what.includes('binaryData'))) setFile('one');
  lookAtDeployments();
  const rollout = createRollout({ world, answer });
  const tick = rollout.tick.bind(rollout);
  rollout.tick = () => {
    const record = tick();
    if (record?.decision.status) writes.push('update canaries app status');
    return record;
  };

  const standing = (): KubeObject[] => [...world.objects.values(), ...liveRoutes.values()];
  const startOf = (): number => {
    // Some were recorded from the beginning on.
    if (gold.actions[0]?.what !== 'pods app-primary- become not ready') rollout.run(world.nowMs + 20_000);
    return world.nowMs;
  };
  const startMs = startOf();
  const before = standing();
  const firstWrites = writes.length;
  let isGone = false;
  /** Nobody looks at a Canary that is not there. */
  const pass = (untilMs: number): void => {
    if (isGone) world.nowMs = untilMs;
    else rollout.run(untilMs);
  };
  /** The Canary goes with its last finalizer, and all that it owns with it. */
  const remove = (): void => {
    const metadata = { ...world.canary.metadata, deletionTimestamp: new Date(world.nowMs).toISOString() };
    world.canary = { ...world.canary, metadata };
    while (world.canary.metadata.finalizers?.length) rollout.run(world.nowMs + 1_000);
    const all = standing();
    collect();
    const left = standing();
    for (const object of all) if (object.kind === 'Service' && !left.includes(object)) noteService(object, true);
    isGone = true;
  };
  const createAgain = (): void => {
    world.canary = { ...created, metadata: { ...created.metadata, uid: 'uid-of-second-canary' } };
    isGone = false;
  };
  for (const { t, what } of gold.actions) {
    const [, tag] = /^set image of deployment app to tag (\S+)$/.exec(what) ?? [];
    const [, gate] = /^gate (\S+) opens$/.exec(what) ?? [];
    const [, mode] = /^metrics of this namespace: (\S+)$/.exec(what) ?? [];
    // New pods only: before there are any, which depends on when a tick noticed the image.
    const isEarly = what.endsWith('(new pods only)');
    pass(startMs + Math.ceil(isEarly ? t - 10 : t) * 1_000);
    if (tag !== undefined) world.setImage(`example.org/app:${tag}`);
    else if (gate !== undefined) open.add(gate);
    else if (mode !== undefined) metrics = builtinAnswers[mode];
    else if (what.startsWith('metrics server')) metrics = builtinAnswers['refused'];
    else if (what.startsWith('change ConfigMap')) world.setConfig('two');
    else if (what.startsWith('change binaryData')) setFile('two');
    else if (what.startsWith('pods app-primary- become not ready')) world.brokenDeployments.add('app-primary');
    else if (what === 'pods app-primary- become ready') world.brokenDeployments.delete('app-primary');
    else if (what.endsWith('apex.labels gains a label')) labelApex();
    else if (what.startsWith('delete Canary')) remove();
    else if (what === 'create the same Canary again') createAgain();
    else if (isSight(what)) sights.push(sightOf(world, what));
    else throw new Error(`unknown action: ${what}`);
    lookAtDeployments();
  }
  if (!isGone) {
    const isOver = (): boolean => ['Succeeded', 'Failed'].includes(rollout.status.phase);
    const latestMs = world.nowMs + 160_000;
    rollout.run(world.nowMs + 40_000);
    while (world.nowMs < latestMs && !isOver()) rollout.run(world.nowMs + 10_000);
  }

  const since = (atMs: number): number => (atMs - startMs) / 1_000;
  return {
    rollout,
    writes: writes.map((write, at) => (at < firstWrites ? `first ${write}` : write)),
    routes: routes.map(({ atMs, object }) => ({ t: since(atMs), object })),
    services: services.map(({ atMs, change }) => ({ t: since(atMs), ...change })),
    deployments: deployments.map(({ atMs, ...change }) => ({ t: since(atMs), ...change })),
    payloads,
    sights,
    before,
    after: standing(),
  };
}

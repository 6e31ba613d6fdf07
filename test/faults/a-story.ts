import type { Json } from '../../src/lib/json.ts';
import type { Answer, CanaryStatus, Effect, Question } from '../../src/canary/types.ts';
import { ClusterFailure, createModelCluster, type ModelCluster } from '../helpers/model-cluster.ts';
import { createRollout, type Rollout } from '../helpers/rollout.ts';

/** A Canary in the smallest world, past its initialisation, and what has become of it. */
export interface Story {
  readonly world: ModelCluster;
  readonly rollout: Rollout;
  readonly status: CanaryStatus;
  /** The canary’s share of the users now, and every five seconds before. */
  readonly weight: number;
  readonly weights: readonly number[];
  /** Everything that was done. */
  readonly done: readonly Effect[];
  readonly events: readonly string[];
  readonly alerts: readonly string[];
  /** Hooks in the order in which they were asked. */
  readonly asked: readonly string[];
  /** Percent of successful requests from now on. */
  successRate: number;
  readonly closed: Set<string>;
  /** The API server refuses an effect that this is true of. */
  refuses: (effect: Effect) => boolean;
  push(version: string): void;
  /** In steps of five. */
  wait(seconds: number): void;
  /** Ticks until it is so; fails when it does not get so within ten minutes. */
  until(what: (story: Story) => boolean): void;
  edit(change: Json): void;
  editAnalysis(change: Json): void;
  replicas(name: string): number;
  image(name: string): string;
}

export interface StoryOptions {
  readonly analysis?: Json;
  readonly spec?: Json;
  /** Done before the first tick. */
  readonly before?: (world: ModelCluster) => void;
}

const deployment = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'app' };

export function createStory({
  analysis = { stepWeight: 50, maxWeight: 50 },
  spec = {},
  before,
}: StoryOptions = {}): Story {
  const world = createModelCluster({
    replicas: 2,
    canarySpec: {
      provider: 'istio',
      targetRef: deployment,
      service: { port: 80 },
      progressDeadlineSeconds: 60,
      ...spec,
      analysis: {
        interval: '10s',
        threshold: 2,
        metrics: [{ name: 'request-success-rate', thresholdRange: { min: 99 } }],
        ...analysis,
      },
    },
  });
  const weights: number[] = [];
  const answer = (question: Question): Answer => {
    if (question.kind !== 'hook') return { kind: 'value', value: story.successRate };
    return story.closed.has(question.hook.name) ? { kind: 'rejected', reason: 'closed' } : { kind: 'passed' };
  };
  const rollout = createRollout({
    world,
    answer,
    onEffect(effect) {
      if (story.refuses(effect)) throw new ClusterFailure('the API server is away');
    },
  });
  const story: Story = {
    world,
    rollout,
    weights,
    successRate: 100,
    closed: new Set(),
    refuses: () => false,
    get status() {
      return rollout.status;
    },
    get weight() {
      const apex = world.objects.get('Service/app') as { spec?: { selector?: { app?: string } } } | undefined;
      if ((world.canary['spec'] as Json)['provider'] === 'kubernetes')
        return apex?.spec?.selector?.app === 'app' ? 100 : 0;
      return world.split?.canaryWeight ?? 0;
    },
    get done() {
      return rollout.ticks.flatMap(({ effects }) => effects);
    },
    get events() {
      return story.done.flatMap((effect) => (effect.kind === 'event' ? [effect.event.message] : []));
    },
    get alerts() {
      return story.done.flatMap((effect) => (effect.kind === 'alert' ? [effect.message] : []));
    },
    get asked() {
      return rollout.ticks.flatMap(({ asked }) => asked.flatMap((one) => (one.kind === 'hook' ? [one.hook.name] : [])));
    },
    push(version) {
      world.setImage(`example.org/app:${version}`);
    },
    wait(seconds) {
      for (let second = 0; second < seconds; second += 5) {
        rollout.run(world.nowMs + 5_000);
        weights.push(story.weight);
      }
    },
    until(what) {
      for (let second = 0; !what(story); second += 5) {
        if (second > 600)
          throw new Error(`it did not get so; ${JSON.stringify(story.status)}\n${story.events.join('\n')}`);
        story.wait(5);
      }
    },
    edit(change) {
      world.canary = { ...world.canary, spec: { ...(world.canary['spec'] as Json), ...change } };
    },
    editAnalysis(change) {
      story.edit({ analysis: { ...((world.canary['spec'] as Json)['analysis'] as Json), ...change } });
    },
    replicas: (name) => specOf(world, name).replicas ?? 1,
    image: (name) => specOf(world, name).template?.spec.containers[0]?.image.split(':')[1] ?? '',
  };
  before?.(world);
  story.wait(30);
  return story;
}

interface DeploymentSpec {
  readonly replicas?: number;
  readonly template?: { readonly spec: { readonly containers: readonly { readonly image: string }[] } };
}

function specOf(world: ModelCluster, name: string): DeploymentSpec {
  const deployment = world.objects.get(`Deployment/${name}`);
  if (!deployment) throw new Error(`there is no Deployment ${name}`);
  return deployment['spec'] as DeploymentSpec;
}

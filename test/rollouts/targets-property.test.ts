import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { at } from '../../src/lib/json.ts';
import { templateHash } from '../../src/canary/template-hash.ts';
import { targets } from '../../src/canary/targets/registry.ts';
import type { Answer, Effect, Question, TargetKind } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { ClusterFailure } from '../helpers/model-cluster.ts';
import { createRollout, type Rollout } from '../helpers/rollout.ts';
import { createTargetWorld, mergePatch, type TargetWorld } from '../helpers/target-world.ts';

type Kind = Exclude<TargetKind, 'Deployment'>;
type Happening =
  | { readonly kind: 'push'; readonly version: number }
  | { readonly kind: 'metrics'; readonly are: 'good' | 'bad' | 'unreachable' }
  | { readonly kind: 'pods'; readonly of: 'primary' | 'canary'; readonly down: boolean }
  | { readonly kind: 'crash'; readonly after: number }
  /** Somebody takes the primary of a target at rest away. */
  | { readonly kind: 'loss' }
  | { readonly kind: 'wait' };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Happening>({ kind: 'wait' }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('push' as const), version: fc.integer({ min: 1, max: 3 }) }) },
  fc.record({
    kind: fc.constant('metrics' as const),
    are: fc.constantFrom('good' as const, 'good' as const, 'bad' as const, 'unreachable' as const),
  }),
  fc.record({
    kind: fc.constant('pods' as const),
    of: fc.constantFrom('primary' as const, 'canary' as const),
    down: fc.boolean(),
  }),
  fc.constant<Happening>({ kind: 'loss' }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('crash' as const), after: fc.integer({ min: 0, max: 4 }) }) },
);

const versionOf: Readonly<Record<Kind, (object: KubeObject | undefined) => string>> = {
  DaemonSet: (object) =>
    (at(object, 'spec', 'template', 'spec', 'containers') as { image: string }[] | undefined)?.[0]?.image ?? '',
  Service: (object) => (at(object, 'spec', 'selector') as { app?: string } | undefined)?.app ?? '',
  Knative: (object) => object?.metadata.name ?? '',
};
const specs: Readonly<Record<Kind, (version: number) => Record<string, unknown>>> = {
  DaemonSet: (version) => ({
    selector: { matchLabels: { app: 'app' } },
    template: {
      metadata: { labels: { app: 'app' } },
      spec: { containers: [{ name: 'app', image: `app:${version}` }] },
    },
  }),
  Service: (version) => ({ clusterIP: '10.0.0.1', selector: { app: `app-${version}` }, ports: [{ port: 80 }] }),
  Knative: (version) => ({ template: { spec: { containers: [{ image: `app:${version}` }] } } }),
};
const refs: Readonly<Record<Kind, { readonly provider: string; readonly apiVersion: string; readonly kind: string }>> =
  {
    DaemonSet: { provider: 'traefik', apiVersion: 'apps/v1', kind: 'DaemonSet' },
    Service: { provider: 'istio', apiVersion: 'v1', kind: 'Service' },
    Knative: { provider: 'knative', apiVersion: 'serving.knative.dev/v1', kind: 'Service' },
  };

/** Whether somebody answers, told by nothing that is under test. */
function answers(object: KubeObject | undefined): boolean {
  if (object?.kind === 'DaemonSet') return at(object, 'status', 'numberAvailable') !== 0;
  if (object?.kind !== 'Revision') return object !== undefined;
  return (at(object, 'status', 'conditions') as { status: string }[])[0]?.status === 'True';
}

/** One history of one target, held to what must never happen after every single effect. */
class History {
  readonly world: TargetWorld;
  readonly rollout: Rollout;
  private readonly kind: Kind;
  private metrics: 'good' | 'bad' | 'unreachable' = 'good';
  private crashAfter: number | undefined;
  private readonly copied = new Set<string>();
  private version = 1;

  constructor(kind: Kind) {
    this.kind = kind;
    const { provider, ...ref } = refs[kind];
    this.world = createTargetWorld({
      target: { ...ref, metadata: { name: 'app', labels: { app: 'app' } }, spec: specs[kind](1) },
      canarySpec: {
        provider,
        targetRef: { ...ref, name: 'app' },
        service: { port: 80 },
        progressDeadlineSeconds: 120,
        analysis: {
          interval: '10s',
          threshold: 2,
          stepWeight: 30,
          maxWeight: 60,
          stepWeightPromotion: 40,
          metrics: [{ name: 'request-success-rate', thresholdRange: { min: 99 } }],
        },
      },
    });
    this.rollout = createRollout({
      world: this.world,
      answer: (question) => this.answer(question),
      onEffect: (effect, index) => {
        if (this.crashAfter !== undefined && index >= this.crashAfter) {
          this.crashAfter = undefined;
          throw new ClusterFailure('killed');
        }
        this.judge(effect);
      },
    });
  }

  private answer(question: Question): Answer {
    if (question.kind !== 'metric') return { kind: 'passed' };
    if (this.metrics === 'unreachable') return { kind: 'unreachable', text: 'nobody answers' };
    return { kind: 'value', value: this.metrics === 'good' ? 100 : 0 };
  }

  happen(what: Happening): void {
    const { world, kind } = this;
    switch (what.kind) {
      case 'push':
        if (what.version === this.version) return;
        this.version = what.version;
        world.push((spec) => mergePatch(spec, specs[kind](what.version)) as typeof spec);
        if (kind === 'Knative') world.revise();
        return;
      case 'metrics':
        this.metrics = what.are;
        return;
      case 'pods': {
        const name = this.nameOf(what.of);
        if (what.down) world.broken.add(name);
        else world.broken.delete(name);
        return;
      }
      case 'crash':
        this.crashAfter = what.after;
        return;
      case 'loss':
        return this.lose();
      case 'wait':
    }
  }

  private lose(): void {
    const { world, kind, rollout } = this;
    if (!['Initialized', 'Succeeded'].includes(rollout.status.phase)) return;
    // What is at rest and what was promoted have to be the same; else there is nothing to make a primary of.
    this.crashAfter = undefined;
    this.tick();
    const isPromoted = versionOf[kind](world.see().primary) === this.candidate();
    if (!['Initialized', 'Succeeded'].includes(rollout.status.phase) || !isPromoted) return;
    if (kind === 'Knative') {
      const live = world.get('Service', 'app');
      if (live) world.put({ ...live, metadata: { ...live.metadata, annotations: {} } });
    } else world.objects.delete(`${kind}/app-primary`);
    for (let ticks = 0; ticks < 2; ticks += 1) this.tick();
  }

  /** Whose pods break; of Knative the Revision that has the role now. */
  private nameOf(side: 'primary' | 'canary'): string {
    if (this.kind !== 'Knative') return side === 'primary' ? 'app-primary' : 'app';
    const { primary, candidate } = this.world.see();
    return (side === 'primary' ? primary : candidate)?.metadata.name ?? '';
  }

  tick(): void {
    this.world.nowMs += 10_000;
    const wasKilled = this.rollout.tick() === undefined;
    this.judgeWorld();
    if (!wasKilled) this.judgeUsers();
  }

  /** Before an effect happens. */
  private judge(effect: Effect): void {
    const kind = targets[this.kind];
    const seen = { ...this.world.see(), answers: new Map() };
    const weight = seen.split?.canaryWeight ?? 0;
    const [primaryServes, canaryServes] = [answers(seen.primary), answers(kind.candidateOf(seen))];
    if (effect.kind === 'event' && effect.event.message.startsWith('Copying')) this.copied.add(this.candidate());
    if (effect.kind === 'set-route' && effect.split.canaryWeight > weight)
      expect(canaryServes || !primaryServes, 'nobody is sent to a canary that does not answer').toBe(true);
    if (effect.kind === 'set-route' && effect.split.canaryWeight < weight)
      expect(primaryServes || !canaryServes, 'nobody is sent to a primary that does not answer').toBe(true);
    if (effect.kind === 'scale-target' && effect.replicas === 0)
      expect(weight, 'a canary with users keeps its pods').toBe(0);
    if (effect.kind === 'write' && this.kind === 'Service') {
      expect(effect.object.metadata.name, 'the target Service is the users’ own').not.toBe('app');
      const turns = effect.over !== undefined && versionOf.Service(effect.object) !== versionOf.Service(effect.over);
      const isPromoted = versionOf.Service(effect.object) === versionOf.Service(seen.primary);
      const isJudged = seen.target && templateHash(seen.target['spec']) === this.rollout.status.lastAppliedSpec;
      if (effect.object.metadata.name === 'app-canary' && turns && !isPromoted && !isJudged)
        expect(weight, 'users of the canary do not come to what nobody has judged').toBe(0);
    }
  }

  private candidate(): string {
    const { target, candidate } = this.world.see();
    return versionOf[this.kind](this.kind === 'Knative' ? candidate : target);
  }

  private judgeUsers(): void {
    const seen = { ...this.world.see(), answers: new Map() };
    const isStranded = (seen.split?.canaryWeight ?? 0) > 0 && !answers(targets[this.kind].candidateOf(seen));
    expect(isStranded && answers(seen.primary), 'nobody stays with a canary that does not answer').toBe(false);
  }

  private judgeWorld(): void {
    const { primary, target } = this.world.see();
    const version = versionOf[this.kind](primary);
    const first = { DaemonSet: 'app:1', Service: 'app-1', Knative: 'app-00001' }[this.kind];
    // Until it is initialised nobody depends on the primary, and it follows the target.
    const isStarting = ['', 'Initializing'].includes(this.rollout.status.phase);
    if (isStarting || this.copied.size === 0) this.copied.add(version);
    expect([first, ...this.copied], 'the primary runs only what was promoted').toContain(version || first);
    if (this.kind === 'DaemonSet' && primary) expect(targets.DaemonSet.scaling?.replicasOf(primary)).toBe(1);
    const traffic = this.kind === 'Knative' && primary ? (at(target, 'spec', 'traffic') as { percent?: number }[]) : [];
    if (traffic.length > 0) expect(traffic.reduce((sum, { percent = 0 }) => sum + percent, 0)).toBe(100);
  }

  /** All is well from now on: it comes to an end, with all users on the primary. */
  settle(): void {
    this.world.broken.clear();
    this.metrics = 'good';
    this.crashAfter = undefined;
    for (let ticks = 0; ticks < 25; ticks += 1) this.tick();
    const { phase } = this.rollout.status;
    expect(['Initialized', 'Succeeded', 'Failed'], `ends, not as ${phase}`).toContain(phase);
    const { split, primary } = this.world.see();
    expect(split?.canaryWeight).toBe(0);
    expect(answers(primary)).toBe(true);
  }
}

/** Enough to find a fault that was planted; more of them find no more. */
const runs = 30;

describe('random histories', () => {
  it.each(['DaemonSet', 'Service', 'Knative'] as const)('of a %s harm no user, and end', (kind) => {
    fc.assert(
      fc.property(fc.array(happening, { minLength: 10, maxLength: 25, size: 'max' }), (happenings) => {
        const history = new History(kind);
        for (const one of happenings) {
          history.happen(one);
          history.tick();
        }
        history.settle();
      }),
      { numRuns: runs },
    );
  });
});

import { analysisOf, failedEnough } from '../../src/canary/analysis-state.ts';
import { nextWeight } from '../../src/canary/strategy.ts';
import type { CanarySpec, CanaryStatus, Effect, Phase } from '../../src/canary/types.ts';
import type { RequestName } from '../../src/canary/requests.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { Broken, hold } from './invariants.ts';
import { isKnative, pinnedVersion } from './knative.ts';
import { isKeptAtZero, isScaler, sideOf } from './scalers.ts';
import { holdAwake, holdScaling } from './scaling-watch.ts';
import { holdTrue } from './true-events.ts';
import { versionOf, wantedOf } from './workload.ts';
import { leadsTo } from './objects.ts';
import type { World } from './world.ts';

/** A tick as it is watched. */
export interface Watched {
  readonly spec: CanarySpec;
  readonly before: CanaryStatus;
  /** It sees the world as it is. */
  readonly isFresh: boolean;
  /** The agent has begun with it, or has not come to the end of one since. */
  readonly isFirst: boolean;
  /** What the target is, as far as this tick can see. */
  readonly content: string | undefined;
  /** A metric was asked, and every answer was good. */
  readonly isGood: boolean;
  /** By a person, of the release that the status is of. */
  readonly asks: ReadonlySet<RequestName>;
  readonly done: Effect[];
}

interface Release {
  readonly content: string | undefined;
  /** The one before, whose status stands as long as this one's has not been written. */
  before?: Release;
  verdict?: 'promoted' | 'rolled-back';
  cookie?: string;
}

const running: readonly Phase[] = ['Progressing', 'WaitingPromotion', 'Promoting', 'Finalising'];
const next: Readonly<Record<Phase, readonly Phase[]>> = {
  '': ['Initializing', 'Initialized', 'Terminating'],
  Initializing: ['Initialized', 'Terminating'],
  Initialized: ['Waiting', 'Progressing', 'Terminating'],
  // Cancelled, because the target is back at what the primary runs: Initialized.
  Waiting: ['Progressing', 'Initialized', 'Failed', 'Terminating'],
  Progressing: ['WaitingPromotion', 'Promoting', 'Failed', 'Initialized', 'Terminating'],
  WaitingPromotion: ['Promoting', 'Progressing', 'Failed', 'Initialized', 'Terminating'],
  // Restarted, because what was to be promoted has gone: Progressing. Without analysis or traffic to move: Succeeded.
  Promoting: ['Finalising', 'Succeeded', 'Failed', 'Progressing', 'Terminating'],
  Finalising: ['Succeeded', 'Failed', 'Progressing', 'Terminating'],
  Succeeded: ['Waiting', 'Progressing', 'Terminating'],
  Failed: ['Waiting', 'Progressing', 'Terminating'],
  Terminating: ['Terminated'],
  Terminated: [],
};

/** Remembers what a fair observer would, and holds everything that is done against it. */
export class Watch {
  private release: Release | undefined;
  private promoted: string | undefined;
  private rejected: string | undefined;
  private isRerouted = false;
  /** The share that the canary was given last. */
  private led = 0;
  /** When a failed check counted last, by the time that really passes. */
  private countedMs = Number.NEGATIVE_INFINITY;
  private readonly world: World;

  constructor(world: World) {
    this.world = world;
  }

  /** Somebody changed something: what failed may be tried again. */
  changed(): void {
    this.rejected = undefined;
  }

  /** Somebody else moved the users. */
  rerouted(): void {
    this.isRerouted = true;
    // Whoever takes users away by hand leaves the pods that they had.
    this.world.isLeftUp ||= this.world.weight > 0;
  }

  /** Before an effect is done. */
  effect(effect: Effect, tick: Watched): void {
    holdScaling(effect, tick, this.world);
    switch (effect.kind) {
      case 'set-route':
        return this.route(effect, tick);
      case 'scale-target':
        return effect.replicas === 0 ? this.toZero(tick) : undefined;
      case 'write':
        return isScaler(effect.object)
          ? this.scaler(effect.object, tick)
          : this.write(effect.object, effect.over, tick);
      case 'copy-config':
        return this.world.isConfig(effect) ? this.copy(tick) : undefined;
      case 'begin-release':
        return this.begin(tick);
      case 'end-release':
        return this.end(effect.verdict, tick);
      default:
    }
  }

  /** After a tick whose status was written. */
  after(status: CanaryStatus, tick: Watched): void {
    const { before, spec, isFresh } = tick;
    // A target that has gone comes back with the pods that Git asks for.
    if (tick.done.some(countsPods)) this.world.isLeftUp = this.world.objects.target === undefined;
    hold(
      'known transition',
      status.phase === before.phase || next[before.phase].includes(status.phase),
      () => `from ${before.phase} to ${status.phase}`,
    );
    hold(
      'failed checks end it',
      status.failedChecks <= before.failedChecks + 1 &&
        (status.failedChecks <= before.failedChecks || failedEnough(analysisOf(before), spec) === undefined),
      () => `${status.failedChecks} failed checks of ${spec.analysis.threshold}`,
    );
    this.inARow(status, tick);
    if (status.failedChecks > before.failedChecks) {
      const { elapsedMs } = this.world;
      const sinceMs = elapsedMs - this.countedMs;
      hold('once an interval', sinceMs >= spec.analysis.intervalMs, () => `${sinceMs} ms after the one before`);
      this.countedMs = elapsedMs;
    }
    this.phases(before.phase, status.phase, tick.content);
    if (tick.done.some(({ kind }) => kind === 'begin-release')) {
      delete this.release?.before;
      const { failedChecks, iterations } = status;
      hold('fresh start', failedChecks === 0 && iterations === 0, () => `${failedChecks} failed, ${iterations} rounds`);
    }
    // Without a target, or with only its finalizer to settle, a tick looks at nothing else.
    const isWhole =
      tick.content !== undefined && !tick.done.some((one) => one.kind === 'write' && one.object.kind === 'Canary');
    if (isFresh && isWhole) {
      this.deadCanary(status, tick);
      this.overdue(status, tick);
      this.aborted(status, tick);
      this.judgedUsers(status, tick);
      if (!spec.suspend) holdAwake(status, this.world);
      const isSteps = spec.analysis.strategy.kind === 'canary' && running.includes(status.phase);
      hold(
        'status tells the truth',
        !isSteps || spec.suspend || status.canaryWeight === this.world.weight,
        () => `the status says ${status.canaryWeight}, the routes say ${this.world.weight}`,
      );
    }
    if (this.release && isFresh && status.sessionAffinityCookie !== undefined)
      this.release.cookie = status.sessionAffinityCookie;
    // Routes that vanished were made anew with all users at home: who is sent back after that comes with another one.
    if (this.release && isFresh && this.world.weight === 0) delete this.release.cookie;
    holdTrue(tick, status, this.world);
  }

  private route({ split, cookies }: Extract<Effect, { kind: 'set-route' }>, tick: Watched): void {
    const { canaryWeight } = split;
    hold(
      'whole percent',
      Number.isInteger(canaryWeight) && canaryWeight >= 0 && canaryWeight <= 100,
      () => `the canary gets ${canaryWeight}`,
    );
    this.led = canaryWeight;
    if (tick.isFresh) this.traffic(canaryWeight);
    if (tick.isFresh && canaryWeight > this.world.weight) this.step(canaryWeight, tick);
    const { release, world } = this;
    if (!release) return;
    // Who was not seen has come back without a cookie.
    if (!tick.isFresh || world.weight === 0) delete release.cookie;
    const wanted = release.cookie;
    if (canaryWeight > 0 && wanted !== undefined)
      hold('same cookie', cookies?.current === wanted, () => `${wanted} became ${cookies?.current}`);
    // Whoever is sent back after all were taken home comes with another one.
    if (canaryWeight === 0) delete release.cookie;
  }

  private traffic(canaryWeight: number): void {
    const [canary, primary] = [this.world.serves('target'), this.world.serves('primary')];
    hold('pods that answer', canaryWeight === 0 || canary || !primary, () => `${canaryWeight} to a dead canary`);
    hold(
      'pods that answer',
      canaryWeight === 100 || primary || !canary,
      () => `${100 - canaryWeight} to a dead primary`,
    );
  }

  private step(canaryWeight: number, { spec, before, asks, content }: Watched): void {
    const { strategy } = spec.analysis;
    const isJudged = before.phase === 'Progressing' || before.phase === 'WaitingPromotion';
    const isHeld = isJudged && asks.has('hold') && content === this.release?.content && this.world.serves('primary');
    hold('held', !isHeld, () => `from ${this.world.weight} to ${canaryWeight} although somebody holds it`);
    if (asks.has('promote') && canaryWeight === 100) return;
    if (strategy.kind !== 'canary' || before.phase === 'Promoting' || before.phase === 'Finalising') return;
    if (canaryWeight === 100 && !this.world.serves('primary')) return;
    const { weight } = this.world;
    const step = strategy.steps.find((one) => one > weight) ?? strategy.maxWeight;
    hold('step by step', canaryWeight === step, () => `from ${weight} to ${canaryWeight}, not ${step}`);
  }

  private toZero({ isFresh }: Watched): void {
    const { world } = this;
    if (isFresh) this.isRerouted = false;
    // What somebody else did to the routes a moment ago cannot be known yet.
    if (this.isRerouted) return;
    hold('pods with users', world.weight === 0, () => `${world.weight} percent are on it`);
    if (isFresh && wantedNow(world) > 0)
      hold('last pods', world.serves('primary') || !world.serves('target'), () => 'the primary does not answer');
  }

  /** A ScaledObject that is paused takes the pods. */
  private scaler(object: KubeObject, tick: Watched): void {
    if (sideOf(object) === 'target' && isKeptAtZero(object) && !isKeptAtZero(this.world.objects.scaler))
      this.toZero(tick);
  }

  private write(object: KubeObject, over: KubeObject | undefined, tick: Watched): void {
    const { world } = this;
    const { name } = object.metadata;
    if (object.kind === 'Canary') return;
    if (isKnative(object)) return this.pin(object, tick);
    if (name === 'app' && object.kind === 'Service') {
      const weight = leadsTo(object) === 'app' ? 100 : 0;
      if (world.isPlain) this.led = weight;
      const isMove = world.isPlain && world.objects.services.apex !== undefined && weight !== world.weight;
      if (isMove && tick.isFresh && before(tick) !== 'Initializing') this.traffic(weight);
      return;
    }
    if (name !== 'app-primary' || (object.kind === 'Service') !== (world.kind === 'Service')) return;
    const content = object.kind === 'Service' ? leadsTo(object) : `app:${versionOf(object)} text ${world.objects.copy}`;
    // A change of one that has gone meanwhile is refused.
    const isRefused = over !== undefined && world.content('primary') === undefined;
    if (isRefused || content === world.content('primary')) return;
    this.primary(content, tick);
  }

  private pin(object: KubeObject, tick: Watched): void {
    const { knative } = this.world.objects;
    const version = knative && pinnedVersion(knative, object);
    const content = version === undefined ? undefined : `app:${version}`;
    if (content !== undefined && content !== this.world.content('primary')) this.primary(content, tick);
  }

  private primary(
    content: string | undefined,
    { before: { phase, failedChecks }, spec, isGood, asks, done }: Watched,
  ): void {
    if (phase === '' || phase === 'Initializing')
      return hold('judged first', !this.world.serves('primary'), () => 'a primary that serves is overwritten at first');
    if (!running.includes(phase))
      return hold(
        'judged first',
        content === this.promoted,
        () => `${content} is not what was promoted, ${this.promoted}`,
      );
    const { release } = this;
    const judged = [release?.content, release?.before?.content];
    hold('judged first', judged.includes(content), () => `${content} is written, ${release?.content} was judged`);
    hold('judged first', release?.verdict !== 'rolled-back', () => `${content} was rolled back`);
    if (phase === 'Promoting' || phase === 'Finalising') return;
    const isBegun = done.some(({ kind }) => kind === 'begin-release');
    hold('held', isBegun || !asks.has('hold'), () => `${content} is promoted although somebody holds it`);
    if (spec.skipAnalysis) return;
    hold(
      'judged first',
      isGood || asks.has('promote'),
      () => `${content} is promoted in a tick that did not find it good`,
    );
    hold('judged first', failedChecks < spec.analysis.threshold, () => `${content} has failed ${failedChecks} checks`);
  }

  private copy({ before: { phase } }: Watched): void {
    if (phase === '' || phase === 'Initializing') return;
    const text = `text ${this.world.objects.config}`;
    const { release } = this;
    const judged = running.includes(phase) ? [release?.content, release?.before?.content] : [this.promoted];
    const isJudged = judged.some((content) => content?.endsWith(text));
    hold('copies judged', isJudged, () => `${text} is copied, ${judged.join(' or ')} was judged`);
  }

  private begin({ content }: Watched): void {
    hold('no retry by itself', content !== this.rejected, () => `${content} was rolled back, and begins again`);
    const { release } = this;
    this.countedMs = Number.NEGATIVE_INFINITY;
    this.release = { content, ...(release ? { before: release.before ?? release } : {}) };
    delete release?.before;
  }

  private end(verdict: 'promoted' | 'rolled-back', { before: { phase }, done }: Watched): void {
    const { release } = this;
    if (!release) throw new Broken('one outcome', `${verdict}, and there is no release`);
    const { before = release } = release;
    hold(
      'one outcome',
      before.content === release.content,
      () => `${verdict}, and the release that is recorded is a newer one`,
    );
    hold('one outcome', (release.verdict ?? verdict) === verdict, () => `${release.verdict}, and then ${verdict}`);
    // Who comes to an end that stands already says nothing of it again.
    if (verdict === 'rolled-back' && release.verdict === undefined)
      hold(
        'failures alert',
        done.some((one) => one.kind === 'alert' && one.severity !== 'info'),
        () => 'nobody is told',
      );
    release.verdict = verdict;
    if (verdict === 'rolled-back') this.rejected = release.content;
    // A primary that did not come up may need them yet.
    if (verdict === 'rolled-back' && phase !== 'Progressing') this.world.isLeftUp = true;
    // After a failed promotion it is what the primary has, and is to have again if that gets lost.
    if (verdict === 'promoted' || phase === 'Promoting' || phase === 'Finalising') this.promoted = release.content;
  }

  private phases(from: Phase, to: Phase, content: string | undefined): void {
    if (from === to) return;
    if (to === 'Succeeded')
      hold('one outcome', this.release?.verdict === 'promoted', () => 'Succeeded without outcome');
    if (to === 'Failed') hold('one outcome', this.release?.verdict === 'rolled-back', () => 'Failed without outcome');
    if (running.includes(to)) hold('one outcome', this.release !== undefined, () => `${to} without a release`);
    if (to === 'Initialized') {
      const isFirst = from === '' || from === 'Initializing';
      // A cancelled release leaves the target at what the primary runs.
      this.promoted = isFirst ? this.world.content('primary') : content;
      this.release = undefined;
    }
  }

  /** In the ticks that look after users at all. */
  private deadCanary({ phase }: CanaryStatus, { spec, before, done }: Watched): void {
    const { world } = this;
    if (spec.suspend || phase === '' || phase === 'Initializing' || phase.startsWith('Terminat')) return;
    const moved = done.some((one) => one.kind === 'set-route' || (one.kind === 'write' && !isScaler(one.object)));
    hold(
      'dead canary left',
      world.weight === 0 || world.serves('target') || !world.serves('primary') || moved,
      () => `${world.weight} percent stay on it in ${before.phase}`,
    );
  }

  private judgedUsers({ phase }: CanaryStatus, { spec, before, content, isFirst, done }: Watched): void {
    const { world, release, promoted } = this;
    // Whom the primary cannot take stay where somebody answers them.
    if (!world.serves('primary') || ['', 'Initializing', 'Terminating', 'Terminated'].includes(phase))
      this.led = world.weight;
    else {
      // The apex Service of a plain canary may stand there already, by somebody else's hand.
      const isToldToAll = done.some(
        (one) => one.kind === 'event' && one.event.message === 'Routing all traffic to canary',
      );
      // A step whose status was lost with the agent is believed, and one that somebody took meanwhile with it.
      const isTaken = isFirst && world.weight === nextOf(spec, before);
      this.led = isToldToAll || isTaken ? world.weight : Math.min(this.led, world.weight);
      // Pods that run keep a config that is deleted.
      const [version = '', isWhole] = [content?.replace(/ text 0$/, ''), !content?.endsWith(' text 0')];
      const isKnown = [release?.content, promoted, world.content('primary')].some((known) =>
        isWhole ? known === content : known?.startsWith(`${version} `),
      );
      // `-canary` of a Service still leads to the version that its users were given, and one that somebody has turned to others.
      const isElsewhere =
        world.kind === 'Service' || (!world.isPlain && leadsTo(world.objects.services.canary) !== 'app');
      hold(
        'users judged',
        world.weight === 0 || isKnown || (isElsewhere && world.kind !== 'Knative'),
        () => `${world.weight} percent are with ${content}, ${release?.content} is judged`,
      );
      const isHeldTo = running.includes(phase) && !spec.suspend;
      hold(
        'weight judged',
        !isHeldTo || world.weight <= this.led,
        () => `it was given ${this.led}, and keeps ${world.weight}`,
      );
    }
  }

  /** Failed checks in a row are never more than all, and one more only where there is one more. */
  private inARow(status: CanaryStatus, { before, spec }: Watched): void {
    const [now, then] = [status, before].map((one) => analysisOf(one).consecutive ?? 0) as [number, number];
    const counted = status.failedChecks - before.failedChecks;
    const isOfTheSame = status.lastAppliedSpec === before.lastAppliedSpec && counted >= 0;
    hold(
      'failed checks end it',
      now <= status.failedChecks &&
        (!isOfTheSame || now === 0 || now === then + (spec.analysis.consecutive === undefined ? 0 : counted)),
      () => `${now} failed checks in a row, ${then} before, ${counted} counted`,
    );
  }

  /** Whoever wants it back gets it back in this tick. */
  private aborted({ phase }: CanaryStatus, { spec, asks, content, before, done }: Watched): void {
    // A newer version has taken its place in this tick.
    if (done.some(({ kind }) => kind === 'begin-release')) return;
    if (spec.suspend || !asks.has('abort') || content !== this.release?.content) return;
    const isEnded = phase === 'Failed' || phase === 'Terminating' || phase === 'Initialized';
    hold('aborted', isEnded, () => `it goes from ${before.phase} to ${phase} although somebody wants it back`);
  }

  /** Threshold reached: whatever gates, metrics and notifiers say, it goes home in this tick. */
  private overdue({ phase, failedChecks }: CanaryStatus, { spec, before, content }: Watched): void {
    if (spec.suspend || (before.phase !== 'Progressing' && before.phase !== 'WaitingPromotion')) return;
    if (failedEnough(analysisOf(before), spec) === undefined || failedChecks < before.failedChecks) return;
    hold(
      'rollback is not blocked',
      // Who is deleted hands everything back instead.
      phase === 'Failed' ||
        phase === 'Terminating' ||
        !this.world.serves('primary') ||
        content !== this.release?.content,
      () => `it stays in ${phase}`,
    );
  }
}

function before({ before: { phase } }: Watched): Phase {
  return phase === '' ? 'Initializing' : phase;
}

/** What a look that finds nothing wrong gives the canary. */
function nextOf({ analysis: { strategy } }: CanarySpec, { canaryWeight }: CanaryStatus): number {
  return strategy.kind === 'canary' ? nextWeight(strategy, canaryWeight) : 100;
}

function wantedNow({ objects: { target } }: World): number {
  return target ? wantedOf(target) : 0;
}

function countsPods(effect: Effect): boolean {
  return (
    effect.kind === 'scale-target' ||
    (effect.kind === 'write' && isScaler(effect.object) && sideOf(effect.object) === 'target')
  );
}

import type { Answer, Effect, Question } from '../../src/canary/types.ts';
import { describeMoment, type HookType, type Metrics, type Moment, randomMoments } from './happenings.ts';
import { Broken, hold } from './invariants.ts';
import { createRandom } from './random.ts';
import { randomSetting, type Setting } from './settings.ts';
import { holdAtRest, holdHandedBack } from './scaling-watch.ts';
import { type Decide, Shell, type Told } from './shell.ts';
import { Watch } from './watch.ts';
import { World } from './world.ts';

/** Everything that will happen; playing it leaves nothing to chance. */
export interface Plan {
  readonly setting: Setting;
  readonly moments: readonly Moment[];
  /** What the metrics say when everything else has come to rest. */
  readonly atLast: Metrics;
  /** The version that never answers goes on so. */
  readonly staysBroken: boolean;
}

/** One tick, as it is told when its history broke something. */
export interface Line {
  readonly atMs: number;
  readonly moment: string;
  readonly told: Told;
  readonly phase: string;
  readonly weight: number;
}

const intervalMs = 10_000;
/** Longer than any strategy with all its deadlines. */
const patienceTicks = 60;
const resting = ['Initialized', 'Succeeded', 'Failed'];

export function planOf(seed: number): Plan {
  const random = createRandom(seed);
  const setting = randomSetting(random);
  return {
    setting,
    moments: randomMoments(random, setting),
    atLast: random.pick(['good', 'good', 'good', 'bad', 'silent', 'unreachable']),
    staysBroken: random.chance(0.25),
  };
}

export interface PlayOptions {
  /** Hears of every tick. */
  readonly onTick?: (line: Line) => void;
  /** Another core than ours. */
  readonly decide?: Decide;
}

/** Throws Broken. */
export function play(plan: Plan, options: PlayOptions = {}): void {
  new History(plan, options).play();
}

class History {
  private readonly plan: Plan;
  private readonly onTick: PlayOptions['onTick'];
  private readonly world: World;
  private readonly watch: Watch;
  private readonly shell: Shell;
  private metrics: Metrics = 'good';
  /** Statuses of both sides when the last tick looked. */
  private found = '';
  private isCalm = false;
  /** Users were on the target when somebody scaled it to nothing: who ends an app that way means it. */
  private isEndedByHand = false;
  private readonly hooks: Partial<Record<HookType, boolean>> = {};

  constructor(plan: Plan, { onTick, decide }: PlayOptions) {
    this.plan = plan;
    this.onTick = onTick;
    this.world = new World(plan.setting);
    this.watch = new Watch(this.world);
    this.shell = new Shell(this.world, this.watch, (question) => this.answer(question), decide);
  }

  play(): void {
    for (let index = 0; index < 3; index += 1) this.tick();
    for (const moment of this.plan.moments) {
      if (this.world.isGone) return;
      this.happen(moment);
      if (this.world.isGone) return;
      this.tick(moment);
    }
    this.calm();
  }

  private happen({ happening }: Moment): void {
    const { world } = this;
    if (happening.kind === 'metrics') this.metrics = happening.are;
    else if (happening.kind === 'asked') world.ask(happening.act, happening.isOld ? 'release-0' : this.shell.underWay);
    else if (happening.kind === 'hook') this.hooks[happening.type] = happening.passes;
    else {
      if (['push', 'config', 'lost'].includes(happening.kind)) this.watch.changed();
      if (['route', 'service'].includes(happening.kind)) this.watch.rerouted();
      if (happening.kind === 'scale' && happening.of === 'target')
        this.isEndedByHand = happening.replicas === 0 && this.shell.status.phase === 'Terminated';
      world.happen(happening);
    }
  }

  private tick(moment?: Moment): Told {
    const { world, shell } = this;
    world.pass(moment?.happening.kind === 'woken' ? moment.happening.afterMs : intervalMs);
    if (this.isCalm) {
      const { primary, target } = world.see();
      this.found = JSON.stringify([primary?.['status'], target?.['status']]);
    }
    const line = (told: Told): Line => ({
      atMs: world.nowMs,
      moment: moment ? describeMoment(moment) : '',
      told,
      phase: shell.status.phase,
      weight: world.weight,
    });
    try {
      const told = shell.tick(moment?.trouble ?? {});
      this.onTick?.(line(told));
      // What was made a moment ago may not be seen yet.
      if (world.isGone && !moment?.trouble.isStale) this.handedBack();
      return told;
    } catch (error) {
      if (error instanceof Broken) this.onTick?.(line({ decision: undefined, done: [], asked: [] }));
      throw error;
    }
  }

  /** Everything works again and nobody interferes: it has to come to rest, and rest. */
  private calm(): void {
    const { world, plan } = this;
    for (const type of Object.keys(this.hooks) as HookType[]) this.hooks[type] = type !== 'rollback';
    this.metrics = plan.atLast;
    world.calm(plan.staysBroken);
    world.ask(undefined, '');
    this.isCalm = true;
    this.watch.changed();
    let quiet = 0;
    let served = '';
    for (let ticks = 0; quiet < 3; ticks += 1) {
      if (world.isGone) return;
      if (this.isStuckForGood(ticks)) return;
      hold(
        'it ends',
        ticks < patienceTicks,
        () => `after ${ticks} ticks it is ${this.shell.status.phase}, and not quiet`,
      );
      const { decision } = this.tick();
      // Pods that have come or gone meanwhile are a reason to stir.
      if (this.found !== served) quiet = 0;
      served = this.found;
      const isAtRest = resting.includes(this.shell.status.phase) && decision !== undefined;
      const isQuiet = isAtRest && decision.effects.every((effect) => this.isComplaint(effect)) && !decision.status;
      hold(
        'silence at rest',
        isQuiet || quiet === 0,
        () => `it stirs again: ${decision?.effects.map(({ kind }) => kind).join(', ')}`,
      );
      quiet = isQuiet ? quiet + 1 : 0;
    }
    this.rested();
  }

  private rested(): void {
    const { world, plan } = this;
    const { phase } = this.shell.status;
    hold('it ends', resting.includes(phase), () => `it rests in ${phase}`);
    // The version that failed is not taken for the one that is gone: a person has to choose.
    if (phase === 'Failed' && world.content('primary') === undefined) return;
    holdAtRest(world);
    const side = world.weight > 0 ? 'target' : 'primary';
    hold('it ends', world.serves(side) || !(world.serves('primary') || world.serves('target')), () => `nobody serves`);
    if (plan.atLast !== 'good' || plan.staysBroken) return;
    hold('right end', world.weight === 0 && world.serves('primary'), () => `weight ${world.weight}`);
    hold('right end', world.isPlain || world.objects.split?.mirror === false, () => 'still mirrored');
    const [wanted, runs] = [world.content('target'), world.content('primary')];
    hold('right end', phase === 'Failed' || wanted === runs, () => `${wanted} is wanted, ${runs} runs`);
  }

  private handedBack(): void {
    const { world } = this;
    // Without a target there is nothing to hand back, and a Service stays what it is.
    if (world.kind === 'Service' || !world.objects.target) return;
    const { apex } = world.objects.services;
    hold('handed back', apex !== undefined || !world.hadApex, () => 'the apex Service went with the Canary');
    hold('handed back', world.hasPods || this.isEndedByHand, () => 'the target has no pods');
    holdHandedBack(world);
  }

  /** A primary that is gone and cannot be made again is a reason to go on telling. */
  private isComplaint({ kind }: Effect): boolean {
    return kind === 'event' && this.world.content('primary') === undefined;
  }

  /** With a target that never answers, a Canary stays with the primary that does, and says so, until somebody mends one of them. */
  private isStuckForGood(ticks: number): boolean {
    const { world, shell, plan } = this;
    if (ticks < patienceTicks) return false;
    // A Revision that is not ready is waited for without a deadline.
    if (world.kind === 'Knative' && !world.serves('target')) return plan.staysBroken && world.weight === 0;
    if (shell.status.phase !== 'Terminating') return false;
    return world.serves('primary') && plan.staysBroken;
  }

  private answer(question: Question): Answer {
    switch (question.kind) {
      case 'hook': {
        const { type } = question.hook;
        const passes = this.hooks[type as HookType] ?? type !== 'rollback';
        return passes ? { kind: 'passed' } : { kind: 'rejected', reason: 'closed' };
      }
      case 'metrics-online':
        return { kind: 'value', value: 1 };
      case 'pods':
        return { kind: 'pods' };
      case 'endpoints':
        return { kind: 'endpoints' };
      case 'metric':
        return sampleOf(this.metrics);
    }
  }
}

function sampleOf(metrics: Metrics): Answer {
  switch (metrics) {
    case 'good':
      return { kind: 'value', value: 100 };
    case 'bad':
      return { kind: 'value', value: 42 };
    case 'silent':
      return { kind: 'no-data', cause: 'noSeries', reason: 'no values found' };
    case 'idle':
      return { kind: 'no-data', cause: 'noTraffic', reason: 'no values found' };
    case 'unreachable':
      return { kind: 'unreachable', text: 'connection refused' };
    case 'invalid':
      return { kind: 'invalid', text: 'the query is wrong' };
  }
}

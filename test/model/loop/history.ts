import { AgentError } from '../../../src/lib/errors.ts';
import type { Json } from '../../../src/lib/json.ts';
import { Broken } from '../invariants.ts';
import { createRandom } from '../random.ts';
import { broken, half, type Happening, type Moment, type Plan, randomPlan } from './happenings.ts';
import { allAtOnce, type Faults, Stage } from './stage.ts';
import { hold, holdAtRest, isLeftBehind, phaseOf, resting, Watch } from './watch.ts';

export const planOf = (seed: number): Plan => randomPlan(createRandom(seed));

export interface PlayOptions {
  /** Hears of every moment, and of what the agent said since. */
  readonly onMoment?: (line: string) => void;
  readonly faulty?: Faults;
}

/** Longer than any release with all its deadlines, and the one that takes it back. */
const patienceMs = 1_500_000;
const calmMs = 90_000;

/** Plays a history on the real loop. Gives what it broke; undefined: nothing. */
export async function play(plan: Plan, options: PlayOptions = {}): Promise<Broken | undefined> {
  const history = new History(plan, options);
  try {
    await history.play();
    return history.broken;
  } catch (error) {
    if (error instanceof Broken) return history.broken ?? error;
    throw error;
  } finally {
    history.stage.kill();
  }
}

class History {
  readonly stage: Stage;
  /** The first that was found amid a write: whoever wrote may have caught it. */
  broken: Broken | undefined;
  private readonly plan: Plan;
  private readonly watch: Watch;
  private readonly onMoment: PlayOptions['onMoment'];
  private refusals = 0;
  /** When a write was refused last. */
  private refusedMs = Number.NEGATIVE_INFINITY;
  private isStatusLost = false;
  private told = 0;
  /** Until when its views are behind what somebody has just done. */
  private staleUntilMs = 0;
  /** By how much its clock goes wrong. */
  private skewMs = 0;

  constructor(plan: Plan, { faulty, onMoment }: PlayOptions) {
    const { spec, replicas, podStartMs, isRecreated } = plan.setting;
    this.plan = plan;
    this.onMoment = onMoment;
    this.stage = new Stage({ spec, replicas, podStartMs, isRecreated, ...(faulty ? { faulty } : {}) });
    this.watch = new Watch(this.stage);
    const { onWritten, onOutcome, onMeasured } = this.stage;
    this.stage.onWritten = (written) => this.guard(() => onWritten(written));
    this.stage.onOutcome = (outcome) => this.guard(() => onOutcome(outcome));
    this.stage.onMeasured = (what) => this.guard(() => onMeasured(what));
    this.stage.cluster.onRequest = (_ref, manager) => this.request(manager);
  }

  async play(): Promise<void> {
    const { stage, plan } = this;
    stage.pods.health(`app:${broken}`, 'broken');
    stage.pods.health(`app:${half}`, 'half');
    stage.closed.add('rollback');
    stage.foreignSecret(0);
    stage.push({});
    stage.start();
    await stage.run(90_000);
    hold('it ends', stage.status.phase === 'Initialized', () => `it is ${stage.status.phase} at first`);
    if (plan.setting.isAutoscaled) stage.needs(2);
    for (const moment of plan.moments) {
      this.happen(moment.happening);
      this.watch.happened(moment.happening);
      await this.pass(moment.thenMs);
      // Long enough for the agent to see it and to act.
      const isAble = this.refusals === 0 && !this.isStatusLost && stage.clock.elapsed() - this.refusedMs > 15_000;
      if (moment.thenMs >= 3_000 && isAble) this.watch.stands(moment.happening);
      this.tell(moment);
    }
    this.calm();
    await (plan.isDeleted ? this.leave() : this.rest());
  }

  private async pass(ms: number): Promise<void> {
    const { stage } = this;
    await stage.run(ms);
    if (this.broken) throw this.broken;
  }

  private happen(happening: Happening): void {
    const { stage } = this;
    switch (happening.kind) {
      case 'nothing':
        return;
      case 'push':
        stage.goes(happening.course);
        stage.push(happening.says);
        return stage.wakeSync();
      case 'foreign Secret':
        return stage.foreignSecret(happening.password);
      case 'restart':
        return stage.edit('Deployment', 'app', (object) => {
          const spec = object['spec'] as Json;
          const template = spec['template'] as { metadata: Json };
          const metadata = { ...template.metadata, annotations: { restartedAt: `${happening.number}` } };
          return { ...object, spec: { ...spec, template: { ...template, metadata } } };
        });
      case 'metrics':
        stage.metrics = happening.are;
        return;
      case 'hook':
        if (happening.isClosed) stage.closed.add(happening.name);
        else stage.closed.delete(happening.name);
        return;
      case 'pods':
        return stage.pods.down(happening.of, happening.are === 'down');
      case 'scale':
        // Its pods answer for a moment longer than anybody counts on them.
        if (happening.of === 'app' && happening.replicas === 0) this.stale(2_900);
        return stage.edit('Deployment', happening.of, (object) => ({
          ...object,
          spec: { ...(object['spec'] as Json), replicas: happening.replicas },
        }));
      case 'load':
        return this.plan.setting.isAutoscaled ? stage.needs(happening.needs) : undefined;
      case 'spec':
        return this.edit(happening.change);
      case 'refusals':
        this.refusals = happening.writes;
        return;
      case 'lost status':
        this.isStatusLost = true;
        return;
      case 'death':
        stage.kill();
        stage.clock.after(happening.awayMs, () => this.revive());
        return;
      case 'silent watches':
        stage.cluster.freeze(true);
        stage.clock.after(happening.forMs, () => stage.cluster.freeze(false));
        // What was decided before they speak again is done a moment later.
        return this.stale(happening.forMs + 2_900);
      case 'weight':
        // Whoever is about to take pods away has looked before.
        this.stale(2_900);
        return this.reroute(happening.is);
      case 'slow metrics':
        stage.metricsLateMs = happening.byMs;
        return;
      case 'clock':
        this.skewMs += happening.byMs;
        return stage.clock.set(happening.byMs);
      case 'note':
        return stage.edit('Canary', 'app', (canary) => ({
          ...canary,
          metadata: {
            ...canary.metadata,
            annotations: { ...canary.metadata.annotations, note: `${happening.number}` },
          },
        }));
      case 'Git':
        return stage.silenceGit(happening.isSilent);
      case 'neighbour':
        // Whoever is about to write a copy has looked before.
        this.stale(2_900);
        return stage.neighbour(happening.reads);
    }
  }

  /** As `kubectl edit` does it: both shares. */
  private reroute(weight: number): void {
    this.stage.edit('VirtualService', 'app', (object) => {
      const text = JSON.stringify(object, (_name, member: unknown) => {
        const { destination } = (member ?? {}) as { readonly destination?: { readonly host?: string } };
        if (destination?.host === 'app-canary') return { ...(member as object), weight };
        if (destination?.host === 'app-primary') return { ...(member as object), weight: 100 - weight };
        return member;
      });
      return JSON.parse(text) as typeof object;
    });
  }

  private revive(): void {
    if (!this.stage.isRunning) this.stage.start();
  }

  /** The longest of those that follow each other counts. */
  private stale(forMs: number): void {
    const { clock } = this.stage;
    this.watch.isFresh = false;
    this.staleUntilMs = Math.max(this.staleUntilMs, clock.elapsed() + forMs);
    clock.after(forMs, () => (this.watch.isFresh ||= clock.elapsed() >= this.staleUntilMs));
  }

  private edit(change: Json): void {
    this.stage.edit('Canary', 'app', (canary) => ({ ...canary, spec: { ...(canary['spec'] as Json), ...change } }));
  }

  private request(manager: string): void {
    if (this.refusals > 0) {
      this.refusals -= 1;
      this.refusedMs = this.stage.clock.elapsed();
      throw new AgentError('CLUSTER_UNREACHABLE', 'the API server is away');
    }
    if (this.isStatusLost && manager === 'serin-canary' && this.stage.canary?.['status'] !== undefined) {
      this.isStatusLost = false;
      this.refusedMs = this.stage.clock.elapsed();
      throw new AgentError('CLUSTER_UNREACHABLE', 'the API server is away');
    }
  }

  /** Everything works again and nobody interferes. */
  private calm(): void {
    const { stage } = this;
    stage.metrics = 'good';
    stage.closed.clear();
    stage.closed.add('rollback');
    for (const name of ['app', 'app-primary']) stage.pods.down(name, false);
    // Who has taken all pods of a primary by hand gives them back.
    stage.edit('Deployment', 'app-primary', (object) => {
      const spec = object['spec'] as Json;
      return spec['replicas'] === 0 ? { ...object, spec: { ...spec, replicas: 1 } } : object;
    });
    this.edit({ suspend: false, skipAnalysis: false, progressDeadlineSeconds: 60 });
    stage.metricsLateMs = 0;
    // Deadlines are told by the cluster's times.
    stage.clock.set(-this.skewMs);
    this.refusals = 0;
    this.isStatusLost = false;
    this.revive();
    stage.cluster.freeze(false);
    stage.goes(allAtOnce);
    stage.silenceGit(false);
  }

  /** The Canary goes when its target has as many pods as its primary, and users come to them. */
  private async leave(): Promise<void> {
    const { stage } = this;
    // Pods that were given back a moment ago are there by then.
    do await this.pass(calmMs / 2);
    while (stage.isSyncing);
    stage.cluster.drop({ apiVersion: 'flagger.app/v1beta1', kind: 'Canary', namespace: 'demo', name: 'app' });
    for (let passedMs = 0; stage.canary && passedMs < patienceMs / 2; passedMs += calmMs) await this.pass(calmMs);
    // Users stay with a primary that answers as long as not all pods of the target do.
    const { up, wanted } = stage.pods.fresh('app');
    const mayStay = up < wanted || wanted === 0;
    hold('handed back', mayStay || !stage.canary, () => 'it stays, although its target answers');
    this.tell(undefined);
  }

  private async rest(): Promise<void> {
    const { stage } = this;
    await this.untilQuiet();
    this.tell(undefined);
    if (isLeftBehind(stage)) {
      // What failed is not tried again by itself; it is no dead end either. Of a version whose pods answer in part nothing better can come.
      const { text, version } = stage.tip.says;
      stage.push({ text: text + 1, version: version === half ? 0 : version });
      await this.untilQuiet();
      this.tell(undefined);
    }
    holdAtRest(stage);
  }

  /** It has to come to rest, and to rest then. */
  private async untilQuiet(): Promise<void> {
    const { stage } = this;
    const commits = stage.commits.length;
    const changes = this.plan.moments.length + 8;
    const begun = (): number => stage.told.filter((text) => text.startsWith('New revision detected!')).length;
    for (let passedMs = 0; ; passedMs += calmMs) {
      const { writes } = this.watch;
      const { length } = stage.told;
      stage.wakeSync();
      await this.pass(calmMs);
      hold('it ends', passedMs < patienceMs, () => `it is ${stage.status.phase}, and not quiet`);
      const isQuiet = !stage.isSyncing && this.watch.writes === writes && stage.told.length === length;
      if (isQuiet && resting.includes(stage.status.phase)) break;
    }
    hold('it ends', begun() <= 3 * changes + stage.commits.length - commits, () => `it began ${begun()} times`);
  }

  private guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      this.broken ??= error;
    }
  }

  private tell(moment: Moment | undefined): void {
    if (!this.onMoment) return;
    const { stage } = this;
    const s = (stage.clock.elapsed() / 1_000).toFixed(1).padStart(7);
    const what = moment ? `${JSON.stringify(moment.happening)} and ${moment.thenMs / 1_000} s` : 'calm';
    this.onMoment(`${s} s  ${what}\n           ${phaseOf(stage.canary)} ${JSON.stringify(stage.routes)}`);
    for (const text of stage.told.slice(this.told)) this.onMoment(`             "${text}"`);
    this.told = stage.told.length;
  }
}

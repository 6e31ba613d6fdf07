import { decide } from '../../src/canary/decide.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import {
  type Answer,
  type CanarySpec,
  type CanaryStatus,
  type Decision,
  type DecideSettings,
  type Effect,
  type Evidence,
  type Question,
  questionKey,
} from '../../src/canary/types.ts';
import { isJudging } from '../../src/canary/cadence.ts';
import { lastFailedCheckOf } from '../../src/canary/evidence.ts';
import { type RequestName, requestsOf } from '../../src/canary/requests.ts';
import { isOf, type LastRelease, recordedOf } from '../../src/canary/recorded.ts';
import {
  afterAnswer,
  afterDecision,
  afterEffects,
  afterTick,
  beforeEffect,
  beginningOf,
  isLedOn,
  nothingRemembered,
  seenOfMemory,
  type TickMemory,
} from '../../src/canary/tick-memory.ts';
import { AgentError } from '../../src/lib/errors.ts';
import type { Trouble } from './happenings.ts';
import { hold } from './invariants.ts';
import type { Watch, Watched } from './watch.ts';
import { type Objects, Refused } from './objects.ts';
import type { World } from './world.ts';

const settings: DecideSettings = {
  selectorLabels: ['app', 'name', 'app.kubernetes.io/name'],
  includeLabelPrefix: [],
  configTracking: true,
};
const never: CanaryStatus = {
  phase: '',
  failedChecks: 0,
  canaryWeight: 0,
  iterations: 0,
  lastAppliedSpec: '',
  lastPromotedSpec: '',
};

/** Answers where `decide` looks for them, so that it has to look only once; `get` notes what it asked. */
class Answers extends Map<string, Answer> {
  readonly asked: Question[] = [];
  /** All that the release is judged by, by questionKey: also what a tick was told that came to no end, and that this one repeats. */
  readonly judging: Map<string, Answer>;
  private readonly begun: ReadonlyMap<string, Answer>;
  private readonly questions: ReadonlyMap<string, Question>;
  private readonly answer: (question: Question) => Answer;

  constructor(
    questions: ReadonlyMap<string, Question>,
    answer: (question: Question) => Answer,
    begun: ReadonlyMap<string, Answer> | undefined,
  ) {
    super();
    this.questions = questions;
    this.answer = answer;
    this.begun = begun ?? new Map();
    this.judging = new Map(begun);
  }

  override get(key: string): Answer | undefined {
    const known = this.begun.get(key);
    if (known) return known;
    const question = this.questions.get(key);
    if (!question) return undefined;
    this.asked.push(question);
    const answer = this.answer(question);
    if (isJudging(question)) this.judging.set(key, answer);
    return answer;
  }
}

interface ParsedCanary {
  readonly from: unknown;
  readonly spec: CanarySpec | undefined;
  readonly questions: ReadonlyMap<string, Question>;
}

export type Decide = typeof decide;

/** What a tick came to. */
export interface Told {
  readonly decision: Decision | undefined;
  readonly done: readonly Effect[];
  readonly asked: readonly Question[];
}

/** What stands around `decide` in the agent: remembers what the agent remembers, does what is decided, writes the status last. */
export class Shell {
  status: CanaryStatus = never;
  private memory: TickMemory = nothingRemembered;
  /** The record, and the evidence in it. */
  private release: LastRelease | undefined;
  private evidence: readonly Evidence[] = [];
  private releases = 0;
  private lastSeen: Objects;
  private understood: ParsedCanary = { from: undefined, spec: undefined, questions: new Map() };
  private readonly core: Decide;
  private readonly world: World;
  private readonly watch: Watch;
  private readonly answer: (question: Question) => Answer;

  constructor(world: World, watch: Watch, answer: (question: Question) => Answer, core: Decide = decide) {
    this.core = core;
    this.world = world;
    this.watch = watch;
    this.answer = answer;
    this.lastSeen = world.objects;
  }

  /** Id of the release that the status is of; empty: there is none. */
  get underWay(): string {
    const { judged, outcome } = this.release ?? {};
    return judged !== undefined && outcome === undefined && isOf(judged, this.status) ? `release-${this.releases}` : '';
  }

  tick(trouble: Trouble): Told {
    const { world } = this;
    const spec = this.understand();
    if (!spec) return { decision: undefined, done: [], asked: [] };
    const isStale = trouble.isStale === true && this.lastSeen !== world.objects;
    const objects = isStale ? this.lastSeen : world.objects;
    this.lastSeen = objects;
    const { elapsedMs } = world;
    const beginning = beginningOf(this.memory, spec.analysis.intervalMs, elapsedMs);
    const isRepeated =
      beginning.answers !== undefined && !isLedOn(this.memory, spec, this.status, world.see(objects).split);
    const answers = new Answers(this.understood.questions, this.answer, isRepeated ? beginning.answers : undefined);
    const decision = this.decide(spec, objects, answers, isRepeated ? undefined : beginning.leftMs);
    const { asked, judging } = answers;
    if (asked.some(isJudging)) this.memory = afterAnswer(this.memory, elapsedMs, isRepeated ? judging : undefined);
    this.memory = afterDecision(this.memory, decision, elapsedMs, { judging, isRepeated });
    const done: Effect[] = [];
    const isGood = this.isGood(asked, judging);
    const tick: Watched = {
      spec,
      before: this.status,
      isFresh: !isStale,
      isFirst: !this.memory.hasEnded,
      content: world.content('target', objects),
      isGood,
      asks: this.asks(),
      done,
    };
    if (decision.evidence && !isRepeated) this.evidence = [...this.evidence, decision.evidence];
    let isWhole = false;
    try {
      this.perform(decision, tick, trouble);
      isWhole = true;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    if (trouble.dies) {
      // A look that counted stands in the status.
      this.memory = { ...nothingRemembered, judged: isWhole ? this.memory.judged : undefined };
      // It begins with what stands.
      this.lastSeen = world.objects;
    }
    return { decision, done, asked };
  }

  /** What is asked of the release that the status is of. */
  private asks(): ReadonlySet<RequestName> {
    const { phase } = this.status;
    const isJudged = phase === 'Progressing' || phase === 'WaitingPromotion' || phase === 'Waiting';
    const meant = [...requestsOf(this.world.canary)].filter(
      ([, { release, isOver }]) => isJudged && release === this.underWay && !isOver,
    );
    return new Set(meant.map(([name]) => name));
  }

  private isGood(asked: readonly Question[], judging: ReadonlyMap<string, Answer>): boolean {
    const told = [...judging].map(([key, answer]) => ({ question: this.understood.questions.get(key), answer }));
    return (
      told.some(({ question }) => question?.kind === 'metric') &&
      told.every(({ question, answer }) => question !== undefined && isGoodAnswer(question, answer)) &&
      asked.every((question) => isGoodAnswer(question, this.answer(question)))
    );
  }

  private perform(decision: Decision, tick: Watched, { failsAt, losesStatus }: Trouble): void {
    for (const [index, effect] of decision.effects.entries()) {
      if (index === failsAt) throw new Refused('the API server is away');
      this.watch.effect(effect, tick);
      const before = this.world.objects;
      this.memory = beforeEffect(this.memory, effect);
      this.world.apply(effect);
      this.lastSeen = withOwnWrite(this.lastSeen, before, this.world.objects);
      tick.done.push(effect);
      this.note(effect);
    }
    this.memory = afterEffects(this.memory, tick.spec);
    if (losesStatus) throw new Refused('the status could not be written');
    this.status = decision.status ?? this.status;
    this.memory = afterTick(this.memory, decision, this.world.elapsedMs);
    tick.done.push(...decision.afterwards);
    this.watch.after(this.status, tick);
  }

  private note(effect: Effect): void {
    if (effect.kind === 'begin-release') {
      const { templateHash, configs } = effect;
      this.evidence = [];
      this.release = { judged: { templateHash, configs } };
      this.releases += 1;
    }
    if (effect.kind !== 'end-release' || this.release?.outcome) return;
    const { lastAppliedSpec, trackedConfigs = {} } = this.status;
    const state = { templateHash: lastAppliedSpec, configs: trackedConfigs };
    this.release = { ...this.release, outcome: { verdict: effect.verdict, atMs: this.world.nowMs, state } };
  }

  private decide(spec: CanarySpec, objects: Objects, answers: Answers, restMs: number | undefined): Decision {
    const { status } = this;
    const lastFailedCheck = lastFailedCheckOf(this.evidence);
    const recorded = recordedOf(this.release, status);
    const seen = {
      ...this.world.see(objects),
      ...seenOfMemory(this.memory),
      ...(restMs === undefined ? {} : { restMs }),
      answers,
      underWay: this.underWay,
      ...(lastFailedCheck === undefined ? {} : { lastFailedCheck }),
      ...(recorded === undefined ? {} : { recorded }),
    };
    const step = this.core(spec, status, seen, settings);
    if (step.kind === 'done') {
      const keys = answers.asked.map(questionKey);
      hold('asks once', new Set(keys).size === keys.length, () => keys.join(', '));
      return step.decision;
    }
    hold('asks once', false, () => `${questionKey(step.question)} is unknown`);
    throw new Error('not reached');
  }

  /** Undefined: the agent complains and leaves everything as it is. */
  private understand(): CanarySpec | undefined {
    const from = this.world.canary['spec'];
    if (this.understood.from === from) return this.understood.spec;
    this.understood = { from, ...understand(this.world) };
    return this.understood.spec;
  }
}

/** The agent knows what it wrote, however far behind its watches are. */
function withOwnWrite(seen: Objects, before: Objects, after: Objects): Objects {
  const { services } = after;
  const own = { ...seen.services };
  for (const role of ['apex', 'primary', 'canary'] as const)
    if (services[role] !== before.services[role]) own[role] = services[role];
  return {
    ...seen,
    services: own,
    ...(after.target === before.target ? {} : { target: after.target }),
    ...(after.primary === before.primary ? {} : { primary: after.primary }),
    ...(after.targetService === before.targetService ? {} : { targetService: after.targetService }),
    ...(after.knative === before.knative ? {} : { knative: after.knative }),
    ...(after.scaler === before.scaler ? {} : { scaler: after.scaler }),
    ...(after.primaryScaler === before.primaryScaler ? {} : { primaryScaler: after.primaryScaler }),
    ...(after.split === before.split ? {} : { split: after.split }),
  };
}

function understand({ canary }: World): Omit<ParsedCanary, 'from'> {
  try {
    const spec = parseCanary(canary, { provider: 'istio', minIntervalMs: 10_000 });
    const { webhooks, metrics } = spec.analysis;
    const questions: Question[] = [
      ...webhooks.map((hook): Question => ({ kind: 'hook', hook, phase: '' })),
      ...metrics.map((metric): Question => ({ kind: 'metric', metric })),
      { kind: 'metrics-online' },
      { kind: 'endpoints', pods: 0 },
      ...(['primary', 'canary'] as const).flatMap((role) =>
        [true, false].map((isLast): Question => ({ kind: 'pods', role, isLast })),
      ),
    ];
    return { spec, questions: new Map(questions.map((question) => [questionKey(question), question])) };
  } catch (error) {
    if (error instanceof AgentError) return { spec: undefined, questions: new Map() };
    throw error;
  }
}

function isGoodAnswer(question: Question, answer: Answer): boolean {
  if (question.kind === 'metric') return answer.kind === 'value' ? answer.value >= 99 : answer.kind === 'no-data';
  return question.kind !== 'hook' || question.hook.type === 'rollback' || answer.kind === 'passed';
}

import { decide } from '../../src/canary/decide.ts';
import { parseCanary } from '../../src/canary/parse.ts';
import {
  type Answer,
  type CanarySpec,
  type CanaryStatus,
  type Decision,
  type DecideSettings,
  type Effect,
  type FailedCheck,
  type Question,
  questionKey,
} from '../../src/canary/types.ts';
import { AgentError } from '../../src/lib/errors.ts';
import { sameConfigs } from '../../src/canary/status.ts';
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
  private readonly questions: ReadonlyMap<string, Question>;
  private readonly answer: (question: Question) => Answer;

  constructor(questions: ReadonlyMap<string, Question>, answer: (question: Question) => Answer) {
    super();
    this.questions = questions;
    this.answer = answer;
  }

  override get(key: string): Answer | undefined {
    const question = this.questions.get(key);
    if (!question) return undefined;
    this.asked.push(question);
    return this.answer(question);
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
  private ledTo: number | undefined;
  private hasEnded = false;
  private judgedMs = Number.NEGATIVE_INFINITY;
  private lastFailedCheck: FailedCheck | undefined;
  private isSuspensionTold = false;
  private outcome:
    | { readonly hash: string; readonly configs: Readonly<Record<string, string>>; readonly verdict: string }
    | undefined;
  private begun: Pick<Extract<Effect, { kind: 'begin-release' }>, 'templateHash' | 'configs'> | undefined;
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

  tick(trouble: Trouble): Told {
    const { world } = this;
    const spec = this.understand();
    if (!spec) return { decision: undefined, done: [], asked: [] };
    const isStale = trouble.isStale === true && this.lastSeen !== world.objects;
    const objects = isStale ? this.lastSeen : world.objects;
    this.lastSeen = objects;
    const answers = new Answers(this.understood.questions, this.answer);
    const decision = this.decide(spec, objects, answers);
    const { asked } = answers;
    const done: Effect[] = [];
    const isGood =
      asked.some(({ kind }) => kind === 'metric') &&
      asked.every((question) => isGoodAnswer(question, this.answer(question)));
    const tick: Watched = {
      spec,
      before: this.status,
      isFresh: !isStale,
      isFirst: !this.hasEnded,
      content: world.content('target', objects),
      isGood,
      done,
    };
    const failed = decision.evidence?.checks.findLast(({ passed, inconclusive }) => !passed && inconclusive !== 'hold');
    if (failed) this.lastFailedCheck = { name: failed.name, found: failed.found };
    let isWhole = false;
    try {
      this.perform(decision, tick, trouble);
      isWhole = true;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    if (trouble.dies) {
      this.ledTo = undefined;
      this.hasEnded = false;
      // A look that counted stands in the status.
      if (!isWhole) this.judgedMs = Number.NEGATIVE_INFINITY;
      this.isSuspensionTold = false;
      // It begins with what stands.
      this.lastSeen = world.objects;
    }
    return { decision, done, asked };
  }

  private perform(decision: Decision, tick: Watched, { failsAt, losesStatus }: Trouble): void {
    if (decision.isJudged) this.judgedMs = this.world.elapsedMs;
    for (const [index, effect] of decision.effects.entries()) {
      if (index === failsAt) throw new Refused('the API server is away');
      this.watch.effect(effect, tick);
      const before = this.world.objects;
      if (effect.kind === 'set-route') this.ledTo = effect.split.canaryWeight;
      this.world.apply(effect);
      this.lastSeen = withOwnWrite(this.lastSeen, before, this.world.objects);
      tick.done.push(effect);
      this.note(effect);
    }
    this.isSuspensionTold = tick.spec.suspend;
    if (losesStatus) throw new Refused('the status could not be written');
    this.status = decision.status ?? this.status;
    this.ledTo = undefined;
    this.hasEnded = true;
    tick.done.push(...decision.afterwards);
    this.watch.after(this.status, tick);
  }

  private note(effect: Effect): void {
    if (effect.kind === 'begin-release') {
      this.lastFailedCheck = undefined;
      this.outcome = undefined;
      this.begun = effect;
      this.judgedMs = Number.NEGATIVE_INFINITY;
    }
    if (effect.kind !== 'end-release' || this.outcome) return;
    const { lastAppliedSpec, trackedConfigs = {} } = this.status;
    this.outcome = { hash: lastAppliedSpec, configs: trackedConfigs, verdict: effect.verdict };
  }

  private get isReplaced(): boolean {
    const { begun, outcome, status } = this;
    if (!begun || outcome) return false;
    return begun.templateHash !== status.lastAppliedSpec || !sameConfigs(begun.configs, status.trackedConfigs ?? {});
  }

  private decide(spec: CanarySpec, objects: Objects, answers: Answers): Decision {
    const { ledTo, hasEnded, lastFailedCheck, isSuspensionTold, outcome, status } = this;
    const isEnded =
      outcome?.hash === status.lastAppliedSpec && sameConfigs(outcome.configs, status.trackedConfigs ?? {});
    const restMs = this.judgedMs + spec.analysis.intervalMs - this.world.elapsedMs;
    const seen = {
      ...this.world.see(objects),
      ...(restMs > 0 ? { restMs } : {}),
      answers,
      ...(ledTo === undefined ? {} : { ledTo }),
      ...(hasEnded ? {} : { isFirstLook: true as const }),
      ...(lastFailedCheck === undefined ? {} : { lastFailedCheck }),
      ...(isSuspensionTold ? { isSuspensionTold } : {}),
      ...(isEnded && outcome?.verdict === 'rolled-back' ? { isRejected: true } : {}),
      ...(isEnded && outcome?.verdict === 'promoted' ? { isPromoted: true } : {}),
      ...(this.isReplaced ? { isReplaced: true } : {}),
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

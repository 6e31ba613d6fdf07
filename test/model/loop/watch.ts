import { isCopyName } from '../../../src/canary/config-copies.ts';
import { configRefsOf } from '../../../src/canary/configs.ts';
import type { ConfigKey } from '../../../src/canary/types.ts';
import type { Json } from '../../../src/lib/json.ts';
import { at, numberOf } from '../../../src/lib/json.ts';
import { parseStatus } from '../../../src/canary/status.ts';
import { templateHash } from '../../../src/canary/template-hash.ts';
import { sameJson } from '../../../src/lib/same-json.ts';
import type { KubeObject } from '../../../src/manifest/types.ts';
import type { Outcome } from '../../../src/release/types.ts';
import { canaryManager } from '../../../src/agent/effects/writes.ts';
import { Broken } from '../invariants.ts';
import { half, type Happening } from './happenings.ts';
import type { Written } from './memory-cluster.ts';
import { imageOf } from './pods.ts';
import { intervalMs, neighbour, type Stage } from './stage.ts';

/** What holds of every write of the agent, whatever happened before. The views that it decided by are as fresh as `isFresh` says. */
export class Watch {
  /** Its watches are silent, or somebody has just changed something: it cannot know better. */
  isFresh = true;
  /** Canaries wrote something since. */
  writes = 0;
  private readonly stage: Stage;
  private weight = 0;
  /** To which the agent itself has led users last. */
  private led = 0;
  /** When a metric was answered last, by time that really passes, and of which release. Undefined: nothing follows from it any more. */
  private answered: { readonly atMs: number; readonly release: string } | undefined;
  /** Something that is judged has changed since the primary was last written: its users leave the canary for whoever answers. */
  private isChanged = false;

  constructor(stage: Stage) {
    this.stage = stage;
    stage.onWritten = (written) => this.written(written);
    stage.onOutcome = (outcome) => this.ended(outcome);
    stage.onMeasured = (what) => this.measured(what);
  }

  /** What lets the next look come early, or is not known to the next agent. */
  happened({ kind }: Happening): void {
    if (kind === 'hook' || kind === 'death' || kind === 'refusals' || kind === 'lost status') this.answered = undefined;
  }

  private measured(what: 'asked' | 'answered' | 'given up'): void {
    const { stage, answered } = this;
    // What that look had asked before counts for nothing.
    if (what === 'given up') return void (this.answered = undefined);
    // At the start it is only asked whether anybody answers.
    if (!underAnalysis.includes(phaseOf(stage.canary))) return;
    const atMs = stage.clock.elapsed();
    const release = stage.record?.id ?? '';
    if (what === 'answered') this.answered = { atMs, release: `${release} ${stage.status.lastAppliedSpec}` };
    else if (answered?.release === `${release} ${stage.status.lastAppliedSpec}`) {
      const sinceMs = atMs - answered.atMs;
      // One look asks a second time where it found nothing.
      hold(
        'once an interval',
        sinceMs < 25 || sinceMs >= intervalMs - 25,
        () => `asked ${sinceMs} ms after the last answer`,
      );
    }
  }

  /** What holds some seconds after something has happened. */
  stands(happening: Happening): void {
    const { stage } = this;
    const target = stage.cluster.peek('Deployment', 'app');
    const isAble = stage.isRunning && this.isFresh && stage.pods.serving('app-primary') > 0;
    const cannotKnow = ['refusals', 'lost status', 'death', 'silent watches', 'push'].includes(happening.kind);
    if (!isAble || cannotKnow || !target || !stage.canary || stage.canary.metadata.deletionTimestamp !== undefined)
      return;
    const { weight } = stage.routes;
    const { lastAppliedSpec, phase, canaryWeight } = stage.status;
    const hash = templateHash(at(target, 'spec', 'template'));
    const primary = stage.cluster.peek('Deployment', 'app-primary');
    const isPromoted = imageOf(primary) === imageOf(target);
    hold(
      'users judged',
      weight === 0 || hash === lastAppliedSpec || isPromoted,
      () => `${weight} percent are with ${imageOf(target)}, which is not judged`,
    );
    const isStill =
      at(stage.canary, 'spec', 'suspend') === true || at(stage.canary, 'spec', 'progressDeadlineSeconds') !== 60;
    const isSteps = at(stage.canary, 'spec', 'analysis', 'iterations') === undefined;
    // What a look asks is answered before it writes.
    if (stage.metricsLateMs > 0 || isStill || !isSteps || !underAnalysis.includes(phase)) return;
    hold('weight judged', weight <= canaryWeight, () => `${weight} percent, and ${canaryWeight} was judged`);
  }

  private written({ before, after, manager }: Written): void {
    const { stage } = this;
    const object = after ?? before;
    if (!object) return;
    if (object.kind === 'Canary' && after === undefined) this.handedBack();
    if (manager !== canaryManager) {
      // What was found good was found of something else.
      if (isJudged(object) && !sameJson(contentOf(before), contentOf(after))) {
        stage.passed = 0;
        this.isChanged = true;
      }
      // A step of the agent begins where somebody has led users.
      if (object.kind === 'VirtualService') this.weight = stage.routes.weight;
      return;
    }
    this.writes += 1;
    if (object.kind === 'VirtualService') this.route();
    if (object.kind === 'Deployment' && after && before) this.workload(before, after);
    if (isConfig(object) && isCopyName(configKey(object))) this.copied(object, before, after);
  }

  private handedBack(): void {
    const { pods, cluster } = this.stage;
    const [target, primary] = [pods.fresh('app'), pods.fresh('app-primary')];
    const serving = pods.serving('app');
    hold('handed back', serving > 0 || pods.serving('app-primary') === 0, () => 'no pod of the target answers');
    const isEnough = target.wanted >= primary.wanted || pods.serving('app-primary') === 0;
    hold('handed back', isEnough, () => `${target.wanted} pods for the users of ${primary.wanted}`);
    const selector = at(cluster.peek('Service', 'app'), 'spec', 'selector', 'app');
    hold('handed back', selector === 'app', () => `users are led to ${String(selector)}`);
  }

  private route(): void {
    const { stage, weight: before, led } = this;
    const { weight } = stage.routes;
    this.weight = weight;
    this.led = weight;
    // What was found good was found of fewer users.
    if (weight > before) stage.passed = 0;
    // Routes that are given back lead to the apex Service, and that to the target.
    if (!this.isFresh || stage.canary?.metadata.deletionTimestamp !== undefined) return;
    const { pods } = stage;
    const [canary, primary] = [pods.serving('app'), pods.serving('app-primary')];
    hold('pods that answer', weight === 0 || canary > 0 || primary === 0, () => `${weight} to a dead canary`);
    hold('pods that answer', weight === 100 || primary > 0 || canary === 0, () => `${100 - weight} to a dead primary`);
    const phase = phaseOf(stage.canary);
    if (weight > before && primary > 0) {
      const { up, wanted } = pods.fresh('app');
      const needed = Math.floor((wanted * this.threshold('canary')) / 100);
      hold('pods that answer', up >= needed, () => `${weight} percent for a canary with ${up} of ${needed} pods`);
    }
    // From what nobody has judged they go home to whoever answers.
    const isJudged =
      templateHash(at(stage.cluster.peek('Deployment', 'app'), 'spec', 'template')) === stage.status.lastAppliedSpec;
    const isLed = phase === 'Promoting' && weight < led && weight === 0 && canary > 0;
    if (isLed && isJudged && !this.isChanged) {
      const { up, wanted } = pods.fresh('app-primary');
      const needed = Math.floor((wanted * this.threshold('primary')) / 100);
      hold('pods that answer', up >= needed, () => `all users for a primary with ${up} of ${needed} new pods`);
    }
  }

  private workload(before: KubeObject, after: KubeObject): void {
    const { stage } = this;
    const replicas = (object: KubeObject): unknown => at(object, 'spec', 'replicas');
    if (after.metadata.name === 'app') {
      const { weight, isMirrored } = stage.routes;
      const goes = replicas(before) !== 0 && replicas(after) === 0;
      hold('pods with users', !goes || !this.isFresh || weight === 0, () => `${weight} percent are on it`);
      hold('pods with users', !goes || !this.isFresh || !isMirrored, () => 'it is mirrored to');
      return;
    }
    if (sameJson(at(before, 'spec', 'template'), at(after, 'spec', 'template'))) return;
    if (this.isFresh) this.isChanged = false;
    this.promotes(`${imageOf(after)} is written to the primary`);
    if (imageOf(before) === imageOf(after)) return;
    const { record } = stage;
    const isRecorded =
      record && !record.outcome && record.judged?.templateHash === parseStatus(stage.canary ?? after).lastAppliedSpec;
    hold(
      'judged first',
      !isRecorded || record.images?.['app'] === imageOf(after),
      () => `${imageOf(after)}, not ${record?.images?.['app']}`,
    );
  }

  private copied(object: KubeObject, before: KubeObject | undefined, after: KubeObject | undefined): void {
    const { cluster } = this.stage;
    const isRead = this.isFresh && readBy(cluster.peek('Deployment', neighbour), object) && before !== undefined;
    hold(
      'copies judged',
      !isRead || sameJson(contentOf(before), contentOf(after)),
      () => `${object.kind} ${object.metadata.name} changes under another primary that reads it`,
    );
    this.promotes(`${object.kind} ${object.metadata.name} is written`);
  }

  private promotes(what: string): void {
    const { stage } = this;
    const phase = phaseOf(stage.canary);
    if (!['Progressing', 'WaitingPromotion'].includes(phase)) return;
    const isSkipped = at(stage.canary, 'spec', 'skipAnalysis') === true;
    hold('judged first', isSkipped || stage.passed > 0, () => `${what}, and nobody has found it good`);
  }

  private ended({ verdict, state, releaseId }: Outcome): void {
    const { stage } = this;
    const ids = stage.outcomes.map((outcome) => outcome.releaseId);
    hold('one outcome', new Set(ids).size === ids.length, () => `${releaseId} ends twice, ${verdict} at last`);
    const commit = stage.commits.find(({ apps }) => apps[0]?.content === state.content);
    hold('one outcome', commit !== undefined, () => `${verdict} of a content that no commit has`);
    if (!commit) return;
    hold('one outcome', state.images['app'] === `app:${commit.says.version}`, () => `${state.images['app']} is told`);
    if (verdict !== 'promoted' && verdict !== 'adopted') return;
    const image = imageOf(stage.cluster.peek('Deployment', 'app-primary'));
    hold('one outcome', image === state.images['app'], () => `${verdict}: ${state.images['app']}, and ${image} runs`);
    const text = at(stage.copyOf('ConfigMap', 'config'), 'data', 'text');
    hold(
      'one outcome',
      text === `${commit.says.text}`,
      () => `${verdict}: text ${commit.says.text}, and ${String(text)} runs`,
    );
  }

  private threshold(role: 'primary' | 'canary'): number {
    return numberOf(at(this.stage.canary, 'spec', 'analysis', `${role}ReadyThreshold`)) ?? 100;
  }
}

const underAnalysis = ['Progressing', 'WaitingPromotion'];
export const resting = ['Initialized', 'Succeeded', 'Failed'];

/**
 * A promotion failed, so the primary has what was rejected, and then the version that Git went back to failed too, in the trouble of that
 * time; or Git says what was promoted before, and that could not be promoted again after something that is not in Git had changed. Nothing
 * is tried again until somebody changes something.
 */
export function isLeftBehind(stage: Stage): boolean {
  const { told, status, tip, stableContent, cluster } = stage;
  const isFailed = told.some((text) => text.startsWith('Promotion of app.demo failed'));
  const target = cluster.peek('Deployment', 'app');
  const isJudged = target !== undefined && templateHash(at(target, 'spec', 'template')) === status.lastAppliedSpec;
  return isFailed && isJudged && status.phase === 'Failed' && stableContent === tip.apps[0]?.content;
}

/** What holds of a stage where nobody has interfered for long. */
export function holdAtRest(stage: Stage): void {
  const { cluster, pods, status, routes, tip } = stage;
  hold('it ends', resting.includes(status.phase), () => `it rests in ${status.phase}`);
  hold('right end', pods.serving('app-primary') > 0, () => 'nobody serves');
  const image = imageOf(cluster.peek('Deployment', 'app-primary'));
  // One that never gets all its pods is not given users whom somebody else has led away, and people are told.
  const isTold = image === `app:${half}` && stage.noted.some((text) => text.includes('is not ready to take them back'));
  hold(
    'right end',
    (routes.weight === 0 || isTold) && !routes.isMirrored,
    () => `${routes.weight} percent, ${String(routes.isMirrored)}`,
  );
  hold('right end', image === `app:${tip.says.version}`, () => `${tip.says.version} is in Git, ${image} runs`);
  for (const [kind, name, key, text] of [
    ['ConfigMap', 'config', 'text', `${tip.says.text}`],
    ['Secret', 'secret', 'password', Buffer.from(`${tip.says.password}`).toString('base64')],
  ] as const) {
    const copy = (stage.copyOf(kind, name)?.['data'] as Json | undefined)?.[key];
    hold('right end', copy === text, () => `${kind} ${name} is ${text} in Git, ${String(copy)} runs`);
  }
  hold('one outcome', stage.stableContent === tip.apps[0]?.content, () => 'Git does not tell what runs');
}

export function hold(invariant: Broken['invariant'], isTrue: boolean, detail: () => string): void {
  if (!isTrue) throw new Broken(invariant, detail());
}

const readBy = (reader: KubeObject | undefined, { kind, metadata }: KubeObject): boolean =>
  reader !== undefined && configRefsOf(reader).some((ref) => ref.kind === kind && ref.name === metadata.name);
const configKey = ({ kind, metadata }: KubeObject): ConfigKey =>
  kind === 'Secret' ? `secret/${metadata.name}` : `configmap/${metadata.name}`;
const isConfig = ({ kind }: KubeObject): boolean => kind === 'ConfigMap' || kind === 'Secret';
const isJudged = ({ kind, metadata: { name } }: KubeObject): boolean =>
  (kind === 'Deployment' || kind === 'ConfigMap' || (kind === 'Secret' && !name.startsWith('serin-release-'))) &&
  !name.endsWith('-primary');
const contentOf = (object: KubeObject | undefined): unknown =>
  object?.kind === 'Deployment' ? at(object, 'spec', 'template') : object?.['data'];
export const phaseOf = (canary: KubeObject | undefined): string => (canary ? parseStatus(canary).phase : 'gone');

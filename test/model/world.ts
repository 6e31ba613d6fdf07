import { type Json, jsonOf } from '../../src/lib/json.ts';
import { renderRequest, requestAnnotations } from '../../src/canary/requests.ts';
import { targetKindOf, targets } from '../../src/canary/targets/registry.ts';
import type { Effect, Seen, TargetKind, TrafficSplit } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { checksumOf, seenConfigs } from './configs.ts';
import type { Asked, Happening, Side } from './happenings.ts';
import {
  isKnative,
  isPinned,
  healthOf,
  isReady,
  type KnativeService,
  revisionOf,
  seeKnative,
  withVersion,
} from './knative.ts';
import { leadsTo, mergePatch, type Objects, Refused, rerouted, type ServiceRole, serviceTo } from './objects.ts';
import {
  asksForPods,
  changedScalers,
  type ScalerChange,
  isKeptAtZero,
  isScaler,
  scaled,
  scalerOf,
  sideOf,
} from './scalers.ts';
import { type Setting, unmirrored, withoutStrategy } from './settings.ts';
import { servingOf, show, templateOf, versionOf, wantedOf, type Health, type Workload } from './workload.ts';

const home: TrafficSplit = { canaryWeight: 0, mirror: false };
const brokenVersion = 4;
const finalizer = 'finalizer.flagger.app';

/** One Canary and all that belongs to it, in the smallest form that the core can see. */
export class World {
  /** Of the agent; it may jump. What happens in the cluster keeps to the time that really passes. */
  nowMs = Date.UTC(2026, 0, 1);
  private passedMs = 0;
  canary: KubeObject;
  objects: Objects;
  isGone = false;
  /** The apex Service stood when the Canary was deleted. */
  hadApex = false;
  brokenVersion: number | undefined = brokenVersion;
  readonly kind: TargetKind;
  readonly isPlain: boolean;
  private readonly down: Record<Side, boolean> = { target: false, primary: false };
  readonly setting: Setting;
  /** Others have asked for pods of the target, or a release whose status got lost: nobody is to take them away. */
  isLeftUp = false;
  private doesAutoscale = true;
  private readonly load: Record<Side, number> = { target: 1, primary: 1 };
  private generation = 1;

  constructor(setting: Setting) {
    const { spec, hasApex, scaler } = setting;
    this.setting = setting;
    const { kind, apiVersion } = spec['targetRef'] as { kind: string; apiVersion: string };
    this.kind = targetKindOf(kind, apiVersion);
    this.isPlain = spec['provider'] === 'kubernetes';
    const metadata = { name: 'app', namespace: 'demo', uid: 'uid-of-canary', generation: 1 };
    this.canary = { apiVersion: 'flagger.app/v1beta1', kind: 'Canary', metadata, spec };
    const apex = hasApex && this.kind !== 'Service' && this.kind !== 'Knative' ? serviceTo('app') : undefined;
    this.objects = {
      target: undefined,
      primary: undefined,
      targetService: undefined,
      knative: undefined,
      services: { apex, primary: undefined, canary: undefined },
      scaler: scaler && scalerOf(scaler.kind, scaler.range),
      primaryScaler: undefined,
      split: undefined,
      routeTrouble: undefined,
      routeDrift: false,
      config: 1,
      copy: 0,
    };
    this.makeTarget(0);
  }

  see(objects = this.objects): Omit<Seen, 'answers'> {
    const { services, target, primary, targetService, knative, scaler, primaryScaler, config, copy } = objects;
    const isService = this.kind === 'Service';
    return {
      nowMs: this.nowMs,
      canary: this.canary,
      target: isService ? targetService : show(target, this.health('target')),
      primary: isService ? services.primary : show(primary, this.health('primary')),
      apexService: isService ? targetService : services.apex,
      primaryService: services.primary,
      canaryService: services.canary,
      split: this.isPlain ? undefined : objects.split,
      routeTrouble: objects.routeTrouble,
      routeDrift: objects.routeDrift,
      configs: seenConfigs(config, copy),
      desiredReplicas: isService ? undefined : this.setting.desiredReplicas,
      ...(knative ? seeKnative(knative, (side) => this.health(side)) : {}),
      ...(scaler ? { scaler } : {}),
      ...(primaryScaler ? { primaryScaler } : {}),
    };
  }

  /** Time that has really passed. */
  get elapsedMs(): number {
    return this.passedMs;
  }

  /** Share of the users that reach the canary's pods. */
  get weight(): number {
    if (!this.isPlain) return this.objects.split?.canaryWeight ?? 0;
    return leadsTo(this.objects.services.apex) === 'app' ? 100 : 0;
  }

  serves(side: Side): boolean {
    const { knative } = this.objects;
    if (knative)
      return isReady(
        revisionOf(knative, side),
        healthOf(knative, side, (one) => this.health(one)),
      );
    if (this.kind === 'Service')
      return (side === 'target' ? this.objects.services.canary : this.objects.services.primary) !== undefined;
    return servingOf(this.objects[side], this.health(side)) > 0;
  }

  get hasPods(): boolean {
    const { target } = this.objects;
    return target !== undefined && wantedOf(target) > 0;
  }

  /** Version and config text that a side runs; undefined where it does not exist. */
  content(side: Side, objects = this.objects): string | undefined {
    if (this.kind === 'Service') {
      const service = side === 'target' ? objects.targetService : objects.services.primary;
      return service && `${leadsTo(service)}`;
    }
    if (objects.knative) {
      const revision = revisionOf(objects.knative, side);
      return revision && `app:${revision.version}`;
    }
    const workload = objects[side];
    if (!workload) return undefined;
    return `app:${versionOf(workload.object)} text ${side === 'target' ? objects.config : objects.copy}`;
  }

  /** The config still is what an effect found. */
  isConfig({ checksum }: Extract<Effect, { kind: 'copy-config' }>): boolean {
    return this.objects.config > 0 && checksumOf(this.objects.config) === checksum;
  }

  apply(effect: Effect): void {
    switch (effect.kind) {
      case 'write':
        return this.write(effect.object, effect.over);
      case 'copy-config': {
        if (!this.isConfig(effect)) throw new Refused(`${effect.key} changed meanwhile`);
        return this.change({ copy: this.objects.config });
      }
      case 'scale-target':
        // Until a status says that there is a release.
        this.isLeftUp = effect.replicas > 0;
        return this.scale('target', effect.replicas);
      case 'set-route':
        return this.route(effect.split);
      case 'reconcile-route':
        return this.route(this.objects.split ?? home);
      default:
    }
  }

  happen(happening: Happening): void {
    switch (happening.kind) {
      case 'push':
        return this.makeTarget(happening.version);
      case 'config':
        return this.change({ config: happening.text });
      case 'pods':
        this.down[happening.of] = happening.down;
        return;
      case 'scale':
        this.isLeftUp ||= happening.of === 'target' && happening.replicas > 0;
        return this.scale(happening.of, happening.replicas);
      case 'spec':
        return this.edit({ ...jsonOf(this.canary['spec']), ...happening.change });
      case 'analysis':
        return this.editAnalysis(happening.change);
      case 'route':
        return this.isPlain ? undefined : this.change(rerouted(this.objects, happening.to, this.kind));
      case 'service':
        return this.changeService(happening.of, happening.is);
      case 'lost':
        if (happening.what === 'copy of the config') return this.change({ copy: 0 });
        if (this.kind === 'Knative') return;
        this.isLeftUp ||= happening.what === 'target';
        if (happening.what === 'target') return this.change({ target: undefined, targetService: undefined });
        if (this.kind === 'Service') return this.change({ services: { ...this.objects.services, primary: undefined } });
        return this.change({ primary: undefined });
      case 'load':
        this.load[happening.of] = happening.needs;
        return;
      case 'scaler':
      case 'pause':
      case 'range':
        return this.rescale(happening);
      case 'autoscaling':
        this.doesAutoscale = happening.acts;
        return;
      case 'clock':
        this.nowMs += happening.jumpsMs;
        return;
      case 'delete':
        return this.delete();
      case 'metrics':
      case 'hook':
      case 'asked':
      case 'woken':
      case 'nothing':
    }
  }

  /** Nothing stands in the way any more, except a version that never answers where it is to stay so. */
  calm(isBroken: boolean): void {
    Object.assign(this.down, { target: false, primary: false });
    if (!isBroken) this.brokenVersion = undefined;
    this.change({ routeTrouble: undefined, config: this.objects.config || 1 });
    if (!this.objects.target && !this.objects.targetService && !this.objects.knative) this.makeTarget(1);
    this.doesAutoscale = true;
    this.happen({ kind: 'scaler', of: 'target', is: 'put back' });
    this.autoscale();
    // Whoever asked for no primary at all asks for some again.
    const { primary } = this.objects;
    if (primary && wantedOf(primary) === 0) this.scale('primary', 1);
    this.edit({ ...jsonOf(this.canary['spec']), suspend: false, skipAnalysis: false });
  }

  /** Undefined: nothing is asked any more. */
  ask(act: Asked | undefined, release: string): void {
    const { annotations = {}, ...metadata } = this.canary.metadata;
    const given = {
      ...annotations,
      ...(act === undefined
        ? {}
        : {
            [requestAnnotations[act === 'resume' ? 'hold' : act]]: renderRequest({
              release,
              by: 'jane',
              reason: '',
              ...(act === 'resume' ? { isOver: true } : {}),
            }),
          }),
    };
    this.canary = { ...this.canary, metadata: { ...metadata, annotations: act === undefined ? {} : given } };
  }

  pass(ms: number): void {
    if (!this.setting.scaler?.isLate) this.autoscale();
    this.nowMs += ms;
    this.passedMs += ms;
    if (this.setting.scaler?.isLate) this.autoscale();
  }

  /** What the controllers of autoscalers do once in a while. */
  private autoscale(): void {
    if (!this.doesAutoscale) return;
    for (const scaler of [this.objects.scaler, this.objects.primaryScaler]) {
      if (!scaler) continue;
      const side = sideOf(scaler);
      const workload = this.objects[side];
      if (!workload) continue;
      const replicas = scaled(scaler, wantedOf(workload), this.load[side]);
      if (replicas !== wantedOf(workload)) this.scale(side, replicas);
    }
  }

  private health(side: Side): Health {
    return { nowMs: this.passedMs, down: this.down[side], brokenVersion: this.brokenVersion };
  }

  private change(part: Partial<Objects>): void {
    this.objects = { ...this.objects, ...part };
  }

  private write(object: KubeObject, over: KubeObject | undefined): void {
    const { name } = object.metadata;
    if (object.kind === 'Canary') {
      this.canary = { ...this.canary, metadata: object.metadata };
      if (object.metadata.deletionTimestamp !== undefined && !object.metadata.finalizers?.includes(finalizer))
        this.vanish();
      return;
    }
    if (isScaler(object)) return this.writeScaler(object, over);
    if (isKnative(object)) return this.writeKnative(object, over);
    if (object.kind === 'Service' && !(this.kind === 'Service' && name === 'app')) {
      const role = name === 'app' ? 'apex' : name === 'app-primary' ? 'primary' : 'canary';
      if (this.objects.services[role] !== over) throw new Refused(`conflict: Service ${name}`);
      return this.change({ services: { ...this.objects.services, [role]: object } });
    }
    const live = this.objects.primary;
    if ((over === undefined) !== (live === undefined) || over?.metadata.generation !== live?.object.metadata.generation)
      throw new Refused(`conflict: ${object.kind} ${name}`);
    this.put('primary', object);
  }

  private route(split: TrafficSplit): void {
    // Without a primary Knative sends everybody to the latest Revision.
    if (this.kind !== 'Knative' || isPinned(this.objects.knative)) return this.change({ split, routeDrift: false });
    if (split.canaryWeight > 0) throw new Refused('there is no primary to route to');
  }

  private writeKnative({ status: _status, ...object }: KubeObject & { status?: unknown }, over?: KubeObject): void {
    const { knative } = this.objects;
    if (!knative || over?.metadata.generation !== knative.object.metadata.generation)
      throw new Refused('conflict: Knative Service app');
    this.putKnative({ ...knative, object: { ...object, apiVersion: object.apiVersion, kind: object.kind } });
    this.change({ split: isPinned(this.objects.knative) ? (this.objects.split ?? home) : undefined });
  }

  private putKnative(knative: KnativeService): void {
    this.generation += 1;
    const { object } = knative;
    const metadata = { ...object.metadata, generation: this.generation };
    this.change({ knative: { ...knative, object: { ...object, metadata } } });
  }

  private writeScaler(object: KubeObject, over: KubeObject | undefined): void {
    const role = object.metadata.name === 'app' ? 'scaler' : 'primaryScaler';
    if (this.objects[role] !== over) throw new Refused(`conflict: ${object.kind} ${object.metadata.name}`);
    if (role === 'scaler') this.isLeftUp = !isKeptAtZero(object);
    this.change({ [role]: object });
  }

  private rescale(happening: ScalerChange): void {
    const part = changedScalers(this.objects, this.setting.scaler, happening);
    const isOther = part.scaler !== undefined && part.scaler !== this.objects.scaler;
    this.isLeftUp ||= isOther && asksForPods(happening);
    this.change(part);
  }

  private put(side: Side, { status: _status, ...object }: KubeObject & { status?: unknown }): void {
    this.generation += 1;
    const before = this.objects[side];
    const metadata = { ...object.metadata, generation: this.generation };
    const workload: Workload = {
      object: { ...object, apiVersion: object.apiVersion, kind: object.kind, metadata },
      changedAtMs: this.passedMs,
      changedAt: new Date(this.nowMs).toISOString(),
      stillServing: servingOf(before, this.health(side)),
    };
    this.change({ [side]: workload });
  }

  private makeTarget(version: number): void {
    if (this.kind === 'Knative') return this.putKnative(withVersion(this.objects.knative, version, this.passedMs));
    if (this.kind === 'Service') return this.change({ targetService: serviceTo(`v${version}`) });
    const before = this.objects.target?.object;
    const { template: _template, ...spec } = jsonOf(before?.['spec']);
    // Git does not say where a DaemonSet's pods are to be: what keeps it at zero stays.
    const { nodeSelector } = jsonOf(jsonOf(_template)['spec']);
    const template = templateOf(version);
    this.put('target', {
      apiVersion: 'apps/v1',
      kind: this.kind,
      metadata: before?.metadata ?? { name: 'app', namespace: 'demo', labels: { app: 'app' } },
      spec: {
        selector: { matchLabels: { app: 'app' } },
        ...(this.kind === 'Deployment' ? { replicas: this.setting.replicas } : {}),
        ...spec,
        template:
          nodeSelector === undefined ? template : { ...template, spec: { ...jsonOf(template['spec']), nodeSelector } },
      },
    });
  }

  private scale(side: Side, replicas: number): void {
    const object = this.objects[side]?.object;
    const { scaling } = targets[this.kind];
    if (!object || !scaling) return;
    this.put(side, { ...object, spec: mergePatch(object['spec'], scaling.patch(replicas)['spec']) });
  }

  private edit(spec: Json): void {
    this.generation += 1;
    this.canary = { ...this.canary, metadata: { ...this.canary.metadata, generation: this.generation }, spec };
  }

  /** Another strategy takes the place of the one that was there. Only steps go with cookies, and only rounds without routes. */
  private editAnalysis(change: Json): void {
    const spec = jsonOf(this.canary['spec']);
    const analysis = jsonOf(spec['analysis']);
    if (change['threshold'] !== undefined) return this.edit({ ...spec, analysis: { ...analysis, ...change } });
    const isRounds = change['iterations'] !== undefined;
    if (isRounds ? analysis['sessionAffinity'] !== undefined : spec['provider'] === 'kubernetes') return;
    if (change['match'] !== undefined && spec['provider'] !== 'istio') return;
    this.edit({ ...spec, analysis: { ...withoutStrategy(analysis), ...unmirrored(change, this.kind === 'Knative') } });
  }

  private changeService(role: ServiceRole, is: 'deleted' | 'turned'): void {
    const live = this.objects.services[role];
    // Where the target is a Service these are its copies, and turning one is a release behind everybody's back.
    if (!live || this.kind === 'Service') return;
    if (role === 'apex' && is === 'deleted') this.hadApex = false;
    const selector = { app: leadsTo(live) === 'app' ? 'app-primary' : 'app' };
    const turned = { ...live, spec: { ...jsonOf(live['spec']), selector } };
    this.change({ services: { ...this.objects.services, [role]: is === 'deleted' ? undefined : turned } });
  }

  private delete(): void {
    if (!this.canary.metadata.finalizers?.includes(finalizer)) return this.vanish();
    this.hadApex = this.objects.services.apex !== undefined;
    const deletionTimestamp = new Date(this.nowMs).toISOString();
    this.canary = { ...this.canary, metadata: { ...this.canary.metadata, deletionTimestamp } };
  }

  /** The Canary goes, and what it owns goes with it. */
  private vanish(): void {
    const { apex } = this.objects.services;
    const isOwned = (apex?.metadata.ownerReferences ?? []).some(({ uid }) => uid === this.canary.metadata.uid);
    this.change({
      primary: undefined,
      primaryScaler: undefined,
      services: { apex: isOwned ? undefined : apex, primary: undefined, canary: undefined },
    });
    this.isGone = true;
  }
}

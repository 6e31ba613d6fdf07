import { type Json, jsonOf, textsOf } from '../../src/canary/json.ts';
import { targetKindOf, targets } from '../../src/canary/targets/registry.ts';
import type { Effect, Seen, TargetKind, TrafficSplit } from '../../src/canary/types.ts';
import type { KubeObject } from '../../src/manifest/types.ts';
import { checksumOf, seenConfigs } from './configs.ts';
import type { Happening, Side } from './happenings.ts';
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
import type { Setting } from './settings.ts';
import { servingOf, show, templateOf, versionOf, wantedOf, type Health, type Workload } from './workload.ts';

/** The API server did not do what an effect asked for: the tick ends there. */
export class Refused extends Error {}

type ServiceRole = 'apex' | 'primary' | 'canary';

/** What stands in the cluster. Never changed, so that an older one can be kept and looked at. */
export interface Objects {
  readonly target: Workload | undefined;
  readonly primary: Workload | undefined;
  /** In place of the two above, where the target is a Service. */
  readonly targetService: KubeObject | undefined;
  readonly services: Readonly<Record<ServiceRole, KubeObject | undefined>>;
  readonly scaler: KubeObject | undefined;
  readonly primaryScaler: KubeObject | undefined;
  readonly split: TrafficSplit | undefined;
  readonly routeTrouble: string | undefined;
  readonly routeDrift: boolean;
  /** Texts of the ConfigMap and of the primary's copy; 0: there is none. */
  readonly config: number;
  readonly copy: number;
}

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
    const apex = hasApex && this.kind !== 'Service' ? this.service('app', 'app') : undefined;
    this.objects = {
      target: undefined,
      primary: undefined,
      targetService: undefined,
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
    const { services, target, primary, targetService, scaler, primaryScaler, config, copy } = objects;
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
      ...(scaler ? { scaler } : {}),
      ...(primaryScaler ? { primaryScaler } : {}),
    };
  }

  /** Share of the users that reach the canary's pods. */
  get weight(): number {
    if (!this.isPlain) return this.objects.split?.canaryWeight ?? 0;
    return leadsTo(this.objects.services.apex) === 'app' ? 100 : 0;
  }

  serves(side: Side): boolean {
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
        return this.change({ split: effect.split, routeDrift: false });
      case 'reconcile-route':
        return this.change({ split: this.objects.split ?? { canaryWeight: 0, mirror: false }, routeDrift: false });
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
        if (happening.of === 'target') this.isLeftUp ||= happening.replicas > 0;
        return this.scale(happening.of, happening.replicas);
      case 'spec':
        return this.edit({ ...jsonOf(this.canary['spec']), ...happening.change });
      case 'analysis':
        return this.editAnalysis(happening.change);
      case 'route':
        return this.changeRoute(happening.to);
      case 'service':
        return this.changeService(happening.of, happening.is);
      case 'lost':
        if (happening.what === 'copy of the config') return this.change({ copy: 0 });
        if (happening.what === 'target') this.isLeftUp = true;
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
      case 'nothing':
    }
  }

  /** Nothing stands in the way any more, except a version that never answers where it is to stay so. */
  calm(isBroken: boolean): void {
    Object.assign(this.down, { target: false, primary: false });
    if (!isBroken) this.brokenVersion = undefined;
    this.change({ routeTrouble: undefined, config: this.objects.config || 1 });
    if (!this.objects.target && !this.objects.targetService) this.makeTarget(1);
    this.doesAutoscale = true;
    this.happen({ kind: 'scaler', of: 'target', is: 'put back' });
    this.autoscale();
    // Whoever asked for no primary at all asks for some again.
    const { primary } = this.objects;
    if (primary && wantedOf(primary) === 0) this.scale('primary', 1);
    this.edit({ ...jsonOf(this.canary['spec']), suspend: false, skipAnalysis: false });
  }

  pass(ms: number): void {
    const isLate = this.setting.scaler?.isLate === true;
    if (!isLate) this.autoscale();
    this.nowMs += ms;
    this.passedMs += ms;
    if (isLate) this.autoscale();
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

  private writeScaler(object: KubeObject, over: KubeObject | undefined): void {
    const role = object.metadata.name === 'app' ? 'scaler' : 'primaryScaler';
    if (this.objects[role] !== over) throw new Refused(`conflict: ${object.kind} ${object.metadata.name}`);
    if (role === 'scaler' && isKeptAtZero(object)) this.isLeftUp = false;
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
    if (this.kind === 'Service') return this.change({ targetService: this.service('app', `v${version}`) });
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

  private service(name: string, app: string): KubeObject {
    const spec = {
      type: 'ClusterIP',
      selector: { app },
      ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 80 }],
    };
    return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'demo' }, spec };
  }

  private edit(spec: Json): void {
    this.generation += 1;
    this.canary = { ...this.canary, metadata: { ...this.canary.metadata, generation: this.generation }, spec };
  }

  private editAnalysis(change: Json): void {
    const spec = jsonOf(this.canary['spec']);
    const analysis = jsonOf(spec['analysis']);
    const isSteps = change['threshold'] === undefined;
    if (isSteps && analysis['iterations'] !== undefined) return;
    const { stepWeight, stepWeights, maxWeight, stepWeightPromotion, mirror, ...rest } = analysis;
    const steps = { stepWeight, stepWeights, maxWeight, stepWeightPromotion, mirror };
    this.edit({ ...spec, analysis: { ...rest, ...(isSteps ? {} : steps), ...change } });
  }

  private changeRoute(to: Extract<Happening, { kind: 'route' }>['to']): void {
    if (this.isPlain) return;
    switch (to) {
      case 'drifts':
        return this.change({ routeDrift: this.objects.split !== undefined });
      case 'vanishes':
        return this.change({ split: undefined, routeDrift: false });
      case 'is refused':
        return this.change({ routeTrouble: 'the route was not accepted' });
      case 'is accepted':
        return this.change({ routeTrouble: undefined });
      case 'is set to 35':
        return this.change(this.objects.split ? { split: { canaryWeight: 35, mirror: false } } : {});
    }
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

/** Which pods a Service selects. */
export function leadsTo(service: KubeObject | undefined): string | undefined {
  return textsOf(jsonOf(service?.['spec'])['selector'])['app'];
}

function mergePatch(value: unknown, patch: unknown): Json {
  const merged: Record<string, unknown> = { ...jsonOf(value) };
  for (const [name, member] of Object.entries(jsonOf(patch))) {
    if (member === null) delete merged[name];
    else merged[name] = typeof member === 'object' ? mergePatch(merged[name], member) : member;
  }
  return merged;
}

import type { CanaryStatus, Effect } from '../../src/canary/types.ts';
import { hold } from './invariants.ts';
import { isKeptAtZero, isScaler, type Range, rangeOf, sideOf } from './scalers.ts';
import type { Watched } from './watch.ts';
import { wantedOf } from './workload.ts';
import type { World } from './world.ts';

/** What autoscalers have to do with an effect, before it is done. */
export function holdScaling(effect: Effect, { spec, isFresh, before }: Watched, world: World): void {
  if (!spec.autoscaler) return;
  const { scaler, primary } = world.objects;
  switch (effect.kind) {
    case 'write': {
      const { object, over } = effect;
      if (isScaler(object)) {
        hold('primary scaled', sideOf(object) === sideByName(object.metadata.name), () => 'it scales somebody else');
        return hold(
          'awake with users',
          sideOf(object) === 'target' || !isKeptAtZero(object) || isKeptAtZero(over),
          () => 'the primary is put to sleep',
        );
      }
      if (object.kind !== 'Deployment' || !over) return;
      const [now, then] = [wantedOf({ object: over }), wantedOf({ object })];
      return hold('size is kept', now === then, () => `the primary gets ${then} pods, and has ${now}`);
    }
    case 'scale-target': {
      if (!isFresh || !scaler || effect.replicas === 0) return;
      const { min } = rangeOf(scaler);
      return hold('large enough', effect.replicas >= min, () => `${effect.replicas} pods are asked for, not ${min}`);
    }
    case 'set-route': {
      const { canaryWeight } = effect.split;
      if (!isFresh || canaryWeight <= world.weight) return;
      // With a primary that does not answer there is no other way to go.
      const mayGo = scaler !== undefined || (primary !== undefined && !world.serves('primary')) || !primary;
      hold('no step unscaled', mayGo, () => `${canaryWeight} percent come in ${before.phase}`);
      return hold(
        'awake with users',
        !isKeptAtZero(scaler),
        () => `${canaryWeight} percent come to who is put to sleep`,
      );
    }
    default:
  }
}

/** After a tick. */
export function holdAwake({ phase }: CanaryStatus, world: World): void {
  hold(
    'awake with users',
    world.weight === 0 || !isKeptAtZero(world.objects.scaler) || !world.serves('target'),
    () => `${world.weight} percent are on a canary that is put to sleep, in ${phase}`,
  );
}

/** When everything has come to its end. */
export function holdAtRest(world: World): void {
  const { scaler, primaryScaler, target, primary } = world.objects;
  const { setting } = world;
  if (!setting.scaler || !scaler || !primary) return;
  hold('primary scaled', primaryScaler !== undefined, () => 'it has no autoscaler');
  hold('awake with users', !isKeptAtZero(primaryScaler), () => 'the primary is kept asleep');
  if (world.weight > 0) return hold('awake with users', !isKeptAtZero(scaler), () => 'its users are on the canary');
  const pods = target ? wantedOf(target) : 0;
  hold('zero stays zero', pods === 0 || world.isLeftUp, () => `the target has ${pods} pods`);
  if (!primaryScaler || !world.serves('primary')) return;
  const [wanted, found] = [setting.scaler.primaryRange ?? rangeOf(scaler), rangeOf(primaryScaler)];
  hold(
    'primary scaled',
    isSameRange(wanted, found),
    () => `by ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`,
  );
}

/** When the Canary has gone. */
export function holdHandedBack(world: World): void {
  hold('handed back', !isKeptAtZero(world.objects.scaler), () => 'the target is kept asleep');
}

function sideByName(name: string): 'target' | 'primary' {
  return name === 'app-primary' ? 'primary' : 'target';
}

function isSameRange(a: Range, b: Range): boolean {
  return a.min === b.min && a.max === b.max;
}

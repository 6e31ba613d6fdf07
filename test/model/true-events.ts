import type { CanaryStatus } from '../../src/canary/types.ts';
import { hold } from './invariants.ts';
import { isKnative } from './knative.ts';
import { isScaler } from './scalers.ts';
import { wantedOf } from './workload.ts';
import type { Watched } from './watch.ts';
import type { World } from './world.ts';

type Truth = (
  after: { readonly status: CanaryStatus; readonly world: World; readonly tick: Watched },
  found: string,
) => boolean;

const isDown = (world: World): boolean => !world.objects.target || wantedOf(world.objects.target) === 0;
const wrotePrimary = ({ done }: Watched): boolean =>
  done.some(
    (effect) =>
      effect.kind === 'write' &&
      !isScaler(effect.object) &&
      (effect.object.metadata.name === 'app-primary' || isKnative(effect.object)),
  );

/** What must be so after a tick that told this. */
const truths: readonly (readonly [RegExp, Truth])[] = [
  [/^Advance \S+ canary weight (\d+)$/, ({ world }, weight) => world.weight === Number(weight)],
  [/^Advance \S+ primary weight (\d+)$/, ({ world }, weight) => 100 - world.weight === Number(weight)],
  [/^Advance \S+ canary iteration (\d+)\//, ({ status }, round) => status.iterations === Number(round)],
  [/^Copying /, ({ tick }) => wrotePrimary(tick)],
  [
    /^Promotion completed! /,
    ({ status, world }) => status.phase === 'Succeeded' && (isDown(world) || !world.serves('primary')),
  ],
  [/^Promotion of \S+ failed/, ({ status }) => status.phase === 'Failed'],
  [/^Initialization done! /, ({ status, world }) => status.phase === 'Initialized' && world.weight === 0],
  [/^Canary failed! Scaling down /, ({ status, world }) => status.phase === 'Failed' && isDown(world)],
  [/^Canary failed! \S+ has all traffic/, ({ status, world }) => status.phase === 'Failed' && world.weight === 100],
  [/^Rolling back /, ({ status }) => status.phase === 'Failed'],
  [/^New revision detected! Scaling up /, ({ status, world }) => status.phase === 'Progressing' && !isDown(world)],
  [/^New revision detected! Restarting /, ({ status }) => status.phase === 'Progressing' && status.iterations === 0],
  [/^Routing all traffic to primary$/, ({ world }) => world.weight === 0],
  [/^Routing all traffic to canary$/, ({ world }) => world.weight === 100],
  [/^Starting canary analysis /, ({ status }) => status.phase !== 'Failed'],
  [/waiting for approval /, ({ status }) => status.phase === 'Waiting'],
  [/waiting for promotion approval /, ({ status }) => status.phase === 'WaitingPromotion'],
  [/^Analysis of \S+ cancelled/, ({ status, world }) => status.phase === 'Initialized' && world.weight === 0],
];

/** Events of a tick that came to its end. Services have no pods that could be down. */
export function holdTrue(tick: Watched, status: CanaryStatus, world: World): void {
  if (!tick.isFresh) return;
  for (const effect of tick.done) {
    if (effect.kind !== 'event') continue;
    const { message } = effect.event;
    for (const [pattern, truth] of truths) {
      const found = pattern.exec(message);
      if (!found) continue;
      const isTrue =
        (world.kind === 'Service' || world.kind === 'Knative') && /caling/.test(message)
          ? true
          : truth({ status, world, tick }, found[1] ?? '');
      hold('true events', isTrue, () => `"${message}", but ${status.phase} with weight ${world.weight}`);
    }
  }
}

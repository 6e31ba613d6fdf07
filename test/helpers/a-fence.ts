import { createFence, type Fence } from '../../src/lib/fence.ts';

/** A fence that is held as long as a test says so, with how often it was asked. Each time that it is won again is an epoch of its own. */
export function aFence(): Fence & { isHeld: boolean; asked: number; loseAndWin(): void } {
  let epoch = 1;
  let isHeld = true;
  const fence = createFence(() => (isHeld ? epoch : undefined));
  return {
    ...fence,
    get isHeld() {
      return isHeld;
    },
    set isHeld(now) {
      if (now && !isHeld) epoch += 1;
      isHeld = now;
    },
    loseAndWin() {
      epoch += 1;
    },
    asked: 0,
    assertHeld(begun) {
      this.asked += 1;
      fence.assertHeld(begun);
    },
  };
}

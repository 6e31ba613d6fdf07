import type { Stage } from './stage.ts';

/** Lets agents of few writes follow each other until it is done; gives their number. */
export async function livesUntil(
  stage: Stage,
  writes: number,
  what: string,
  done: () => boolean | Promise<boolean>,
): Promise<number> {
  for (let lives = 1; ; lives += 1) {
    await stage.start({ writes });
    await stage.until(`${what}, or a death`, async () => (await done()) || stage.agent.isDead());
    await stage.agent.stop();
    if (await done()) return lives;
  }
}

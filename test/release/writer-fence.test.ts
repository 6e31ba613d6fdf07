import type { Epoch } from '../../src/lib/fence.ts';
import { describe, expect, it } from 'vitest';
import { aFence } from '../helpers/a-fence.ts';
import { eventually } from '../helpers/eventually.ts';
import { lines, runGit } from '../helpers/temp-repo.ts';
import { appTree } from './a-config-repo.ts';
import { withWriters } from './a-writer.ts';
import { outcomeOf } from './an-outcome.ts';

const before = { name: 'shop' };
const after = { name: 'shop', image: 'shop:2.0.0' };

describe('an outcome whose agent has lost its lease', () => {
  it.each(['promoted', 'rolled-back'] as const)(
    'is not pushed, calls nobody, waits, and is pushed when the lease is there again: %s',
    async (verdict) => {
      await withWriters(async (stage) => {
        const base = await stage.commit(appTree(before), 'v1');
        const judged = await stage.commit(appTree(after), 'v2');
        const fence = aFence();
        fence.isHeld = false;
        const { writer, written, blocked, idle } = await stage.start({}, 'mirror', fence);
        writer.submit(outcomeOf('shop', verdict, { revision: judged, files: appTree(after) }, base));
        await eventually('a push that was not made', () => fence.asked > 1, 20_000);
        expect(await stage.tip()).toBe(judged);
        expect(lines(await runGit(['-C', stage.path, 'tag', '--list']))).toEqual([]);
        expect(stage.server.takeRequests().filter(({ path }) => path.endsWith('/git-receive-pack'))).toEqual([]);
        expect(writer.pending()).toMatchObject([{ blocked: undefined }]);

        fence.isHeld = true;
        await idle();
        expect(written).toHaveLength(1);
        expect(blocked).toEqual([]);
        expect(await stage.tip()).not.toBe(judged);
      });
    },
  );

  it('has lost it and won it again while the outcome was built: it is built once more on what the branch says now', async () => {
    await withWriters(async (stage) => {
      const base = await stage.commit(appTree(before), 'v1');
      const judged = await stage.commit(appTree(after), 'v2');
      const fence = aFence();
      const refused: unknown[] = [];
      const counting = {
        epoch: () => fence.epoch(),
        assertHeld(begun: Epoch) {
          if (refused.length === 0) fence.loseAndWin();
          try {
            fence.assertHeld(begun);
          } catch (error) {
            refused.push(error);
            throw error;
          }
        },
      };
      const { writer, written, idle } = await stage.start({}, 'mirror', counting);
      writer.submit(outcomeOf('shop', 'promoted', { revision: judged, files: appTree(after) }, base));
      await idle();
      expect(refused).toHaveLength(1);
      expect(written).toHaveLength(1);
    });
  });

  it('has lost it while the outcome was built: the push is not made', async () => {
    await withWriters(async (stage) => {
      const base = await stage.commit(appTree(before), 'v1');
      const judged = await stage.commit(appTree(after), 'v2');
      const fence = aFence();
      const { writer, idle } = await stage.start({}, 'mirror', fence);
      // Looking at the tip comes before building.
      stage.server.takeRequests();
      writer.submit(outcomeOf('shop', 'promoted', { revision: judged, files: appTree(after) }, base));
      fence.isHeld = false;
      await eventually('a push that was not made', () => fence.asked > 0, 20_000);
      expect(await stage.tip()).toBe(judged);
      fence.isHeld = true;
      await idle();
    });
  });
});

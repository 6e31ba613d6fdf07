import { expect, it } from 'vitest';
import { fsck, show, subjects } from '../helpers/temp-repo.ts';
import { appTree } from './a-config-repo.ts';
import { withWriters } from './a-writer.ts';
import { outcomeOf } from './an-outcome.ts';

const folders = ['staging', 'production'] as const;
const before = appTree({ name: 'shop', image: 'shop:1.0.0' });
const after = appTree({ name: 'shop', image: 'shop:2.0.0' });
const inBoth = (files: ReadonlyMap<string, string>): Map<string, string> =>
  new Map(folders.flatMap((folder) => [...files].map(([path, text]) => [`${folder}/${path}`, text] as const)));

it('clusters with a folder each of one branch take back the same commit each in their own', async () => {
  await withWriters(async (stage) => {
    const base = await stage.commit(inBoth(before));
    const revision = await stage.commit(inBoth(after));
    const outcome = outcomeOf('shop', 'rolled-back', { revision, files: after }, base);
    for (const folder of folders) {
      const { writer, idle } = await stage.start({ path: folder, tagPrefix: `releases/${folder}/` }, folder);
      writer.submit(outcome);
      await idle();
      // Nor twice, as after a restart.
      writer.submit(outcome);
      await idle();
    }
    for (const folder of folders) {
      expect(await show(stage.path, 'main', `${folder}/shop/deployment.yaml`)).toContain('shop:1.0.0');
      expect(await show(stage.path, 'main', `${folder}/.releases/test/shop.yaml`)).toContain('shop:2.0.0');
    }
    expect((await subjects(stage.path)).filter((subject) => subject.startsWith('rollback'))).toHaveLength(2);
    await fsck(stage.path);
  });
});

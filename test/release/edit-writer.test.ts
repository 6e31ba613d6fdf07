import { describe, expect, it } from 'vitest';
import type { BranchEdit } from '../../src/release/branch-edit.ts';
import { eventually } from '../helpers/eventually.ts';
import { lines, runGit, show, subjects } from '../helpers/temp-repo.ts';
import { appTree } from './a-config-repo.ts';
import { shortWhile, type Stage, withWriters } from './a-writer.ts';
import { outcomeOf } from './an-outcome.ts';

const field = ['spec', 'template', 'spec', 'containers', 0, 'image'];

/** Gives an app's first container another image. */
function moving(name: string, value: string, first: () => Promise<unknown> = () => Promise.resolve()): BranchEdit {
  let count = 0;
  return {
    key: `move ${name}`,
    app: { namespace: 'test', name },
    atMs: 1_700_000_000_000,
    *plan() {
      count += 1;
      if (count === 1) yield first();
      const object = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'test', name };
      return { kind: 'change', fields: [{ object, field, value }], message: `move ${name} to ${value}\n\nBody.\n` };
    },
  };
}
const two = appTree({ name: 'shop', image: 'shop:1.0.0' }, { name: 'cart', image: 'cart:1.0.0' });
const fileOf = (stage: Stage, name: string): Promise<string> => show(stage.path, 'main', `${name}/deployment.yaml`);

describe('an edit that is no outcome', () => {
  it('is a commit of its own, those of several apps go in one push, and all of them are built anew on a race', async () => {
    await withWriters(async (stage) => {
      await stage.commit(two, 'v1');
      const { writer, edits } = await stage.start();
      const race = (): Promise<string> => stage.commit(new Map([['notes.txt', 'of somebody else']]), 'foreign');
      writer.submitEdit(moving('shop', 'shop:1.0.1', race));
      writer.submitEdit(moving('cart', 'cart:2.0.0'));
      await eventually('both', () => edits.length === 2);
      expect(edits.map(({ key, is, said }) => [key, is, said])).toEqual([
        ['move shop', 'written', 'move shop to shop:1.0.1'],
        ['move cart', 'written', 'move cart to cart:2.0.0'],
      ]);
      expect(await subjects(stage.path)).toEqual([
        'move cart to cart:2.0.0',
        'move shop to shop:1.0.1',
        'foreign',
        'v1',
        'initial commit',
      ]);
      expect(await fileOf(stage, 'shop')).toBe(
        (two.get('shop/deployment.yaml') ?? '').replace('shop:1.0.0', 'shop:1.0.1'),
      );
      const changed = await runGit(['-C', stage.path, 'show', '--name-only', '--format=', 'main']);
      expect(lines(changed)).toEqual(['cart/deployment.yaml']);
    });
  });

  it('is written once, also where the answer to its push is lost', async () => {
    await withWriters(async (stage) => {
      await stage.commit(two, 'v1');
      const { writer, edits } = await stage.start();
      stage.server.faults.inject({ kind: 'drop-response' }, { only: 'push', times: 1 });
      writer.submitEdit(moving('shop', 'shop:1.0.1'));
      await eventually('it is settled', () => edits.length === 1);
      expect(await subjects(stage.path)).toEqual(['move shop to shop:1.0.1', 'v1', 'initial commit']);
    });
  });

  const inList = (name: string, image: string): string =>
    `- {apiVersion: apps/v1, kind: Deployment, metadata: {name: ${name}, namespace: test}, spec: {template: {spec: {containers: [{name: one, image: ${image}}]}}}}\n`;
  it.each<[string, (text: string) => string]>([
    [
      'an anchor that another object takes it from',
      () => `apiVersion: v1\nkind: List\nitems:\n${inList('shop', '&it shop:1.0.0')}${inList('other', '*it')}`,
    ],
    ['a container that is not there', (text) => text.replace(/containers:[\s\S]*/, 'containers: []\n')],
    ['a file that is broken by now', (text) => `${text}\n  : [\n`],
  ])('is refused where it cannot be made alone, and holds up no outcome: %s', async (_what, change) => {
    await withWriters(async (stage) => {
      const files = new Map([...two, ['shop/deployment.yaml', change(two.get('shop/deployment.yaml') ?? '')]]);
      const base = await stage.commit(files, 'v1');
      const before = await fileOf(stage, 'shop');
      const { writer, edits, written } = await stage.start();
      writer.submitEdit(moving('shop', 'shop:1.0.1'));
      await eventually('it is told', () => edits.length === 1);
      writer.submit(outcomeOf('cart', 'promoted', { revision: base, files }, base));
      await eventually('the outcome', () => written.length === 1);
      writer.submitEdit(moving('shop', 'shop:1.0.1'));
      await shortWhile(600);
      expect(edits.map(({ is }) => is)).toEqual(['blocked']);
      expect(await fileOf(stage, 'shop')).toBe(before);
    });
  });

  it('that is asked for again before it was written is the later one', async () => {
    await withWriters(async (stage) => {
      await stage.commit(two, 'v1');
      const { writer, edits } = await stage.start();
      writer.submitEdit(moving('shop', 'shop:1.0.1'));
      writer.submitEdit(moving('shop', 'shop:1.0.2'));
      await eventually('it', () => edits.length === 1);
      expect(await subjects(stage.path)).toEqual(['move shop to shop:1.0.2', 'v1', 'initial commit']);
    });
  });
});

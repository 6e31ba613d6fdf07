import { expect, it } from 'vitest';
import { atOnce } from '../../src/lib/turns.ts';
import { EditLate, editingTexts, pathsOf, type TextEditor } from '../../src/render/text-edit.ts';
import { appTree, deploymentText } from './a-config-repo.ts';
import { withShop } from './a-shop.ts';

const names = ['a1', 'a2', 'a3', 'b'];

it('a rollback whose files take long is built alone, after those that wait with it', () =>
  withShop(appTree(...names.map((name) => ({ name }))), async (shop) => {
    const edited: string[] = [];
    const slow: TextEditor = {
      edit(edit, mostMs) {
        const [path = ''] = pathsOf(edit);
        const isLate = path.startsWith('a') && mostMs !== undefined;
        edited.push(`${path.split('/')[0] ?? ''}${isLate ? ' late' : ''}`);
        return isLate ? Promise.reject(new EditLate()) : Promise.resolve(atOnce(editingTexts(edit)));
      },
    };
    const changed = names.map((name) => [`${name}/deployment.yaml`, deploymentText({ name, image: `${name}:2` })]);
    const judged = await shop.push(Object.fromEntries(changed) as Record<string, string>);
    const running = await shop.start(undefined, undefined, slow);
    await running.submit(names.map((name) => shop.outcome('rolled-back', name, judged)));
    await running.done(20_000);
    expect(edited.slice(0, 4)).toEqual(['a1 late', 'a2 late', 'a3 late', 'b']);
    // Each of them once more, and with all its time.
    expect(edited.slice(4).toSorted()).toEqual(['a1', 'a2', 'a3']);
    expect(running.written.map(({ outcome }) => outcome.app.name)[0]).toBe('b');
    expect(running.written.map(({ outcome }) => outcome.app.name).toSorted()).toEqual(names);
    expect(running.blocked).toEqual([]);
    const files = await shop.filesAt('main');
    for (const name of names) expect(files.get(`${name}/deployment.yaml`)).toBe(deploymentText({ name }));
  }));

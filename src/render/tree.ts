import type { Steps } from '../lib/turns.ts';
import {
  type FileOfTree,
  type LoadCache,
  type LoadedTree,
  loadingTree,
  type LoadSettings,
  type Rendering,
} from '../manifest/load.ts';
import { ParsedFiles } from '../manifest/parsed-files.ts';
import { createPlain, type PlainOptions } from './plain.ts';
import type { Edit, EditGoal, Renderer } from './renderer.ts';
import type { TreeFiles } from './tree-files.ts';

/** Makes objects of whole trees, and writes their changes, with all renderers together. */
export interface TreeRenderer {
  /** Everything that a tree says. Nothing that was rendered of equal files is rendered again. */
  render(files: TreeFiles): Steps<LoadedTree>;
  /** The same, where what each plain file says is known already. */
  renderKnown(files: ReadonlyMap<string, FileOfTree>, known: LoadCache): Steps<LoadedTree>;
  edit(goal: EditGoal): Steps<Edit>;
}

/** So many files are looked at before other work may have its turn. */
const filesATurn = 256;

export function createTreeRenderer(settings: LoadSettings, options: Partial<PlainOptions> = {}): TreeRenderer {
  const plain: Renderer = createPlain({ parsed: new ParsedFiles(), limits: settings.limits, ...options });
  const renderKnown: TreeRenderer['renderKnown'] = (files, known) => loadingTree(files, new Map(), known, settings);
  return {
    renderKnown,
    *render(files) {
      const known = new Map<string, Rendering>();
      for (const unit of plain.detect(files)) {
        known.set(unit.path, yield* plain.render(files, unit));
        if (known.size % filesATurn === 0) yield;
      }
      return yield* renderKnown(known, known);
    },
    edit: (goal) => plain.edit(goal),
  };
}

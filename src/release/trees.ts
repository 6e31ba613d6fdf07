import { type App, findApps } from '../canary/app.ts';
import type { GitRepo, Revision } from '../git/repo.ts';
import { perObject } from '../lib/memo.ts';
import { atOnce, createTurns, type Steps } from '../lib/turns.ts';
import { defaultLimits } from '../manifest/limits.ts';
import { areaOf, isManifestFile, type LoadSettings, leftOutFile } from '../manifest/load.ts';
import { ParsedFiles, pathsByBlob } from '../manifest/parsed-files.ts';
import { createTreeBudget, crowdedOut, longFile, weighingFile } from '../manifest/tree-budget.ts';
import { exactText, shownText } from '../render/file-bytes.ts';
import { readingPlain } from '../render/plain.ts';
import type { Edit, EditGoal } from '../render/renderer.ts';
import { createTreeRenderer, type TreeRendererOptions } from '../render/tree.ts';
import { type GitFile, type OtherFiles, type TreeFiles, withOthers } from '../render/tree-files.ts';
import type { Render, RenderedApp, RenderedTree } from './rendered.ts';

export interface TreeReader {
  /** The manifest files of a revision, all of them parsed. `tip`: the one that is followed, from which others are told. */
  read(at: Revision, signal: AbortSignal, is?: 'tip'): Promise<TreeFiles>;
  /** Reads the text of these files, where they are there, as `exactText` gives it. */
  readTexts(files: TreeFiles, paths: Iterable<string>): Promise<void>;
  /** Forgets all but what the next outcome is likely to need. */
  rest(): void;
}

/** So many files are looked at before other work may have its turn. */
const filesATurn = 256;
/** Trees that are known at a time. */
const mostTrees = 16;

type TreeSource = Pick<GitRepo, 'fetch' | 'has' | 'tree' | 'diff' | 'blob' | 'blobs' | 'entry'>;
type GitFiles = ReadonlyMap<string, GitFile>;

/**
 * Reads trees by what differs between them. What was parsed stays in `parsed` and the last tip's tree here, so that an outcome costs what its
 * release and the commits since the last one touch, not what the repository holds.
 */
export function createTreeReader(repo: TreeSource, settings: LoadSettings, parsed: ParsedFiles): TreeReader {
  const turns = createTurns();
  let tip: { readonly at: Revision; readonly files: GitFiles } | undefined;
  const trees = new Map<Revision, GitFiles>();
  const withText = new Set<GitFile>();
  const isWanted = (path: string, mode: string): boolean => mode.startsWith('100') && isManifestFile(path, settings);

  const listed = async (at: Revision): Promise<GitFiles> => {
    const files = new Map<string, GitFile>();
    let looked = 0;
    for (const [path, { oid, mode }] of await repo.tree(at, settings.path)) {
      if (isWanted(path, mode)) files.set(path, { oid, mode, text: undefined, parsed: undefined });
      if (++looked % filesATurn === 0) await turns.breathe();
    }
    return files;
  };
  const derived = async (at: Revision, from: Revision, known: GitFiles): Promise<GitFiles> => {
    const changes = await repo.diff(from, at, settings.path);
    const files = new Map(known);
    for (const change of changes) {
      const { path } = change;
      if (change.kind === 'removed' || !isWanted(path, change.after.mode)) files.delete(path);
      else files.set(path, { ...change.after, text: undefined, parsed: undefined });
    }
    await turns.breathe();
    return files;
  };
  const parse = async (files: GitFiles): Promise<void> => {
    const unknown: string[] = [];
    let looked = 0;
    for (const [path, file] of files) {
      if (++looked % filesATurn === 0) await turns.breathe();
      file.parsed ??= parsed.get(path, file);
      if (!file.parsed) unknown.push(path);
    }
    const missing = pathsByBlob(unknown, files);
    const { treeBytes } = settings.limits ?? defaultLimits;
    // Beside the tip's, which the sync has read, what differs from it may take as much again.
    const budget = createTreeBudget(treeBytes, (path) => areaOf(path, settings));
    const fitting = (oid: string, bytes: number): readonly string[] =>
      (missing.get(oid) ?? []).filter((path) => {
        const file = files.get(path);
        if (!file || bytes <= longFile || budget.mayFit(path, bytes)) return true;
        file.parsed = crowdedOut(path, file, undefined, treeBytes);
        parsed.keep(path, file.parsed);
        return false;
      });
    const takeBlob = async (oid: string, content: Uint8Array | undefined): Promise<void> => {
      const fit = fitting(oid, content?.length ?? 0);
      const text = content && fit.length > 0 ? shownText(exactText(content)) : undefined;
      for (const path of fit) {
        const file = files.get(path);
        if (!file) continue;
        file.parsed =
          text === undefined
            ? leftOutFile(path, file, settings.limits)
            : await turns.run(readingPlain(parsed, path, text, file, settings.limits, 'now'));
        parsed.keep(path, file.parsed);
        const weight = await turns.run(weighingFile(content?.length ?? 0, file.parsed));
        for (const gone of budget.add(path, weight)) {
          const other = files.get(gone);
          if (!other?.parsed) continue;
          other.parsed = crowdedOut(gone, other, other.parsed, treeBytes);
          parsed.keep(gone, other.parsed);
        }
      }
    };
    await repo.blobs(missing.keys(), takeBlob, (oid, bytes) => fitting(oid, bytes).length > 0);
  };

  return {
    async read(at, signal, is) {
      let files = trees.get(at);
      if (!files) {
        await repo.fetch(at, signal);
        const near = tip && (await repo.has(tip.at)) ? tip : undefined;
        files = near ? await derived(at, near.at, near.files) : await listed(at);
        await parse(files);
        for (const [oldest] of trees) {
          if (trees.size < mostTrees) break;
          trees.delete(oldest);
        }
        trees.set(at, withOthers(files, othersAt(repo, at)));
      }
      if (is === 'tip') tip = { at, files };
      return files;
    },
    async readTexts(files, paths) {
      for (const path of paths) {
        const file = files.get(path);
        if (typeof file !== 'object' || file.text !== undefined) continue;
        file.text = exactText(await repo.blob(file.oid));
        withText.add(file);
        await turns.breathe();
      }
    },
    rest() {
      for (const file of withText) file.text = undefined;
      withText.clear();
      trees.clear();
      if (!tip) return;
      trees.set(tip.at, tip.files);
      parsed.keepOnly(tip.files);
    },
  };
}

/** What stands at a commit beside the files that are synced. */
export const othersAt = (repo: Pick<GitRepo, 'entry' | 'tree' | 'blob'>, at: Revision): OtherFiles => ({
  find: (path) => repo.entry(at, path),
  list: (folder) => repo.tree(at, folder),
  read: (oid) => repo.blob(oid),
});

/** Renders trees as the sync does; what was made of one is not made again for the next. */
export function createRender(
  settings: LoadSettings,
  parsed = new ParsedFiles(),
  options: Omit<TreeRendererOptions, 'parsed'> = {},
): Render {
  const trees = createTreeRenderer(settings, { parsed, ...options });
  const rendered = new WeakMap<TreeFiles, RenderedTree>();
  let lastApps: readonly App[] = [];
  function* inTurns(files: TreeFiles): Steps<RenderedTree> {
    const before = rendered.get(files);
    if (before) return before;
    const loaded = yield* trees.render(files);
    yield;
    const found = yield* findApps(loaded.manifests, settings.defaultNamespace, lastApps);
    lastApps = found;
    // Warnings may come back with the text that they are about; lines move with every edit.
    const errors = loaded.problems.filter(({ severity }) => severity === 'error');
    const problems = errors.map(({ path, message }) => `${path}: ${message.replaceAll(/:\d+\b/g, '')}`);
    const { manifests, unreadableText, unreadablePaths, strays, releases = [] } = loaded;
    const texts = new Map([...loaded.areas].map(([name, area]) => [name, area.unreadableText]));
    const unreadableTextBeside = (path: string): string => texts.get(areaOf(path, settings)) ?? '';
    const unread = { unreadableText, unreadableTextBeside, unreadablePaths, strays };
    const tree = { manifests, releases, apps: found.map(appOf), problems, ...unread };
    rendered.set(files, tree);
    return tree;
  }
  const edit = (goal: EditGoal): Steps<Edit> => trees.edit(goal);
  return Object.assign((files: TreeFiles) => atOnce(inTurns(files)), { inTurns, edit });
}

const appOf = perObject(({ id, canary, target, configs, content }: App): RenderedApp => {
  return { id, canary, content, target, documents: [...(target ? [target] : []), ...configs] };
});

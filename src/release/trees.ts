import { findApps } from '../canary/app.ts';
import type { GitRepo, Revision } from '../git/repo.ts';
import { type CachedFile, isManifestFile, type LoadSettings, loadTree, readManifestFile } from '../manifest/load.ts';
import { sha256Hex } from '../lib/hash.ts';
import { atOnce } from '../lib/turns.ts';
import { exactText, shownText } from './file-bytes.ts';
import type { Files, Render, RenderedApp, RenderedTree } from './rendered.ts';

export interface TreeReader {
  /** The manifest files of a revision, as `exactText` gives them. */
  read(at: Revision, signal: AbortSignal): Promise<Files>;
}

/** Each blob is read once. Kept only while outcomes are built: a whole tree may be large. */
export function createTreeReader(repo: GitRepo, settings: LoadSettings): TreeReader {
  const texts = new Map<string, string>();
  const textOf = async (oid: string): Promise<string> => {
    const known = texts.get(oid);
    if (known !== undefined) return known;
    const text = exactText(await repo.blob(oid));
    texts.set(oid, text);
    return text;
  };
  return {
    async read(at, signal) {
      await repo.fetch(at, signal);
      const files = new Map<string, string>();
      for (const [path, { oid, mode }] of await repo.tree(at, settings.path)) {
        if (mode.startsWith('100') && isManifestFile(path, settings)) files.set(path, await textOf(oid));
      }
      return files;
    },
  };
}

/** Renders trees as the sync does; what was parsed for one is not parsed again for the next. */
export function createRender(settings: LoadSettings): Render {
  const parsed = new Map<string, CachedFile>();
  const oids = new Map<string, string>();
  const oidOf = (text: string): string => {
    const known = oids.get(text);
    if (known !== undefined) return known;
    const oid = sha256Hex(text);
    oids.set(text, oid);
    return oid;
  };
  function* inTurns(files: Files): Generator<void, RenderedTree> {
    const blobs = new Map<string, { readonly oid: string }>();
    const known = new Map<string, CachedFile>();
    for (const [path, text] of files) {
      const blob = { oid: oidOf(text) };
      const version = `${blob.oid} ${path}`;
      const file = parsed.get(version) ?? (yield* readManifestFile(path, shownText(text), blob));
      parsed.set(version, file);
      known.set(path, file);
      blobs.set(path, blob);
    }
    yield;
    const loaded = loadTree(blobs, new Map(), known, settings);
    yield;
    const apps: RenderedApp[] = [];
    for (const { id, target, configs, content } of yield* findApps(loaded.manifests, settings.defaultNamespace))
      apps.push({ id, content, documents: [...(target ? [target] : []), ...configs] });
    // Warnings may come back with the text that they are about; lines move with every edit.
    const errors = loaded.problems.filter(({ severity }) => severity === 'error');
    const problems = errors.map(({ path, message }) => `${path}: ${message.replaceAll(/:\d+\b/g, '')}`);
    return { manifests: loaded.manifests, apps, problems, unreadableText: loaded.unreadableText };
  }
  return Object.assign((files: Files) => atOnce(inTurns(files)), { inTurns });
}

import { appsOf } from '../canary/app.ts';
import type { GitRepo, Revision } from '../git/repo.ts';
import { sha256Hex } from '../lib/hash.ts';
import { isManifestFile, type LoadCache, type LoadSettings, loadTree } from '../manifest/load.ts';
import type { Files, Render } from './rendered.ts';

/** Reads the manifest files of revisions; each blob once. Kept only while outcomes are built: a whole tree may be large. */
export function createTreeReader(
  repo: GitRepo,
  settings: LoadSettings,
): (at: Revision, signal: AbortSignal) => Promise<Files> {
  const texts = new Map<string, string>();
  return async (at, signal) => {
    await repo.fetch(at, signal);
    const files = new Map<string, string>();
    for (const [path, { oid, mode }] of await repo.tree(at, settings.path)) {
      if (!mode.startsWith('100') || !isManifestFile(path, settings)) continue;
      let text = texts.get(oid);
      if (text === undefined) {
        text = new TextDecoder('utf-8', { fatal: false, ignoreBOM: true }).decode(await repo.blob(oid));
        texts.set(oid, text);
      }
      files.set(path, text);
    }
    return files;
  };
}

/** Renders trees as the sync does; what was parsed for one is not parsed again for the next. */
export function createRender(settings: LoadSettings): Render {
  let cache: LoadCache = new Map();
  const oids = new Map<string, string>();
  const oidOf = (text: string): string => {
    const known = oids.get(text);
    if (known !== undefined) return known;
    const oid = sha256Hex(text);
    oids.set(text, oid);
    return oid;
  };
  return (files) => {
    const loaded = loadTree(
      new Map([...files].map(([path, text]) => [path, { oid: oidOf(text) }])),
      files,
      cache,
      settings,
    );
    cache = new Map([...cache, ...loaded.cache]);
    const apps = appsOf(loaded.manifests, settings.defaultNamespace).map(({ id, target, configs, content }) => ({
      id,
      content,
      documents: [...(target ? [target] : []), ...configs],
    }));
    return { manifests: loaded.manifests, apps };
  };
}

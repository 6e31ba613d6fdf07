import { appsOf } from '../canary/app.ts';
import type { GitRepo, Revision } from '../git/repo.ts';
import { isManifestFile, type LoadCache, type LoadSettings, loadTree } from '../manifest/load.ts';
import { sha256Hex } from '../lib/hash.ts';
import type { Files, Render } from './rendered.ts';

export interface TreeReader {
  /** The manifest files of a revision. */
  read(at: Revision, signal: AbortSignal): Promise<Files>;
  /** False where the text does not give the file's bytes back. */
  isText(text: string): boolean;
}

/** Each blob is read once. Kept only while outcomes are built: a whole tree may be large. */
export function createTreeReader(repo: GitRepo, settings: LoadSettings): TreeReader {
  const texts = new Map<string, string>();
  const damaged = new Set<string>();
  const textOf = async (oid: string): Promise<string> => {
    const known = texts.get(oid);
    if (known !== undefined) return known;
    const bytes = await repo.blob(oid);
    const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    texts.set(oid, text);
    if (text.includes('\uFFFD') && !Buffer.from(text, 'utf8').equals(bytes)) damaged.add(text);
    return text;
  };
  return {
    isText: (text) => !damaged.has(text),
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
    const blobs = new Map([...files].map(([path, text]) => [path, { oid: oidOf(text) }]));
    const loaded = loadTree(blobs, files, cache, settings);
    cache = new Map([...cache, ...loaded.cache]);
    const apps = appsOf(loaded.manifests, settings.defaultNamespace).map(({ id, target, configs, content }) => ({
      id,
      content,
      documents: [...(target ? [target] : []), ...configs],
    }));
    return { manifests: loaded.manifests, apps };
  };
}

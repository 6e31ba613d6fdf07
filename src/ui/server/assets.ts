import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';

interface Asset {
  readonly type: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly zipped: Uint8Array<ArrayBuffer>;
}

/**
 * Files that browsers get as they are, read once. An address has the hash of all of them, so browsers may keep what it gives for ever, and a file
 * finds those that it imports beside itself.
 */
export interface Assets {
  /** `/assets/HASH/style.css`. Throws where there is no such file. */
  path(name: string): string;
  /** Undefined: there is no such file, or it is another one by now. */
  find(hash: string, name: string): Asset | undefined;
}

const types: ReadonlyMap<string, string> = new Map([
  ['css', 'text/css; charset=utf-8'],
  ['js', 'text/javascript; charset=utf-8'],
  ['svg', 'image/svg+xml'],
]);

/** Beside the programs; where they were only compiled, beside their sources. */
const folders = [new URL('../assets/', import.meta.url), new URL('../../../src/ui/assets/', import.meta.url)] as const;

/** Our own, and those of packages: name to place. */
export function loadAssets(packaged: ReadonlyMap<string, string> = packagedAssets): Assets {
  const folder = folders.find((one) => existsSync(one)) ?? folders[0];
  const resolve = createRequire(import.meta.url).resolve;
  const contents = new Map([
    ...readdirSync(folder).map((name) => [name, readFileSync(new URL(name, folder))] as const),
    ...[...packaged].map(([name, place]) => [name, readFileSync(resolve(place))] as const),
  ]);
  const whole = createHash('sha256');
  const files = new Map<string, Asset>();
  for (const [name, content] of [...contents].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const type = types.get(name.split('.').at(-1) ?? '');
    if (type === undefined) continue;
    whole.update(`${name} ${content.length}\n`).update(content);
    files.set(name, {
      type,
      bytes: new Uint8Array(content),
      zipped: new Uint8Array(gzipSync(content, { level: 9 })),
    });
  }
  const own = whole.digest('hex').slice(0, 16);
  return {
    path(name) {
      if (!files.has(name)) throw new Error(`there is no file ${name} among the assets`);
      return `/assets/${own}/${name}`;
    },
    find: (hash, name) => (hash === own ? files.get(name) : undefined),
  };
}

const packagedAssets: ReadonlyMap<string, string> = new Map([
  ['uplot.js', 'uplot/dist/uPlot.iife.min.js'],
  ['uplot.css', 'uplot/dist/uPlot.min.css'],
]);

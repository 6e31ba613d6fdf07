import { readFileSync } from 'node:fs';

/** The version of package.json, two folders up from `dist/lib` as from `src/lib`. */
export const version: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

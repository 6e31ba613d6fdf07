import { type AppKey, readKey } from '../../src/lib/key.ts';

/** The key of an app, from `NAMESPACE/NAME`. Throws where that is none. */
export function appKey(text: string): AppKey {
  const key = readKey(text);
  if (!key) throw new Error(`"${text}" names no app`);
  return key;
}

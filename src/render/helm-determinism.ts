import { isDeepStrictEqual } from 'node:util';
import { identityOf, nameOf } from '../manifest/identity.ts';
import { type Manifest, refOf } from '../manifest/types.ts';

/** Functions of templates that give something else each time. */
const words =
  /\b(?:rand(?:AlphaNum|Alpha|Numeric|Ascii|Bytes|Int)|genCA|genSelfSignedCert|genSignedCert|genPrivateKey|uuidv4|now|ago|htpasswd|bcrypt|shuffle|encryptAES|derivePassword)\b/;

/** Whether templates among these may make something else each time. */
export function changingWords(contents: Iterable<Uint8Array>): boolean {
  for (const content of contents) {
    const text = Buffer.from(content).toString('latin1');
    if (text.includes('{{') && words.test(text)) return true;
  }
  return false;
}

/** The first template that looks something up in the cluster. */
export function lookingUp(contents: ReadonlyMap<string, Uint8Array>): string | undefined {
  for (const [path, content] of contents) {
    const text = Buffer.from(content).toString('latin1');
    if (/\{\{[^}]{0,500}\blookup\s+["(.$]/.test(text)) return path;
  }
  return undefined;
}

/** What is not the same in both, for people. */
export function differing(some: readonly Manifest[], others: readonly Manifest[]): string | undefined {
  const known = new Map(others.map(({ object }) => [identityOf(object), object]));
  const changed = some.find(({ object }) => !isDeepStrictEqual(known.get(identityOf(object)), object));
  if (changed) return nameOf(refOf(changed.object));
  return some.length === others.length ? undefined : 'the number of its objects';
}

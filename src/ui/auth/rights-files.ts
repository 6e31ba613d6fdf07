import { createHash, timingSafeEqual } from 'node:crypto';
import { AgentError } from '../../lib/errors.ts';
import { plainLine } from '../../lib/plain-text.ts';
import { type Grant, readGrants } from './identity.ts';

/** Who comes with a token. */
export interface TokenHolder {
  readonly name: string;
  /** SHA-256 of the token, in hexadecimal digits. */
  readonly digest: string;
  readonly grants: readonly Grant[];
}

/** Whoever tries tokens out must have too many of them before him. */
const leastLetters = 20;
const mostLines = 1_000;

export const digestOf = (token: string): string => createHash('sha256').update(token).digest('hex');

/**
 * `NAME TOKEN RIGHTS`, a line each: `jane s3cr3t… read,operate:shop`. `sha256:DIGITS` stands for a token that is not written down. Throws
 * CONFIG_INVALID that names file and line, and never the token.
 */
export function parseTokens(path: string, text: string): readonly TokenHolder[] {
  return linesOf(text).map(({ line, words }) => {
    const wrong = (problem: string): AgentError =>
      new AgentError('CONFIG_INVALID', `${path}:${line}: ${problem}; write it as NAME TOKEN RIGHTS`);
    const [name = '', token = '', rights = '', ...more] = words;
    if (rights === '' || more.length > 0) throw wrong(`a line has three words and this one has ${words.length}`);
    const hashed = /^sha256:([0-9a-f]{64})$/.exec(token)?.[1];
    if (hashed === undefined && token.length < leastLetters)
      throw wrong(`the token of ${shown(name)} is shorter than ${leastLetters} letters`);
    return { name: shown(name), digest: hashed ?? digestOf(token), grants: grantsIn(rights, wrong) };
  });
}

/** What the members of a group may do. */
export interface GroupRights {
  /** `*`: whoever can sign in. */
  readonly group: string;
  readonly grants: readonly Grant[];
}

/** `RIGHTS GROUP`, a line each; the group is the rest of the line: `operate:shop cn=shop team,ou=groups`. Throws CONFIG_INVALID. */
export function parseGroups(path: string, text: string): readonly GroupRights[] {
  return linesOf(text).map(({ line, words: [rights = '', ...group] }) => {
    const wrong = (problem: string): AgentError =>
      new AgentError('CONFIG_INVALID', `${path}:${line}: ${problem}; write it as RIGHTS GROUP`);
    if (group.length === 0) throw wrong('no group is named');
    return { group: group.join(' '), grants: grantsIn(rights, wrong) };
  });
}

/** Takes the same time for every wrong token. */
export function holderOf(holders: readonly TokenHolder[], digest: string): TokenHolder | undefined {
  const given = Buffer.from(digest);
  return holders.filter((one) => timingSafeEqual(Buffer.from(one.digest), given))[0];
}

/** What somebody may do by his groups. */
export const grantsOf = (rights: readonly GroupRights[], groups: readonly string[]): readonly Grant[] =>
  rights.filter(({ group }) => group === '*' || groups.includes(group)).flatMap(({ grants }) => grants);

function linesOf(text: string): readonly { readonly line: number; readonly words: readonly string[] }[] {
  return text
    .split('\n', mostLines)
    .map((line, at) => ({ line: at + 1, words: line.split(/\s/).filter((word) => word !== '') }))
    .filter(({ words: [first] }) => first !== undefined && !first.startsWith('#'));
}

function grantsIn(rights: string, wrong: (problem: string) => AgentError): readonly Grant[] {
  const grants = readGrants(rights);
  if (!grants) throw wrong('its rights are none of read, operate, read:NAMESPACE and operate:NAMESPACE, by commas');
  return grants;
}

/** One plain line that fits into commits. */
export const shown = (name: string): string => plainLine(name).slice(0, 100);

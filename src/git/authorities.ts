import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { AgentError, messageOf } from '../lib/errors.ts';

/** PEM certificates, or a file with them that is read again when it changes. */
export type Authorities = string | { readonly file: string };

/** What changes when somebody changes a file: a Secret in a pod is another file behind a link. */
export async function markOf(authorities: Authorities | undefined): Promise<string> {
  if (authorities === undefined || typeof authorities === 'string') return '';
  try {
    const { ino, size, mtimeMs } = await stat(authorities.file);
    return `${ino} ${size} ${mtimeMs}`;
  } catch (cause) {
    throw unreadable(authorities.file, messageOf(cause), cause);
  }
}

/** The certificates. CONFIG_INVALID where the file cannot be read or holds none. */
export async function readAuthorities(authorities: Authorities | undefined): Promise<string | undefined> {
  if (authorities === undefined || typeof authorities === 'string') return authorities;
  let text: string;
  try {
    text = await readFile(authorities.file, 'utf8');
  } catch (cause) {
    throw unreadable(authorities.file, messageOf(cause), cause);
  }
  const problem = pemProblem(text);
  if (problem !== undefined) throw unreadable(authorities.file, problem);
  return text;
}

/** What is wrong with PEM certificates; undefined: nothing. */
function pemProblem(text: string): string | undefined {
  const blocks = text.match(/-----BEGIN (?:TRUSTED )?CERTIFICATE-----[^-]*-----END (?:TRUSTED )?CERTIFICATE-----/g);
  if (!blocks) return 'it holds no PEM certificate (-----BEGIN CERTIFICATE-----)';
  for (const [at, block] of blocks.entries()) {
    try {
      new X509Certificate(block);
    } catch {
      return `certificate ${at + 1} in it cannot be read`;
    }
  }
  return undefined;
}

const unreadable = (file: string, why: string, cause?: unknown): AgentError =>
  new AgentError('CONFIG_INVALID', `the file of certificate authorities ${file} cannot be used: ${why}`, { cause });

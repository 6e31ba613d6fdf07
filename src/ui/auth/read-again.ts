import { readFile, stat } from 'node:fs/promises';
import { AgentError, messageOf } from '../../lib/errors.ts';

/** How long a file is believed to be as it was. */
const freshMs = 2_000;
const mostBytes = 1_048_576;

/** A file that is read again when it changes. Throws CONFIG_INVALID where it cannot be read, or says something wrong. */
export function readAgain<Content>(
  { setting, path }: { readonly setting: string; readonly path: string },
  parse: (path: string, text: string) => Content,
): () => Promise<Content> {
  let known: { readonly version: string; readonly content: Content } | undefined;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  return async () => {
    if (known && performance.now() - lookedAtMs < freshMs) return known.content;
    try {
      const { mtimeMs, size, ino } = await stat(path);
      if (size > mostBytes) throw new Error('it is larger than 1 MiB');
      const version = `${mtimeMs} ${size} ${ino}`;
      if (known?.version !== version) known = { version, content: parse(path, await readFile(path, 'utf8')) };
      lookedAtMs = performance.now();
      return known.content;
    } catch (cause) {
      // What was taken away must not stay valid.
      known = undefined;
      if (cause instanceof AgentError) throw cause;
      throw new AgentError('CONFIG_INVALID', `${setting}: ${path} cannot be read: ${messageOf(cause)}`, { cause });
    }
  };
}

import { AgentError } from '../lib/errors.ts';

const reasons: ReadonlyMap<string, string> = new Map([
  ['ENOSPC', 'no space is left there; make room, or give it a larger volume'],
  ['EDQUOT', 'its quota is used up; make room, or raise the quota'],
  ['EFBIG', 'the system allows no files as large'],
  ['EROFS', 'it is read-only; give it a volume that can be written to'],
  ['EACCES', 'the agent may not write there'],
  ['EPERM', 'the agent may not write there'],
  ['EIO', 'the disk fails'],
  ['EEXIST', 'a file is where a folder is needed; move it away, or name another folder'],
  ['ENOTDIR', 'a file is where a folder is needed; move it away, or name another folder'],
  ['EMFILE', 'too many files are open'],
]);

/** Work on the folder of the mirror: GIT_STORE with what to do where the system refuses it. All is as before then, and is tried again. */
export async function onDisk<T>(dir: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    const reason = reasons.get(code);
    if (cause instanceof AgentError || reason === undefined) throw cause;
    throw new AgentError('GIT_STORE', `the folder of the local mirror ${dir}: ${reason} (${code})`, {
      cause,
    });
  }
}

import { extname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { addAll } from '../../lib/add-all.ts';
import { timerMs } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import { createTurns } from '../../lib/turns.ts';
import {
  type FileOfTree,
  type FileReader,
  type Haste,
  readManifestFile,
  type Rendering,
  unreadFile,
} from '../../manifest/load.ts';
import { defaultLimits, type ManifestLimits, MiB } from '../../manifest/limits.ts';
import type { Manifest } from '../../manifest/types.ts';
import {
  EditLate,
  editingTexts,
  pathsOf,
  type TextEdit,
  type TextEditor,
  type TextEdits,
  textsOf,
} from '../../render/text-edit.ts';
import type { Ask, Portion } from './file-thread.ts';
import { createSlowFolders } from './slow-folders.ts';
import { createThreadLine, type LineTimes } from './thread-line.ts';

/** On this thread, document by document: for files whose documents are small. */
export function createFileReader(limits = defaultLimits): FileReader {
  const turns = createTurns();
  return { read: (path, content, file) => turns.run(readManifestFile(path, content, file, limits)) };
}

export interface ThreadOptions {
  /** Of `file-thread.ts`, as JavaScript. */
  readonly entry: URL;
  /** Larger files are read by the thread, and those with more signs: each costs more than a hundred letters do. */
  readonly smallBytes?: number;
  /** How long a file without a byte may take, and each MiB of it more. */
  readonly deadlineMs?: number;
  readonly deadlineMsPerMiB?: number;
  /** For what the thread keeps; a file that needs more is not read. Absent: ten times the largest file. */
  readonly memoryMiB?: number;
  readonly limits?: ManifestLimits;
  /** Who answers for a file; see `createSlowFolders`. Absent: nobody does. */
  readonly areaOf?: (path: string) => string;
  readonly times?: LineTimes;
}

const restMs = 5_000;
/** What is left of a larger file in the thread's memory is worth more than a thread: it ends at once. */
const largeLength = 4 * MiB;
/** About 45 ms of the slowest of them; a manifest of 300 lines has 1,000. */
const mostSigns = 2_500;
/** A text that is edited is read again to see that it is right. */
const editingFactor = 3;
/** However large its texts are, a revert that others wait for takes no longer. */
const mostEditingMs = 60_000;
/** Files that were given up are not tried again for so long; so many are known. */
const givenUpMs = 3_600_000;
const mostGivenUp = 10_000;
const tooLong = 'takes too long to read';
const manifestsIn = (text: string): readonly Manifest[] => JSON.parse(text) as readonly Manifest[];

/**
 * Large files are read, and what a revert changes in them is edited, by a thread of their own, one after the other: whatever stands in one, no
 * canary waits for it, and neither a deadline nor the memory of that thread is more than that file's loss. A revert waits for no file of the
 * sync, and whoever takes a deadline gets half of it the next time. The thread is there only while there are such files.
 */
export function createThreadedReader({
  entry,
  smallBytes = 32 * 1024,
  deadlineMs = 10_000,
  deadlineMsPerMiB = 4_000,
  limits = defaultLimits,
  memoryMiB = Math.max(160, Math.ceil((10 * limits.fileBytes) / MiB)),
  areaOf = () => '',
  times,
}: ThreadOptions): Required<FileReader> & TextEditor {
  const here = createFileReader(limits);
  const turns = createTurns();
  const line = createThreadLine(times);
  const slow = createSlowFolders(areaOf);
  const givenUp = new Map<string, { readonly reason: string; readonly atMs: number }>();
  const tooMuch = `takes more than ${memoryMiB} MiB of memory to read`;
  let worker: Worker | undefined;
  let rest: NodeJS.Timeout | undefined;
  let isClosed = false;

  const end = async (): Promise<void> => {
    const ended = worker;
    worker = undefined;
    await ended?.terminate();
  };
  const refuseWhenClosed = (): void => {
    if (isClosed) throw new Error('no file is read any more: the reader is closed');
  };
  const started = (): Worker => {
    clearTimeout(rest);
    if (worker) return worker;
    const resourceLimits = { maxOldGenerationSizeMb: memoryMiB, maxYoungGenerationSizeMb: 16 };
    const made = new Worker(entry, { resourceLimits, execArgv: [], env: {} });
    made.unref();
    worker = made;
    return made;
  };
  /** Its answer, or why there is none. Ends the thread and rejects where it is broken off. */
  const ask = (what: Ask, untilMs: number, broken: AbortSignal): Promise<Portion> =>
    new Promise((resolve, reject) => {
      const thread = started();
      const done = (): void => {
        clearTimeout(timer);
        thread.unref();
        thread.off('message', settle).off('error', onError).off('exit', onExit);
        broken.removeEventListener('abort', onBroken);
      };
      const settle = (portion: Portion): void => {
        done();
        resolve(portion);
      };
      const onBroken = (): void => {
        done();
        void end().then(() => reject(broken.reason as Error));
      };
      const onError = (error: Error): void => {
        const isMemory = (error as { code?: unknown }).code === 'ERR_WORKER_OUT_OF_MEMORY';
        worker = undefined;
        settle({
          kind: 'failed',
          reason: isMemory ? tooMuch : `cannot be read: ${messageOf(error)}`,
        });
      };
      const onExit = (): void => {
        worker = undefined;
        settle({ kind: 'failed', reason: 'cannot be read: its thread has ended' });
      };
      const onLate = (): void => settle({ kind: 'failed', reason: tooLong });
      const timer = setTimeout(onLate, timerMs(untilMs - performance.now()));
      thread.on('message', settle).on('error', onError).on('exit', onExit);
      broken.addEventListener('abort', onBroken);
      thread.ref();
      thread.postMessage(what);
    });

  const isQuick = (texts: readonly (string | Uint8Array)[]): boolean =>
    texts.reduce((sum, text) => sum + text.length, 0) <= smallBytes && !hasManySigns(texts, mostSigns);
  const timeFor = (path: string, length: number): number =>
    slow.shareOf(path) * (deadlineMs + (deadlineMsPerMiB * length) / MiB);
  /** One after the other. */
  const inTurn = <Result>(haste: Haste, work: (broken: AbortSignal) => Promise<Result>): Promise<Result> =>
    line.run(haste, async (broken) => {
      refuseWhenClosed();
      return work(broken);
    });
  const keyOf = (path: string, { oid }: FileOfTree): string => `${oid}${extname(path)}`;
  const giveUp = (path: string, file: FileOfTree, reason: string): void => {
    if (reason === tooLong || reason === tooMuch) slow.note(path);
    for (const [oldest] of givenUp) {
      if (givenUp.size < mostGivenUp) break;
      givenUp.delete(oldest);
    }
    givenUp.set(keyOf(path, file), { reason, atMs: performance.now() });
  };
  const reasonOf = (key: string): string | undefined => {
    const known = givenUp.get(key);
    if (known && performance.now() - known.atMs < givenUpMs) return known.reason;
    givenUp.delete(key);
    return undefined;
  };
  const restLater = (): void => {
    rest = setTimeout(() => void end(), restMs).unref();
  };

  const readThere = async (
    path: string,
    content: string | Uint8Array,
    file: FileOfTree,
    broken: AbortSignal,
  ): Promise<Rendering> => {
    // Another tree may have had it meanwhile.
    const before = reasonOf(keyOf(path, file));
    if (before !== undefined) return unreadFile(path, content, file, before);
    const untilMs = performance.now() + timeFor(path, content.length);
    const manifests: Manifest[] = [];
    let portion = await ask({ kind: 'read', path, content, file, limits }, untilMs, broken);
    while (portion.kind === 'manifests') {
      addAll(manifests, manifestsIn(portion.manifests));
      await nextTurn();
      refuseWhenClosed();
      portion = await ask({ kind: 'more' }, untilMs, broken);
    }
    // The thread was ended, so nothing is known of the file.
    refuseWhenClosed();
    if (portion.kind !== 'file') {
      await end();
      const reason = portion.kind === 'failed' ? portion.reason : 'cannot be read';
      giveUp(path, file, reason);
      return unreadFile(path, content, file, reason);
    }
    addAll(manifests, manifestsIn(portion.manifests));
    if (content.length > largeLength) await end();
    else restLater();
    return { ...portion.file, parsed: { ...portion.file.parsed, manifests } };
  };

  const editThere = async (
    edit: TextEdit,
    length: number,
    broken: AbortSignal,
    hastyMs = Infinity,
  ): Promise<TextEdits> => {
    const [path = ''] = pathsOf(edit);
    const mayMs = Math.min(timeFor(path, editingFactor * length), mostEditingMs);
    const answer = await ask({ kind: 'edit', edit }, performance.now() + Math.min(mayMs, hastyMs), broken);
    refuseWhenClosed();
    if (answer.kind === 'edits') {
      if (length > largeLength) await end();
      else restLater();
      return answer.edits;
    }
    await end();
    const reason = answer.kind === 'failed' ? answer.reason : 'cannot be edited';
    if (reason === tooLong && hastyMs < mayMs) throw new EditLate();
    if (reason === tooLong) slow.note(path);
    throw new Error(reason);
  };

  return {
    read(path, content, file, haste = 'later') {
      // What is too large is known without a look.
      if (isQuick([content]) || content.length > limits.fileBytes) return here.read(path, content, file);
      return inTurn(haste, (broken) => readThere(path, content, file, broken));
    },
    edit(edit, mostMs) {
      const texts = textsOf(edit);
      if (isQuick(texts)) return turns.run(editingTexts(edit));
      const length = texts.reduce((sum, text) => sum + text.length, 0);
      return inTurn('now', (broken) => editThere(edit, length, broken, mostMs));
    },
    async close() {
      isClosed = true;
      clearTimeout(rest);
      await end();
    },
  };
}

/** What YAML makes a token of, line ends among them. */
const signs: ReadonlySet<number> = new Set(Buffer.from('\n:,[]{}"\'&*!|>%?#$-~`@'));

/** Stops where that is certain. */
function hasManySigns(texts: readonly (string | Uint8Array)[], most: number): boolean {
  let count = 0;
  for (const text of texts) {
    for (let at = 0; at < text.length; at += 1) {
      const code = typeof text === 'string' ? text.charCodeAt(at) : text[at];
      if (code !== undefined && signs.has(code) && ++count > most) return true;
    }
  }
  return false;
}

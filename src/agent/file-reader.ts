import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { messageOf } from '../lib/errors.ts';
import { createTurns } from '../lib/turns.ts';
import { type CachedFile, type FileOfTree, type FileReader, readManifestFile, unreadFile } from '../manifest/load.ts';
import { maxFileBytes } from '../manifest/text.ts';
import type { Manifest } from '../manifest/types.ts';
import type { TextEditor } from '../release/revert.ts';
import { editingTexts, lengthOfTexts, type RevertTexts, type TextEdits } from '../release/revert-texts.ts';
import type { Ask, Portion } from './file-thread.ts';

/** On this thread, document by document: for files whose documents are small. */
export function createFileReader(): FileReader {
  const turns = createTurns();
  return { read: (path, content, file) => turns.run(readManifestFile(path, content, file)) };
}

export interface ThreadOptions {
  /** Of `file-thread.ts`, as JavaScript. */
  readonly entry: URL;
  /** Larger files are read by the thread, and those with more signs: each costs more than a hundred letters do. */
  readonly smallBytes?: number;
  /** How long a file without a byte may take, and each MiB of it more. */
  readonly deadlineMs?: number;
  readonly deadlineMsPerMiB?: number;
  /** For what the thread keeps; a file that needs more is not read. */
  readonly memoryMiB?: number;
}

const restMs = 5_000;
/** About 45 ms of the slowest of them; a manifest of 300 lines has 1,000. */
const mostSigns = 2_500;
/** A text that is edited is read again to see that it is right. */
const editingFactor = 3;
const manifestsIn = (text: string): readonly Manifest[] => JSON.parse(text) as readonly Manifest[];

/**
 * Large files are read, and what a revert changes in them is edited, by a thread of their own, one after the other: whatever stands in one, no canary waits for it, and neither a deadline nor
 * the memory of that thread is more than that file's loss. The thread is there only while there are such files.
 */
export function createThreadedReader({
  entry,
  smallBytes = 32 * 1024,
  deadlineMs = 10_000,
  deadlineMsPerMiB = 4_000,
  memoryMiB = 160,
}: ThreadOptions): Required<FileReader> & TextEditor {
  const here = createFileReader();
  const turns = createTurns();
  let worker: Worker | undefined;
  let rest: NodeJS.Timeout | undefined;
  let turn: Promise<unknown> = Promise.resolve();
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
  /** Its answer, or why there is none. */
  const ask = (what: Ask, untilMs: number): Promise<Portion> =>
    new Promise((resolve) => {
      const thread = started();
      const settle = (portion: Portion): void => {
        clearTimeout(timer);
        thread.unref();
        thread.off('message', settle).off('error', onError).off('exit', onExit);
        resolve(portion);
      };
      const onError = (error: Error): void => {
        const isMemory = (error as { code?: unknown }).code === 'ERR_WORKER_OUT_OF_MEMORY';
        worker = undefined;
        settle({
          kind: 'failed',
          reason: isMemory
            ? `takes more than ${memoryMiB} MiB of memory to read`
            : `cannot be read: ${messageOf(error)}`,
        });
      };
      const onExit = (): void => {
        worker = undefined;
        settle({ kind: 'failed', reason: 'cannot be read: its thread has ended' });
      };
      const onLate = (): void => settle({ kind: 'failed', reason: 'takes too long to read' });
      const timer = setTimeout(onLate, untilMs - performance.now());
      thread.on('message', settle).on('error', onError).on('exit', onExit);
      thread.ref();
      thread.postMessage(what);
    });

  const isQuick = (texts: readonly (string | Uint8Array)[]): boolean =>
    texts.reduce((sum, text) => sum + text.length, 0) <= smallBytes && !hasManySigns(texts, mostSigns);
  const deadlineOf = (length: number): number =>
    performance.now() + deadlineMs + (deadlineMsPerMiB * length) / 1024 / 1024;
  /** One after the other. */
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const done = turn.then(() => {
      refuseWhenClosed();
      return work();
    });
    turn = done.catch(() => undefined);
    return done;
  };
  const restLater = (): void => {
    rest = setTimeout(() => void end(), restMs).unref();
  };

  const readThere = async (path: string, content: string | Uint8Array, file: FileOfTree): Promise<CachedFile> => {
    const untilMs = deadlineOf(content.length);
    const manifests: Manifest[] = [];
    let portion = await ask({ kind: 'read', path, content, file }, untilMs);
    while (portion.kind === 'manifests') {
      manifests.push(...manifestsIn(portion.manifests));
      await nextTurn();
      refuseWhenClosed();
      portion = await ask({ kind: 'more' }, untilMs);
    }
    // The thread was ended, so nothing is known of the file.
    refuseWhenClosed();
    if (portion.kind !== 'file') {
      await end();
      return unreadFile(path, content, file, portion.kind === 'failed' ? portion.reason : 'cannot be read');
    }
    manifests.push(...manifestsIn(portion.manifests));
    restLater();
    return { ...portion.file, parsed: { ...portion.file.parsed, manifests } };
  };

  const editThere = async (texts: RevertTexts, length: number): Promise<TextEdits> => {
    const answer = await ask({ kind: 'edit', texts }, deadlineOf(editingFactor * length));
    refuseWhenClosed();
    if (answer.kind === 'edits') {
      restLater();
      return answer.edits;
    }
    await end();
    throw new Error(answer.kind === 'failed' ? answer.reason : 'cannot be edited');
  };

  return {
    read(path, content, file) {
      // What is too large is known without a look.
      if (isQuick([content]) || content.length > maxFileBytes) return here.read(path, content, file);
      return inTurn(() => readThere(path, content, file));
    },
    edit(texts) {
      const length = lengthOfTexts(texts);
      const all = [texts.base, texts.judged, texts.tip].flatMap((tree) => [...tree.texts.values()]);
      if (isQuick(all)) return turns.run(editingTexts(texts));
      return inTurn(() => editThere(texts, length));
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

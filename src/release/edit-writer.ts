import type { CommitDraft, GitRepo, PushResult, Revision, Signature } from '../git/repo.ts';
import type { Logger } from '../lib/log.ts';
import { answered, createTurns } from '../lib/turns.ts';
import { editedFiles, type TreeFiles, unreadAmong } from '../render/tree-files.ts';
import { textAt } from '../render/source-bytes.ts';
import { type BranchEdit, buildingEdit, type EditTip } from './branch-edit.ts';
import { ledgerPath, parseLedger } from './ledger.ts';
import type { Render } from './rendered.ts';
import type { TreeReader } from './trees.ts';
import { causeOf } from './waiting.ts';

export interface EditListeners {
  /** `revision`: the commit that makes it. */
  readonly onWritten: (edit: BranchEdit, revision: Revision, subject: string) => void;
  /** Nothing is to be done on the tip; it is forgotten. */
  readonly onNeedless: (edit: BranchEdit, reason: string) => void;
  /** Something stands in the way: said once for each reason. It is tried again for as long as it waits. */
  readonly onBlocked: (edit: BranchEdit, reason: string) => void;
}

interface Waiting {
  edit: BranchEdit;
  /** A push of several came to nothing: it goes alone. */
  alone: boolean;
  failures: number;
  /** Not tried before this time, on a clock that nobody sets, unless the tip is another one. */
  held: { readonly untilMs: number; readonly tip: Revision } | undefined;
  told: string | undefined;
}

export interface EditQueueDeps {
  readonly repo: GitRepo;
  readonly reader: TreeReader;
  readonly render: Render;
  readonly settings: { readonly path: string; readonly ledgerDir: string; readonly author: Omit<Signature, 'atMs'> };
  readonly log: Logger;
  readonly elapsedMs: () => number;
  readonly push: (tip: Revision, commits: readonly CommitDraft[], signal: AbortSignal) => Promise<PushResult>;
}

/** Undefined: there is no such file. */
interface PreviewedFile {
  readonly path: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

export type PreviewedEdit =
  | { readonly kind: 'built'; readonly message: string; readonly files: readonly PreviewedFile[] }
  | { readonly kind: 'needless'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string };

/** What came of one attempt. */
export interface EditAttempt {
  /** `landed` may have left others waiting; `nothing`: none was due; `raced`: build anew; `late`: Git does not answer as it should. */
  readonly kind: 'landed' | 'nothing' | 'raced' | 'late';
  /** Where a refusal said that the branch is. */
  readonly tip?: Revision | undefined;
}

const againMs = { first: 15_000, most: 300_000 };

/**
 * Edits that wait for their push, those of several apps in one: a commit each. They go after outcomes and in pushes of their own, so that
 * none ever holds up an outcome.
 */
export class EditQueue {
  readonly #deps: EditQueueDeps;
  readonly #listeners: EditListeners;
  readonly #entries = new Map<string, Waiting>();
  readonly #turns = createTurns();

  constructor(deps: EditQueueDeps, listeners: EditListeners) {
    this.#deps = deps;
    this.#listeners = listeners;
  }

  get size(): number {
    return this.#entries.size;
  }

  add(edit: BranchEdit): void {
    const entry = this.#entries.get(edit.key);
    if (entry) entry.edit = edit;
    else this.#entries.set(edit.key, { edit, alone: false, failures: 0, held: undefined, told: undefined });
  }

  /** One attempt on a tip that is here. */
  async attempt(tip: Revision, signal: AbortSignal): Promise<EditAttempt> {
    const due = this.#due(tip);
    if (due.length === 0) return { kind: 'nothing' };
    const { repo, reader, log } = this.#deps;
    const commits: CommitDraft[] = [];
    const built: Waiting[] = [];
    let files = await reader.read(tip, signal, 'tip');
    for (const entry of due) {
      const { edit } = entry;
      const parts = { ...this.#deps, files, tip: this.#tipAt(tip, files), author: this.#deps.settings.author };
      const result = await this.#turns.run(buildingEdit(edit, parts));
      if (result.kind === 'needless') this.#needless(entry, result.reason);
      else if (result.kind === 'refused') this.#failed(entry, tip, result.reason);
      else {
        commits.push(result.draft);
        built.push(entry);
        files = editedFiles(files, result.files);
      }
      signal.throwIfAborted();
    }
    if (commits.length === 0) return { kind: 'landed' };
    const result = await this.#deps.push(tip, commits, signal);
    switch (result.kind) {
      case 'landed':
        built.forEach(({ edit }, index) => {
          this.#entries.delete(edit.key);
          const revision = result.commits[index] ?? result.tip;
          const subject = subjectOf(commits[index]);
          edit.landed?.();
          this.#listeners.onWritten(edit, revision, subject);
        });
        return { kind: 'landed' };
      case 'raced':
        return { kind: 'raced', tip: result.tip };
      case 'refused':
      case 'stuck':
        if (built.length > 1) for (const entry of built) entry.alone = true;
        else for (const entry of built) this.#failed(entry, tip, `the Git server refuses the push: ${result.reason}`);
        return { kind: 'landed' };
      case 'unknown':
        // What has landed is needless on the next tip.
        log.warn({ reason: result.reason }, `it is not known whether a push has landed on ${repo.branch}, looking`);
        return { kind: 'late' };
    }
  }

  /** What an edit would come to on a tip that is here. Nothing is written. */
  async preview(edit: BranchEdit, tip: Revision, signal: AbortSignal): Promise<PreviewedEdit> {
    const { repo, reader, settings } = this.#deps;
    const files = await reader.read(tip, signal, 'tip');
    const parts = { ...this.#deps, files, tip: this.#tipAt(tip, files), author: settings.author };
    const built = await this.#turns.run(buildingEdit(edit, parts));
    if (built.kind !== 'built') return built;
    const changed: PreviewedFile[] = [];
    for (const [path, after] of built.files) {
      const bytes = await repo.file(tip, path);
      changed.push({ path, before: bytes && Buffer.from(bytes).toString('utf8'), after: after ?? undefined });
    }
    return { kind: 'built', message: built.draft.message, files: changed };
  }

  #due(tip: Revision): readonly Waiting[] {
    const nowMs = this.#deps.elapsedMs();
    const due = [...this.#entries.values()].filter(
      ({ held }) => held === undefined || held.untilMs <= nowMs || held.tip !== tip,
    );
    const together = due.filter(({ alone }) => !alone);
    return together.length > 0 ? together : due.slice(0, 1);
  }

  #needless(entry: Waiting, reason: string): void {
    this.#entries.delete(entry.edit.key);
    this.#listeners.onNeedless(entry.edit, reason);
  }

  #failed(entry: Waiting, tip: Revision, reason: string): void {
    entry.failures += 1;
    const waitMs = Math.min(againMs.first * 2 ** Math.min(entry.failures - 1, 10), againMs.most);
    entry.held = { untilMs: this.#deps.elapsedMs() + waitMs, tip };
    const cause = causeOf(reason);
    if (entry.told === cause) return;
    entry.told = cause;
    this.#listeners.onBlocked(entry.edit, reason);
  }

  #tipAt(tip: Revision, files: TreeFiles): Omit<EditTip, 'tree' | 'files'> {
    const { repo, reader, settings } = this.#deps;
    return {
      *ledger(app) {
        const path = ledgerPath(settings, app);
        const edited = files.get(path);
        if (typeof edited === 'string') return parseLedger(path, edited);
        const bytes = yield* answered(repo.file(tip, path));
        return bytes && parseLedger(path, Buffer.from(bytes).toString('utf8'));
      },
      *text(path) {
        const unread = unreadAmong(files, [path]);
        if (unread.length > 0) yield* answered(reader.readTexts(files, unread));
        return yield* textAt(path, { files });
      },
    };
  }
}

const subjectOf = (draft: CommitDraft | undefined): string => {
  const text = draft?.message ?? '';
  return text.slice(0, text.indexOf('\n'));
};

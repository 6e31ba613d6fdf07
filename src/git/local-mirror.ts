import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError } from '../lib/errors.ts';
import { ByteCache } from './byte-cache.ts';
import { KnownTips } from './known-tips.ts';
import { defaultMemoryBytes, memoryWithin } from './memory.ts';
import { type GitObject, type ParsedCommit, parseCommit } from './objects.ts';
import { ObjectStore, type ReadingMany, type TakeObject, UnreadableObject } from './object-store.ts';
import type { IngestedPack } from './pack-ingest.ts';
import type { PreparedPush } from './prepared-push.ts';
import { asRevision, type Revision } from './repo.ts';
import { Trees } from './trees.ts';

/** More than this and more than four times its largest pack: the mirror is thrown away at the next start. */
const MAX_GROWN_BYTES = 256 * 1024 * 1024;
const USUAL_FILE_BYTES = 16 * 1024 * 1024;
const COMMIT_CACHE_BYTES = 512 * 1024;

/**
 * The bare repository on disk, native git's format. Every commit in it has its whole tree here, because only whole
 * answers of the server are let in. A read that finds damage says so once; the mirror then counts as empty until `reset`.
 */
export class LocalMirror {
  readonly gitdir: string;
  readonly trees: Trees;
  readonly #identity: string;
  readonly #memoryBytes: number;
  readonly #commits = new ByteCache<ParsedCommit>(COMMIT_CACHE_BYTES);
  #store: ObjectStore;
  #tips: KnownTips;
  #damaged = false;
  #isSettled = true;

  private constructor(gitdir: string, identity: string, memoryBytes: number, store: ObjectStore, tips: KnownTips) {
    this.gitdir = gitdir;
    this.#identity = identity;
    this.#memoryBytes = memoryBytes;
    this.#store = store;
    this.#tips = tips;
    this.trees = new Trees((oid) => this.#readTree(oid), memoryWithin(memoryBytes).folders);
  }

  /**
   * `url`, `branch` and the largest file identify what is mirrored; a mirror of something else, or a damaged one, is begun again: what a server
   * left out of it because it was too large would be missing for ever.
   */
  static async open(
    dir: string,
    url: string,
    branch: string,
    maxFileBytes = USUAL_FILE_BYTES,
    memoryBytes = defaultMemoryBytes,
  ): Promise<LocalMirror> {
    const gitdir = join(dir, 'mirror.git');
    // Only what this wrote is thrown away.
    const there = await stat(gitdir).catch(() => undefined);
    if (there && !there.isDirectory()) throw Object.assign(new Error(`${gitdir} is no folder`), { code: 'ENOTDIR' });
    const identity = configOf(url, branch, maxFileBytes);
    const found = await readFile(join(gitdir, 'config'), 'utf8').catch(() => undefined);
    if (found === identity) {
      const mirror = await LocalMirror.#load(gitdir, identity, memoryBytes).catch(() => undefined);
      if (mirror && (await mirror.#isSound())) return mirror;
      mirror?.close();
    }
    await begin(gitdir, identity);
    return LocalMirror.#load(gitdir, identity, memoryBytes);
  }

  static async #load(gitdir: string, identity: string, memoryBytes: number): Promise<LocalMirror> {
    const store = await ObjectStore.open(gitdir, memoryBytes);
    return new LocalMirror(gitdir, identity, memoryBytes, store, await KnownTips.open(gitdir, (oid) => store.has(oid)));
  }

  async #isSound(): Promise<boolean> {
    const sizes = this.#store.packs.map(({ bytes }) => bytes);
    const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
    if (total > Math.max(MAX_GROWN_BYTES, 4 * Math.max(0, ...sizes))) return false;
    const newest = this.#tips.tips.at(-1);
    if (!newest) return sizes.length === 0;
    try {
      await this.proveReadable(newest);
      return true;
    } catch {
      return false;
    }
  }

  get store(): ObjectStore {
    return this.#store;
  }

  get tips(): KnownTips {
    return this.#tips;
  }

  get isEmpty(): boolean {
    return this.#damaged || this.#store.packs.length === 0;
  }

  has(oid: string): boolean {
    return !this.#damaged && this.#store.has(oid);
  }

  /** GIT_NOT_FOUND when it is not here, GIT_TOO_LARGE when it cannot be held, GIT_PROTOCOL when it cannot be read. */
  async read(oid: string): Promise<GitObject> {
    let object: GitObject | undefined;
    try {
      object = await this.#store.read(oid);
    } catch (cause) {
      if (cause instanceof AgentError && cause.code === 'GIT_TOO_LARGE') throw cause;
      this.#damaged = true;
      throw new AgentError('GIT_PROTOCOL', `the local copy is damaged at object ${oid}; it is downloaded again`, {
        cause,
      });
    }
    if (!object)
      throw new AgentError('GIT_NOT_FOUND', `object ${oid} has not been fetched`, { details: { missing: 'object' } });
    return object;
  }

  /** As `ObjectStore.readMany`; errors as those of `read`, and what `take` throws. */
  async readMany(oids: Iterable<string>, take: TakeObject, more?: ReadingMany): Promise<void> {
    try {
      await this.#store.readMany(oids, take, more);
    } catch (error) {
      if (!(error instanceof UnreadableObject)) throw error;
      this.#damaged = true;
      throw new AgentError('GIT_PROTOCOL', 'the local copy is damaged; it is downloaded again', { cause: error.cause });
    }
  }

  /** Folders are only reached from commits that are here: a missing one is damage. */
  async #readTree(oid: string): Promise<GitObject> {
    const object = await this.read(oid).catch((error: unknown) => {
      this.#damaged = true;
      throw error;
    });
    return object;
  }

  async commit(revision: Revision): Promise<ParsedCommit> {
    const known = this.#commits.get(revision);
    if (known) return known;
    const { type, content } = await this.read(revision);
    if (type !== 'commit')
      throw new AgentError('GIT_NOT_FOUND', `${revision} is a ${type}, not a commit`, {
        details: { missing: 'commit' },
      });
    const commit = parseCommit(revision, content);
    this.#commits.set(revision, commit, content.length * 2 + 500);
    return commit;
  }

  /** Reads a commit and its root folder back; throws when that fails. */
  async proveReadable(revision: Revision): Promise<void> {
    const { tree } = await this.commit(revision);
    await this.trees.folder(tree);
  }

  /** Lets a checked pack in. `tip` is the commit that was asked for, if it was a commit. */
  async accept(pack: IngestedPack, tip: Revision | undefined): Promise<void> {
    await this.settle();
    await this.#store.addPack(pack);
    await this.#noteTip(tip, pack.commits.map(asRevision));
    await this.#tips.save();
  }

  /** The same, and a crash forgets it until it is settled: the disk is not waited for. */
  async hold(pack: IngestedPack, tip: Revision | undefined): Promise<void> {
    await this.#store.hold(pack);
    this.#isSettled = false;
    await this.#noteTip(tip, pack.commits.map(asRevision));
  }

  /** What was pushed on top of a commit that is here, until it is settled as `hold`. */
  async holdPush({ pack, tip, folders }: Pick<PreparedPush, 'pack' | 'tip' | 'folders'>): Promise<void> {
    await this.#store.hold(pack);
    this.#isSettled = false;
    await this.#noteTip(tip, []);
    for (const [oid, folder] of folders) this.trees.keep(oid, folder);
  }

  /** Makes durable what is held. */
  async settle(): Promise<void> {
    if (this.#isSettled) return;
    await this.#store.settle();
    await this.#tips.save();
    this.#isSettled = true;
  }

  async #noteTip(tip: Revision | undefined, commits: readonly Revision[]): Promise<void> {
    if (tip) await this.proveReadable(tip);
    await this.#tips.note(tip, commits, async (commit) =>
      (await this.commit(commit)).parents.every((parent) => this.#store.has(parent)),
    );
  }

  compact(): Promise<number> {
    return this.#store.compact();
  }

  /** Begins again with an empty mirror. */
  async reset(): Promise<void> {
    this.#store.close();
    this.#commits.clear();
    await begin(this.gitdir, this.#identity);
    this.#store = await ObjectStore.open(this.gitdir, this.#memoryBytes);
    this.#tips = await KnownTips.open(this.gitdir, () => false);
    this.#damaged = false;
    this.#isSettled = true;
  }

  close(): void {
    this.#store.close();
  }
}

async function begin(gitdir: string, config: string): Promise<void> {
  await rm(gitdir, { recursive: true, force: true });
  await mkdir(join(gitdir, 'objects', 'pack'), { recursive: true });
  await mkdir(join(gitdir, 'refs'), { recursive: true });
  await writeFile(join(gitdir, 'HEAD'), 'ref: refs/heads/none\n');
  await writeFile(join(gitdir, 'config'), config);
}

/** Mirrors of former versions know no other, and say nothing of it. */
const filterOf = (maxFileBytes: number): string =>
  maxFileBytes === USUAL_FILE_BYTES ? '' : `\tpartialclonefilter = blob:limit=${maxFileBytes + 1}\n`;

const configOf = (url: string, branch: string, maxFileBytes: number): string =>
  `[core]\n\trepositoryformatversion = 0\n\tbare = true\n[remote "origin"]\n\turl = ${url}\n\tfetch = +refs/heads/${branch}:refs/serin/*\n${filterOf(maxFileBytes)}`;

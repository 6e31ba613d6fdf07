import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError, messageOf } from '../lib/errors.ts';
import type { ProxySettings } from '../lib/http/dispatcher.ts';
import { type Logger, silentLogger } from '../lib/log.ts';
import { Ancestry, type Parents, parentsIn } from './ancestry.ts';
import type { Authorities } from './authorities.ts';
import { type GitAuth, parseRemote } from './credentials.ts';
import { FOLDER, SUBMODULE } from './folder.ts';
import { type FolderLock, lockFolder, type LockTimes } from './folder-lock.ts';
import { hushed } from './hushed.ts';
import { LocalMirror } from './local-mirror.ts';
import { defaultMemoryBytes, type GitMemory, memoryWithin } from './memory.ts';
import { type GitObject, parseTag } from './objects.ts';
import { ingestPack } from './pack-ingest.ts';
import type { PreparedPush } from './prepared-push.ts';
import { preparePush, sameMessage } from './push.ts';
import { sendPush } from './pusher.ts';
import { createReceivePack, type ReceivePack } from './receive-pack.ts';
import {
  asRevision,
  isCommitGone,
  type CommitInfo,
  type GitRepo,
  type PushRequest,
  type PushResult,
  type Revision,
  type TreeChange,
  type Standing,
  type TreeFile,
} from './repo.ts';
import { isSameRepository } from './same-repository.ts';
import { onDisk } from './store-errors.ts';
import { createHttpWire } from './http-wire.ts';
import { isSshUrl, parseSshUrl } from './ssh/address.ts';
import type { SshAccess } from './ssh/connection.ts';
import { createSshWire } from './ssh/wire.ts';
import { createTransport } from './transport.ts';
import { createUploadPack, type UploadPack, type WireLimits } from './upload-pack.ts';
import type { Wire } from './wire.ts';

export interface RepoOptions {
  /** https://, http://, ssh:// or user@host:path. Credentials in it are used and never shown. */
  readonly url: string;
  readonly branch: string;
  /** Owned by this repository alone; made when absent. What is in it is a cache and may be deleted between two runs. */
  readonly dir: string;
  readonly auth?: GitAuth;
  /** How to sign in over SSH, and whom to trust. Without it nothing but http is spoken. */
  readonly ssh?: Omit<SshAccess, 'connectTimeoutMs'>;
  /** Certificates that are trusted instead of the system's. */
  readonly ca?: Authorities;
  /** Absent: no proxy. */
  readonly proxy?: ProxySettings;
  readonly limits?: Partial<GitLimits>;
  /** What may be held of objects, beside a download, in bytes. */
  readonly memoryBytes?: number;
  readonly lock?: LockTimes;
  readonly log?: Logger;
}

interface GitLimits extends WireLimits {
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

const defaultGitLimits: GitLimits = {
  connectTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  pollTimeoutMs: 30_000,
  fetchTimeoutMs: 600_000,
  pushTimeoutMs: 120_000,
  maxPackBytes: 512 * 1024 * 1024,
  maxFileBytes: 16 * 1024 * 1024,
};

/** The server does not give a commit by this id, whether it has it or not. */
const isNotGiven = (error: unknown): boolean => error instanceof AgentError && error.details['isNotGiven'] === true;
const TIPS_REMEMBERED = 50;
/** How far history is filled in when several commits came between two polls. */
const HISTORY_DEPTH = 20;
/** In a race the commits between are fetched together with the tip: a request more is another race lost. */
const RACE_DEPTH = 8;
/** How far below the tip a commit is searched that the server does not give by its id. */
const SEARCH_DEPTHS: readonly number[] = [16, 256, 4_096, 65_536];

/** How deep history is fetched with trees and files, where it cannot be had without. */
const WHOLE_HISTORY_DEPTH = 16_384;

/** Opens the mirror in `dir` without asking the server; the first `fetch` downloads. */
export async function openRepo(options: RepoOptions): Promise<GitRepo & { close(): Promise<void> }> {
  const { wire, auth } = wireTo(options);
  const { dir } = options;
  await onDisk(dir, () => mkdir(dir, { recursive: true }));
  const lock = await onDisk(dir, () => lockFolder(dir, options.lock));
  const mirror = await onDisk(dir, async () => {
    // Former versions cloned there; a crash may have left it.
    await rm(join(dir, 'clone.tmp'), { recursive: true, force: true });
    const { maxFileBytes } = { ...defaultGitLimits, ...options.limits };
    return LocalMirror.open(dir, wire.url, options.branch, maxFileBytes, options.memoryBytes);
  }).catch(async (error: unknown) => {
    await lock.release();
    throw error;
  });
  return hushed(new MirroredRepo(options, mirror, lock, wire), auth);
}

function wireTo(options: RepoOptions): { readonly wire: Wire; readonly auth: GitAuth | undefined } {
  const limits = { ...defaultGitLimits, ...options.limits };
  if (isSshUrl(options.url)) {
    const address = parseSshUrl(options.url);
    if (!options.ssh) throw new AgentError('CONFIG_INVALID', `${address.url}: a key is needed to speak SSH`);
    return { wire: createSshWire({ ...limits, ...options.ssh, address }), auth: undefined };
  }
  const remote = parseRemote(options.url, options.auth);
  const onMoved = (url: string): void =>
    (options.log ?? silentLogger).warn(
      {},
      `The repository has moved to ${url}: name that with --git-url, or another may take its place`,
    );
  return { wire: createHttpWire(createTransport({ ...limits, ...options, remote, onMoved })), auth: remote.auth };
}

class MirroredRepo implements GitRepo {
  readonly branch: string;
  readonly #dir: string;
  readonly #lock: FolderLock;
  readonly #mirror: LocalMirror;
  readonly #wire: Wire;
  readonly #limits: GitLimits;
  readonly #memory: GitMemory;
  readonly #upload: UploadPack;
  readonly #receive: ReceivePack;
  readonly #log: Logger;
  /** Commits that were searched for in vain, with the tip below which. */
  readonly #missing = new Map<Revision, Revision | undefined>();
  readonly #ancestry: Ancestry;
  #polled: Revision | undefined;
  /** Where a refused push found the branch. */
  #named: Revision | undefined;
  /** What the branch was at lately. */
  readonly #tips = new Set<Revision>();
  /** Tips of which it is not known that they are of the repository that was followed. A restart forgets them: then a person has looked. */
  readonly #strangers = new Map<Revision, 'unknown' | 'another'>();
  /** Fetches, pushes and compaction happen one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: RepoOptions, mirror: LocalMirror, lock: FolderLock, wire: Wire) {
    this.branch = options.branch;
    this.#dir = options.dir;
    this.#lock = lock;
    this.#mirror = mirror;
    this.#wire = wire;
    this.#limits = { ...defaultGitLimits, ...options.limits };
    this.#memory = memoryWithin(options.memoryBytes ?? defaultMemoryBytes);
    this.#upload = createUploadPack(wire, this.#limits);
    this.#receive = createReceivePack(wire, this.#limits);
    this.#log = options.log ?? silentLogger;
    this.#ancestry = new Ancestry({
      local: (commit) => this.#parents(commit),
      load: (from, depth, signal) => this.#history(from, depth, signal),
    });
  }

  get #branchRef(): string {
    return `refs/heads/${this.branch}`;
  }

  async poll(signal: AbortSignal): Promise<Revision | undefined> {
    const refs = await this.#upload.listRefs([this.#branchRef], signal);
    const oid = refs.get(this.#branchRef)?.oid;
    this.#polled = oid === undefined ? undefined : asRevision(oid);
    if (this.#polled) this.#tips.add(this.#polled);
    for (const oldest of this.#tips) {
      if (this.#tips.size <= TIPS_REMEMBERED) break;
      this.#tips.delete(oldest);
    }
    return this.#polled;
  }

  async refs(prefixes: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Revision>> {
    const refs = await this.#upload.listRefs(prefixes, signal);
    return new Map([...refs].map(([name, { oid, peeled }]) => [name, asRevision(peeled ?? oid)]));
  }

  has(revision: Revision): Promise<boolean> {
    return Promise.resolve(this.#mirror.has(revision));
  }

  fetch(revision: Revision, signal: AbortSignal): Promise<void> {
    if (this.#mirror.has(revision) && !this.#strangers.has(revision)) return Promise.resolve();
    return this.#exclusive(() => this.#bring(revision, signal));
  }

  /** In a race with others neither the disk is waited for nor history that nobody needs yet. */
  async #bring(revision: Revision, signal: AbortSignal, isRace = revision === this.#named): Promise<void> {
    const isFirst = this.#mirror.isEmpty;
    const followed = isFirst
      ? []
      : this.#mirror.tips.tips.filter((tip) => tip !== revision && !this.#strangers.has(tip));
    if (this.#strangers.has(revision)) return this.#assertSame(revision, followed, signal);
    if (this.#mirror.has(revision)) return;
    if (isFirst) await this.#mirror.reset();
    const isUpdate = !isFirst && revision === this.#polled && !isRace;
    try {
      await this.#download(revision, revision, isRace ? RACE_DEPTH : 1, signal, isRace);
    } catch (error) {
      if (!(await this.#isOnlyBelowTip(revision, error, signal))) throw error;
      await this.#bringFromTip(revision, signal);
    }
    if (!this.#mirror.has(revision)) throw new AgentError('GIT_PROTOCOL', `the Git server did not send ${revision}`);
    if (isFirst) this.#log.info({ revision }, 'cloned the git repository');
    if (isUpdate) await this.#fillHistory(revision, signal);
    if (this.#tips.has(revision) || isRace) await this.#assertSame(revision, followed, signal);
    if (isRace) return;
    const joined = await this.#mirror.compact().catch((error: unknown) => {
      // What was asked for is here.
      this.#log.warn({ reason: messageOf(error) }, 'could not join small packs of the git mirror');
      return 0;
    });
    if (joined > 0) this.#log.debug({ packs: joined }, 'joined small packs of the git mirror');
  }

  /** Throws where a tip is of another repository that has taken the name; that is found out once. */
  async #assertSame(tip: Revision, followed: readonly Revision[], signal: AbortSignal): Promise<void> {
    if (this.#strangers.get(tip) !== 'another') {
      this.#strangers.set(tip, 'unknown');
      const knows = (commit: Revision): Promise<boolean> => this.#knows(commit, signal);
      const known = { mirror: this.#mirror, ancestry: this.#ancestry, tips: followed, knows };
      if (await isSameRepository(known, tip, signal)) return void this.#strangers.delete(tip);
      this.#strangers.set(tip, 'another');
    }
    throw new AgentError(
      'GIT_PROTOCOL',
      `${this.#wire.url}: the branch ${this.branch} has another history and other files than before, as if another repository had taken the name; nothing of it is applied or written: name the right one with --git-url, or restart the agent to follow this one`,
    );
  }

  async #knows(commit: Revision, signal: AbortSignal): Promise<boolean> {
    const { tips, shallow } = this.#mirror.tips;
    try {
      await this.#upload.fetch({ wants: [commit], haves: tips, shallow, depth: 1 }, signal);
      return true;
    } catch (error) {
      if (isCommitGone(error) || isNotGiven(error)) return false;
      throw error;
    }
  }

  /** Whether the server has refused a commit by its id and may give it all the same, as history of the branch's tip. */
  async #isOnlyBelowTip(revision: Revision, error: unknown, signal: AbortSignal): Promise<boolean> {
    if (!(error instanceof AgentError) || signal.aborted || revision === this.#polled) return false;
    if (error.code !== 'GIT_NOT_FOUND' && error.code !== 'GIT_PROTOCOL') return false;
    return !(await this.#upload.givesAnyCommit(signal)) || isNotGiven(error);
  }

  /** Hosts that give branch tips only give the commits below one by depth. */
  async #bringFromTip(revision: Revision, signal: AbortSignal): Promise<void> {
    const tip = await this.poll(signal);
    const isKnown = this.#missing.has(revision) && this.#missing.get(revision) === tip;
    for (const depth of isKnown ? [] : SEARCH_DEPTHS) {
      if (tip === undefined) break;
      await this.#download(tip, tip, depth, signal);
      if (this.#mirror.has(revision)) return;
      if (this.#mirror.tips.shallow.length === 0) break;
    }
    this.#missing.set(revision, tip);
    throw new AgentError('GIT_NOT_FOUND', `commit ${revision} is not in the history of the branch ${this.branch}`, {
      details: { missing: 'commit' },
    });
  }

  /**
   * One request. With depth 1 the server sends the commit alone, and thanks to the haves (and a thin pack) only those
   * of its objects that the mirror lacks: a merge of an old branch does not bring that branch's history along.
   */
  async #download(
    want: string,
    tip: Revision | undefined,
    depth: number,
    signal: AbortSignal,
    isHasty = false,
  ): Promise<void> {
    const { tips, shallow } = this.#mirror.tips;
    const { bytes } = await this.#upload.fetch({ wants: [want], haves: tips, shallow, depth }, signal);
    if (!bytes) return;
    const pack = await ingestPack(bytes, (oid) => this.#mirror.store.readNow(oid), undefined, this.#memory);
    signal.throwIfAborted();
    await (isHasty ? this.#mirror.hold(pack, tip) : this.#mirror.accept(pack, tip));
    this.#log.debug({ revision: want, bytes: bytes.length, objects: pack.entries.length }, 'fetched from git');
  }

  /** The commits between two polls, for `log`. They are not needed to go on, so a failure is only told. */
  async #fillHistory(revision: Revision, signal: AbortSignal): Promise<void> {
    const { parents } = await this.#mirror.commit(revision);
    if (parents.every((parent) => this.#mirror.has(parent))) return;
    try {
      await this.#download(revision, revision, HISTORY_DEPTH, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      this.#log.warn({ revision, reason: messageOf(error) }, 'could not fetch the history before a commit');
    }
  }

  async isAncestor(revision: Revision, of: Revision, signal: AbortSignal): Promise<boolean> {
    if (!/^[0-9a-f]{40}$/.test(revision)) return false;
    await this.fetch(of, signal);
    const isBefore = await this.#exclusive(() => this.#ancestry.has(revision, of, signal));
    if (isBefore !== undefined) return isBefore;
    throw new AgentError('GIT_PROTOCOL', `the Git server does not tell whether ${revision} is part of ${this.branch}`, {
      details: { missing: 'history' },
    });
  }

  async #parents(commit: Revision): Promise<readonly Revision[] | undefined> {
    return this.#mirror.has(commit) ? (await this.#mirror.commit(commit)).parents : undefined;
  }

  /** A server that leaves nothing out sends trees and files of all that history, which is then kept. */
  async #history(from: Revision, depth: number, signal: AbortSignal): Promise<Parents | undefined> {
    if (await this.#upload.canFilter(signal)) {
      const wish = { wants: [from], haves: [], shallow: [], depth, onlyCommits: true };
      try {
        const { bytes } = await this.#upload.fetch(wish, signal);
        return bytes ? await parentsIn(bytes) : new Map();
      } catch (error) {
        const isRefused = error instanceof AgentError && error.code === 'GIT_PROTOCOL' && !signal.aborted;
        if (!isRefused) throw error;
        this.#log.debug({ reason: error.message }, 'the Git server leaves no trees out; history is fetched with them');
      }
    }
    if (depth > WHOLE_HISTORY_DEPTH) return undefined;
    await this.#download(from, from, depth, signal);
    return new Map();
  }

  async tree(at: Revision, under: string): Promise<ReadonlyMap<string, TreeFile>> {
    return this.#mirror.trees.files((await this.#mirror.commit(at)).tree, under);
  }

  async diff(before: Revision, after: Revision, under: string): Promise<readonly TreeChange[]> {
    const [from, to] = [await this.#mirror.commit(before), await this.#mirror.commit(after)];
    return this.#mirror.trees.diff(from.tree, to.tree, under);
  }

  async entry(at: Revision, path: string): Promise<TreeFile | undefined> {
    const found = await this.#mirror.trees.find((await this.#mirror.commit(at)).tree, path);
    return found && found.mode !== FOLDER && found.mode !== SUBMODULE ? found : undefined;
  }

  async standing(at: Revision, path: string): Promise<Standing | undefined> {
    return this.#mirror.trees.standing((await this.#mirror.commit(at)).tree, path);
  }

  async blob(oid: string): Promise<Uint8Array> {
    return contentOf(oid, await this.#mirror.read(oid));
  }

  async blobs(
    oids: Iterable<string>,
    take: (oid: string, content: Uint8Array | undefined) => Promise<void>,
    isWanted?: (oid: string, bytes: number) => boolean,
  ): Promise<void> {
    await this.#mirror.readMany(
      oids,
      (oid, object) => take(oid, object && contentOf(oid, object)),
      // A server leaves large files out.
      { missing: (oid) => take(oid, undefined), isWanted },
    );
  }

  async file(at: Revision, path: string): Promise<Uint8Array | undefined> {
    const { tree } = await this.#mirror.commit(at);
    const found = await this.#mirror.trees.find(tree, path);
    return found && found.mode !== FOLDER && found.mode !== SUBMODULE ? this.blob(found.oid) : undefined;
  }

  async commit(at: Revision): Promise<CommitInfo> {
    const { revision, parents, author, message } = await this.#mirror.commit(at);
    return { revision, parents, author, message };
  }

  async log(from: Revision, limit: number): Promise<readonly CommitInfo[]> {
    const commits: CommitInfo[] = [];
    let next: Revision | undefined = from;
    while (next !== undefined && commits.length < limit && this.#mirror.has(next)) {
      const commit: CommitInfo = await this.commit(next);
      commits.push(commit);
      next = commit.parents[0];
    }
    return commits;
  }

  push(request: PushRequest, signal: AbortSignal): Promise<PushResult> {
    return this.#exclusive(async () => {
      await this.#bring(request.expected, signal);
      const prepared = await preparePush(this.#mirror, request);
      const result = await sendPush(
        {
          upload: this.#upload,
          receive: this.#receive,
          branchRef: this.#branchRef,
          tagMessage: (oid) => this.#tagMessage(oid, signal),
          isSameMessage: sameMessage,
          isBefore: async (commit, tip) => {
            this.#polled = asRevision(tip);
            await this.#bring(asRevision(tip), signal, true);
            return (await this.#ancestry.has(commit, asRevision(tip), signal)) === true;
          },
        },
        request.expected,
        prepared,
        signal,
      );
      if (result.kind === 'raced') this.#named = result.tip;
      if (result.kind === 'landed' && prepared.commits.length > 0) {
        const settle = (): Promise<void> => this.#keepPushed(prepared, () => this.#mirror.settle());
        await this.#keepPushed(prepared, () => this.#mirror.holdPush(prepared));
        if (request.expected !== this.#named) await settle();
        // What others pushed in between was not waited for, nor the disk in a race with them.
        void this.#exclusive(async () => {
          await settle();
          await this.#fillHistory(request.expected, signal);
        }).catch(() => undefined);
      }
      return result;
    });
  }

  async #keepPushed({ tip }: PreparedPush, keep: () => Promise<void>): Promise<void> {
    await keep().catch((error: unknown) => {
      // It stands on the server; a later fetch brings it back.
      this.#log.warn({ revision: tip, reason: messageOf(error) }, 'could not keep pushed objects');
    });
  }

  async #tagMessage(oid: string, signal: AbortSignal): Promise<string | undefined> {
    if (!this.#mirror.has(oid)) {
      await this.#download(oid, undefined, 1, signal);
    }
    return parseTag((await this.#mirror.read(oid)).content).message;
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(async () => {
      if (await this.#lock.isHeld()) return onDisk(this.#dir, work);
      throw new AgentError(
        'GIT_STORE',
        `another process has taken the folder of the local mirror ${this.#dir}; restart`,
      );
    });
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async close(): Promise<void> {
    await this.#wire.close();
    await this.#turn;
    // What is lost by this is downloaded again.
    if (await this.#lock.isHeld()) await this.#mirror.settle().catch(() => undefined);
    this.#mirror.close();
    await this.#lock.release();
  }
}

function contentOf(oid: string, { type, content }: GitObject): Uint8Array {
  if (type !== 'blob') throw new AgentError('GIT_NOT_FOUND', `${oid} is a ${type}, not a file`);
  return content;
}

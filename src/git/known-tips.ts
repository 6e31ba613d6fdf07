import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from './durable.ts';
import { asRevision, type Revision } from './repo.ts';

const MAX_TIPS = 64;

/**
 * What is told to the server about the commits that are here, kept in Git's own files so that native git can read the
 * mirror: `packed-refs` holds the commits that were fetched, oldest first, `shallow` those that stand without parents.
 */
export class KnownTips {
  readonly #gitdir: string;
  readonly #tips: Set<Revision>;
  readonly #shallow: Set<Revision>;
  /** What the file says; undefined until it was written from here. */
  #writtenShallow: string | undefined;

  private constructor(gitdir: string, tips: readonly Revision[], shallow: readonly Revision[]) {
    this.#gitdir = gitdir;
    this.#tips = new Set(tips);
    this.#shallow = new Set(shallow);
  }

  static async open(gitdir: string, isHere: (oid: string) => boolean): Promise<KnownTips> {
    const ids = async (name: string): Promise<Revision[]> => {
      const text = await readFile(join(gitdir, name), 'utf8').catch(() => '');
      const found = text.split('\n').map((line) => line.slice(0, 40));
      return found.filter((oid) => /^[0-9a-f]{40}$/.test(oid) && isHere(oid)).map(asRevision);
    };
    return new KnownTips(gitdir, await ids('packed-refs'), await ids('shallow'));
  }

  /** Newest last. */
  get tips(): readonly Revision[] {
    return [...this.#tips];
  }

  get shallow(): readonly Revision[] {
    return [...this.#shallow];
  }

  /**
   * Notes commits that have just become readable; `parentsHere` says which commits have all their parents here. A crash forgets them
   * until they are saved.
   */
  async note(
    tip: Revision | undefined,
    commits: readonly Revision[],
    parentsHere: (commit: Revision) => Promise<boolean>,
  ): Promise<void> {
    for (const commit of tip ? [...commits, tip] : commits) this.#shallow.add(commit);
    for (const commit of this.#shallow) if (await parentsHere(commit)) this.#shallow.delete(commit);
    if (tip) {
      this.#tips.delete(tip);
      this.#tips.add(tip);
    }
    for (const oldest of this.#tips) {
      if (this.#tips.size <= MAX_TIPS) break;
      this.#tips.delete(oldest);
    }
  }

  /** Their objects are durable by then. */
  async save(): Promise<void> {
    // The boundary before the tips: a tip without its boundary would promise the server history that is not here.
    const boundary = this.#lines(this.#shallow);
    if (boundary !== this.#writtenShallow) await writeDurably(join(this.#gitdir, 'shallow'), boundary);
    this.#writtenShallow = boundary;
    await writeDurably(
      join(this.#gitdir, 'packed-refs'),
      this.#lines(this.#tips, (oid) => ` refs/serin/${oid}`),
    );
  }

  #lines(revisions: ReadonlySet<Revision>, rest: (oid: string) => string = () => ''): string {
    return [...revisions].map((oid) => `${oid}${rest(oid)}\n`).join('');
  }
}

/** What stands at one name of a folder. */
export interface TreeEntry {
  /** As stored: `40000` for a folder, `160000` for a submodule. */
  readonly mode: string;
  readonly name: string;
  readonly oid: string;
  /** The entry's own bytes in the folder's content. Names need not be UTF-8, so the bytes are what counts. */
  readonly startsAt: number;
  readonly endsAt: number;
}

export const FOLDER = '40000';
export const SUBMODULE = '160000';
const ID_BYTES = 20;
/** One text each for what stands in every folder a thousand times. */
const MODES: ReadonlyMap<string, string> = new Map(
  ['100644', '100755', '120000', FOLDER, SUBMODULE].map((mode) => [mode, mode]),
);

/** A tree object of Git: never changed, only followed by another one. */
export class Folder {
  readonly content: Buffer;
  /** In the order of the content. */
  readonly entries: readonly TreeEntry[];
  #positions: ReadonlyMap<string, number> | undefined;

  private constructor(content: Buffer, entries: readonly TreeEntry[], positions?: ReadonlyMap<string, number>) {
    this.content = content;
    this.entries = entries;
    this.#positions = positions;
  }

  /** Throws when the bytes end in the middle of an entry. */
  static parse(content: Buffer): Folder {
    const entries: TreeEntry[] = [];
    let at = 0;
    while (at < content.length) {
      const space = content.indexOf(0x20, at);
      const zero = content.indexOf(0, space);
      if (space < 0 || zero < 0 || zero + 1 + ID_BYTES > content.length) throw new Error('tree entry is cut off');
      const endsAt = zero + 1 + ID_BYTES;
      const mode = content.toString('latin1', at, space);
      entries.push({
        mode: MODES.get(mode) ?? mode,
        name: nameIn(content, space + 1, zero),
        oid: content.toString('hex', zero + 1, endsAt),
        startsAt: at,
        endsAt,
      });
      at = endsAt;
    }
    return new Folder(content, entries);
  }

  static get empty(): Folder {
    return new Folder(Buffer.alloc(0), []);
  }

  /** About how much memory it takes. */
  get bytes(): number {
    return this.content.length * 6 + 200;
  }

  get(name: string): TreeEntry | undefined {
    const position = this.#at.get(name);
    return position === undefined ? undefined : this.entries[position];
  }

  get #at(): ReadonlyMap<string, number> {
    this.#positions ??= new Map(this.entries.map(({ name }, position) => [name, position]));
    return this.#positions;
  }

  /** The folder with other things at these names; undefined removes. */
  with(changes: ReadonlyMap<string, { readonly mode: string; readonly oid: string } | undefined>): Folder {
    return this.#replaced(changes) ?? this.#rebuilt(changes);
  }

  #rawName(name: string): Buffer {
    const old = this.get(name);
    if (!old) return Buffer.from(name, 'utf8');
    const start = this.content.indexOf(0x20, old.startsAt) + 1;
    return this.content.subarray(start, old.endsAt - ID_BYTES - 1);
  }

  /** Where only ids change, all stays in its place. */
  #replaced(changes: Parameters<Folder['with']>[0]): Folder | undefined {
    const entries = [...this.entries];
    const content = Buffer.from(this.content);
    for (const [name, now] of changes) {
      const position = this.#at.get(name);
      const old = position === undefined ? undefined : entries[position];
      if (position === undefined || now === undefined || old?.mode !== now.mode) return undefined;
      entries[position] = { ...old, oid: now.oid };
      content.write(now.oid, old.endsAt - ID_BYTES, 'hex');
    }
    return new Folder(content, entries, this.#at);
  }

  #rebuilt(changes: Parameters<Folder['with']>[0]): Folder {
    const kept = this.entries.filter(({ name }) => !changes.has(name));
    const raws = kept.map(({ mode, startsAt, endsAt }) => ({ mode, raw: this.content.subarray(startsAt, endsAt) }));
    for (const [name, now] of changes) {
      if (!now) continue;
      const raw = Buffer.concat([
        Buffer.from(`${now.mode} `),
        this.#rawName(name),
        Buffer.of(0),
        Buffer.from(now.oid, 'hex'),
      ]);
      raws.push({ mode: now.mode, raw });
    }
    const keyed = raws.map((entry) => ({ key: sortKey(entry), raw: entry.raw }));
    keyed.sort((a, b) => Buffer.compare(a.key, b.key));
    return Folder.parse(Buffer.concat(keyed.map(({ raw }) => raw)));
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Names are bytes. What is no UTF-8 is written as git writes it, so that two such names stay two. */
function nameIn(content: Buffer, from: number, to: number): string {
  const name = content.toString('utf8', from, to);
  if (!name.includes('\uFFFD')) return name;
  const bytes = content.subarray(from, to);
  try {
    return utf8.decode(bytes);
  } catch {
    return [...bytes].map(escaped).join('');
  }
}

function escaped(byte: number): string {
  if (byte < 0x20 || byte > 0x7e) return `\\${byte.toString(8).padStart(3, '0')}`;
  return byte === 0x5c ? '\\\\' : String.fromCharCode(byte);
}

/** Git sorts by bytes, folders as if their name ended in a slash. */
function sortKey({ mode, raw }: { readonly mode: string; readonly raw: Buffer }): Buffer {
  const name = raw.subarray(raw.indexOf(0x20) + 1, raw.indexOf(0));
  return mode === FOLDER ? Buffer.concat([name, Buffer.from('/')]) : name;
}

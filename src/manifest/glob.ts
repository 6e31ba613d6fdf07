/** What a glob is made of: UTF-16 units that are meant literally, and these. */
const inName = -1;
const anyInName = -2;
const any = -3;
/** Folders or none, two places: where they may be left out, and within. */
const folders = -4;
const withinFolders = -5;

export type Glob = readonly number[];

/** `*` and `?` within a name, `**` over names; as in .gitignore, without character classes and escapes. */
export function readGlob(pattern: string): Glob {
  const glob: number[] = [];
  for (const part of pattern.split(/(\*\*\/|\/\*\*$|\*\*|\*|\?)/)) {
    if (part === '**/') glob.push(folders, withinFolders);
    else if (part === '/**') glob.push(slash, any);
    else if (part === '**') glob.push(any);
    else if (part === '*') glob.push(anyInName);
    else if (part === '?') glob.push(inName);
    else for (let at = 0; at < part.length; at += 1) glob.push(part.charCodeAt(at));
  }
  return glob;
}

const slash = 47;

/**
 * Whether a glob matches a whole path. All ways to match are followed side by side, so that the work grows with the product of both lengths at
 * most, however many stars there are. `spend` is told each step; where it says no, there is no match.
 */
export function matchesGlob(glob: Glob, path: string, spend: () => boolean): boolean {
  /** The path's place, by place in the glob, at which that was last reached. */
  const reachedAt = new Int32Array(glob.length + 1).fill(-1);
  let open: number[] = [];
  const add = (places: number[], place: number, at: number): void => {
    if (reachedAt[place] === at) return;
    reachedAt[place] = at;
    places.push(place);
  };
  /** With what may be left out from there; no recursion, because a pattern may be nothing but stars. */
  const reach = (places: number[], place: number, at: number): void => {
    let seen = places.length;
    add(places, place, at);
    for (; seen < places.length; seen += 1) {
      const from = places[seen] ?? 0;
      const what = glob[from];
      if (what === any || what === anyInName || what === folders) add(places, from + 1, at);
      if (what === folders) add(places, from + 2, at);
    }
  };
  reach(open, 0, 0);
  for (let at = 0; at < path.length && open.length > 0; at += 1) {
    const unit = path.charCodeAt(at);
    const next: number[] = [];
    for (const place of open) {
      if (!spend()) return false;
      const what = glob[place];
      if (what === any || what === withinFolders) reach(next, place, at + 1);
      else if (what === anyInName && unit !== slash) reach(next, place, at + 1);
      if ((what === withinFolders && unit === slash) || (what === inName && unit !== slash) || what === unit)
        reach(next, place + 1, at + 1);
    }
    open = next;
  }
  return open.includes(glob.length);
}

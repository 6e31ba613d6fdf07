/** One line of an ignore file. */
export interface IgnorePattern {
  /** Matches a path from the repository's root, or one of the folders it is in. */
  readonly matches: RegExp;
  /** `!pattern`: takes an earlier match back. */
  readonly keeps: boolean;
  readonly foldersOnly: boolean;
}

const names = new Set(['.serinignore', '.sourceignore']);

export function isIgnoreFile(path: string): boolean {
  return names.has(path.slice(path.lastIndexOf('/') + 1));
}

/** Reads an ignore file in the folder `folder` (`''` for the root): .gitignore's rules without character classes and escapes. */
export function readIgnoreFile(folder: string, text: string): readonly IgnorePattern[] {
  return text.split(/\r?\n/).flatMap((written) => {
    const line = written.trim();
    if (line === '' || line.startsWith('#')) return [];
    const keeps = line.startsWith('!');
    const pattern = keeps ? line.slice(1) : line;
    const foldersOnly = pattern.endsWith('/');
    const bare = pattern.replace(/\/$/, '').replace(/^\//, '');
    const isAnchored = pattern.slice(0, -1).includes('/');
    const prefix = folder === '' ? '' : `${literal(folder)}/`;
    const matches = new RegExp(`^${prefix}${isAnchored ? '' : '(?:.*/)?'}${globbed(bare)}$`);
    return [{ matches, keeps, foldersOnly }];
  });
}

/** Whether the last pattern that matches a file or one of its folders ignores it. */
export function isIgnoredPath(path: string, patterns: readonly IgnorePattern[]): boolean {
  if (patterns.length === 0) return false;
  const parts = path.split('/');
  for (let length = 1; length <= parts.length; length += 1) {
    const isFile = length === parts.length;
    const part = parts.slice(0, length).join('/');
    const last = patterns.findLast(({ matches, foldersOnly }) => !(isFile && foldersOnly) && matches.test(part));
    if (last) {
      if (!last.keeps) return true;
    }
  }
  return false;
}

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

function globbed(pattern: string): string {
  return pattern
    .split(/(\*\*\/|\/\*\*$|\*\*|\*|\?)/)
    .map((part) => {
      if (part === '**/') return '(?:.*/)?';
      if (part === '/**') return '/.*';
      if (part === '**') return '.*';
      if (part === '*') return '[^/]*';
      return part === '?' ? '[^/]' : literal(part);
    })
    .join('');
}

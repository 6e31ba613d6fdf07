/** Something in a file that is neither an object nor empty. What stood in that file before must not be taken for deleted. */
export interface Stray {
  readonly line: number;
  /** Follows the file's name: `holds a pointer of Git LFS`. */
  readonly what: string;
  /** Somebody wants it so: no error. */
  readonly isDeliberate?: boolean;
  /** The file of a description of what stood here, such as a HelmRelease, which is not followed now. Absent: objects stood here themselves. */
  readonly describedIn?: string;
  /** Told once for all files of which it is true. */
  readonly isToldOnce?: boolean;
}

/** A text that stands where a manifest could stand: with a hint it is an error wherever it is found. */
export interface KnownText {
  readonly what: string;
  readonly hint?: string;
}

const decrypt = 'it is not decrypted: commit it as it is applied, or name it in .serinignore';

const known: readonly (readonly [RegExp, KnownText])[] = [
  [
    /^version https?:\/\/git-lfs\.github\.com\/spec\//,
    {
      what: 'holds a pointer of Git LFS',
      hint: 'take the file out of LFS (git lfs untrack, git add --renormalize): manifests belong in Git itself',
    },
  ],
  [/^\$ANSIBLE_VAULT;/, { what: 'is encrypted with ansible-vault', hint: decrypt }],
  [/^age-encryption\.org\/|^-----BEGIN AGE ENCRYPTED FILE-----/, { what: 'is encrypted with age', hint: decrypt }],
  [/^-----BEGIN PGP MESSAGE-----/, { what: 'is encrypted with PGP', hint: decrypt }],
];

/** Without the blanks, comments and markers before it. */
function withoutLead(text: string): string {
  let start = 0;
  for (;;) {
    while (start < text.length && ' \t\r\n'.includes(text.charAt(start))) start += 1;
    const isMarker = text.startsWith('---', start) && /^---[ \t]*\r?\n/.test(text.slice(start, start + 80));
    const end = isMarker || text[start] === '#' ? text.indexOf('\n', start) : -1;
    if (end < 0) return text.slice(start);
    start = end + 1;
  }
}

/** What a document of text alone is. */
export function knownText(text: string): KnownText {
  const start = withoutLead(text).slice(0, 200);
  return known.find(([pattern]) => pattern.test(start))?.[1] ?? { what: 'holds only text, no object' };
}

const emptyLine = /^\s*(?:#.*)?$|^(?:---|\.\.\.)\s*(?:#.*)?$|^%/;

/** Whether there is nothing in a document but blanks, comments, markers and directives. */
export const isEmptyDocument = (text: string): boolean =>
  text.split('\n').every((line) => emptyLine.test(line.replace(/\r$/, '')));

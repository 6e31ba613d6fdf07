import type { FC } from 'hono/jsx';

/** A unified diff of one file. */
export interface FilePatch {
  readonly path: string;
  readonly patch: string;
}

/** A page does not get longer than this. */
const mostLines = 1_500;

export const Patches: FC<{ readonly files: readonly FilePatch[]; readonly truncated?: boolean }> = ({
  files,
  truncated,
}) => {
  let left = mostLines;
  const shown = files.map(({ path, patch }) => {
    const lines = patch.replace(/\n$/, '').split('\n');
    const some = lines.slice(0, Math.max(0, left));
    left -= lines.length;
    return { path, lines: some, isCut: some.length < lines.length };
  });
  return (
    <>
      {shown.map(({ path, lines, isCut }) => (
        <figure class="patch">
          <figcaption class="file">{path}</figcaption>
          <pre tabindex={0}>
            {lines.map((line) => (
              <span class={kindOf(line)}>{line === '' ? ' ' : line}</span>
            ))}
            {isCut ? <span class="hunk">… the rest is left out here</span> : null}
          </pre>
        </figure>
      ))}
      {truncated ? <p class="muted small">The diff is longer; git show has all of it.</p> : null}
      {files.length === 0 ? <p class="muted">It changes no file.</p> : null}
    </>
  );
};

function kindOf(line: string): string {
  if (line.startsWith('+') && !line.startsWith('+++')) return 'add';
  if (line.startsWith('-') && !line.startsWith('---')) return 'del';
  return line.startsWith('@@') || line.startsWith('+++') || line.startsWith('---') ? 'hunk' : 'same';
}

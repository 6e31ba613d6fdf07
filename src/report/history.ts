import { partsOf, readKey } from '../lib/key.ts';
import { plainText } from '../lib/plain-text.ts';
import { told } from './told-release.ts';
import type { HistoryCommit, HistoryEntry } from './types.ts';

const maxMessage = 256 * 1024;
const maxLines = 120;
const verdicts = ['promoted', 'rolled-back', 'withdrawn', 'adopted', 'removed'] as const;

export interface HistoryContext {
  /** Commits that are known, by revision: who is behind one that was judged is read of it. Absent: none is known. */
  readonly commits?: ReadonlyMap<string, Pick<HistoryCommit, 'author' | 'message'>>;
  /** By commit: tags that point to it, as `releases/NAMESPACE/NAME/7`. Absent: none is known. */
  readonly tags?: ReadonlyMap<string, readonly string[]>;
}

/**
 * What a commit tells of apps: an outcome, or a release that a person made. Empty: nothing. Whoever may push may write such a message, too. The
 * commit that first saw several apps gives an entry for each.
 */
export function entriesOf(commit: HistoryCommit, { commits, tags }: HistoryContext = {}): readonly HistoryEntry[] {
  const lines = linesOf(commit.message);
  const subject = told(lines[0] ?? '');
  const trailers = trailersOf(lines);
  const first = (name: string): string | undefined => trailers.get(name)?.[0];
  const ids = trailers.get('Release-Id') ?? [];
  const stated = first('Verdict');
  const verdict = verdicts.find((one) => one === stated) ?? (trailers.has('Act') ? 'by-hand' : undefined);
  if (verdict === undefined) return [];
  const apps = (trailers.get(verdict === 'by-hand' ? 'App' : 'Release') ?? []).map(appOf);
  const revision = first('Revision');
  const origin = verdict === 'by-hand' ? commit : revision === undefined ? undefined : commits?.get(revision);
  const by = origin && personOf(origin);
  return apps.flatMap((app, index): readonly HistoryEntry[] => {
    if (!app) return [];
    const { namespace, name, number } = app;
    const releaseId = ids[index];
    const tag = (revision === undefined ? [] : (tags?.get(revision) ?? [])).find((one) =>
      one.endsWith(`/${name}/${number ?? ''}`),
    );
    const failedCheck = first('Failed-Check');
    const cluster = first('Cluster');
    return [
      {
        namespace,
        name,
        atMs: commit.atMs,
        verdict,
        ...(number === undefined ? {} : { number }),
        ...(releaseId === undefined ? {} : { releaseId }),
        ...(revision === undefined ? {} : { revision }),
        ...(by === undefined ? {} : { by: told(by) }),
        commit: commit.revision,
        ...(tag === undefined ? {} : { tag }),
        subject,
        changed: {
          images: imagesOf(first('Previous-Images') ?? '', first('Images') ?? ''),
          others: changesOf(lines),
        },
        ...(failedCheck === undefined ? {} : { failedCheck: told(failedCheck) }),
        asked: (trailers.get('Asked') ?? []).map(told),
        evidence: tableOf(lines),
        ...(cluster === undefined ? {} : { cluster: told(cluster) }),
        supersedes: trailers.get('Supersedes') ?? [],
      },
    ];
  });
}

/** Whom a commit is due to: the agent is the author of what a person asked it for, and its message names the person. */
function personOf({ author, message }: Pick<HistoryCommit, 'author' | 'message'>): string {
  const [requestedBy = ''] = trailersOf(linesOf(message)).get('Requested-by') ?? [];
  return requestedBy.trim() === '' ? author : requestedBy;
}

function linesOf(text: string): readonly string[] {
  const message = plainText(text.slice(0, maxMessage));
  return message.split('\n');
}

/** The last paragraph, where all of it is trailers. */
function trailersOf(lines: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const end = lines.findLastIndex((line) => line.trim() !== '');
  let from = end;
  while (from > 0 && lines[from - 1]?.trim() !== '') from -= 1;
  const found = new Map<string, string[]>();
  for (const line of lines.slice(Math.max(from, 0), end + 1)) {
    const colon = line.indexOf(': ');
    if (colon <= 0 || !/^[A-Za-z-]+$/.test(line.slice(0, colon))) continue;
    const name = line.slice(0, colon);
    const values = found.get(name);
    if (values) values.push(line.slice(colon + 2));
    else found.set(name, [line.slice(colon + 2)]);
  }
  return found;
}

/** `NAMESPACE/NAME`, of promotions with `/NUMBER` behind it. */
function appOf(text: string) {
  const bare = readKey(text);
  if (bare) return { ...partsOf(bare), number: undefined };
  const slash = text.lastIndexOf('/');
  const key = readKey(text.slice(0, slash));
  const number = text.slice(slash + 1);
  return key && /^\d{1,9}$/.test(number) ? { ...partsOf(key), number: Number(number) } : undefined;
}

function imagesOf(before: string, after: string): HistoryEntry['changed']['images'] {
  const read = (text: string): ReadonlyMap<string, string> =>
    new Map(
      text.split(', ').flatMap((pair) => {
        const sign = pair.indexOf('=');
        return sign <= 0 ? [] : [[pair.slice(0, sign), pair.slice(sign + 1)] as const];
      }),
    );
  const former = read(before);
  return [...read(after)].flatMap(([container, to]) => {
    const from = former.get(container);
    if (from === to) return [];
    return [{ container: told(container), ...(from === undefined ? {} : { from: told(from) }), to: told(to) }];
  });
}

const changesOf = (lines: readonly string[]): readonly string[] =>
  lines.flatMap((line) => (line.startsWith('  changed: ') ? [told(line.slice(11))] : [])).slice(0, maxLines);

/** The rows below the head of the table; each is indented. */
function tableOf(lines: readonly string[]): readonly string[] {
  const head = lines.findIndex((line) => /^ {2}time +(?:weight|round) +result +check +value/.test(line));
  if (head === -1) return [];
  const end = lines.findIndex((line, index) => index > head && line.trim() === '');
  return lines
    .slice(head, end === -1 ? undefined : end)
    .slice(0, maxLines)
    .map((line) => line.slice(0, 400));
}

import type { Cluster } from '../../cluster/cluster.ts';
import type { Clock } from '../../lib/clock.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { plainData } from '../../lib/plain-text.ts';
import type { KubeObject, Problem } from '../../manifest/types.ts';
import { sourceLabel } from '../../sync/inventory.ts';
import type { EventRecorder } from '../../outlets/event-recorder.ts';

/** How it stands with what the agent follows. */
export interface SourceStatus {
  readonly branch: string;
  /** The folder that is synced; the empty string is the whole repository. */
  readonly path: string;
  /** The last commit that was looked at. */
  readonly revision: string | undefined;
  /** The last commit that was applied. */
  readonly synced: string | undefined;
  readonly syncedAtMs: number | undefined;
  /** What of Git is not in the cluster, or stays although Git does not name it. */
  readonly errors: readonly Problem[];
  /** Why nothing is deleted, and what lets it go. */
  readonly held: string | undefined;
  /** Why the last sync could not be brought to its end. */
  readonly trouble: string | undefined;
  readonly pendingOutcomes: number;
  /** Why those that wait for long are not in Git yet, one a line. */
  readonly blocked: readonly string[];
}

export interface StatusObject {
  /** Never waits and never throws; written where it is new, and not more often than every ten seconds. */
  update(status: SourceStatus): void;
}

const manager = 'serin-status';
/** `source`: absent for the one that has no name of its own. */
const statusName = (source?: string): string => (source === undefined ? manager : `${manager}.${source}`);
const gapMs = 10_000;
const problemsShown = 50;
const lineLength = 400;
const inEvents = 3;

/** The ConfigMap `serin-status`: one text a key, `problems` and `blocked-outcomes` one a line. */
export function renderStatus(
  status: SourceStatus,
  namespace: string,
  source?: string,
): KubeObject & { data: Record<string, string> } {
  const { branch, path, revision, synced, syncedAtMs, errors, held, trouble, pendingOutcomes, blocked } = status;
  const lines = listed(errors.map(lineOf));
  const waiting = listed(blocked.map((line) => shortened(line.replaceAll(/\s+/g, ' '), lineLength)));
  const optional = {
    revision,
    synced,
    'synced-at': syncedAtMs === undefined ? undefined : `${new Date(syncedAtMs).toISOString().slice(0, 19)}Z`,
    problems: lines,
    'blocked-outcomes': waiting,
    held: held === undefined ? undefined : shortened(held, 2_000),
    trouble: trouble === undefined ? undefined : shortened(firstLine(trouble), lineLength),
  };
  const known = Object.entries(optional).flatMap(([key, text]) => (text === undefined ? [] : [[key, text] as const]));
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: statusName(source),
      namespace,
      ...(source === undefined ? {} : { labels: { [sourceLabel]: source } }),
    },
    data: {
      source: `${branch}:/${path}`,
      failed: String(errors.length),
      'pending-outcomes': String(pendingOutcomes),
      ...plainData(Object.fromEntries(known)),
    },
  };
}

/** What `/readyz` says behind its OK: the agent works, and something waits for people. */
export function notesOf(
  { errors, held, blocked }: Pick<SourceStatus, 'errors' | 'held' | 'blocked'>,
  namespace: string,
  source?: string,
): readonly string[] {
  const where = `kubectl -n ${namespace} get configmap ${statusName(source)} -o yaml`;
  const [error] = errors;
  const [outcome] = blocked;
  const notes: string[] = [];
  if (error) {
    const places = errors.length === 1 ? '1 place' : `${errors.length} places`;
    notes.push(`the cluster is not as Git says in ${places} (${lineOf(error)}): ${where}`);
  }
  if (outcome !== undefined) {
    const outcomes = blocked.length === 1 ? '1 outcome is' : `${blocked.length} outcomes are`;
    notes.push(
      `${outcomes} not in Git, and something stands in the way (${shortened(outcome.replaceAll(/\s+/g, ' '), lineLength)}): ${where}`,
    );
  }
  if (held !== undefined) notes.push(held);
  return notes;
}

function listed(lines: readonly string[]): string | undefined {
  const more = lines.length - problemsShown;
  const shown = [...lines.slice(0, problemsShown), ...(more > 0 ? [`and ${more} more`] : [])];
  return shown.length === 0 ? undefined : shown.join('\n');
}

const firstLine = (text: string): string => text.split('\n', 1)[0] ?? '';
const shortened = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length)}…` : text);
const lineOf = ({ path, line, message, hint }: Problem): string => {
  const todo = hint === undefined ? '' : `; ${hint}`;
  return shortened(`${path}:${line} ${message.replaceAll(/\s+/g, ' ')}`, lineLength) + shortened(todo, lineLength);
};

/** What is told by an event when one status follows another. */
export function newsOf(
  before: SourceStatus | undefined,
  now: SourceStatus,
  source?: string,
): readonly { readonly type: 'Normal' | 'Warning'; readonly message: string }[] {
  const news: { type: 'Normal' | 'Warning'; message: string }[] = [];
  const told = (status: SourceStatus | undefined): string => (status?.errors ?? []).map(lineOf).join('\n');
  const count = now.errors.length;
  if (count > 0 && told(before) !== told(now)) {
    const more = count > inEvents ? ` and ${count - inEvents} more, see the ConfigMap ${statusName(source)}` : '';
    const message = `The cluster is not as Git says in ${count === 1 ? '1 place' : `${count} places`}: ${now.errors.slice(0, inEvents).map(lineOf).join('; ')}${more}`;
    news.push({ type: 'Warning', message: shortened(message, 1_000) });
  } else if (count === 0 && before && before.errors.length > 0)
    news.push({ type: 'Normal', message: 'The cluster is as Git says again' });
  if (now.held !== undefined && now.held !== before?.held)
    news.push({ type: 'Warning', message: shortened(now.held, 1_000) });
  if (now.trouble !== undefined && now.trouble !== before?.trouble)
    news.push({ type: 'Warning', message: shortened(`The sync fails: ${firstLine(now.trouble)}`, 1_000) });
  else if (now.trouble === undefined && before?.trouble !== undefined)
    news.push({ type: 'Normal', message: 'The sync works again' });
  return news;
}

export function createStatusObject(
  {
    cluster,
    clock,
    log,
    recorder,
    namespace,
    source,
  }: {
    readonly cluster: Cluster;
    readonly clock: Clock;
    readonly log: Logger;
    readonly recorder: Pick<EventRecorder, 'record'>;
    readonly namespace: string;
    readonly source?: string;
  },
  signal: AbortSignal,
): StatusObject {
  let wanted: SourceStatus | undefined;
  let written: SourceStatus | undefined;
  let writtenText = '';
  let isBusy = false;
  let notBeforeMs = 0;
  let isTold = false;

  const textOf = (status: SourceStatus): string => JSON.stringify(renderStatus(status, namespace, source).data);

  const write = async (status: SourceStatus): Promise<void> => {
    try {
      const body = renderStatus(status, namespace, source);
      const object = await cluster.apply(body, { manager, force: true }, signal);
      for (const event of newsOf(written, status, source)) recorder.record(object, { level: 'info', ...event });
      written = status;
      writtenText = textOf(status);
      isTold = false;
    } catch (error) {
      if (signal.aborted) return;
      if (!isTold) log.warn({ reason: messageOf(error) }, `the ConfigMap ${statusName(source)} cannot be written`);
      isTold = true;
    }
  };

  const next = (): void => {
    if (isBusy || !wanted || signal.aborted || textOf(wanted) === writtenText) return;
    isBusy = true;
    const wait = Math.max(0, notBeforeMs - clock.now());
    const go = (): void => {
      const status = wanted;
      if (!status || signal.aborted) return;
      void write(status).then(() => {
        notBeforeMs = clock.now() + gapMs;
        isBusy = false;
        // What could not be written waits for the next pass.
        if (written === status) next();
      });
    };
    if (wait === 0) go();
    else {
      const cancel = clock.after(wait, go);
      signal.addEventListener('abort', cancel, { once: true });
    }
  };

  return {
    update(status) {
      wanted = status;
      next();
    },
  };
}

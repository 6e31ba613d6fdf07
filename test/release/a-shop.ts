import { type GitFixture, type OpenRepo, withGit } from '../helpers/git-fixture.ts';
import { fastClock } from '../helpers/fast-clock.ts';
import { type CommitContent, commitFiles, lines, readCommit, revParse, runGit } from '../helpers/temp-repo.ts';
import { eventually } from '../helpers/eventually.ts';
import { asRevision, type Revision } from '../../src/git/repo.ts';
import { createLogger, type Logger } from '../../src/lib/log.ts';
import { type Ledger, ledgerPath, parseLedger } from '../../src/release/ledger.ts';
import { releaseId } from '../../src/release/release-id.ts';
import { appIn, type Render } from '../../src/release/rendered.ts';
import type { Files } from '../../src/render/tree-files.ts';
import { createRender } from '../../src/release/trees.ts';
import type { Outcome } from '../../src/release/types.ts';
import type { TextEditor } from '../../src/render/text-edit.ts';
import { createOutcomeWriter, type OutcomeWriter, type WriterSettings } from '../../src/release/writer.ts';
import type { GitServerOptions } from '../../src/sandbox/git-server.ts';
import { said } from '../helpers/said.ts';

export interface RunningWriter {
  readonly writer: OutcomeWriter;
  readonly written: readonly {
    readonly outcome: Outcome;
    readonly revision: Revision;
    readonly number: number | undefined;
  }[];
  readonly blocked: readonly { readonly outcome: Outcome; readonly reason: string }[];
  readonly told: readonly string[];
  /** Hands them over at once, so that they go out together. */
  readonly submit: (outcomes: Iterable<Outcome | Promise<Outcome>>) => Promise<void>;
  /** Waits until nothing is pending. */
  readonly done: (withinMs?: number) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** A repository `shop` on a real server, with what a test of the writer asks for. */
export interface Shop {
  readonly fixture: GitFixture;
  readonly path: string;
  readonly settings: WriterSettings;
  /** Commits as somebody else; a null removes the file. */
  push(files: Readonly<Record<string, string | null>>, message?: string): Promise<Revision>;
  tip(): Promise<Revision>;
  /** A writer of its own, with a mirror of its own unless `mirror` names one that exists. `url` is another way to the repository. */
  start(mirror?: string, url?: string, editor?: TextEditor): Promise<RunningWriter>;
  outcome(verdict: Outcome['verdict'], name: string, revision: Revision, more?: Partial<Outcome>): Promise<Outcome>;
  ledger(name: string): Promise<Ledger>;
  /** `releases/...` tags and the commits that they stand on. */
  tags(): Promise<Record<string, string>>;
  filesAt(revision: string): Promise<Files>;
}

const clockSpeed = 200;
let mirrors = 0;

export async function withShop(
  files: Files,
  use: (shop: Shop) => Promise<void>,
  options: { readonly server?: Omit<GitServerOptions, 'root'>; readonly settings?: Partial<WriterSettings> } = {},
): Promise<void> {
  const settings: WriterSettings = {
    path: '',
    ledgerDir: '.releases',
    tagPrefix: 'releases/',
    defaultNamespace: 'test',
    author: { name: 'Serin', email: 'serin@example.com' },
    cluster: 'here',
    agentVersion: '1.0.0',
    write: 'direct',
    ...options.settings,
  };
  const run = async (fixture: GitFixture): Promise<void> => {
    const { path } = fixture;
    const running = new Set<RunningWriter>();
    const render = createRender(settings);
    const shop = shopOf({ fixture, path, settings, running, render });
    try {
      await use(shop);
    } finally {
      await Promise.all([...running].map((each) => each.stop()));
    }
  };
  await withGit(run, { ...options.server, name: 'shop', files: Object.fromEntries(files) });
}

interface Parts {
  readonly fixture: GitFixture;
  readonly path: string;
  readonly settings: WriterSettings;
  readonly running: Set<RunningWriter>;
  readonly render: Render;
}

function shopOf({ fixture, path, settings, running, render }: Parts): Shop {
  const known = new Map<string, Promise<CommitContent>>();
  const contentAt = (revision: string): Promise<CommitContent> => {
    const content = known.get(revision) ?? readCommit(path, revision);
    // Names of branches are others' tomorrow.
    if (/^[0-9a-f]{40}$/.test(revision)) known.set(revision, content);
    return content;
  };
  const filesAt = async (revision: string): Promise<Files> => (await contentAt(revision)).files;
  const tip = async (): Promise<Revision> => asRevision(await revParse(path, 'main'));
  return {
    fixture,
    path,
    settings,
    filesAt,
    tip,
    push: async (files, message = 'somebody else') => asRevision(await commitFiles(path, { files, message })),
    async start(mirror = `writer-${(mirrors += 1)}`, url = fixture.server.repoUrl('shop'), editor) {
      const repo = await fixture.open(mirror, { url });
      const writer = startWriter(repo, settings, editor);
      running.add(writer);
      return writer;
    },
    async outcome(verdict, name, revision, more = {}) {
      const app = { namespace: 'test', name };
      const found = appIn(render(manifestsOf(await filesAt(revision), settings)), app);
      if (!found) throw new Error(`${name} is not there at ${revision}`);
      return {
        app,
        releaseId: releaseId(app, found.content, revision),
        verdict,
        atMs: Date.UTC(2024, 4, 5, 6, 7, 8),
        startedAtMs: Date.UTC(2024, 4, 5, 6, 0, 0),
        state: {
          revision,
          images: imagesOf(found.documents[0]?.object),
          templateHash: `hash-${found.content.slice(0, 6)}`,
          configs: {},
          content: found.content,
        },
        base: asRevision((await contentAt(revision)).parent ?? revision),
        evidence: [
          {
            atMs: Date.UTC(2024, 4, 5, 6, 1),
            canaryWeight: 10,
            iterations: 0,
            checks: [{ name: 'request-success-rate', passed: verdict !== 'rolled-back', found: said('53.42%') }],
          },
        ],
        supersedes: [],
        ...(verdict === 'rolled-back'
          ? { failedCheck: { name: 'request-success-rate', found: said('success rate 53.42% < 99%') } }
          : {}),
        ...more,
      };
    },
    async ledger(name) {
      const file = ledgerPath(settings, { namespace: 'test', name });
      return parseLedger(file, await runGit(['-C', path, 'show', `main:${file}`]));
    },
    async tags() {
      const listed = lines(
        await runGit([
          '-C',
          path,
          'for-each-ref',
          '--format=%(refname:strip=2) %(objecttype) %(*objectname)',
          'refs/tags',
        ]),
      );
      return Object.fromEntries(
        listed
          .map((line) => line.split(' '))
          .map(([name = '', type = '', commit = '']) => [name, type === 'tag' ? commit : type]),
      );
    },
  };
}

function startWriter(repo: OpenRepo, settings: WriterSettings, editor: TextEditor | undefined): RunningWriter {
  const told: string[] = [];
  const log: Logger = createLogger('debug', (line) => void told.push(line));
  const writer = createOutcomeWriter({ repo, clock: fastClock(clockSpeed), log, settings, editor });
  const written: { outcome: Outcome; revision: Revision; number: number | undefined }[] = [];
  const blocked: { outcome: Outcome; reason: string }[] = [];
  writer.onWritten((outcome, revision, number) => void written.push({ outcome, revision, number }));
  writer.onBlocked((outcome, reason) => void blocked.push({ outcome, reason }));
  const stopping = new AbortController();
  const ended = writer.run(stopping.signal);
  return {
    writer,
    written,
    blocked,
    told,
    async submit(outcomes) {
      const all = await Promise.all([...outcomes].map((outcome) => Promise.resolve(outcome)));
      for (const outcome of all) writer.submit(outcome);
    },
    done: (withinMs) => eventually('all outcomes are in Git', () => writer.pending().length === 0, withinMs),
    async stop() {
      stopping.abort(new Error('the test is over'));
      await ended;
    },
  };
}

/** What the agent would read of a tree: not its own ledgers, nothing outside its folder. */
function manifestsOf(files: Files, { path, ledgerDir }: WriterSettings): Files {
  const folder = path === '' ? '' : `${path}/`;
  return new Map(
    [...files].filter(
      ([name]) => name.startsWith(folder) && !name.startsWith(`${folder}${ledgerDir}/`) && /\.ya?ml$/.test(name),
    ),
  );
}

function imagesOf(object: unknown): Record<string, string> {
  const { spec } = object as { spec: { template: { spec: { containers: { name: string; image: string }[] } } } };
  return Object.fromEntries(spec.template.spec.containers.map(({ name, image }) => [name, image]));
}

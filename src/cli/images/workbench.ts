import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError } from '../../lib/errors.ts';
import { systemClock } from '../../lib/clock.ts';
import { createTurns, type Steps } from '../../lib/turns.ts';
import { createLineFinder, type LineFinder } from '../../manifest/locate.ts';
import { ParsedFiles } from '../../manifest/parsed-files.ts';
import { type FoundApp, foundIn } from '../../agent/images/found.ts';
import { fluxIn } from '../../agent/images/marked.ts';
import { type BuiltEdit, buildingEdit, type EditPlan, type EditTip } from '../../release/branch-edit.ts';
import { type Ledger, ledgerPath, parseLedger } from '../../release/ledger.ts';
import { appIn, type Render, type RenderedTree } from '../../release/rendered.ts';
import { createRender, createTreeReader } from '../../release/trees.ts';
import type { AppId } from '../../release/types.ts';
import { exactText } from '../../render/file-bytes.ts';
import { textAt } from '../../render/source-bytes.ts';
import { closeTools } from '../../render/tools.ts';
import type { TreeFiles } from '../../render/tree-files.ts';
import { readAuthorities } from '../../git/authorities.ts';
import type { RegistryClient } from '../../registry/client.ts';
import type { Revision } from '../../git/repo.ts';
import { openBranch, type RemoteBranch } from '../checkout/branch.ts';
import type { CommandContext } from '../context.ts';
import { findTools } from '../find-tools.ts';
import { type LocalOptions, localSettings } from '../local-settings.ts';
import { openRegistries } from '../registries.ts';

export interface ImagesOptions extends LocalOptions {
  /** Absent: that of the settings file, else the one that the checkout follows. */
  readonly branch?: string;
  /** As of `serin run`; absent: as in the settings file, else the caller's own of Docker. */
  readonly registryConfigFile?: string;
  /** Hosts, with commas between them. */
  readonly registryPlainHttp?: string;
  readonly json?: boolean;
  /** Absent: the folder in which the command is run. */
  readonly folder?: string;
}

/** What the branch says at a commit. */
export interface Said {
  readonly revision: Revision;
  readonly files: TreeFiles;
  readonly tree: RenderedTree;
  readonly apps: readonly FoundApp[];
  /** Of all Canaries of an app, in their order; undefined: it has none. Throws MANIFEST_INVALID. */
  ledgers(app: FoundApp): Promise<readonly (Ledger | undefined)[]>;
  contentOf(app: AppId): string | undefined;
  readonly lineOf: LineFinder;
}

/** What commands about images work with: the branch and the registries, with the caller's own rights. */
export interface Workbench {
  readonly branch: RemoteBranch;
  /** Where ledgers stand, and what objects without a namespace are in. */
  readonly places: { readonly path: string; readonly ledgerDir: string; readonly defaultNamespace: string };
  /** Nobody named the folder of the agent, and no ledger tells it. */
  readonly isFolderUnsure: boolean;
  readonly registries: RegistryClient;
  readonly nowMs: () => number;
  readonly render: Render;
  read(at: Revision): Promise<Said>;
  /** The manifest files of a commit. */
  files(at: Revision): Promise<TreeFiles>;
  /** Undefined: the app has none there. Throws MANIFEST_INVALID. */
  ledger(said: Said, app: AppId): Promise<Ledger | undefined>;
  /** The files of an edit, proven as the agent proves its own. */
  build(said: Said, plan: (tip: EditTip) => Steps<EditPlan>): Promise<BuiltEdit>;
}

/** Opens all that is needed, works, and closes it. `isWritten`: a commit is to be made. Throws CONFIG_INVALID. */
export async function atWorkbench<Result>(
  context: CommandContext,
  options: ImagesOptions,
  isWritten: boolean,
  work: (bench: Workbench) => Promise<Result>,
): Promise<Result> {
  const { environment, signal } = context;
  const { values } = await localSettings(options);
  const configured =
    options.config === undefined ? undefined : { url: values['git-url'], branch: values['git-branch'] };
  const branch = await openBranch(
    { ...(options.branch === undefined ? {} : { branch: options.branch }), configured },
    { environment, signal, ...(options.folder === undefined ? {} : { folder: options.folder }) },
    isWritten,
  );
  const tools = findTools(values, environment);
  const { 'registry-config-file': named, 'registry-ca-file': authorities } = values;
  const registries = openRegistries(
    { ...values, 'registry-config-file': named === '' ? await dockerConfigOf(environment) : named },
    {
      clock: systemClock,
      environment,
      ...(authorities === '' ? {} : { ca: (await readAuthorities({ file: authorities })) ?? '' }),
    },
  );
  try {
    const isFollowed = options.config !== undefined || options.gitPath !== undefined;
    const followed = isFollowed ? undefined : await followedFolder(branch, values['ledger-dir']);
    const { settings } = await localSettings({ ...options, ...(followed ? { gitPath: followed.folder } : {}) });
    const { own, ...rest } = settings;
    // Without the agent's settings nobody knows what is its own.
    const bounds = { ...rest, ...(own && options.config !== undefined ? { own } : {}) };
    const parsed = new ParsedFiles();
    const reader = createTreeReader(branch.objects, bounds, parsed);
    const render = createRender(bounds, parsed, tools);
    const { path, ledgerDir, defaultNamespace } = settings;
    const places = { path, ledgerDir, defaultNamespace };
    return await work({
      branch,
      places,
      isFolderUnsure: followed?.isUnsure === true,
      registries: registries.client,
      nowMs: () => systemClock.now(),
      render,
      files: (at) => reader.read(at, signal),
      async ledger({ files }, app) {
        const at = ledgerPath(places, app);
        const text = await createTurns().run(textAt(at, { files }));
        return text === undefined ? undefined : parseLedger(at, text);
      },
      read: (at) => readAt(at, { reader, render, branch, places, signal }),
      build: (said, plan) => buildOn(said, plan, render, places),
    });
  } finally {
    await Promise.all([closeTools(tools), registries.close(), branch.close()]);
  }
}

/**
 * The folder that the agent follows, where nobody names it: the one in which its ledgers stand; where there are none yet the one in which the command
 * is run. Throws CONFIG_INVALID where there are several, and the command is run in none of them.
 */
async function followedFolder(
  branch: RemoteBranch,
  ledgerDir: string,
): Promise<{ readonly folder: string; readonly isUnsure?: true }> {
  const { here = '' } = branch;
  const folders = new Set<string>();
  for (const path of (await branch.objects.tree(await branch.tip(), '')).keys()) {
    const parts = path.split('/');
    const at = parts.indexOf(ledgerDir);
    if (at >= 0 && at === parts.length - 3 && path.endsWith('.yaml')) folders.add(parts.slice(0, at).join('/'));
  }
  if (folders.size === 0) return { folder: here, isUnsure: true };
  const [only = ''] = folders;
  if (folders.size === 1) return { folder: only };
  const around = [...folders].filter((folder) => folder === '' || here === folder || here.startsWith(`${folder}/`));
  const [nearest] = around.toSorted((a, b) => b.length - a.length);
  if (nearest !== undefined) return { folder: nearest };
  throw new AgentError(
    'CONFIG_INVALID',
    `agents follow several folders of this repository: name one with --git-path (${[...folders].toSorted().join(', ')})`,
  );
}

interface Reading {
  readonly reader: ReturnType<typeof createTreeReader>;
  readonly render: Render;
  readonly branch: RemoteBranch;
  readonly places: Workbench['places'];
  readonly signal: AbortSignal;
}

async function readAt(revision: Revision, { reader, render, branch, places, signal }: Reading): Promise<Said> {
  const turns = createTurns();
  const files = await reader.read(revision, signal);
  const tree = await turns.run(render.inTurns(files));
  const flux = fluxIn([...tree.manifests, ...(tree.releases ?? [])]);
  const marked = flux ? await markedTexts(files, branch) : new Map();
  const ledgerAt = async (app: AppId): Promise<Ledger | undefined> => {
    const path = ledgerPath(places, app);
    const text = await turns.run(textAt(path, { files }));
    return text === undefined ? undefined : parseLedger(path, text);
  };
  const apps = foundIn(tree, marked, places.defaultNamespace);
  // For the lines of problems.
  const shown = new Map<string, string>();
  const named = [
    ...apps.map(({ manifest }) => manifest.origin.path),
    ...(flux?.problems ?? []).map(({ path }) => path),
  ];
  for (const path of new Set(named)) {
    const text = await turns.run(textAt(path, { files }));
    if (text !== undefined) shown.set(path, text);
  }
  return {
    revision,
    files,
    tree,
    apps,
    async ledgers({ id, canaries }) {
      const found: (Ledger | undefined)[] = [];
      for (const app of canaries.length === 0 ? [id] : canaries) found.push(await ledgerAt(app));
      return found;
    },
    contentOf: (app) => appIn(tree, app)?.content,
    lineOf: createLineFinder((path) => shown.get(path)),
  };
}

/** Files with comments of Flux v2. */
async function markedTexts(files: TreeFiles, branch: RemoteBranch): Promise<ReadonlyMap<string, string>> {
  const paths = new Map<string, string[]>();
  for (const [path, file] of files)
    if (typeof file === 'object') paths.set(file.oid, [...(paths.get(file.oid) ?? []), path]);
  const texts = new Map<string, string>();
  await branch.objects.blobs(paths.keys(), (oid, content) => {
    const text = content && exactText(content);
    if (text?.includes('$imagepolicy')) for (const path of paths.get(oid) ?? []) texts.set(path, text);
    return Promise.resolve();
  });
  return texts;
}

function buildOn(
  { files }: Said,
  plan: (tip: EditTip) => Steps<EditPlan>,
  render: Render,
  places: Workbench['places'],
): Promise<BuiltEdit> {
  const tip: Omit<EditTip, 'tree' | 'files'> = {
    *ledger(app) {
      const path = ledgerPath(places, app);
      const text = yield* textAt(path, { files });
      return text === undefined ? undefined : parseLedger(path, text);
    },
    *text(path) {
      return yield* textAt(path, { files });
    },
  };
  const nobody = { namespace: '', name: '' };
  // Git knows who the caller is.
  const author = { name: '', email: '' };
  const edit = { key: 'by hand', app: nobody, atMs: 0, plan };
  return createTurns().run(buildingEdit(edit, { files, render, tip, author }));
}

/** The caller's own configuration of Docker; empty: there is none. */
async function dockerConfigOf({ DOCKER_CONFIG: folder, HOME: home }: CommandContext['environment']): Promise<string> {
  const path = folder ? join(folder, 'config.json') : home ? join(home, '.docker', 'config.json') : '';
  return path !== '' && (await stat(path).catch(() => undefined))?.isFile() ? path : '';
}

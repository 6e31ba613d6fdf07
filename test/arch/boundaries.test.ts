import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';

/**
 * The map of src/README.md as a test. Folders stand in the order in which data flows: a folder may import from itself and from
 * those named here. `contract` names single files of a folder that others may import although the folder itself is closed to them.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  manifest: ['lib'],
  cluster: ['lib', 'manifest'],
  git: ['lib'],
  canary: ['lib', 'manifest'],
  routers: ['lib', 'manifest', 'canary'],
  metrics: ['lib', 'manifest', 'canary'],
  analysis: ['lib', 'manifest', 'canary', 'metrics'],
  notifiers: ['lib', 'manifest', 'canary'],
  images: ['lib', 'manifest'],
  registry: ['lib', 'images'],
  render: ['lib', 'manifest'],
  release: ['lib', 'manifest', 'canary', 'render', 'git/repo.ts'],
  report: ['lib', 'manifest', 'canary', 'release'],
  acts: ['lib', 'manifest', 'canary', 'render', 'release', 'report'],
  sync: ['lib', 'manifest', 'canary', 'cluster/cluster.ts'],
  checks: ['lib', 'manifest', 'canary', 'routers', 'metrics', 'notifiers', 'images'],
  outlets: [
    'lib',
    'manifest',
    'canary/types.ts',
    'canary/status.ts',
    'canary/references.ts',
    'analysis/webhook.ts',
    'notifiers',
    'cluster/cluster.ts',
  ],
  agent: [
    'lib',
    'manifest',
    'canary',
    'routers',
    'metrics',
    'analysis',
    'notifiers',
    'outlets',
    'images',
    'registry',
    'render',
    'release',
    'sync',
    'checks',
    'report',
    'acts',
    'cluster/cluster.ts',
    'cluster/own-writes.ts',
    'git/repo.ts',
    'ui/feed.ts',
    'ui/questions.ts',
    'ui/told.ts',
  ],
  server: ['lib'],
  ui: ['lib', 'manifest', 'canary', 'images', 'release', 'report', 'acts', 'server'],
  config: ['lib', 'manifest'],
  migrate: ['lib', 'manifest'],
  loadtester: ['lib', 'images/regex/regex.ts'],
  sandbox: ['lib', 'manifest', 'loadtester'],
  bench: ['lib', 'manifest', 'cluster', 'git', 'release', 'sync', 'sandbox'],
  cli: ['*'],
  'main.ts': ['cli'],
};

/** The folders of the agent, in the order in which data flows, and which of the others each may import. */
const agentMayImport: Readonly<Record<string, readonly string[]>> = {
  // What is read of Git is read without knowing what for.
  reader: [],
  // What is seen of the cluster is the same for everybody, so it knows none of those who look.
  views: [],
  // What is known of a release does not depend on who asks or who executes.
  releases: ['views'],
  // Registries and policies know nothing of canaries: that an app is at rest is read of its ledger.
  images: [],
  // What is executed was decided elsewhere: effects never look at a canary by themselves.
  effects: ['views', 'releases'],
  // A canary never asks a source: what Git says of it comes by its releases.
  canaries: ['views', 'releases', 'effects'],
  // A source knows no canary's loop: what it applies reaches a canary by the cluster.
  source: ['views', 'releases', 'images'],
  // What people are shown and do: it decides nothing.
  dashboard: ['views', 'releases', 'images', 'source'],
};
/** Files beside these folders that all of them may import. */
const agentCommon = ['agent/bus.ts', 'agent/deps.ts', 'agent/source-telemetry.ts'];
/** The three that run and what starts them: no folder imports them, and each only these of them. What is seen knows nobody who acts on it. */
const agentRunning: Readonly<Record<string, readonly string[]>> = {
  'agent/runnable.ts': [],
  'agent/observe.ts': ['agent/runnable.ts'],
  'agent/deliver.ts': ['agent/runnable.ts', 'agent/observe.ts'],
  'agent/publish.ts': ['agent/runnable.ts', 'agent/observe.ts'],
  'agent/start.ts': ['agent/runnable.ts', 'agent/observe.ts', 'agent/deliver.ts', 'agent/publish.ts'],
};

/** Which folders may use which package; packages that are not listed may be used by nobody. */
const packages: Readonly<Record<string, readonly string[]>> = {
  pino: ['lib/log.ts'],
  undici: ['lib/http/dispatcher.ts', 'lib/http/fetch.ts', 'lib/http/stream.ts', 'sandbox'],
  ssh2: ['git'],
  yaml: ['manifest', 'cluster', 'release', 'migrate', 'ui', 'cli', 'sandbox', 'bench'],
  'fast-json-patch': ['agent', 'cluster', 'sandbox'],
  '@kubernetes/client-node': ['cluster'],
  'node-cron': ['agent'],
  semver: ['images', 'release', 'sandbox'],
  aws4fetch: ['registry', 'metrics'],
  nodemailer: ['lib/mail.ts'],
  'node-diff3': ['manifest', 'release', 'migrate'],
  'prom-client': ['outlets', 'server'],
  hono: ['server', 'ui'],
  '@hono/node-server': ['server'],
  oauth4webapi: ['ui'],
  commander: ['cli'],
  picocolors: ['cli'],
};

/** Data in, data out: no waiting, no clock, no chance, no machine. */
const pure = ['canary', 'routers', 'manifest', 'images', 'checks', 'migrate', 'report', 'acts'];
const impure =
  /\bawait\b|\basync\b|Date\.now|new Date\(\)|Math\.random|setTimeout|setInterval|process\.|from 'node:(?!util')/;

const root = join(import.meta.dirname, '../../src');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => /\.tsx?$/.test(path))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

function importsOf(text: string): string[] {
  return [...text.matchAll(/(?:from|import\()\s*'([^']+)'/g)].map(([, name = '']) => name);
}
const folderOf = (path: string): string => path.split('/')[0] ?? '';

/** Groups of files of which each leads to each, by imports that `counts`. */
function circlesOf(counts: (imported: string) => boolean): readonly string[] {
  const imports = new Map(
    files.map(({ path, text }) => [
      path,
      [...text.matchAll(/^(?:import|export) ([^;']*)from '(\.[^']+)'|(import)\('(\.[^']+)'\)/gm)]
        .filter(([, what = 'import']) => counts(what))
        .map(([, , from, , late]) => posix.normalize(posix.join(posix.dirname(path), from ?? late ?? ''))),
    ]),
  );
  const reach = (start: string): ReadonlySet<string> => {
    const found = new Set<string>();
    const next = [start];
    for (let file = next.pop(); file !== undefined; file = next.pop())
      for (const other of imports.get(file) ?? []) {
        if (found.has(other)) continue;
        found.add(other);
        next.push(other);
      }
    return found;
  };
  const reached = new Map([...imports.keys()].map((path) => [path, reach(path)]));
  const groups = [...reached].flatMap(([path, others]) =>
    others.has(path)
      ? [
          [...others]
            .filter((other) => reached.get(other)?.has(path))
            .sort()
            .join(' '),
        ]
      : [],
  );
  return [...new Set(groups)].sort();
}

/** Not erased by the compiler. */
const isOfValues = (imported: string): boolean =>
  !imported.startsWith('type ') && !/^\{(?:\s*type [^,}]+,?)*\s*\}\s*$/.test(imported);

describe('the map of the code', () => {
  it('has no circles of files', () => {
    expect(circlesOf(isOfValues)).toEqual([]);
  });

  it('has no circles of types either, but those that are known', () => {
    expect(circlesOf(() => true)).toEqual([
      'agent/canaries/interrupt.ts agent/canaries/memory.ts',
      'canary/analysis-state.ts canary/types.ts',
      'canary/course.ts canary/phases/still.ts',
      'manifest/load.ts manifest/refused.ts',
      'release/proof.ts release/revert.ts',
      'render/plain-field.ts render/plain-restore.ts render/text-edit.ts',
      'sandbox/api/http/routes.ts sandbox/api/http/usage.ts',
      'sandbox/world/exec/execute.ts sandbox/world/exec/programs.ts',
    ]);
  });

  it('is held against every file', () => {
    expect(files.length).toBeGreaterThan(120);
    expect(new Set(files.map(({ path }) => folderOf(path)))).toEqual(new Set(Object.keys(mayImport)));
  });

  it('lets no folder import from one that stands behind it', () => {
    const broken: string[] = [];
    for (const { path, text } of files) {
      const folder = folderOf(path);
      const allowed = mayImport[folder] ?? [];
      for (const name of importsOf(text).filter((entry) => entry.startsWith('.'))) {
        const target = posix.normalize(posix.join(posix.dirname(path), name));
        const targetFolder = folderOf(target);
        const fine =
          targetFolder === folder ||
          allowed.includes('*') ||
          allowed.includes(targetFolder) ||
          allowed.includes(target);
        if (!fine) broken.push(`${path} imports ${target}`);
      }
    }
    expect(broken).toEqual([]);
  });

  it('lets no folder of the agent import from one that stands behind it', () => {
    const partOf = (path: string): string => path.split('/')[1] ?? '';
    const ofAgent = files.filter(({ path }) => path.startsWith('agent/'));
    const parts = new Set(ofAgent.map(({ path }) => partOf(path)).filter((part) => !/\.tsx?$/.test(part)));
    expect(parts).toEqual(new Set(Object.keys(agentMayImport)));
    const beside = ofAgent.map(({ path }) => path).filter((path) => partOf(path).endsWith('.ts'));
    expect(beside.toSorted()).toEqual([...agentCommon, ...Object.keys(agentRunning)].toSorted());

    const mayReach = (path: string, target: string): boolean => {
      if (agentCommon.includes(target)) return true;
      const running = agentRunning[path];
      if (running) return running.includes(target) || !beside.includes(target);
      if (beside.includes(path) || beside.includes(target)) return false;
      return partOf(target) === partOf(path) || agentMayImport[partOf(path)]?.includes(partOf(target)) === true;
    };
    const broken = ofAgent.flatMap(({ path, text }) =>
      importsOf(text)
        .filter((name) => name.startsWith('.'))
        .map((name) => posix.normalize(posix.join(posix.dirname(path), name)))
        .filter((target) => target.startsWith('agent/') && !mayReach(path, target))
        .map((target) => `${path} imports ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it('gives each package to the folders that own it', () => {
    const broken: string[] = [];
    for (const { path, text } of files) {
      for (const name of importsOf(text).filter((entry) => !entry.startsWith('.') && !entry.startsWith('node:'))) {
        const bare = name.startsWith('@') ? name.split('/').slice(0, 2).join('/') : (name.split('/')[0] ?? '');
        const owners = packages[bare] ?? [];
        if (!owners.some((owner) => path === owner || folderOf(path) === owner)) broken.push(`${path} imports ${bare}`);
      }
    }
    expect(broken).toEqual([]);
  });

  it('keeps the core pure', () => {
    const broken = files
      .filter(({ path }) => pure.includes(folderOf(path)))
      .flatMap(({ path, text }) =>
        text
          .split('\n')
          .flatMap((line, index) =>
            impure.test(line.replace(/\/\/.*|^\s*\*.*/, '')) ? [`${path}:${index + 1} ${line.trim()}`] : [],
          ),
      );
    expect(broken).toEqual([]);
  });

  it('keeps the agent away from process, console and the sandbox', () => {
    const broken = files
      .filter(({ path }) => !['cli', 'main.ts'].includes(folderOf(path)))
      .flatMap(({ path, text }) =>
        text
          .split('\n')
          .flatMap((line, index) => (/\bprocess\.(env|exit)|\bconsole\./.test(line) ? [`${path}:${index + 1}`] : [])),
      );
    expect(broken.filter((place) => !place.startsWith('sandbox/'))).toEqual([]);
  });

  it('has no providers that know each other', () => {
    const providers = files
      .filter(({ path }) =>
        /^routers\/(?!router|registry|reconcile|objects|affinity|adoption|refusal|entrances)/.test(path),
      )
      .map(({ path }) => posix.basename(path));
    // Files of one provider begin with its name.
    const providerOf = (path: string): string => posix.basename(path, '.ts').split('-', 1)[0] ?? '';
    const broken = files
      .filter(({ path }) => path.startsWith('routers/') && providers.includes(posix.basename(path)))
      .flatMap(({ path, text }) =>
        importsOf(text)
          .filter(
            (name) => !posix.basename(name).startsWith(providerOf(path)) && providers.includes(posix.basename(name)),
          )
          .map((name) => `${path} imports ${name}`),
      );
    expect(broken).toEqual([]);
  });

  it('asks the fence in three places: effects of canaries, what a sync writes, a push; and pushes in that one only', () => {
    const placesOf = (call: RegExp): readonly string[] =>
      files
        .filter(({ path }) => !path.startsWith('bench/'))
        .flatMap(({ path, text }) => [...text.replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, '').matchAll(call)].map(() => path))
        .toSorted();
    expect(placesOf(/\.assertHeld\b/g)).toEqual([
      'agent/effects/execute.ts',
      'release/writer.ts',
      'sync/fenced-writes.ts',
    ]);
    expect(placesOf(/\brepo\.push\b/g)).toEqual(['release/writer.ts']);
  });

  it('orders versions of objects in one place, which is asked whether a watch has seen a write', () => {
    const agent = files.filter(({ path }) => !/^(?:sandbox|bench)\//.test(path));
    const holding = (what: RegExp) => agent.flatMap(({ path, text }) => (what.test(text) ? [path] : [])).toSorted();
    expect(holding(/\bhasReached\(/)).toEqual(['agent/views/views.ts', 'cluster/own-writes.ts']);
    expect(holding(/(?:Number|BigInt|parseInt)\([^)\n]*[vV]ersion|resourceVersion [<>]/)).toEqual([]);
  });

  it('has three walks of at most twelve files, each called by one above it', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const walks = [...readme.matchAll(/```walk (.*)\n([^]*?)```/g)].map(([, name = '', lines = '']) => ({
      name,
      steps: lines
        .trim()
        .split('\n')
        .map((line) => ({
          path: line.split(' ', 1)[0] ?? '',
          handed: /⇢ (\S+)/.exec(line)?.[1],
        })),
    }));
    expect(walks.map(({ name }) => name.split(',')[0])).toEqual(['a commit', 'a key', 'a release']);
    const targetsOf = (path: string): readonly string[] =>
      importsOf(files.find((file) => file.path === path)?.text ?? '').map((name) =>
        posix.normalize(posix.join(posix.dirname(path), name)),
      );
    for (const { name, steps } of walks) {
      expect(steps.length, name).toBeLessThanOrEqual(12);
      const broken = steps.slice(1).flatMap(({ path, handed }, at) => {
        const before = steps.slice(0, at + 1).map((step) => step.path);
        // A contract that files above know, or who joins both sides.
        const joins = handed === undefined ? [] : targetsOf(handed);
        const isHanded =
          handed !== undefined &&
          files.some((file) => file.path === path) &&
          (before.some((one) => targetsOf(one).includes(handed)) ||
            (joins.includes(path) && before.some((one) => joins.includes(one))));
        return isHanded || before.some((one) => targetsOf(one).includes(path)) ? [] : [path];
      });
      expect(broken, name).toEqual([]);
    }
  });
});

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/**
 * What others say only in sentences may be looked through, where it comes in. Whoever wants to know something of our own has it as a value:
 * a sentence is for people, and changes with them. Each file below reads the words of the one named behind it.
 */
const readsWordsOf: Readonly<Record<string, string>> = {
  'canary/trouble/container.ts': 'the kubelet',
  'canary/trouble/image-failure.ts': 'container runtimes',
  'canary/trouble/pod-trouble.ts': 'the scheduler, the kubelet and controllers',
  'canary/trouble/refusal.ts': 'admission',
  'cli/checkout/branch.ts': "the caller's git, of pushes",
  'cluster/request.ts': 'the API server',
  'git/pusher.ts': 'git, as servers pass it on',
  'git/push-verdict.ts': 'git, as servers pass it on',
  'git/ssh/conversation.ts': 'SSH servers',
  'git/ssh/key.ts': 'the SSH library',
  'render/kustomize-origin.ts': 'kustomize, which writes origins as YAML',
  'render/tool-program.ts': 'programs, of their versions',
  'render/tool-reason.ts': 'programs, of what they refuse',
  'release/reported-releases.ts': 'commits: trailers are made to be read',
  'report/history.ts': 'commits: trailers are made to be read, and the table and the first line are shown as they are',
  'sync/apply.ts': 'the API server, of conflicts and refusals',
  'sync/installation.ts': 'the API server, of conflicts',
  'sync/rollout-strategy.ts': 'the API server, of refusals',
};

/** Shapes a text for people, or compares two of them. */
const shapes: Readonly<Record<string, string>> = {
  'agent/source/own-part.ts': 'its first line',
  'agent/source/pass-result.ts': 'two problems of one file line, of which the later tells more',
  'agent/source/pipeline.ts': 'its first line',
  'agent/source/status-object.ts': 'on one line',
  'cli/context.ts': 'line by line',
  'cli/images/commit.ts': 'line by line, and the subject of a commit message',
  'cli/sources.ts': 'flags by the names that they have in a source',
  'git/objects.ts': 'a line end behind a commit message',
  'release/build.ts': 'the subject of a commit message',
  'release/ledger.ts': 'its first line',
  'release/trees.ts': 'without line numbers, to compare the problems of two trees',
  'release/waiting.ts': 'without hashes and numbers, to group what servers refuse',
};

const reads = [
  new RegExp(`\\.(?:test|exec)\\([^)]*\\b(?:message|reason|said|trouble|why|summary|subject)\\b`),
  new RegExp(
    `\\b(?:message|reason|trouble|why|summary|subject)(?:\\)|\\b)\\??\\.(?:match|matchAll|replace|replaceAll|startsWith|endsWith|includes|split|search|indexOf)\\(`,
  ),
];

const root = join(import.meta.dirname, '../../src');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => /\.tsx?$/.test(path) && !/^(?:sandbox|bench|cli\/demo)\//.test(path));

it('reads nothing back out of its own sentences', () => {
  const found = files.flatMap((path) =>
    readFileSync(join(root, path), 'utf8')
      .split('\n')
      .flatMap((line, at) =>
        reads.some((pattern) => pattern.test(line)) ? [{ path, place: `${path}:${at + 1} ${line.trim()}` }] : [],
      ),
  );
  expect(files.length).toBeGreaterThan(120);
  expect(found.length).toBeGreaterThan(10);
  expect(
    found.filter(({ path }) => !Object.hasOwn({ ...readsWordsOf, ...shapes }, path)).map(({ place }) => place),
  ).toEqual([]);
  const used = new Set(found.map(({ path }) => path));
  expect(Object.keys({ ...readsWordsOf, ...shapes }).filter((path) => !used.has(path))).toEqual([]);
});

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { asRevision } from '../../src/git/repo.ts';
import { AgentError } from '../../src/lib/errors.ts';
import { parseLedger, type QuarantineEntry, type StableEntry } from '../../src/release/ledger.ts';
import { LedgerFile, withQuarantine, withStable } from '../../src/release/ledger-file.ts';

const app = { namespace: 'test', name: 'a' };
const path = '.releases/test/a.yaml';
const file = (text: string): LedgerFile => new LedgerFile(path, text);

/** What vendors, people and hashes put into texts; many of them are something else than text to YAML. */
const texts = fc.oneof(
  fc.string({ maxLength: 30 }),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.constantFrom(
    '',
    '~',
    'null',
    'yes',
    '1e10',
    '0x1f',
    '012',
    '1_000',
    '- a',
    '# x',
    'a: b',
    '"',
    "'",
    '|',
    '>',
    '*a',
    '&a',
    '---',
    '...',
    '\t',
    'a\nb',
    ' a ',
    '%',
    '@',
    '`',
    '2024-01-01',
    '<<',
    '=',
  ),
);
const hashes = fc.stringMatching(/^[0-9a-f]{16}$/);
const revisions = fc.stringMatching(/^[0-9a-f]{40}$/).map(asRevision);
const times = fc
  .integer({ min: 0, max: 4e9 })
  .map((seconds) => `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`);
const names = fc.dictionary(fc.stringMatching(/^[a-z0-9./-]{1,12}$/), texts, { maxKeys: 3, noNullPrototype: true });
const stables: fc.Arbitrary<StableEntry> = fc.record({
  release: fc.nat(),
  releaseId: hashes,
  revision: revisions,
  at: times,
  images: names,
  templateHash: texts,
  configs: names,
  content: hashes,
});
const entries: fc.Arbitrary<QuarantineEntry> = fc.record({
  releaseId: hashes,
  revision: revisions,
  at: times,
  images: names,
  templateHash: texts,
  content: hashes,
  failedCheck: texts,
  reason: texts,
});
const steps = fc.array(
  fc.oneof(
    stables.map((stable) => ({ kind: 'stable' as const, stable })),
    entries.map((entry) => ({ kind: 'quarantine' as const, entry })),
    fc.constant({ kind: 'lift' as const }),
    fc
      .constantFrom<(text: string) => string>(
        (text) => text.replaceAll(/\r?\n/g, '\r\n'),
        (text) => text.replaceAll('\r\n', '\n'),
        (text) => `\uFEFF${text.replace('\uFEFF', '')}`,
        (text) => text.trimEnd(),
        (text) => text.replace(/^apiVersion/m, '# a word of ours\napiVersion'),
        (text) => `${text.trimEnd()}\n# the end\n`,
      )
      .map((edit) => ({ kind: 'edit' as const, edit })),
  ),
  { maxLength: 8 },
);

/** As a person does it: the list is emptied with an editor. */
const lifted = (text: string): string => text.replace(/^quarantine:[^]*$/m, 'quarantine: []\n');

it('a ledger says what was written into it, whatever the texts and whoever edited it in between', () => {
  fc.assert(
    fc.property(steps, (history) => {
      let text: string | undefined;
      let stable: StableEntry | undefined;
      let quarantine: QuarantineEntry[] = [];
      for (const step of history) {
        if (step.kind === 'stable') {
          text = withStable(app, text === undefined ? undefined : file(text), step.stable);
          stable = step.stable;
        } else if (step.kind === 'quarantine') {
          text = withQuarantine(app, text === undefined ? undefined : file(text), step.entry);
          quarantine = [...quarantine, step.entry];
        } else if (text === undefined) continue;
        else if (step.kind === 'lift') {
          // Only where the list stands last, as it does once there was a stable state first.
          if (text.indexOf('\nstable:') > text.indexOf('\nquarantine:')) continue;
          text = lifted(text);
          quarantine = [];
        } else text = step.edit(text);
        const read = parseLedger(path, text);
        expect(read.stable).toEqual(stable);
        expect(read.quarantine).toEqual(quarantine);
      }
    }),
    { numRuns: 150 },
  );
});

it('a comment, a field of ours and the line ends stay where a person put them', () => {
  const entry = {
    release: 1,
    releaseId: 'r',
    revision: asRevision('a'.repeat(40)),
    at: '',
    images: { a: 'b:1' },
    templateHash: '',
    configs: {},
    content: 'c',
  };
  const first = withStable(app, undefined, entry);
  for (const eol of ['\n', '\r\n']) {
    const edited = `# ours\n${first}owner: shop # asks first\n`.replaceAll('\n', eol);
    const next = withStable(app, file(edited), { ...entry, release: 2, content: 'd' });
    expect(next).toBe(edited.replace('release: 1', 'release: 2').replace('content: c', 'content: d'));
  }
});

it('a text that is no ledger is refused with its path, and nothing else is thrown', () => {
  const broken = fc.oneof(
    fc.string({ maxLength: 80 }),
    fc.constantFrom('[]', 'null', '1', 'a: &a [*a]', 'stable: 1', '<<<<<<< HEAD\n', 'a: 1\n---\nb: 2\n'),
    fc.json().map((text) => `apiVersion: serin.dev/v1\nstable: ${text}\n`),
    fc.json().map((text) => `apiVersion: serin.dev/v1\nquarantine: ${text}\n`),
  );
  fc.assert(
    fc.property(broken, (text) => {
      try {
        parseLedger(path, text);
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        expect([error.code, error.message.startsWith(`${path}:`)]).toEqual(['MANIFEST_INVALID', true]);
      }
    }),
    { numRuns: 400 },
  );
});

it('a new ledger is written as an edit of it would write it, and one that was read tells the same after an edit', () => {
  fc.assert(
    fc.property(stables, entries, (stable, entry) => {
      for (const text of [withStable(app, undefined, stable), withQuarantine(app, undefined, entry)]) {
        const read = LedgerFile.parse(path, text);
        const edited = withStable(app, read, stable);
        expect(edited).toBe(withStable(app, file(text), stable));
        if (text.includes('\nstable:')) expect(edited).toBe(text);
        expect(read.ledger).toEqual(parseLedger(path, text));
        expect(withQuarantine(app, read, entry)).toBe(withQuarantine(app, file(text), entry));
      }
    }),
    { numRuns: 60 },
  );
});

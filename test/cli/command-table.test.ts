import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { programOf, runCommandLine } from '../../src/cli/command-line.ts';
import { exitCodes } from '../../src/cli/context.ts';
import { createOutput } from '../../src/cli/output.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

async function serin(...argv: readonly string[]): Promise<Ran> {
  const [out, errors]: [string[], string[]] = [[], []];
  const code = await runCommandLine({
    argv,
    environment: {},
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => errors.push(text) },
    signal: AbortSignal.timeout(10_000),
  });
  return { code, out: out.join(''), errors: errors.join('') };
}

/** Which test runs a command, with its exit codes, and with `--json` where it has that. A new command needs its line. */
const testedBy: Readonly<Record<string, string>> = {
  run: 'test/cli/run.test.ts',
  validate: 'test/cli/validate.test.ts',
  migrate: 'test/migrate/migrate.test.ts',
  render: 'test/cli/render.test.ts',
  diff: 'test/cli/render.test.ts',
  gate: 'test/cli/gate.test.ts',
  identity: 'test/cli/identity.test.ts',
  status: 'test/cli/apps.test.ts',
  explain: 'test/cli/apps.test.ts',
  history: 'test/cli/apps.test.ts',
  approve: 'test/cli/apps.test.ts',
  hold: 'test/cli/apps.test.ts',
  resume: 'test/cli/apps.test.ts',
  promote: 'test/cli/apps.test.ts',
  rollback: 'test/cli/apps.test.ts',
  retry: 'test/cli/apps.test.ts',
  wait: 'test/cli/apps.test.ts',
  doctor: 'test/cli/apps.test.ts',
  version: 'test/cli/apps.test.ts',
  completion: 'test/cli/apps.test.ts',
  images: 'test/cli/images.test.ts',
  'images release': 'test/cli/images.test.ts',
  'images resume': 'test/cli/images.test.ts',
  'images lock': 'test/cli/images.test.ts',
  'images unlock': 'test/cli/images.test.ts',
  'images automate': 'test/cli/images.test.ts',
  'images deautomate': 'test/cli/images.test.ts',
  'images test': 'test/cli/images-test.test.ts',
  providers: 'test/cli/providers.test.ts',
  demo: 'test/scenario/seed-quotes.test.ts',
  sandbox: 'test/cli/sandbox.test.ts',
  loadtester: 'test/loadtester',
  bench: 'test/bench',
};

function* commandsOf(command: Command, path: readonly string[] = []): Generator<readonly [string, Command]> {
  for (const one of command.commands) {
    const here = [...path, one.name()];
    yield [here.join(' '), one];
    yield* commandsOf(one, here);
  }
}

const silent = { write: (): boolean => true };
const program = programOf(
  {
    argv: [],
    environment: {},
    stdout: silent,
    stderr: silent,
    signal: new AbortController().signal,
    output: createOutput(silent, {}),
  },
  () => Promise.resolve(),
);
const commands = [...commandsOf(program)].filter(([name]) => name !== 'help');

describe('the table of commands', () => {
  it('names for each command the test that runs it', () => {
    const names = commands.map(([name]) => name);
    // Those of other commands are listed there; a new one has none.
    expect(names.filter((name) => !Object.hasOwn(testedBy, name))).toEqual([]);
    expect(Object.keys(testedBy).filter((name) => !names.includes(name))).toEqual([]);
  });

  it.each(commands)('says of serin %s what it does, with all its options, and ends with 0', async (name, command) => {
    const { code, out, errors } = await serin(...name.split(' '), '--help');
    expect({ code, errors }).toEqual({ code: exitCodes.done, errors: '' });
    expect(out).toContain(`Usage: serin ${name}`);
    expect(command.description().length).toBeGreaterThan(10);
    if (name === 'run') return;
    for (const { long, description } of command.options) {
      expect(out).toContain(long);
      expect(description).not.toBe('');
    }
  });

  it.each(commands)('refuses an option that serin %s does not have, with exit code 2', async (name) => {
    const { code, errors } = await serin(...name.split(' '), '--no-such-option');
    expect(code).toBe(exitCodes.usage);
    // What has to be there is asked for first.
    expect(errors).toMatch(/no-such-option|is no setting|required option/);
  });

  it('documents the shape of each --json', () => {
    const readme = read('README.md');
    const shown = commands.filter(([, { options }]) => options.some(({ long }) => long === '--json'));
    expect(shown.length).toBeGreaterThan(20);
    expect(shown.flatMap(([name]) => (readme.includes(`| \`${name} --json\` |`) ? [] : [name]))).toEqual([]);
  });

  it('documents each exit code', () => {
    const readme = read('README.md');
    for (const code of Object.values(exitCodes)) expect(readme).toContain(`| ${code} |`);
  });

  it('lets kubectl find it as a plugin', () => {
    const { bin } = JSON.parse(read('package.json')) as { bin: Record<string, string> };
    expect(bin['kubectl-serin']).toBe(bin['serin']);
  });
});

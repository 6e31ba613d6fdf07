import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/command-line.ts';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'serin-validate-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const demo = (name: string): Promise<string> =>
  readFile(join(import.meta.dirname, '../../fixtures/demo', name), 'utf8');

async function validate(...flags: readonly string[]): Promise<{ code: number; lines: string[]; errors: string }> {
  let out = '';
  let errors = '';
  const code = await runCommandLine({
    argv: ['validate', dir, ...flags],
    environment: {},
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (errors += text) },
    signal: new AbortController().signal,
  });
  return { code, lines: out.trimEnd().split('\n'), errors };
}

describe('serin validate', () => {
  it('finds nothing wrong with the configuration of the demo', async () => {
    for (const name of ['namespace.yaml', 'quotes.yaml', 'canary.yaml'])
      await writeFile(join(dir, name), await demo(name));
    expect(await validate()).toEqual({ code: 0, lines: ['5 objects in 3 files: 0 errors, 0 warnings'], errors: '' });
  });

  it('names every mistake with file and line, and what to do', async () => {
    const canary = await demo('canary.yaml');
    await writeFile(join(dir, 'quotes.yaml'), await demo('quotes.yaml'));
    await writeFile(
      join(dir, 'canary.yaml'),
      canary
        .replace('gatewayapi:v1', 'gatewayapy:v1')
        .replace('request-duration', 'request-durration')
        .replace('stepWeight: 20', 'stepWeight: 0'),
    );
    await writeFile(join(dir, 'broken.yaml'), 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n data: {a: 1\n');
    const { code, lines } = await validate();
    expect(code).toBe(3);
    const text = lines.join('\n');
    expect(text).toMatch(/^broken\.yaml:\d+ error not readable as YAML/m);
    expect(text).toMatch(/^canary\.yaml:7 error .*spec\.provider: .*gatewayapy:v1.*gatewayapi:v1/m);
    expect(text).toMatch(
      /^canary\.yaml:\d+ error .*no metric is called "request-durration" \(did you mean request-duration\?/m,
    );
    expect(text).toMatch(/^canary\.yaml:\d+ error .*spec\.analysis/m);
    expect(lines.at(-1)).toMatch(/^\d+ objects in 3 files: 4 errors/);
  });

  it('warns of a Canary whose target is not in Git, and of an object that is there twice', async () => {
    await writeFile(join(dir, 'canary.yaml'), await demo('canary.yaml'));
    await writeFile(join(dir, 'twice.yaml'), await demo('canary.yaml'));
    const { code, lines } = await validate('--json');
    const problems = lines.map((line) => JSON.parse(line) as { severity: string; path: string; message: string });
    expect(code).toBe(3);
    const warnings = problems.filter(({ severity }) => severity === 'warning').map(({ message }) => message);
    expect(warnings.join('\n')).toContain('there is no Deployment quotes/quotesbackend in Git');
    expect(problems.find(({ severity }) => severity === 'error')).toMatchObject({
      path: 'twice.yaml',
      message: expect.stringContaining('defined a second time') as string,
    });
  });

  it("refuses two Canaries that would take each other's target or Services", async () => {
    const canary = await demo('canary.yaml');
    const others = [
      canary.replace('name: quotesbackend', 'name: same-target').replace(/^ {4}port:/m, '    name: another\n    port:'),
      canary.replace('name: quotesbackend', 'name: same-services').replace(/(targetRef:[^]*?name: )\S+/, '$1another'),
    ];
    await writeFile(join(dir, 'canary.yaml'), [canary, ...others].join('---\n'));
    await writeFile(join(dir, 'quotes.yaml'), await demo('quotes.yaml'));
    const { code, lines } = await validate();
    expect(code).toBe(3);
    const errors = lines.filter((line) => line.includes(' error ')).map((line) => line.replace(/:\d+/g, ':N'));
    expect(errors).toEqual([
      'canary.yaml:N error Canary quotes/same-target spec.targetRef: the same target belongs to the Canary at canary.yaml:N (one target, one Canary)',
      'canary.yaml:N error Canary quotes/same-services spec.service.name: the Services of this name belong to the Canary at canary.yaml:N (choose another name)',
    ]);
  });

  it('says clearly that a folder is not there', async () => {
    await rm(dir, { recursive: true });
    const { code, errors } = await validate();
    expect(code).toBe(2);
    expect(errors).toMatch(/^serin: .* cannot be read/);
  });

  it('looks at AlertProviders, and at what refers to them, without showing an address', async () => {
    const provider = (name: string, spec: string): string =>
      `apiVersion: flagger.app/v1beta1\nkind: AlertProvider\nmetadata: { name: ${name}, namespace: quotes }\nspec: ${spec}\n`;
    await writeFile(
      join(dir, 'alerts.yaml'),
      [
        provider('good', '{ type: slack, secretRef: { name: url } }'),
        provider('hook', '{ type: webhook, address: "https://hooks.example.org/x" }'),
        provider('teams', '{ type: msteams, address: "https://hooks.example.org/topsecret" }'),
        provider('odd', '{ type: slack, address: topsecret }'),
        provider('nothing', '{ type: pager, address: "https://hooks.example.org/topsecret" }'),
      ].join('---\n'),
    );
    const canary = await demo('canary.yaml');
    const alerts =
      '  analysis:\n    alerts:\n      - { name: a, providerRef: { name: good } }\n      - { name: b, providerRef: { name: gone } }';
    await writeFile(join(dir, 'canary.yaml'), canary.replace('  analysis:', alerts));
    for (const name of ['namespace.yaml', 'quotes.yaml']) await writeFile(join(dir, name), await demo(name));
    const { lines } = await validate();
    const text = lines.join('\n');
    expect(text).not.toContain('topsecret');
    expect(text).toMatch(
      /warning AlertProvider quotes\/teams spec\.type: notifier msteams is not supported in this release/,
    );
    expect(text).toMatch(/error AlertProvider quotes\/odd spec\.address: is no http or https URL/);
    expect(text).toMatch(/error AlertProvider quotes\/nothing spec\.type: notifier pager is not supported/);
    expect(text).toMatch(
      /warning Canary .*spec\.analysis\.alerts\[1\]\.providerRef\.name: there is no AlertProvider quotes\/gone/,
    );
    expect(lines.at(-1)).toMatch(/2 errors, 2 warnings$/);
  });
});

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { providerTables } from '../../src/cli/provider-list.ts';
import { settingsReference } from '../../src/cli/help.ts';
import { parseFault } from '../../src/cli/sandbox/fault-windows.ts';
import { imageNames } from '../../src/sandbox/world/images/registry.ts';
import { errorCatalogue } from '../../src/lib/errors.ts';

const root = join(import.meta.dirname, '../..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The text with what stands between the two marks of this name in the place of what stood there. */
function written(text: string, name: string, between: string): string {
  const [from, to] = [`<!-- ${name}: written by a test -->\n`, `\n<!-- end of ${name} -->`];
  const [start, end] = [text.indexOf(from), text.indexOf(to)];
  expect(start, `the mark of ${name}`).toBeGreaterThan(0);
  return `${text.slice(0, start + from.length)}${between}${text.slice(end)}`;
}

function asMarkdown([head = [], ...rows]: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const named = rows.map(([name = '', ...cells]) => [`\`${name}\``, ...cells]);
  return [line(head), `|${'---|'.repeat(head.length)}`, ...named.map(line)].join('\n');
}

describe('the documents', () => {
  it('explain every error code that a log line may carry, and none that nothing raises', () => {
    const told = [...read('README.md').matchAll(/`((?:GIT|CLUSTER)_[A-Z_]+)`/g)].map(([, code]) => code);
    const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((path) => /\.tsx?$/.test(path) && !path.endsWith('errors.ts'))
      .map((path) => read(join('src', path)));
    const codes = Object.keys(errorCatalogue);
    expect(codes.filter((code) => !sources.some((text) => text.includes(`'${code}'`)))).toEqual([]);
    // Those of Git and the cluster stand in the log as they are; the others are told with file and line.
    const raised = codes.filter((code) => /^(?:GIT|CLUSTER)_/.test(code));
    expect(raised.length).toBeGreaterThan(5);
    expect(new Set(told)).toEqual(new Set(raised));
  });

  it('have settings and providers as they are; `npx vitest run test/arch --update` writes them', async () => {
    const { routers, metrics, notifiers } = providerTables();
    const tables = [routers, metrics, notifiers].map((rows) => asMarkdown(rows)).join('\n\n');
    const now = written(written(read('README.md'), 'settings', settingsReference()), 'providers', tables);
    await expect(now).toMatchFileSnapshot(join(root, 'README.md'));
  });

  it('show the two commands that are all the set-up', () => {
    expect(read('README.md')).toContain('npm ci && npm run demo');
    expect(read('README.md')).toContain('npm ci && npm test');
  });

  it('name every image of the sandbox with its tags, and faults and options that there are', () => {
    const told = read('README.md');
    const table = told.slice(told.indexOf('| image | tags |'), told.indexOf('runs as a stand-in'));
    const named = [...table.matchAll(/^\| (`.+?) \|/gm)].flatMap(([, names = '']) =>
      names.replaceAll('`', '').split(', '),
    );
    expect(named).toEqual(expect.arrayContaining([...imageNames]));
    expect(named).toHaveLength(imageNames.length);
    for (const tag of ['3.1.2', '3.1.3', '3.1.4']) expect(table).toContain(`\`${tag}\``);
    const faults = [...told.matchAll(/`((?:git|api|metrics)-[a-z0-9-]+(?:@[0-9a-z.]+)?)`/g)].map(
      ([, fault = '']) => fault,
    );
    expect(faults.length).toBeGreaterThan(2);
    for (const fault of faults) expect(() => parseFault(fault)).not.toThrow();
    const options = [
      ...told.slice(told.indexOf('| option |'), told.indexOf('| image |')).matchAll(/^\| `--([a-z]+)/gm),
    ];
    const known = read('src/cli/command-line.ts');
    expect(options.length).toBeGreaterThan(5);
    for (const [, option] of options) expect(known).toMatch(new RegExp(`'--${option ?? ''}[ ']`));
  });

  it('say what NGINX does not split', () => {
    expect(read('README.md')).toContain(
      'NGINX splits only what comes through the Ingress, never traffic from service to service',
    );
  });

  it('link only to headings that there are', () => {
    const told = read('README.md');
    const anchors = [...told.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
      title
        .toLowerCase()
        .replace(/[^a-z0-9 -]/g, '')
        .replaceAll(' ', '-'),
    );
    const links = [...told.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor]) => anchor);
    expect(links.length).toBeGreaterThan(5);
    expect(links.filter((anchor) => !anchors.includes(anchor ?? ''))).toEqual([]);
  });

  it('name every dependency with its reason', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    const told = read('src/README.md');
    expect(Object.keys(dependencies).filter((name) => !told.includes(`| ${name} |`))).toEqual([]);
  });

  it('tell each decision under a title of its own, in five lines at most, and name only files that there are', () => {
    const folder = join(root, 'src/decisions');
    const index = read('src/README.md');
    const sources = new Set(readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }));
    const files = readdirSync(folder);
    expect(files.filter((file) => !index.includes(`(decisions/${file})`))).toEqual([]);
    const wrong = files.flatMap((file) => {
      const [, ...decisions] = read(`src/decisions/${file}`).split(/^## /m);
      expect(decisions.length).toBeGreaterThan(1);
      return decisions.flatMap((decision) => {
        const [title = '', ...lines] = decision.trim().split('\n');
        const named = [...decision.matchAll(/`([a-z-]+\/[a-z/-]+\.ts)`/g)].map(([, path = '']) => path);
        const missing = named.filter((path) => !sources.has(path) && !existsSync(join(root, path)));
        const isLong = lines.length > 6 || lines.some((line) => line.length > 160);
        return [
          ...missing.map((path) => `${title}: no ${path}`),
          ...(isLong ? [`${title}: ${lines.length - 1} lines`] : []),
        ];
      });
    });
    expect(wrong).toEqual([]);
  });

  it('promise no script that does not exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const told = new Set(
      [...`${read('README.md')}${read('src/README.md')}`.matchAll(/npm run ([a-z:]+)/g)].map(([, name]) => name),
    );
    expect([...told].filter((name) => name !== undefined && scripts[name] === undefined)).toEqual([]);
  });
});

import { faultKinds } from './sandbox/fault-windows.ts';
import { environmentName, type Setting, settings } from '../config/settings.ts';
import { fieldOf } from '../config/sources.ts';

/** The settings as `serin run --help` shows them: flag, environment, default, meaning. */
export function settingsHelp(): string {
  const lines = [
    '',
    'Every setting is a flag, an environment variable or a line of the settings file; the first that names it wins.',
    '  --config <file>',
    '      settings file: YAML with the names of the flags, e.g. git-branch: main; tenants ("Security" in manifests/README.md);',
    '      and sources, where several repositories or folders are followed ("Several repositories" in README.md)',
  ];
  let group = '';
  for (const entry of settings as readonly Setting[]) {
    if (entry.group !== group) {
      group = entry.group;
      lines.push('', `${group}:`);
    }
    const value =
      entry.kind === 'flag'
        ? '[true|false]'
        : entry.choices
          ? `<${entry.choices.join('|')}>`
          : `<${entry.kind === 'duration' ? 'duration' : entry.kind === 'list' ? 'list' : 'value'}>`;
    lines.push(`  --${entry.name} ${value}`);
    lines.push(`      ${entry.help}${entry.default === '' ? '' : ` (default ${entry.default})`}`);
    lines.push(
      `      environment: ${environmentName(entry.name)}${entry.alias === undefined ? '' : ` or ${entry.alias}`}`,
    );
  }
  return lines.join('\n');
}

/** The same for the README: one table, a row for each setting, with the field that says it of one source. */
export function settingsReference(): string {
  const cell = (text: string): string => text.replaceAll('|', String.raw`\|`);
  const rows = (settings as readonly Setting[]).map(({ name, default: fallback, help, choices }) => {
    const field = fieldOf(name);
    const allowed = choices ? `; ${choices.join(', ')}` : '';
    return `| \`--${name}\` | ${fallback === '' ? '' : `\`${cell(fallback)}\``} | ${field === undefined ? '' : `\`${field}\``} | ${cell(help)}${allowed} |`;
  });
  return ['| setting | default | in a source | what it says |', '|---|---|---|---|', ...rows].join('\n');
}

/** What `serin sandbox --help` says beyond its options. */
export function sandboxHelp(): string {
  return [
    '',
    'Faults, ordered by --fault NAME (from the first line to the end), NAME@FROM.. or NAME@FROM..UNTIL (times since the first line,',
    'as they pass with --fast):',
    ...Object.entries(faultKinds).map(([name, what]) => `  ${name.padEnd(18)}${what}`),
  ].join('\n');
}

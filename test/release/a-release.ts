import type { Files } from '../../src/render/tree-files.ts';
import { canaryText } from './a-config-repo.ts';

/** One release as it may be found in a repository, and what happened to its files afterwards. */
export interface MadeRelease {
  readonly base: Files;
  readonly judged: Files;
  readonly tip: Files;
  /** Names of the app's own objects. */
  readonly own: ReadonlySet<string>;
  /** Nothing happened after the release, and it changed the app only. */
  readonly isPlain: boolean;
}

export interface Dice {
  /** Of 0 to `sides - 1`. */
  roll(sides: number): number;
  chance(share: number): boolean;
  pick<T>(items: readonly [T, ...T[]]): T;
}

export function createDice(seed: number): Dice {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (let turn = 0; turn < 5; turn += 1) next();
  return {
    roll: (sides) => Math.floor(next() * sides),
    chance: (share) => next() < share,
    pick: (items) => items[Math.floor(next() * items.length)] ?? items[0],
  };
}

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** How a value is written depends on where it stands, so that a release changes the lines of what it changes. */
interface Style {
  readonly seed: number;
  /** Lists stand deeper than their keys. */
  readonly isIndented: boolean;
}

const hash = (text: string, seed: number): number => {
  let sum = seed;
  for (const character of text) sum = (Math.imul(sum, 31) + (character.codePointAt(0) ?? 0)) >>> 0;
  return sum;
};
const styleAt = (style: Style, path: string, sides: number): number => hash(path, style.seed) % sides;

function scalarText(value: Json, style: Style, path: string, column: number, inFlow: boolean): string {
  if (typeof value !== 'string') {
    if (value === true) return ['true', 'yes', 'on', 'True'][styleAt(style, path, 4)] ?? 'true';
    if (value === false) return ['false', 'no', 'off'][styleAt(style, path, 3)] ?? 'false';
    if (value === null) return ['null', '~', 'null'][styleAt(style, path, 3)] ?? 'null';
    if (value === 420) return ['0644', '420', '0x1A4', '0b110100100'][styleAt(style, path, 4)] ?? '420';
    return JSON.stringify(value);
  }
  const isMultiline = value.includes('\n');
  const kind = styleAt(style, path, 6);
  if (isMultiline && !inFlow && kind < 4 && /^\S/.test(value)) {
    const body = value.replace(/\n$/, '').split('\n');
    const lines = body.map((line) => (line === '' ? '' : ' '.repeat(column + 2) + line));
    return `|${value.endsWith('\n') ? '' : '-'}\n${lines.join('\n')}`;
  }
  if (isMultiline || kind === 0) return JSON.stringify(value).replaceAll('\u2028', '\\u2028');
  if (kind === 1) return `'${value.replaceAll("'", "''")}'`;
  const isPlain =
    /^[A-Za-z/][\w./@-]*(?::[\w./@-]+)*$/.test(value) && !/^(?:[yn]|yes|no|on|off|true|false|null)$/i.test(value);
  return isPlain ? value : JSON.stringify(value).replaceAll('\u2028', '\\u2028');
}

function flowText(value: Json, style: Style, path: string): string {
  if (Array.isArray(value))
    return `[${value.map((item: Json, at) => flowText(item, style, `${path}/${at}`)).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return scalarText(value, style, path, 0, true);
  const members = Object.entries(value).map(
    ([key, member]) => `${key}: ${flowText(member as Json, style, `${path}/${key}`)}`,
  );
  return members.length === 0
    ? '{}'
    : styleAt(style, path, 2) === 0
      ? `{${members.join(', ')}}`
      : `{ ${members.join(', ')} }`;
}

const isFlow = (value: Json, style: Style, path: string): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (JSON.stringify(value).length < 3 || (JSON.stringify(value).length < 60 && styleAt(style, path, 4) === 0));

/** Lines of a map's or list's entries. */
function blockLines(value: Json, style: Style, path: string, column: number): string[] {
  const indent = ' '.repeat(column);
  const entries: (readonly [string, Json, string])[] = Array.isArray(value)
    ? value.map((item: Json, at) => ['-', item, `${path}/${nameOf(item) ?? at}`] as const)
    : Object.entries(value as Record<string, Json>).map(
        ([key, member]) => [`${key}:`, member, `${path}/${key}`] as const,
      );
  return entries.flatMap(([lead, member, at]) => {
    const above = styleAt(style, `${at}#`, 9) === 0 ? [`${indent}# of ${at.slice(-18)}`] : [];
    const isNested = typeof member === 'object' && member !== null && !isFlow(member, style, at);
    if (!isNested) {
      const written = isFlow(member, style, at)
        ? flowText(member, style, at)
        : scalarText(member, style, at, column, false);
      const [first = '', ...rest] = written.split('\n');
      const comment = rest.length === 0 && styleAt(style, `${at}+`, 5) === 0 ? ` # at ${at.slice(-15)}` : '';
      return [...above, `${indent}${lead} ${first}${comment}`, ...rest];
    }
    if (lead === '-') {
      const [first = '', ...rest] = blockLines(member, style, at, column + 2).filter(
        (line, place) => place > 0 || !line.trim().startsWith('#'),
      );
      return [...above, `${indent}- ${first.trimStart()}`, ...rest];
    }
    const deeper = Array.isArray(member) && !style.isIndented ? column : column + 2;
    return [
      ...above,
      `${indent}${lead}${styleAt(style, `${at}k`, 12) === 0 ? ' # all of them' : ''}`,
      ...blockLines(member, style, at, deeper),
    ];
  });
}

function nameOf(item: Json): string | undefined {
  const name = typeof item === 'object' && item !== null ? (item as Record<string, Json>)['name'] : undefined;
  return typeof name === 'string' ? name : undefined;
}

const documentText = (value: Json, style: Style): string =>
  styleAt(style, 'json', 25) === 0
    ? `${JSON.stringify(value, null, 2)}\n`
    : `${blockLines(value, style, '', 0).join('\n')}\n`;

const values = [
  '1',
  'yes',
  'a: b',
  '# no',
  "it's",
  'two\nlines\n',
  'one\n\nthree',
  '0644',
  'x',
  '{a}',
  '\u2028',
  'gr\u00fc\u00df',
  '*x',
  '',
] as const;

interface Target {
  readonly image: string;
  readonly replicas: number;
  readonly env: Readonly<Record<string, string>>;
  readonly sidecars: readonly string[];
  readonly args: readonly string[];
  readonly isReadOnly: boolean;
  readonly notes: Readonly<Record<string, string>>;
  readonly configs: readonly string[];
}

function someTarget(dice: Dice): Target {
  const some = <T>(items: readonly T[]): T[] => items.filter(() => dice.chance(0.5));
  return {
    image: dice.pick(['x:1', 'x:2', 'registry:5000/x@sha256:ab']),
    replicas: dice.roll(4),
    env: Object.fromEntries(some(['A', 'B', 'C', 'D']).map((key) => [key, dice.pick(values)])),
    sidecars: some(['proxy', 'log', 'sync']),
    args: some(['--a', '--b=c', '- x', '---', 'yes']),
    isReadOnly: dice.chance(0.5),
    notes: Object.fromEntries(some(['a/b', 'c']).map((key) => [key, dice.pick(values)])),
    configs: some(['one', 'two']),
  };
}

/** What a commit changes. */
function changed(target: Target, dice: Dice): Target {
  const other = someTarget(dice);
  const keys = Object.keys(target) as (keyof Target)[];
  const picked = keys.filter((key) => key !== 'replicas' && dice.chance(0.3));
  return { ...target, image: `x:${3 + dice.roll(9)}`, ...Object.fromEntries(picked.map((key) => [key, other[key]])) };
}

const deployment = (name: string, target: Target): Json => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: 'test', labels: { app: name } },
  spec: {
    replicas: target.replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: {
        labels: { app: name },
        ...(Object.keys(target.notes).length > 0 ? { annotations: target.notes } : {}),
      },
      spec: {
        containers: [
          ...target.sidecars.map((sidecar) => ({ name: sidecar, image: `${sidecar}:1` })),
          {
            name: 'main',
            image: target.image,
            ...(target.args.length > 0 ? { args: target.args } : {}),
            ...(Object.keys(target.env).length > 0
              ? { env: Object.entries(target.env).map(([key, value]) => ({ name: key, value })) }
              : {}),
            ...(target.configs.length > 0
              ? { envFrom: target.configs.map((config) => ({ configMapRef: { name: `${name}-${config}` } })) }
              : {}),
            securityContext: { readOnlyRootFilesystem: target.isReadOnly, mode: 420 },
          },
        ],
      },
    },
  },
});

const configMap = (name: string, data: Readonly<Record<string, string>>): Json => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'test' },
  data,
});

/** What kubectl refuses, each by itself. */
const unreadable = [
  'host: *.example.com\n',
  'apiVersion: v1\nkind: Service\nmetadata: {name: twice}\nspec: {}\nspec: {}\n',
  'apiVersion: v1\nkind: Service\nmetadata:\n  name: {{ .Values.name }}-x\n',
] as const;

interface Part {
  readonly key: string;
  readonly text: string;
}

/** The parts of one file at one commit. */
function partsOf(
  apps: Readonly<Record<string, Target>>,
  data: Readonly<Record<string, Readonly<Record<string, string>>>>,
  style: Style,
): Part[] {
  return Object.entries(apps).flatMap(([name, target]) => [
    {
      key: `Deployment ${name}`,
      text: documentText(deployment(name, target), { ...style, seed: hash(name, style.seed) }),
    },
    ...target.configs.map((config) => ({
      key: `ConfigMap ${name}-${config}`,
      text: documentText(configMap(`${name}-${config}`, data[`${name}-${config}`] ?? {}), {
        ...style,
        seed: hash(config, style.seed),
      }),
    })),
  ]);
}

/** Comments and blank lines where they change no value. */
function annotated(text: string, dice: Dice): string {
  const isSafe =
    /^ *(?:- )?(?:kind|name|image|replicas|spec|template|metadata|containers|env|selector|labels|data|envFrom):(?: [\w./:@-]+)?$/;
  return text
    .split('\n')
    .flatMap((line) => {
      if (!isSafe.test(line) || !dice.chance(0.12)) return [line];
      const indent = ' '.repeat(line.length - line.trimStart().length);
      return dice.pick([
        [`${line} # later ${dice.roll(99)}`],
        [`${indent}# before ${dice.roll(99)}`, line],
        ['', line],
      ]);
    })
    .join('\n');
}

/** A release of the app `a`; everything about it is drawn from the seed. */
export function makeRelease(seed: number): MadeRelease {
  const dice = createDice(seed);
  const style: Style = { seed, isIndented: dice.chance(0.5) };
  const data = (
    before: Readonly<Record<string, Readonly<Record<string, string>>>> = {},
  ): Record<string, Record<string, string>> =>
    Object.fromEntries(
      ['a-one', 'a-two', 'b-one', 'b-two'].map((name) => [
        name,
        before[name] && dice.chance(0.5)
          ? { ...before[name] }
          : Object.fromEntries(
              ['k', 'l', 'm.txt'].filter(() => dice.chance(0.7)).map((key) => [key, dice.pick(values)]),
            ),
      ]),
    );
  const old = { a: someTarget(dice), b: someTarget(dice) };
  const oldData = data();
  const isOtherChanged = dice.chance(0.4);
  const fresh = { a: changed(old.a, dice), b: isOtherChanged ? changed(old.b, dice) : old.b };
  const drawn = data(oldData);
  const freshData = Object.fromEntries(
    Object.entries(drawn).map(([name, entries]) => [
      name,
      name.startsWith('a') || isOtherChanged ? entries : (oldData[name] ?? {}),
    ]),
  );
  const before = partsOf(old, oldData, style);
  const release = partsOf(fresh, freshData, style);
  const wreck: Part[] = dice.chance(0.4) ? [{ key: 'unreadable', text: dice.pick(unreadable) }] : [];
  const wreckFirst = dice.chance(0.5);
  const withWreck = (parts: readonly Part[]): readonly Part[] =>
    wreckFirst ? [...wreck, ...parts] : [...parts, ...wreck];

  const isLater = dice.chance(0.7);
  let now: readonly Part[] = release;
  if (isLater) {
    const replicas = dice.chance(0.4) ? 7 : fresh.a.replicas;
    now = partsOf(
      { a: { ...fresh.a, replicas }, b: dice.chance(0.3) ? changed(fresh.b, dice) : fresh.b },
      freshData,
      style,
    );
    now = now.map(({ key, text }) => ({ key, text: text.startsWith('{') ? text : annotated(text, dice) }));
    if (dice.chance(0.2)) now = now.toReversed();
    if (dice.chance(0.2))
      now = [...now, { key: 'ConfigMap later', text: documentText(configMap('later', { a: 'b' }), style) }];
  }
  const head = dice.pick(['', '# head\n# of the file\n', '---\n', '# head\n---\n']);
  const separator = dice.pick(['---\n', '---\n', '--- # next\n', '\n---\n']);
  const dialect = dice.pick<(text: string) => string>([
    (text) => text,
    (text) => text,
    (text) => text.replaceAll('\n', '\r\n'),
    (text) => `\uFEFF${text}`,
    (text) => text.trimEnd(),
  ]);
  const isOneFile = dice.chance(0.7);
  const tree = (parts: readonly Part[], folder: string): Files => {
    const files = new Map<string, string>(['a', 'b'].map((name) => [`canary-${name}.yaml`, canaryText({ name })]));
    if (isOneFile)
      files.set(
        `${folder}all.yaml`,
        dialect(
          head +
            withWreck(parts)
              .map(({ text }) => text)
              .join(separator),
        ),
      );
    else
      for (const { key, text } of withWreck(parts))
        files.set(`${folder}${key.replace(' ', '-')}.yaml`, dialect(head + text));
    return files;
  };
  return {
    base: tree(before, ''),
    judged: tree(release, ''),
    tip: tree(now, isLater && dice.chance(0.2) ? 'moved/' : ''),
    own: new Set(['a', ...['one', 'two'].map((config) => `a-${config}`)]),
    isPlain: !isLater && !isOtherChanged,
  };
}

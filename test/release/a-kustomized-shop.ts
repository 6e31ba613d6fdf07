import { canary, deployment } from '../render/kustomize-trees.ts';

type Files = Record<string, string>;

/** A commit that changes two apps, in a repository that kustomize renders. */
export interface Story {
  readonly before: Readonly<Files>;
  readonly judged: Readonly<Files>;
  /** With what was changed afterwards. */
  readonly tip: Readonly<Files>;
  /** Kustomizations that are rendered. */
  readonly folders: readonly string[];
  /** The app that is taken back. */
  readonly app: { readonly namespace: string; readonly name: string };
  /** What was changed, for who looks into a failure. */
  readonly told: readonly string[];
}

export interface Chance {
  upTo(most: number): number;
  flip(share?: number): boolean;
  one<Item>(items: readonly Item[]): Item;
}

export function chanceOf(seed: number): Chance {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  return {
    upTo: (most) => Math.floor(next() * (most + 1)),
    flip: (share = 0.5) => next() < share,
    one: (items) => items[Math.floor(next() * items.length)] as (typeof items)[number],
  };
}

const apps = ['ant', 'bee', 'cow'] as const;

/** The same number gives the same story. */
export function storyOf(seed: number): Story {
  const chance = chanceOf(seed);
  const files: Files = {};
  /** Values that may change: they stand once in the tree, as `<name>-1`. */
  const places: { readonly apps: readonly string[]; readonly path: string; readonly mark: string }[] = [];
  let marks = 0;
  const value = (path: string, ...of: readonly string[]): string => {
    marks += 1;
    const mark = `v${marks}x`;
    places.push({ apps: of, path, mark });
    return `${mark}1`;
  };
  const lines: Record<'base' | 'prod' | 'stage' | 'part', string[]> = { base: [], prod: [], stage: [], part: [] };
  const resources: string[] = [];
  const inOne: string[] = [];
  const generated: string[] = [];
  for (const app of apps) {
    const isTogether = chance.flip(0.25);
    const path = isTogether ? 'base/all.yaml' : `base/${app}.yaml`;
    const config = chance.flip(0.4);
    const more = config ? `        envFrom:\n        - configMapRef: { name: ${app}-config }\n` : '';
    const text = deployment(app, `${app}:${value(path, app)}`, more);
    if (isTogether) inOne.push(text, canary(app));
    else {
      files[path] = [text, canary(app)].join('---\n');
      resources.push(path.slice('base/'.length));
    }
    if (!config) continue;
    if (chance.flip()) {
      files[`base/${app}.env`] = `# of ${app}\nMODE=${value(`base/${app}.env`, app)}\nCOLOUR=blue\n`;
      generated.push(`- name: ${app}-config\n  envs: [${app}.env]`);
    } else
      generated.push(
        `- name: ${app}-config\n  literals:\n  - MODE=${value('base/kustomization.yaml', app)} # ${app}\n  - COLOUR=blue`,
      );
  }
  if (inOne.length > 0) {
    files['base/all.yaml'] = inOne.join('---\n');
    resources.push('all.yaml');
  }
  lines.base.push('# what all have', 'resources:', ...resources.map((name) => `- ${name}`));
  if (generated.length > 0) lines.base.push('configMapGenerator:', ...generated);

  const hasPart = chance.flip(0.4);
  const layer = (where: 'prod' | 'stage' | 'part'): void => {
    const folder = where === 'part' ? 'parts/one' : where;
    const path = `${folder}/kustomization.yaml`;
    const images = apps.filter(() => chance.flip(0.35));
    if (images.length > 0)
      if (chance.flip(0.2))
        lines[where].push(
          `images: [${images.map((app) => `{ name: ${app}, newTag: ${value(path, app)} }`).join(', ')}]`,
        );
      else
        lines[where].push(
          'images:',
          ...images.map((app) => `- name: ${app} # ${where}\n  newTag: ${value(path, app)}`),
        );
    const patches: string[] = [];
    for (const app of apps) {
      if (!chance.flip(0.35)) continue;
      const kind = chance.upTo(3);
      if (kind === 0) {
        files[`${folder}/${app}-patch.yaml`] =
          `# why\napiVersion: apps/v1\nkind: Deployment\nmetadata: { name: ${app} }\nspec:\n  template:\n    metadata:\n      annotations:\n        ${where}: ${value(`${folder}/${app}-patch.yaml`, app)}\n`;
        patches.push(`- path: ${app}-patch.yaml`);
      } else if (kind === 1)
        patches.push(
          `- target: { kind: Deployment, name: ${app} }\n  patch: |-\n    - op: add\n      path: /spec/template/spec/containers/0/env\n      value: [{ name: ${where.toUpperCase()}, value: ${value(path, app)} }]`,
        );
      else if (kind === 2)
        patches.push(
          `- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: { name: ${app} }\n    spec: { template: { metadata: { labels: { ${where}: ${value(path, app)} } } } }`,
        );
      else {
        files[`${folder}/${app}.json`] =
          `[\n  { "op": "replace", "path": "/spec/replicas", "value": ${chance.upTo(3) + 2} },\n  { "op": "add", "path": "/spec/template/spec/hostname", "value": "${value(`${folder}/${app}.json`, app)}" }\n]\n`;
        patches.push(`- target: { kind: Deployment, name: ${app} }\n  path: ${app}.json`);
      }
    }
    if (chance.flip(0.15))
      patches.push(
        `- target: { kind: Deployment }\n  patch: |-\n    - op: add\n      path: /spec/template/spec/subdomain\n      value: ${value(path, ...apps)}`,
      );
    if (patches.length > 0) lines[where].push('patches:', ...patches);
    if (chance.flip(0.2)) lines[where].push(`labels: [{ pairs: { ${where}: "yes" }, includeTemplates: true }]`);
    if (chance.flip(0.15)) lines[where].push(`commonAnnotations: { note: ${value(path, ...apps)} }`);
  };
  const folders = chance.flip(0.3) ? ['prod', 'stage'] : ['prod'];
  for (const folder of folders) {
    const where = folder as 'prod' | 'stage';
    lines[where].push(`namespace: ${folder}`, 'resources:', '- ../base');
    if (hasPart && (folder === 'prod' || chance.flip())) lines[where].push('components: [../parts/one]');
    layer(where);
  }
  if (hasPart) {
    lines.part.push('apiVersion: kustomize.config.k8s.io/v1alpha1', 'kind: Component');
    layer('part');
    // One that says nothing cannot be built.
    if (lines.part.length === 2) lines.part.push('commonAnnotations: { part: one }');
    files['parts/one/kustomization.yaml'] = `${lines.part.join('\n')}\n`;
  }
  files['base/kustomization.yaml'] = `${lines.base.join('\n')}\n`;
  for (const folder of folders) files[`${folder}/kustomization.yaml`] = `${lines[folder as 'prod'].join('\n')}\n`;

  const told: string[] = [];
  const changed = (from: Readonly<Files>, which: string, count: number): Files => {
    const to = { ...from };
    const own = places.filter((place) => place.apps.includes(which));
    for (let left = count; left > 0; left -= 1) {
      const { path, mark } = chance.one(own);
      told.push(`${which}: ${mark} in ${path}`);
      to[path] = (to[path] ?? '').replace(`${mark}1`, `${mark}2`);
    }
    if (chance.flip(0.15)) {
      const path = `${folders[0] ?? ''}/kustomization.yaml`;
      told.push(`${which}: a new image in ${path}`);
      const entry = `- name: ${which}\n  newName: registry.test/${which}\n`;
      const text = to[path] ?? '';
      if (/^images:\n/m.test(text)) to[path] = text.replace(/^images:\n/m, `images:\n${entry}`);
      else if (!/^images:/m.test(text)) to[path] = `${text}images:\n${entry}`;
    }
    return to;
  };
  const [first, second, third] = ['ant', 'bee', 'cow'] as const;
  const judged = changed(changed(files, first, 1 + chance.upTo(2)), second, 1 + chance.upTo(1));
  let tip: Files = { ...judged };
  if (chance.flip(0.3)) tip = changed(tip, third, 1);
  if (chance.flip(0.3))
    tip['base/kustomization.yaml'] = (tip['base/kustomization.yaml'] ?? '').replace(
      '# what all have',
      '# what everybody has',
    );
  return { before: files, judged, tip, folders, app: { namespace: chance.one(folders), name: first }, told };
}

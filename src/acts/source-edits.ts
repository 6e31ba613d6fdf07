import { canaryRef } from '../canary/owner.ts';
import { parseCanary } from '../canary/parse.ts';
import { AgentError } from '../lib/errors.ts';
import { type AppKey, keyOf, partsOf } from '../lib/key.ts';
import { jsonOf } from '../lib/json.ts';
import type { Steps } from '../lib/turns.ts';
import { identityOf } from '../manifest/identity.ts';
import type { KubeObject, Manifest } from '../manifest/types.ts';
import type { EditPlan, EditTip, FieldChange } from '../release/branch-edit.ts';
import type { Ledger } from '../release/ledger.ts';
import { oneLine } from '../release/plain-text.ts';
import { appIn, type Render } from '../release/rendered.ts';
import { reverting } from '../release/revert.ts';
import type { HistoryEntry } from '../report/types.ts';
import type { TreeFiles } from '../render/tree-files.ts';
import type { SettingChange } from './setting-change.ts';

/*
 * Commits that people make: edits of the branch, which release/branch-edit.ts builds and proves on every tip anew. That a version is released is
 * planned where images are (agent/images/by-hand.ts).
 */

/** Who wants it, and why. `requestedBy`: somebody else is the author of the commit. Absent: the author himself. */
export interface EditAsker {
  readonly reason: string;
  readonly requestedBy?: string;
}

/** Names of fields that stand for their place below `spec`. */
export const settingNames: readonly string[] = [
  'interval',
  'threshold',
  'maxWeight',
  'stepWeight',
  'stepWeights',
  'stepWeightPromotion',
  'iterations',
  'consecutive',
];

/**
 * The commit that changes settings of a Canary, where they are written. Throws CANARY_INVALID where it would not be understood any more,
 * CONFIG_INVALID where a value is none.
 */
export function* settingsPlan(
  app: AppKey,
  changes: readonly SettingChange[],
  asker: EditAsker,
  { tree }: Pick<EditTip, 'tree'>,
): Steps<EditPlan> {
  const { canary } = appIn(tree, partsOf(app)) ?? {};
  if (!canary) throw new AgentError('CONFIG_INVALID', `the Canary of ${app} is not in Git`);
  yield;
  const wanted = changes.map(({ field, value }) => ({
    path: pathOf(field, canary.object),
    value: valueOf(field, value),
  }));
  const told: string[] = [];
  const fields: FieldChange[] = [];
  let after: unknown = canary.object;
  for (const { path, value } of wanted) {
    const before = valueAt(after, path);
    if (JSON.stringify(before) === JSON.stringify(value)) continue;
    after = withValue(after, path, value);
    fields.push({ object: canaryRef(partsOf(app)), field: path, value });
    told.push(`${path.slice(1).join('.')}: ${shown(before)} -> ${shown(value)}`);
  }
  if (fields.length === 0) return { kind: 'needless', reason: 'Git says it already' };
  parseCanary(after as KubeObject, { provider: 'kubernetes', minIntervalMs: 0 });
  return {
    kind: 'change',
    fields,
    message: messageOf({
      subject: `set ${app} ${told.length === 1 ? told[0] : `${told.length} settings`}`,
      lines: told,
      app,
      act: 'set',
      trailers: told.map((line) => `Sets: ${line}`),
      asker,
    }),
  };
}

/** Trees of Git by commit, and what is to become of an app. */
export interface Restoring {
  readonly app: AppKey;
  readonly act: 'rollback' | 'retry';
  /** The commit at which the app is as it is to be again. */
  readonly wanted: { readonly revision: string; readonly files: TreeFiles };
  /** The commit at which it became what it is now. Absent: the tip. */
  readonly now?: { readonly revision: string; readonly files: TreeFiles };
  readonly render: Render;
}

/**
 * The commit that brings an app back to what it was at another commit, and changes nothing else: by the same lines, and proven like a revert of the
 * agent's. Throws CONFIG_INVALID where that cannot be done.
 */
export function* restoringPlan(
  { app, act, wanted, now, render }: Restoring,
  asker: EditAsker,
  tip: Pick<EditTip, 'tree' | 'files'>,
): Steps<EditPlan> {
  const id = partsOf(app);
  const result = yield* reverting({
    app: id,
    base: wanted.files,
    judged: now?.files ?? tip.files,
    tip: tip.files,
    render,
  });
  const said = `${app} as it was at ${wanted.revision.slice(0, 12)}`;
  switch (result.kind) {
    case 'nothing':
      return { kind: 'needless', reason: `Git says ${said} already` };
    case 'superseded':
      throw new AgentError('CONFIG_INVALID', `Git says something newer of ${app} than what is to be taken back`);
    case 'conflict':
      throw new AgentError('CONFIG_INVALID', `${said} cannot be brought back: ${result.reason}`);
    case 'edited': {
      const before = appIn(yield* render.inTurns(wanted.files), id)?.documents ?? [];
      const present = appIn(tip.tree, id)?.documents ?? [];
      const verb = act === 'rollback' ? 'take back' : 'retry';
      return {
        kind: 'change',
        fields: [],
        files: result.files,
        touches: new Set([...before, ...present].map(({ object }: Manifest) => identityOf(object))),
        message: messageOf({
          subject: `${verb} ${app}: as at ${wanted.revision.slice(0, 12)}`,
          lines: result.paths.map((path) => `changes ${path}`),
          app,
          act,
          trailers: [`Restores: ${wanted.revision}`],
          asker,
        }),
      };
    }
  }
}

/** Where an app is brought back to. A text: why nowhere. `history`: of this app, newest first. */
export function restorePoint(
  act: 'rollback' | 'retry',
  ledger: Ledger | undefined,
  history: readonly HistoryEntry[],
): { readonly wanted: string; readonly now?: string } | string {
  if (act === 'retry') {
    const failed = ledger?.quarantine.at(-1);
    return failed
      ? { wanted: failed.revision }
      : 'nothing of it is in quarantine, so nothing failed that could be tried again';
  }
  const now = ledger?.stable?.revision;
  if (now === undefined) return 'no promotion of it is recorded in Git yet';
  const stable = history.filter(({ verdict }) => verdict === 'promoted' || verdict === 'adopted');
  const at = stable.findIndex(({ revision }) => revision === now);
  const before = stable.slice(at + 1).find(({ revision }) => revision !== now);
  if (at === -1 || !before) return 'nothing was promoted before what runs now, as far as the history is here';
  // What was found at first is told by a commit that stands on it.
  return { wanted: before.revision ?? before.commit, now };
}

interface Message {
  readonly subject: string;
  readonly lines: readonly string[];
  readonly app: AppKey;
  readonly act: string;
  readonly trailers: readonly string[];
  readonly asker: EditAsker;
}

const mostLines = 30;

function messageOf({ subject, lines, app, act, trailers, asker }: Message): string {
  const { reason, requestedBy } = asker;
  const why = oneLine(reason, 300);
  const body = [...(why === '' ? [] : [why, '']), ...lines.slice(0, mostLines).map((line) => oneLine(line, 300))];
  const ends = [
    `App: ${keyOf(partsOf(app))}`,
    `Act: ${act}`,
    ...trailers.slice(0, mostLines).map((line) => oneLine(line, 500)),
    ...(requestedBy === undefined ? [] : [`Requested-by: ${oneLine(requestedBy, 100)}`]),
  ];
  return `${oneLine(subject, 72)}\n\n${body.join('\n').trim()}\n\n${ends.join('\n')}\n`;
}

function pathOf(field: string, canary: KubeObject): readonly string[] {
  const analysis =
    jsonOf(canary['spec'])['analysis'] === undefined && jsonOf(canary['spec'])['canaryAnalysis'] !== undefined
      ? 'canaryAnalysis'
      : 'analysis';
  if (settingNames.includes(field)) return ['spec', analysis, field];
  const parts = field.split('.');
  if (parts.some((part) => ['', '__proto__', 'constructor', 'prototype'].includes(part)))
    throw new AgentError('CONFIG_INVALID', `"${oneLine(field, 60)}" is no field of a Canary`);
  return ['spec', ...(parts[0] === 'analysis' ? [analysis, ...parts.slice(1)] : parts)];
}

/** As YAML would read it. */
function valueOf(field: string, text: string): unknown {
  const bare = text.trim();
  if (bare === '') return undefined;
  if (field.endsWith('stepWeights') && !bare.startsWith('[')) {
    const weights = bare.split(',').map((part) => Number(part));
    if (weights.some((weight) => !Number.isInteger(weight)))
      throw new AgentError('CONFIG_INVALID', `${field}: "${oneLine(bare, 60)}" is no list of whole numbers`);
    return weights;
  }
  if (/^-?\d{1,15}(?:\.\d{1,15})?$/.test(bare)) return Number(bare);
  if (bare === 'true' || bare === 'false') return bare === 'true';
  if (!bare.startsWith('[') && !bare.startsWith('{')) return bare;
  try {
    return JSON.parse(bare) as unknown;
  } catch {
    throw new AgentError('CONFIG_INVALID', `${field}: "${oneLine(bare, 60)}" is no list or map`);
  }
}

function valueAt(whole: unknown, path: readonly string[]): unknown {
  let found = whole;
  for (const name of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as Readonly<Record<string, unknown>>)[name];
  }
  return found;
}

function withValue(whole: unknown, [name, ...rest]: readonly string[], value: unknown): unknown {
  if (name === undefined) return value;
  const members = jsonOf(whole);
  const others = Object.entries(members).filter(([key]) => key !== name);
  const own = Object.hasOwn(members, name) ? members[name] : undefined;
  const member = withValue(own, rest, value);
  return Object.fromEntries(member === undefined ? others : [...others, [name, member]]);
}

const shown = (value: unknown): string =>
  value === undefined ? 'nothing' : typeof value === 'string' ? oneLine(value, 80) : oneLine(JSON.stringify(value), 80);

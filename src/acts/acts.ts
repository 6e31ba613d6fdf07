import { type ConfirmType, renderRequest, requestAnnotations } from '../canary/requests.ts';
import { type AppKey, namespacedName } from '../lib/key.ts';
import type { SettingChange } from './setting-change.ts';
import { settingNames } from './source-edits.ts';
import { oneLine } from '../release/plain-text.ts';
import type { ActName, AppStatus } from '../report/types.ts';

/*
 * What a person can do to an app, as data: which right it needs, what it writes, and why it is not to be had now. Whoever shows acts asks
 * `actsOf`, whoever does one asks `writeOf` and writes that, with the rights of the person. The agent obeys what is written (see canary/requests.ts).
 */

/** `patch-canary`: `patch` of `canaries.flagger.app` of that name and namespace. `push`: to the branch that the agent follows. */
type Right = 'patch-canary' | 'push';

/** What somebody does. */
export type Act =
  | {
      readonly kind: 'approve' | 'hold' | 'resume' | 'promote' | 'abort';
      readonly app: AppKey;
      /** What the person saw (`AppStatus.requestFor`): nothing comes of it where another release is under way by then. */
      readonly release: string;
      /** Empty: none is given. */
      readonly reason: string;
    }
  | { readonly kind: 'rollback' | 'retry'; readonly app: AppKey; readonly reason: string }
  | {
      readonly kind: 'release';
      readonly app: AppKey;
      readonly container: string;
      /** What follows the ":" of the image. */
      readonly tag: string;
      readonly reason: string;
    }
  | { readonly kind: 'set'; readonly app: AppKey; readonly changes: readonly SettingChange[]; readonly reason: string };

/** How an act is offered. */
export interface OfferedAct {
  readonly name: ActName;
  /** For a button: `Approve`. */
  readonly title: string;
  /** What comes of it, as a sentence without its end. */
  readonly effect: string;
  readonly right: Right;
  /** A person has to say why. */
  readonly needsReason: boolean;
  /** Why it is not to be had now. Absent: it is. */
  readonly notNow?: string;
  /** To be asked once more: users get something else at once. */
  readonly isFinal: boolean;
}

/** A merge patch of the Canary's annotations; null takes one away. Field manager: `actManager`. */
interface AnnotationsWrite {
  readonly kind: 'annotations';
  readonly annotations: Readonly<Record<string, string | null>>;
  /** As it is told when it is done. */
  readonly said: string;
}

/** A commit at the source, which the one editor builds and proves (see source-edits.ts). */
interface CommitWrite {
  readonly kind: 'commit';
  readonly act:
    | Extract<Act, { readonly container: string }>
    | Extract<Act, { readonly kind: 'rollback' | 'retry' }>
    | Extract<Act, { readonly kind: 'set' }>;
  readonly by: string;
}

export type ActWrite = AnnotationsWrite | CommitWrite;

/** Field manager of what people ask. */
export const actManager = 'serin-act';

/** All acts, those that are not to be had now with the reason why. */
export function actsOf(app: AppStatus): readonly OfferedAct[] {
  return actNames.map((name) => {
    const { title, right, needsReason = false, isFinal = false, effect, notNow } = acts[name];
    const why = notNow(app);
    return {
      name,
      title,
      effect: effect(app),
      right,
      needsReason,
      isFinal,
      ...(why === undefined ? {} : { notNow: why }),
    };
  });
}

/** It is asked of the agent, on the Canary. */
function isRequest(act: Act): act is Exclude<Act, CommitWrite['act']> {
  return act.kind !== 'rollback' && act.kind !== 'retry' && act.kind !== 'release' && act.kind !== 'set';
}

/** Why an act cannot be done now, in a sentence. Undefined: it can. */
export function obstacleTo(act: Act, app: AppStatus): string | undefined {
  const { notNow, needsReason = false } = acts[act.kind];
  if (isRequest(act) && act.release !== app.requestFor && app.requestFor !== '')
    return 'another release is under way by now: look at it first';
  return (
    notNow(app) ??
    (needsReason && act.reason.trim() === '' ? 'say why: a reason is needed (-m on the command line)' : undefined)
  );
}

/** What an act writes in the name of `by`. Asked only where `obstacleTo` tells of none. */
export function writeOf(act: Act, app: AppStatus, by: string, nowMs: number): ActWrite {
  if (!isRequest(act)) return { kind: 'commit', act, by };
  const base = { release: act.release, by, reason: oneLine(act.reason, 300), atMs: nowMs };
  const over = { [requestAnnotations.hold]: renderRequest({ ...base, isOver: true }) };
  const asked = (said: string, annotations: Readonly<Record<string, string | null>>): AnnotationsWrite => ({
    kind: 'annotations',
    annotations,
    said: `${namespacedName(app)}: ${said}`,
  });
  switch (act.kind) {
    case 'approve': {
      const gate = gateOf(app);
      const request = {
        ...base,
        ...(gate === undefined ? {} : { gate }),
        ...(gate === 'confirm-traffic-increase' ? { weight: app.weight } : {}),
      };
      return asked(`${gate ?? 'its gate'} is approved`, { [requestAnnotations.approve]: renderRequest(request) });
    }
    case 'hold':
      return asked(`held at ${app.weight}%`, { [requestAnnotations.hold]: renderRequest(base) });
    case 'resume':
      return asked('goes on', over);
    case 'promote':
      return asked('the rest of its analysis is skipped', {
        [requestAnnotations.promote]: renderRequest(base),
        // Who promotes what is held means both.
        ...(app.held?.cause === 'person' ? over : {}),
      });
    case 'abort':
      return asked('it is rolled back', { [requestAnnotations.abort]: renderRequest(base) });
  }
}

/** The gate that it waits at, as its status tells. */
const gateOf = ({ gate }: AppStatus): ConfirmType | undefined => gate;

/** An act from the fields of a form or the words of a command, as foreign as they are. A text: what is wrong. */
export function readAct(kind: string, app: AppKey, fields: ReadonlyMap<string, string>): Act | string {
  const name = actNames.find((one) => one === kind);
  if (name === undefined) return `there is no act "${oneLine(kind, 40)}"`;
  const reason = oneLine(fields.get('reason') ?? '', 300);
  switch (name) {
    case 'approve':
    case 'hold':
    case 'resume':
    case 'promote':
    case 'abort': {
      const release = fields.get('release') ?? '';
      if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$/.test(release)) return 'it does not say which release is meant';
      return { kind: name, app, release, reason };
    }
    case 'rollback':
    case 'retry':
      return { kind: name, app, reason };
    case 'release': {
      const [container = '', tag = ''] = [fields.get('container'), fields.get('tag')];
      if (!/^[A-Za-z0-9._-]{1,253}$/.test(container)) return 'it does not say which container is meant';
      if (!/^\w[\w.-]{0,127}(?:@sha256:[0-9a-f]{64})?$/.test(tag)) return `"${oneLine(tag, 80)}" is no tag`;
      return { kind: name, app, container, tag, reason };
    }
    case 'set': {
      const changes = [...fields].flatMap(([field, value]): SettingChange[] =>
        field.startsWith('set.')
          ? [{ field: field.slice(4), value }]
          : settingNames.includes(field)
            ? [{ field, value }]
            : [],
      );
      if (changes.length === 0) return 'nothing is changed';
      if (changes.length > maxChanges) return `more than ${maxChanges} changes at once`;
      for (const { field, value } of changes) {
        if (!/^[A-Za-z][\w.[\]-]{0,199}$/.test(field)) return `"${oneLine(field, 80)}" is no field of a Canary`;
        if (value.length > maxValue) return `the value of ${field} is longer than ${maxValue} characters`;
      }
      return { kind: name, app, changes, reason };
    }
  }
}

const maxChanges = 20;
const maxValue = 2_000;

/** In the order in which they are shown. */
export const actNames: readonly ActName[] = [
  'approve',
  'hold',
  'resume',
  'promote',
  'abort',
  'rollback',
  'retry',
  'release',
  'set',
];

interface Declared {
  readonly title: string;
  readonly right: Right;
  /** Absent: no. */
  readonly needsReason?: true;
  readonly isFinal?: true;
  readonly effect: (app: AppStatus) => string;
  readonly notNow: (app: AppStatus) => string | undefined;
}

const isJudged = ({ phase }: AppStatus): boolean =>
  phase === 'Progressing' || phase === 'WaitingPromotion' || phase === 'Waiting';

/** Nothing is obeyed of a Canary that is suspended or not understood. */
function standsStill({ held, strategy }: AppStatus): string | undefined {
  if (held?.cause === 'suspended') return 'its spec says suspend: nothing moves until that is taken away';
  return strategy === 'unknown' ? 'its Canary cannot be understood' : undefined;
}

function notJudged(app: AppStatus): string | undefined {
  const still = standsStill(app);
  if (still !== undefined) return still;
  if (app.phase === 'Promoting' || app.phase === 'Finalising')
    return 'it has passed and is being promoted: it can be taken back when that has ended';
  return isJudged(app) && app.requestFor !== '' ? undefined : 'no release is under way';
}

const acts: Readonly<Record<ActName, Declared>> = {
  approve: {
    title: 'Approve',
    right: 'patch-canary',
    effect: (app) => `${gateOf(app) ?? 'the gate'} counts as passed, for this release only`,
    notNow: (app) => notJudged(app) ?? (gateOf(app) === undefined ? 'it waits for no approval' : undefined),
  },
  hold: {
    title: 'Hold',
    right: 'patch-canary',
    effect: ({ weight }) =>
      `${weight}% of users keep the new version; checks go on, and a release that fails is rolled back`,
    notNow: (app) => notJudged(app) ?? (app.held?.cause === 'person' ? 'it is held already' : undefined),
  },
  resume: {
    title: 'Resume',
    right: 'patch-canary',
    effect: ({ weight }) => `it goes on from ${weight}%`,
    notNow: (app) => standsStill(app) ?? (app.held?.cause === 'person' ? undefined : 'nobody holds it'),
  },
  promote: {
    title: 'Promote now',
    right: 'patch-canary',
    needsReason: true,
    isFinal: true,
    effect: () =>
      'the rest of its analysis is skipped, and all users get the new version; the commit names who asked and why',
    notNow: notJudged,
  },
  abort: {
    title: 'Abort',
    right: 'patch-canary',
    isFinal: true,
    effect: () => 'all users go back, and the commit is reverted; the version is in quarantine',
    notNow: notJudged,
  },
  rollback: {
    title: 'Roll back',
    right: 'push',
    isFinal: true,
    effect: () => 'a commit takes back what was promoted last; it is judged like any other',
    notNow: (app) => (isJudged(app) || app.isMoving ? 'a release is under way: abort it instead' : undefined),
  },
  retry: {
    title: 'Retry',
    right: 'push',
    effect: () => 'a commit brings the version that failed once more; it is judged from the beginning',
    notNow: (app) =>
      app.isMoving || isJudged(app)
        ? 'a release is under way'
        : app.failed
          ? undefined
          : 'its last release did not fail',
  },
  release: {
    title: 'Release a version',
    right: 'push',
    effect: () => 'a commit writes the image that is picked where it stands in Git',
    notNow: () => undefined,
  },
  set: {
    title: 'Change a setting',
    right: 'push',
    effect: () => 'a commit changes the YAML of the Canary',
    notNow: () => undefined,
  },
};

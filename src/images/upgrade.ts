import { keyOf } from '../lib/key.ts';
import { plainLine } from '../lib/plain-text.ts';
import type { Decision } from './pick.ts';
import { readReference, showReference } from './reference.ts';

/** One container whose image is due. */
export interface Due {
  readonly app: { readonly namespace: string; readonly name: string };
  readonly container: string;
  /** Whole images, as they are and are to be written. */
  readonly from: string;
  readonly to: string;
  /** `semver:~1.4` */
  readonly policy: string;
  readonly decision: Decision;
}

/** All that is due of one app: one commit. */
export interface Upgrade {
  readonly app: { readonly namespace: string; readonly name: string };
  readonly due: readonly Due[];
}

/** By app, in a fixed order; a container that is due twice is once in it. */
export function upgradesOf(due: readonly Due[]): readonly Upgrade[] {
  const byApp = new Map<string, Map<string, Due>>();
  for (const one of due) {
    const key = keyOf(one.app);
    const containers = byApp.get(key) ?? new Map<string, Due>();
    if (!containers.has(one.container)) containers.set(one.container, one);
    byApp.set(key, containers);
  }
  const sorted = [...byApp].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.flatMap(([, containers]) => {
    const all = [...containers].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
    const [first] = all;
    return first ? [{ app: first.app, due: all }] : [];
  });
}

const maxSubject = 72;
/** Of a long list the newest are told. */
const maxTold = 10;
const maxTrailers = 50;

/**
 * The message of the commit: `upgrade test/podinfo 3.1.1 -> 3.1.4 (semver:~3.1)`, why not the others, and trailers. `more`: trailers of the
 * agent, each a line.
 */
export function upgradeMessage({ app, due }: Upgrade, more: readonly string[] = []): string {
  const trailers = due
    .slice(0, maxTrailers)
    .flatMap(({ container, from, to, policy }) => [
      trailer('Policy', `${container}=${policy}`),
      trailer('Images', `${container}=${to}`),
      trailer('Previous-Images', `${container}=${from}`),
    ]);
  const body = due.flatMap((one) => linesOf(one)).join('\n');
  return `${[subjectOf(app, due), body, [...trailers, ...more].join('\n')].join('\n\n')}\n`;
}

function subjectOf(app: Upgrade['app'], due: readonly Due[]): string {
  const [first] = due;
  const change = first ? `${versionOf(first.from)} -> ${versionOf(first.to)}` : '';
  const isOne = due.every(({ from, to }) => `${versionOf(from)} -> ${versionOf(to)}` === change);
  const policies = new Set(due.map(({ policy }) => policy));
  const what = isOne ? `${change}${policies.size === 1 ? ` (${first?.policy ?? ''})` : ''}` : `${due.length} images`;
  return cut(plainLine(`upgrade ${keyOf(app)} ${what}`), maxSubject);
}

/** The tag; with another digest under the same tag, the beginning of that. */
function versionOf(image: string): string {
  const reference = readReference(image);
  if ('problem' in reference) return image;
  const { tag, digest } = reference;
  return tag ?? digest?.slice(0, 19) ?? showReference(reference);
}

function linesOf({ container, from, to, policy, decision }: Due): readonly string[] {
  const { reason, rejected } = decision;
  const told = rejected.slice(0, maxTold).map((one) => `  ${one.tag}: ${one.reason}`);
  const left = rejected.length - told.length;
  return [
    `${container}: ${from} -> ${to}`,
    `  by ${policy}, of ${rejected.length + 1} tags: ${reason}`,
    ...told,
    ...(left > 0 ? [`  and ${left} more`] : []),
  ].map((line) => cut(plainLine(line), 300));
}

const trailer = (name: string, value: string): string => cut(plainLine(`${name}: ${value}`), 500);

const cut = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

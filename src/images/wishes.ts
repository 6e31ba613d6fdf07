import { parseGoDuration } from '../lib/duration.ts';
import { nearest } from '../lib/nearest.ts';
import type { ImagePolicy } from './policy.ts';
import { readWindows } from './windows.ts';

const prefix = 'serin.dev/image-';
const known = ['min-age', 'windows', 'freeze', 'digest', 'prereleases'];
const digests = ['never', 'with-tag', 'always'] as const;
const maxReasonLength = 200;

type Changed = Pick<ImagePolicy, 'digest' | 'minAgeMs' | 'windows' | 'frozen'>;

/** What annotations of ours ask of the policies of an object, beside what Flux's say. */
export interface Wishes {
  readonly changed: Partial<Changed>;
  /** `natural`: rc10 is above rc9. */
  readonly prereleases?: 'semver' | 'natural';
  /** Annotations that cannot be read. Where there is one, nothing moves. */
  readonly wrong: readonly { readonly annotation: string; readonly problem: string }[];
}

/**
 * Reads `serin.dev/image-min-age: 24h`, `-windows: 0 9 * * 1-5 8h Europe/Berlin`, `-freeze: REASON`, `-digest: never | with-tag | always` and
 * `-prereleases: semver | natural`.
 */
export function readWishes(annotations: Readonly<Record<string, string>>): Wishes {
  const changed: { -readonly [Name in keyof Changed]?: Changed[Name] } = {};
  let prereleases: 'semver' | 'natural' | undefined;
  const wrong: { annotation: string; problem: string }[] = [];
  for (const [annotation, value] of Object.entries(annotations)) {
    if (!annotation.startsWith(prefix)) continue;
    const name = annotation.slice(prefix.length);
    const problem = (text: string): void => void wrong.push({ annotation, problem: text });
    switch (name) {
      case 'min-age': {
        const ms = parseGoDuration(value);
        if (ms === undefined || ms < 0) problem('is no duration like "24h"');
        else changed.minAgeMs = ms;
        break;
      }
      case 'windows': {
        const windows = readWindows(value);
        if ('problem' in windows) problem(windows.problem);
        else changed.windows = windows;
        break;
      }
      case 'freeze':
        if (value !== '' && value !== 'false')
          changed.frozen = value === 'true' ? 'by annotation' : value.slice(0, maxReasonLength);
        break;
      case 'digest': {
        const digest = digests.find((one) => one === value);
        if (digest) changed.digest = digest;
        else problem(`is none of ${digests.join(', ')}`);
        break;
      }
      case 'prereleases':
        if (value === 'semver' || value === 'natural') prereleases = value;
        else problem('is neither semver nor natural');
        break;
      default: {
        const meant = nearest(name, known);
        problem(`is not known${meant === undefined ? '' : `; did you mean ${prefix}${meant}?`}`);
      }
    }
  }
  return { changed, ...(prereleases ? { prereleases } : {}), wrong };
}

/** A policy as these wishes change it. */
export function withWishes(policy: ImagePolicy, { changed, prereleases }: Wishes): ImagePolicy {
  const { selection } = policy;
  const selected = prereleases && selection.kind === 'semver' ? { ...selection, prereleases } : selection;
  return { ...policy, ...changed, selection: selected };
}

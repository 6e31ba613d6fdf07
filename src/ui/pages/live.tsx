import type { AppKey } from '../../lib/key.ts';
import type { Group } from '../../report/types.ts';
import { rowId } from '../model/fleet.ts';
import type { FleetModel } from '../model/model.ts';
import type { Story } from '../model/story-shape.ts';
import { Checks, Events, Failed, FactsPart, NowPart, StoryHead } from './app.tsx';
import { HeadPart } from './app-head.tsx';
import { actsSignature } from './acts.tsx';
import { Markers } from './chart.tsx';
import { AppLine } from './fleet.tsx';
import type { Shown } from './links.ts';

/*
 * What the streams send: ready parts of pages, the same for everybody who may see the app, so that they are made once. The script puts each in the
 * place of the element whose `data-part` is its name.
 */

/** An app of the first page. */
export type LiveRow =
  | { readonly part: string; readonly gone: true; readonly was: Group | undefined }
  | { readonly part: string; readonly group: Group; readonly was: Group | undefined; readonly html: string };

export interface LiveApp {
  readonly parts: Readonly<Record<string, string>>;
  /** Absent: nothing is known of a release. */
  readonly story?: Story;
  /** Which acts there are now: of others the page is asked. */
  readonly acts: string;
  readonly isMoving: boolean;
}

export function liveRow(model: FleetModel, app: AppKey, shown: Shown): LiveRow {
  const row = model.row(app, shown.nowMs);
  const was = model.groupBefore(app);
  const part = rowId(app);
  if (!row) return { part, gone: true, was };
  return { part, group: row.status.group, was, html: text(<AppLine row={row} {...shown} />) };
}

/** Undefined: the app has gone. */
export function liveApp(model: FleetModel, app: AppKey, shown: Shown): LiveApp | undefined {
  const row = model.row(app, shown.nowMs);
  const explanation = model.explain(app, shown.nowMs);
  if (!row || !explanation) return undefined;
  const story = model.story(app, shown.nowMs);
  return {
    parts: {
      head: text(<HeadPart row={row} />),
      now: text(<NowPart row={row} explanation={explanation} {...shown} />),
      facts: text(<FactsPart status={row.status} nowMs={shown.nowMs} />),
      'story-head': text(<StoryHead row={row} />),
      checks: text(<Checks explanation={explanation} {...shown} />),
      failed: text(<Failed explanation={explanation} {...shown} />),
      events: text(<Events events={explanation.events} {...shown} />),
      ...(story ? { markers: text(<Markers markers={story.markers} />) } : {}),
    },
    ...(story ? { story } : {}),
    acts: actsSignature(row.status),
    isMoving: row.status.isMoving,
  };
}

/** No part waits for anything, so it is made at once. */
const text = (node: { toString(): unknown }): string => String(node.toString());

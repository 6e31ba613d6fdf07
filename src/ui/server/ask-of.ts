import { stringify } from 'yaml';
import { type AppKey, partsOf } from '../../lib/key.ts';
import { unifiedDiff } from '../../lib/patch.ts';
import type { FleetModel } from '../model/model.ts';
import { UiError } from '../told.ts';
import type { AgentDoor, Ask, ChangedFile, CommitDiff } from '../questions.ts';
import type { Viewer } from '../viewer.ts';

/** The questions of one viewer: of an app that he may not see none gets an answer, whatever a page asks. */
export function askOf(door: AgentDoor, model: Pick<FleetModel, 'apps'>, viewer: Viewer): Ask {
  const seen = (app: AppKey): AppKey => {
    if (viewer.may('read', partsOf(app).namespace)) return app;
    throw new UiError(404, 'There is no such app, or you may not see it.');
  };
  return {
    pods: async (app) => door.pods(seen(app)),
    podLog: async (app, pod) => door.podLog(seen(app), pod),
    yaml: async (app) => ({ inGit: await door.textInGit(seen(app)), live: liveText(model, app) }),
    history: async (app, options) => door.history(seen(app), options),
    async diff(app, revision) {
      const { files, truncated } = await door.changedBy(seen(app), revision);
      return { files: files.map(patched), truncated };
    },
    images: async (app) => door.images(seen(app)),
    async preview(act) {
      if (!viewer.may('operate', partsOf(seen(act.app)).namespace)) throw new UiError(403, 'You may only look.');
      const planned = await door.planned(act, viewer.name);
      return planned.kind === 'commit' ? { ...planned, files: planned.files.map(patched) } : planned;
    },
  };
}

const mostPatchLines = 400;

/** Made here, where no canary waits for it. */
function patched({ path, texts }: ChangedFile): CommitDiff['files'][number] {
  return {
    path,
    patch: typeof texts === 'string' ? `(${texts})` : unifiedDiff(texts.before, texts.after, mostPatchLines),
  };
}

/** As `kubectl get --output yaml` shows it, without what the server notes about its fields. */
function liveText(model: Pick<FleetModel, 'apps'>, app: AppKey): string {
  const canary = model.apps().get(app)?.canary;
  if (!canary) return '';
  const { managedFields: _, ...metadata } = canary.metadata;
  return stringify({ ...canary, metadata }, { lineWidth: 0 });
}

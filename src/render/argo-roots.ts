import type { LoadSettings } from '../manifest/load.ts';
import type { Manifest } from '../manifest/types.ts';
import { shownOrigin } from '../lib/http/shown-url.ts';
import { type ArgoApplication, type ArgoSource, readApplication } from './argo-application.ts';
import { isSameRepositoryUrl } from './same-url.ts';

export interface ArgoRoots extends ArgoApplication {
  /** Why one of its sources is not this repository. Undefined: all are, or are charts. */
  readonly elsewhere: string | undefined;
}

/** An Application, and whether it is of this repository. A text says why it cannot be followed. */
export function argoRoots(manifest: Manifest, settings: LoadSettings): ArgoRoots | string {
  const application = readApplication(manifest);
  if (typeof application === 'string') return application;
  const named = application.sources.flatMap((source) => [
    ...(source.chart === undefined ? [source] : []),
    ...source.lent.values(),
  ]);
  const reasons = named.flatMap((source) => whyElsewhere(source, settings) ?? []);
  return { ...application, elsewhere: reasons[0] };
}

/** Why a source is not what is followed here. Undefined: it is, as far as can be told. */
export function whyElsewhere(
  { url, revision }: Pick<ArgoSource, 'url' | 'revision'>,
  { repositoryUrl, repositoryBranch }: LoadSettings,
): string | undefined {
  if (repositoryUrl !== undefined && !isSameRepositoryUrl(url, repositoryUrl))
    return `its source is another repository, ${shownOrigin(url)}: name it as a source in the settings`;
  const branch = revision?.replace(/^refs\/heads\//, '');
  if (branch === undefined || branch === 'HEAD') return undefined;
  const isOther =
    repositoryBranch === undefined
      ? /^(?:[0-9a-f]{7,64}|refs\/tags\/.*|v?\d+\.\d+.*)$/.test(branch)
      : branch !== repositoryBranch;
  return isOther
    ? `its source is another revision, ${branch.slice(0, 100)}: only the branch that is followed is rendered`
    : undefined;
}

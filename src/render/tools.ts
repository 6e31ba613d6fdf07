import type { Helm } from './helm.ts';
import type { Kustomize } from './kustomize.ts';

/** Programs that render what stands in a repository. What an absent one would render is held back. */
export interface RenderTools {
  /** Absent: what kustomizations change is held back. */
  readonly kustomize?: Kustomize | undefined;
  /** Absent: HelmReleases are applied as objects. */
  readonly helm?: Helm | undefined;
}

export async function closeTools({ kustomize, helm }: RenderTools): Promise<void> {
  await Promise.all([kustomize?.close(), helm?.close()]);
}

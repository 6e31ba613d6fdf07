import type { Unlooked } from './encrypted-files.ts';
import type { Helm } from './helm.ts';
import type { Kustomize } from './kustomize.ts';
import type { LiveConfigs } from './live-configs.ts';
import type { Sops } from './sops.ts';

/** Programs that render what stands in a repository. What an absent one would render is held back. */
export interface RenderTools {
  /** Absent: what kustomizations change is held back. */
  readonly kustomize?: Kustomize | undefined;
  /** Absent: HelmReleases are applied as objects. */
  readonly helm?: Helm | undefined;
  /** Absent: what is encrypted is held back. */
  readonly sops?: Sops | undefined;
  /** Absent: no cluster is there. */
  readonly live?: LiveConfigs | undefined;
  /** See `Manifest.sealed`. Rejects where it is not known. Absent: no hash leaves the process. */
  readonly salt?: (() => Promise<string>) | undefined;
  /** See `EncryptedFilesOptions`. */
  readonly unlooked?: Unlooked | undefined;
}

export async function closeTools({ kustomize, helm, sops }: RenderTools): Promise<void> {
  await Promise.all([kustomize?.close(), helm?.close(), sops?.close()]);
}

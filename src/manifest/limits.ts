/** How large what stands in Git may be. */
export interface ManifestLimits {
  /** `--max-file-size`. Larger files are not read, and left out of downloads where the Git server can do that. */
  readonly fileBytes: number;
  /** `--max-tree-size`: of all manifests of one commit together, with 2 KiB for each object and 64 bytes for each of its values beyond 64. */
  readonly treeBytes: number;
  /** `--max-object-size`: of an object as JSON, in characters. */
  readonly objectLength: number;
}

export const MiB = 1024 * 1024;

/** An object: what etcd takes unless it is told otherwise. A file of more than this would take minutes. */
export const defaultLimits: ManifestLimits = { fileBytes: 16 * MiB, objectLength: 1.5 * MiB, treeBytes: 96 * MiB };

/** For people; rounded up, so that what is over a limit never looks like it. */
export const inMiB = (bytes: number): string => `${Math.ceil((bytes / MiB) * 10) / 10} MiB`;

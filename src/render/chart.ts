import type { GitFile } from './tree-files.ts';

type Input = string | GitFile;

/** A chart in the repository, with the charts beside it that it depends on. */
export interface Chart {
  /** By the path in the folder that Helm is given. */
  readonly files: ReadonlyMap<string, Input>;
  /** The same, by path from the repository's root. */
  readonly inputs: ReadonlyMap<string, Input>;
  /** As it calls itself. */
  readonly name: string;
}

/** A chart of an index or a registry. */
export interface RemoteChart {
  /** Of the index; `oci://…`: of the folder of the registry. */
  readonly url: string;
  readonly name: string;
  /** A version, or a range. */
  readonly version: string;
  /** Absent: anybody may have it. */
  readonly credentials?: ChartCredentials;
}

/** What a server of charts is told, and only the one that it is for. */
export interface ChartCredentials {
  readonly username?: string;
  readonly password?: string;
  /** PEM: authorities of the server. */
  readonly ca?: string;
  /** PEM: what the client is known by. */
  readonly cert?: string;
  readonly key?: string;
  /** A registry is spoken to by plain HTTP. Absent: by TLS. */
  readonly isPlain?: true;
}

/** What the cluster is for which a chart is rendered. */
export interface Capabilities {
  /** `v1.34.4`. */
  readonly kubeVersion: string;
  /** `apps/v1` and `apps/v1/Deployment`, in any order. */
  readonly apiVersions: readonly string[];
}

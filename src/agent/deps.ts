import type { InconclusivePolicy } from '../canary/types.ts';
import type { Cluster } from '../cluster/cluster.ts';
import type { GitRepo } from '../git/repo.ts';
import type { Clock } from '../lib/clock.ts';
import type { Fence } from '../lib/fence.ts';
import type { Http } from '../lib/http/http.ts';
import type { Mailer } from '../lib/mail.ts';
import type { Logger } from '../lib/log.ts';
import type { FileReader } from '../manifest/load.ts';
import type { ManifestLimits } from '../manifest/limits.ts';
import type { OwnObjects } from '../manifest/own-objects.ts';
import type { Tenancy } from '../manifest/tenancy.ts';
import type { CloudIdentity } from '../metrics/provider.ts';
import type { RenderTools } from '../render/tools.ts';
import type { TextEditor } from '../render/text-edit.ts';
import type { WriterDeps } from '../release/writer.ts';
import type { RegistryClient } from '../registry/client.ts';
import type { RouterSettings } from '../routers/router.ts';
import type { SourceTelemetry } from './source-telemetry.ts';
import type { OutletSettings } from '../outlets/outlet.ts';
import type { Telemetry } from '../outlets/telemetry.ts';

/** The whole outside world of the agent. Tests and the demo build one; nothing is mocked. */
export interface Deps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly http: Http;
  /** Absent: no mail is sent. */
  readonly mailer?: Mailer;
  readonly cluster: Cluster;
  /** What is followed; at least one. */
  readonly sources: readonly Source[];
  readonly telemetry: Telemetry;
  /** Registries of images. Absent: no image is upgraded. */
  readonly registry?: RegistryClient;
  /** Who the agent is to clouds, for their metrics. Absent: nobody. */
  readonly clouds?: CloudIdentity;
  readonly settings: AgentSettings;
  /** Whether this process may write. Absent: there is one replica. */
  readonly fence?: Fence;
}

/** Name of the source that flags and environment name. */
export const defaultSource = 'default';

/** What is followed: a branch of a repository, or a folder of it, and how outcomes are written to it. */
export interface Source {
  /** A DNS label. `default`: the one that flags and environment name, whose objects in the cluster have names without a source's. */
  readonly name: string;
  readonly repo: GitRepo;
  /** Names the branch and its repository: sources of one branch push in turn. Absent: no other one has it. */
  readonly remote?: string;
  readonly settings: SourceSettings;
  /** Reads large files without keeping others from their work. Absent: they are read like all others. */
  readonly fileReader?: FileReader & Partial<TextEditor>;
  /** Absent: none. */
  readonly tools?: RenderTools;
}

/** What an operator decides of one source. */
interface SourceSettings {
  /** Of the repository, to know it again where an object in it names it. Absent: whatever is named is it. */
  readonly repositoryUrl?: string;
  /** Likewise. */
  readonly repositoryBranch?: string;
  /** Folder of the repository that is synced; the empty string is all of it. */
  readonly path: string;
  /** Folder of the ledgers, under `path`. */
  readonly ledgerDir: string;
  readonly write: 'direct' | 'none';
  /** Whether new tags of images become commits. Absent: they do not. */
  readonly imageUpdates?: 'direct' | 'none';
  readonly tagPrefix: string;
  readonly author: { readonly name: string; readonly email: string };
  readonly pollIntervalMs: number;
  /** Namespace of objects in Git that name none. */
  readonly defaultNamespace: string;
  /** Who may say what in it. Absent: whoever may write to the repository may say everything. */
  readonly tenancy?: Tenancy;
}

/** The outside world as one source sees it. */
export interface SourceDeps extends Omit<Deps, 'sources' | 'settings' | 'telemetry'> {
  readonly source: string;
  readonly repo: GitRepo;
  readonly fileReader?: Source['fileReader'];
  readonly tools?: RenderTools;
  /** See `WriterDeps`. */
  readonly inTurn?: NonNullable<WriterDeps['inTurn']>;
  readonly settings: WholeSettings;
  readonly telemetry: SourceTelemetry;
}

/** What flags, environment and file say of a source and of the agent. */
export type WholeSettings = AgentSettings & SourceSettings;

/** What an operator decides; read from flags, environment and file by `config`. */
export interface AgentSettings extends OutletSettings {
  /** How often a repository is asked whose tags have just changed. Absent: 5 min. */
  readonly imageIntervalMs?: number;
  /** Platforms (`linux/arm64`) of which a new image has to have one, where its workload names none. Absent: it may be for any. */
  readonly imagePlatforms?: readonly string[];
  /** Namespace of the agent itself: its inventory lives there. */
  readonly namespace: string;
  /** Canaries of this namespace only; absent: of all. */
  readonly watchNamespace?: string;
  /** What is the agent's own and not taken from Git. Absent: nothing is. */
  readonly own?: OwnObjects;
  /** Who may say what, of all sources together. Absent: whoever may write to a repository may say everything. */
  readonly tenancy?: Tenancy;
  /** Absent: the defaults. */
  readonly limits?: ManifestLimits;
  readonly version: string;
  /** Cron schedule of a full comparison with the cluster, whatever the watches said. */
  readonly resyncSchedule: string;
  readonly prune: boolean;
  /** Allow a sync to delete more than the guard lets it. */
  readonly pruneAnything: boolean;
  readonly suspend: boolean;
  /** Router of Canaries that name none. */
  readonly provider: string;
  readonly metricsServer: string;
  /** What checks do that find nothing out, where the Canary does not say. Absent: the default. */
  readonly inconclusive?: InconclusivePolicy;
  /** Shorter intervals of Canaries are raised to this. Flagger: 10 s. */
  readonly minIntervalMs: number;
  /** What routers declared as settings of theirs. */
  readonly routing: RouterSettings;
  /** How long what an analysis promoted may be gone back to without another one. Absent: never. */
  readonly rollbackWindowMs?: number;
  readonly selectorLabels: readonly string[];
  readonly includeLabelPrefix: readonly string[];
  readonly configTracking: boolean;
  /** Tell the last log lines of containers that do not start. Absent: yes. */
  readonly podLogs?: boolean;
  /** Webhooks of this host (also with `.svc` and `.svc.cluster.local`) are the agent's own gates. */
  readonly gateHost: string;
}

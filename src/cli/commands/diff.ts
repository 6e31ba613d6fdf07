import { appsOf, writtenInto } from '../../canary/app.ts';
import { withFoundRoutes } from '../../canary/found-route.ts';
import { withShared } from '../../canary/shared-fields.ts';
import { openCluster } from '../../cluster/client.ts';
import type { Cluster } from '../../cluster/cluster.ts';
import { AgentError, messageOf } from '../../lib/errors.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLogger } from '../../lib/log.ts';
import { identityKey, identityOf, nameOf, refKeyOf } from '../../manifest/identity.ts';
import { type KubeObject, type Manifest, type ObjectRef, type Problem, refOf } from '../../manifest/types.ts';
import { isTakenOver } from '../../sync/annotations.ts';
import { canaryManager, syncManager } from '../../sync/drift.ts';
import { type ApplyAction, planSync } from '../../sync/plan.ts';
import { changedFields, type FieldChange } from '../changed-fields.ts';
import { clusterSource } from '../cluster-source.ts';
import type { CommandContext } from '../context.ts';
import type { LocalOptions } from '../local-settings.ts';
import { renderedPlace, tellProblems } from './render.ts';

export interface DiffOptions extends LocalOptions {
  readonly json?: boolean;
  readonly kubeconfig?: string;
  readonly context?: string;
}

interface Difference {
  readonly ref: ObjectRef;
  readonly change: 'create' | 'change';
  /** Of a change. */
  readonly fields: readonly FieldChange[];
}

/** Requests side by side. */
const mostRequests = 8;
const noEntries = { revision: '', entries: new Map() };

/**
 * `serin diff [PLACE]`: what applying would change, by a dry run of the API server. Fields that a Canary or an autoscaler writes are left out, as
 * the agent leaves them out. What would be deleted is not told: only the agent's inventory knows it.
 */
export async function diff(context: CommandContext, place: string, options: DiffOptions): Promise<number> {
  const { kubeconfig = '', context: named = '' } = options;
  const source = clusterSource({ kubeconfig, context: named }, context.environment);
  const { settings, manifests: written, problems } = await renderedPlace(context, place, options);
  const manifests = withFoundRoutes(written, settings);
  const cluster = await openCluster(source, { clock: systemClock, log: silentLogger });
  try {
    const lives = new Map<string, KubeObject>();
    await eachOf(manifests, async ({ object }) => {
      const live = await liveOf(cluster, refOf(object), context.signal);
      if (live) lives.set(identityOf(object), live);
    });
    const actions = plannedOf(manifests, lives, settings.defaultNamespace);
    const found = new Map<string, Difference>();
    const refused: Problem[] = [];
    await eachOf(actions, async ({ object: fromGit, manifest, shared }) => {
      const key = identityOf(fromGit);
      const live = lives.get(key);
      const object = live && (shared === 'nodes' || shared === 'weights') ? withShared(live, fromGit) : fromGit;
      try {
        const after = await cluster.apply(object, { manager: syncManager, force: true, dryRun: true }, context.signal);
        const fields = live ? changedFields(live, after) : [];
        if (!live || fields.length > 0)
          found.set(key, { ref: refOf(object), change: live ? 'change' : 'create', fields });
      } catch (error) {
        if (context.signal.aborted || !(error instanceof AgentError) || error.code !== 'CLUSTER_REFUSED') throw error;
        if (!live && comesWith(object, manifests)) found.set(key, { ref: refOf(object), change: 'create', fields: [] });
        else refused.push(refusalOf(manifest, error));
      }
    });
    const told = actions.flatMap(({ object }) => found.get(identityOf(object)) ?? []);
    for (const one of told) tell(context, one, options.json === true);
    if (!options.json) {
      const count = (change: Difference['change']): number => told.filter((one) => one.change === change).length;
      const same = actions.length - told.length - refused.length;
      context.output.line(`${count('create')} to create, ${count('change')} to change, ${same} as they are`);
    }
    return tellProblems(context, [...problems, ...refused]);
  } finally {
    await cluster.close();
  }
}

/** Absent, also where the kind is not served yet. */
async function liveOf(cluster: Cluster, ref: ObjectRef, signal: AbortSignal): Promise<KubeObject | undefined> {
  return (await cluster.resource(ref, signal)) ? cluster.get(ref, signal) : undefined;
}

/** As they would be sent, in the order of application. */
function plannedOf(
  manifests: readonly Manifest[],
  lives: ReadonlyMap<string, KubeObject>,
  defaultNamespace: string,
): readonly ApplyAction[] {
  const apps = appsOf(manifests, defaultNamespace);
  const isCanarys = (manager: string): boolean => manager.startsWith(canaryManager);
  const taken = manifests.filter(({ object }) => {
    const live = lives.get(identityOf(object));
    return object.kind === 'Service' && live !== undefined && isTakenOver(live, isCanarys);
  });
  const { waves } = planSync({
    desired: manifests,
    inventory: noEntries,
    unreadablePaths: new Set(),
    prune: false,
    pruneAnything: false,
    applied: new Map(),
    canaryTargets: writtenInto(apps),
    takenOver: new Set(taken.map(({ object }) => refKeyOf(object))),
    drifted: new Set(),
    everything: true,
    live: (ref) => lives.get(identityKey(ref)),
  });
  return waves.flat();
}

/** Its namespace or its kind is applied before it, so a dry run cannot know it. */
function comesWith({ apiVersion, kind, metadata }: KubeObject, manifests: readonly Manifest[]): boolean {
  return manifests.some(({ object }) => {
    if (object.kind === 'Namespace') return object.metadata.name === metadata.namespace;
    if (object.kind !== 'CustomResourceDefinition') return false;
    const { group, names } = object['spec'] as { group?: unknown; names?: { kind?: unknown } };
    return `${String(group)}/` === `${apiVersion.split('/')[0] ?? ''}/` && names?.kind === kind;
  });
}

const refusalOf = ({ object, origin }: Manifest, error: AgentError): Problem => ({
  severity: 'error',
  path: origin.path,
  line: origin.line,
  message: `${nameOf(refOf(object))}: ${messageOf(error)}`,
});

function tell({ stdout, output }: CommandContext, { ref, change, fields }: Difference, asJson: boolean): void {
  if (asJson) return void stdout.write(`${JSON.stringify({ object: ref, change, fields })}\n`);
  const { colour } = output;
  output.line(change === 'create' ? colour.green(`+ ${nameOf(ref)}`) : colour.yellow(`~ ${nameOf(ref)}`));
  for (const { field, from, to } of fields) output.line(`    ${field}: ${shown(from)} -> ${shown(to)}`);
}

const shownLength = 200;
function shown(value: unknown): string {
  if (value === undefined) return '(none)';
  const text = JSON.stringify(value);
  return text.length > shownLength ? `${text.slice(0, shownLength)}…` : text;
}

async function eachOf<Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> {
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) await work(item);
  };
  await Promise.all(Array.from({ length: mostRequests }, worker));
}

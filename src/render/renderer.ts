import type { Steps } from '../lib/turns.ts';
import type { Rendering } from '../manifest/load.ts';
import type { Kustomization } from '../manifest/rendering-tools.ts';
import type { Manifest, ObjectRef, Origin } from '../manifest/types.ts';
import type { Chart, RemoteChart } from './chart.ts';
import type { GitFile, TreeFiles } from './tree-files.ts';

/**
 * Makes objects of a part of a repository, and writes a change of an object where the object comes from. Sync, release, revert and proof know
 * this contract and no tool. The work is done in steps: it takes turns with other work, and waits for Git, threads and programs.
 */
export interface Renderer {
  /** The origin of an object that it made names it. */
  readonly name: Origin['renderer'];
  /** The parts of a tree that it makes objects of. */
  detect(tree: SourceTree): Steps<Detected>;
  /**
   * Equal content of the files that a unit is made from gives the same rendering, without any work. What is wrong with single objects is told in
   * the rendering; a text says why there is none.
   */
  render(tree: SourceTree, unit: Unit): Steps<Rendering | string>;
  /** There is no room for what a unit became: nothing of it is kept. Absent: nothing is kept anyway. */
  forget?(unit: Unit): void;
  /** The files with which a goal is reached. Nothing is written, and nothing beside the goal changes in them; else it is refused. */
  edit(goal: EditGoal): Steps<Edit>;
}

/** A tree, or a tenant's part of it. */
export interface SourceTree {
  readonly files: TreeFiles;
  /** What plain files say, as far as that is known already. */
  readonly said: ReadonlyMap<string, Rendering>;
  /** Kustomizations that count, by path. */
  readonly kustomizations: ReadonlyMap<string, Kustomization>;
  /** Whether a file of the repository may take part. */
  readonly isOwn: (path: string) => boolean;
  /** Whence charts of kustomizations come that are not in the tree. Absent: no kustomization may have charts. */
  readonly charts?: { fetch(chart: RemoteChart): Steps<Chart | string> } | undefined;
}

/** What is rendered at once, named by the file that it begins at. */
export interface Unit {
  readonly path: string;
  /** The files that it is made from. */
  readonly inputs: ReadonlyMap<string, string | GitFile>;
  /** It has charts. Absent: it has none. `saysCapabilities`: it says itself for which cluster they are rendered. */
  readonly charts?: { readonly saysCapabilities: boolean } | undefined;
  /** Of what an object of another tool describes. Absent: what stands at the path says all. */
  readonly root?: UnitRoot;
}

/** How a folder is rendered of which another tool's object says so. */
export interface UnitRoot {
  readonly folder: string;
  /** What is built in the place of the folder's own kustomization, and where. */
  readonly path: string;
  readonly kustomization: string;
  /** Filled into what comes of it, by name. Undefined: nothing is. */
  readonly values: ReadonlyMap<string, string> | undefined;
  /** For objects that name none once all is built. Absent: the default one. */
  readonly namespace?: string | undefined;
  /** Some of the values are secret. Absent: none is. */
  readonly hasSecretValues?: true;
  /** Secret with the keys of what is encrypted in it. Absent: the agent's keys are. */
  readonly keys?: { readonly namespace: string; readonly name: string };
  /** For all objects. */
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Detected {
  readonly units: readonly Unit[];
  /** What looks like a unit, by path, and why it is none, for people. */
  readonly refused: ReadonlyMap<string, string>;
}

/** A tree, and what was made of it. */
export interface TreeState {
  readonly files: TreeFiles;
  readonly manifests: readonly Manifest[];
}

/** What is to become of objects. */
export type EditGoal = RestoreGoal | FieldGoal;

/** Objects as they were at `base`, where `judged` changed them; what was changed since stays. */
export interface RestoreGoal {
  readonly kind: 'restore';
  readonly base: TreeState;
  readonly judged: TreeState;
  readonly tip: TreeState;
  /** Objects, by identity. */
  readonly objects: ReadonlyMap<string, ObjectFacts>;
  /** Charts are made from them: what those make is looked at by whoever asks. Absent: everything else stays as at the tip. */
  readonly isOfCharts?: true;
  /** Throws EditLate where that is not enough. Absent: as long as it may take. */
  readonly mostMs?: number;
}

/** What only the whole trees tell of an object that is restored. */
export interface ObjectFacts {
  /** The apiVersion that it had before, where only its API group is another one. */
  readonly former: string | undefined;
  /** It is named in something of the tree that cannot be read, so it may stand there. */
  readonly mayStandUnread: { readonly base: boolean; readonly tip: boolean };
  /** Somebody else in its namespace refers to it. */
  readonly isReferredTo: boolean;
}

/** A field of an object gets a value. */
export interface FieldGoal {
  readonly kind: 'field';
  readonly tip: TreeState;
  readonly object: ObjectRef;
  /** Names of members and places in lists, from the object: `['spec', 'replicas']`. What is missing on the way to the field is made. */
  readonly field: readonly (string | number)[];
  /** Undefined: the field goes. */
  readonly value: unknown;
}

export type Edit =
  /** Null removes the file. Empty: nothing has to change. */
  | {
      readonly kind: 'edited';
      readonly files: ReadonlyMap<string, string | null>;
      /** Other objects that the goal's are made from, by identity: they are as at the base again. Absent: none. */
      readonly sources?: ReadonlySet<string>;
    }
  /** `paths`: the files that a person has to look at. */
  | { readonly kind: 'refused'; readonly reason: string; readonly paths: readonly string[] };

/** Reads the text of files of Git where it is missing; see `TreeFiles`. */
export type ReadTexts = (files: TreeFiles, paths: Iterable<string>) => Promise<void>;

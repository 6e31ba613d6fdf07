import type { Schema } from './schema.ts';

export interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  readonly jsonPath: string;
  readonly priority?: number;
}

export interface ScalePaths {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  readonly labelSelectorPath?: string;
}

/** One served version of one kind. */
export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly listKind: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly namespaced: boolean;
  /** Objects of all versions of a kind share one place; `apps/deployments`. */
  readonly storage: string;
  readonly status: boolean;
  readonly scale?: ScalePaths;
  /** What bumps metadata.generation: a change of the spec, of anything but metadata and status, or nothing (the kind has none). */
  readonly generation: 'spec' | 'all' | 'none';
  /** Undefined: anything goes and nothing is known (atomic lists, granular maps). */
  readonly schema?: Schema;
  /** Custom resources answer some requests differently (no strategic merge, kind on list items). */
  readonly custom: boolean;
  readonly columns: readonly PrinterColumn[];
}

export function apiVersionOf(resource: Pick<Resource, 'group' | 'version'>): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

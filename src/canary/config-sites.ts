import { own } from '../lib/own.ts';
import { type Json, jsonOf, textOf } from '../lib/json.ts';

/** One place in a pod spec that names a ConfigMap or Secret. */
export interface RefSite {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly name: string;
  readonly optional: boolean;
}

type Rename = (site: RefSite) => string;

/**
 * A copy of a pod spec with every reference to a ConfigMap or Secret renamed: volumes, projected volumes, env and envFrom of
 * containers, init containers and ephemeral containers. What pulls images or mounts volumes (imagePullSecrets, Secrets of CSI and other
 * storage drivers) are credentials of the node, not content of the application: they are neither copied nor judged. So is what a
 * driver brings from elsewhere, and what hangs on a ServiceAccount.
 */
export function mapConfigRefs(podSpec: unknown, rename: Rename): unknown {
  const containers = (value: unknown): unknown => mapItems(value, (container) => mapContainer(container, rename));
  return mapMembers(podSpec, {
    volumes: (value) => mapItems(value, (volume) => mapVolume(volume, rename)),
    initContainers: containers,
    containers,
    ephemeralContainers: containers,
  });
}

function mapVolume(volume: Json, rename: Rename): Json {
  return mapMembers(volume, {
    configMap: (value) => mapName(value, 'name', 'ConfigMap', rename),
    secret: (value) => mapName(value, 'secretName', 'Secret', rename),
    projected: (projected) =>
      mapMembers(projected, {
        sources: (sources) =>
          mapItems(sources, (source) =>
            mapMembers(source, {
              configMap: (value) => mapName(value, 'name', 'ConfigMap', rename),
              secret: (value) => mapName(value, 'name', 'Secret', rename),
            }),
          ),
      }),
  });
}

function mapContainer(container: Json, rename: Rename): Json {
  return mapMembers(container, {
    envFrom: (value) =>
      mapItems(value, (source) =>
        mapMembers(source, {
          configMapRef: (ref) => mapName(ref, 'name', 'ConfigMap', rename),
          secretRef: (ref) => mapName(ref, 'name', 'Secret', rename),
        }),
      ),
    env: (value) =>
      mapItems(value, (variable) =>
        mapMembers(variable, {
          valueFrom: (from) =>
            mapMembers(from, {
              configMapKeyRef: (ref) => mapName(ref, 'name', 'ConfigMap', rename),
              secretKeyRef: (ref) => mapName(ref, 'name', 'Secret', rename),
            }),
        }),
      ),
  });
}

function mapName(value: unknown, member: 'name' | 'secretName', kind: RefSite['kind'], rename: Rename): unknown {
  const ref = jsonOf(value);
  const name = textOf(ref[member]);
  return name === undefined ? value : { ...ref, [member]: rename({ kind, name, optional: ref['optional'] === true }) };
}

function mapItems(value: unknown, change: (item: Json) => unknown): unknown {
  return Array.isArray(value) ? value.map((item) => change(jsonOf(item))) : value;
}

/** Changes the members that are there; the order of members stays. */
function mapMembers(value: unknown, changes: Readonly<Record<string, (member: unknown) => unknown>>): Json {
  const entries = Object.entries(jsonOf(value));
  return Object.fromEntries(entries.map(([name, member]) => [name, own(changes, name)?.(member) ?? member]));
}

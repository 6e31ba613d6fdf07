import type { PodInside } from '../types.ts';
import type { RunningContainer } from './container.ts';
import { execute } from './exec/execute.ts';
import type { Pod } from './kinds.ts';

const mebibyte = 2 ** 20;

/** What can be seen and done in a pod from outside. */
export function insideOf(
  pod: Pod,
  containers: () => readonly RunningContainer[],
  inits: () => readonly RunningContainer[],
): PodInside {
  const named = (name: string): RunningContainer | undefined => {
    const at = pod.spec.containers.findIndex((container) => container.name === name);
    if (at >= 0) return containers()[at];
    return inits()[(pod.spec.initContainers ?? []).findIndex((container) => container.name === name)];
  };
  const address: PodInside['address'] = (port) => {
    for (const container of containers()) {
      const found = container.backend(port);
      if (found) return { host: found.host, port: found.port };
    }
    return undefined;
  };
  return {
    log: (container, previous) => named(container)?.log(previous),
    exec: (container, command, streams, signal) => {
      const inside = named(container)?.inside();
      return inside && execute(command, { ...inside, address }, streams, signal);
    },
    address,
    usage: () =>
      pod.spec.containers.flatMap(({ name }) => {
        const inside = named(name)?.inside();
        return inside ? [{ container: name, cores: inside.busy(), memoryBytes: 16 * mebibyte }] : [];
      }),
  };
}

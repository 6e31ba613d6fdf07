import { fieldsOf, listOf, numberOf, textOf, textsOf } from './read.ts';
import { type Decision, type HostRank, hostRank, noEdits, type RouteRequest, type Surroundings } from './route.ts';

/** ApisixRoutes: the rule with the highest priority, then the one with the longest path. */
export function decideApisixRoute(request: RouteRequest, rank: HostRank, around: Surroundings): Decision | undefined {
  const rules = around.objects.apisixRoutes.flatMap(({ metadata, spec }) =>
    listOf(fieldsOf(spec).http).flatMap((rule, index) => {
      const { hosts, paths, methods } = fieldsOf(rule.match);
      const ranks = textsOf(hosts).map((host) => hostRank(host, request.host));
      if (!(ranks.length === 0 ? rank === 'any' : ranks.includes(rank))) return [];
      if (textsOf(methods).length > 0 && !textsOf(methods).includes(request.method)) return [];
      const longest = Math.max(
        -1,
        ...textsOf(paths)
          .filter((path) => matches(path, request.path))
          .map(({ length }) => length),
      );
      const route = `${metadata.namespace}_${metadata.name}_${textOf(rule.name)}`;
      const found = { route, backends: listOf(rule.backends), priority: numberOf(rule.priority) ?? 0, longest };
      return longest < 0 ? [] : [{ ...found, namespace: metadata.namespace ?? '', key: `${metadata.uid}/${index}` }];
    }),
  );
  const [best] = rules.sort((a, b) => b.priority - a.priority || b.longest - a.longest);
  if (!best) return undefined;
  const choices = best.backends.map((backend, index) => ({
    id: `${index}:${textOf(backend.serviceName)}`,
    // As the controller has it where none is written.
    weight: numberOf(backend.weight) ?? 100,
    backend,
  }));
  const chosen = around.pick(best.key, choices);
  if (!chosen) return { kind: 'answer', status: 503, reason: 'no backend has a weight' };
  const { serviceName, servicePort } = chosen.backend;
  const to = {
    namespace: best.namespace,
    service: textOf(serviceName),
    port: numberOf(servicePort) ?? textOf(servicePort),
  };
  return { kind: 'forward', to, edits: noEdits, account: { proxy: 'apisix', route: best.route } };
}

/** `/a` is that path alone, `/a*` all that begin so. */
function matches(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
}

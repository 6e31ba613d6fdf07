const ZONES = ['', 'svc', 'svc.cluster.local', 'traefik'];

/** `name.namespace`, `name.namespace.svc[.cluster.local]`, and `name.namespace.traefik` for a TraefikService. */
export function parseClusterHost(host: string): { name: string; namespace: string; zone: string } | undefined {
  const [name = '', namespace = '', ...rest] = host.replace(/\.$/, '').split('.');
  const zone = rest.join('.');
  return name !== '' && namespace !== '' && ZONES.includes(zone) ? { name, namespace, zone } : undefined;
}

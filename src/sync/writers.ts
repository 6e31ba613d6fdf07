import type { Cluster, ServiceAccountName } from '../cluster/cluster.ts';
import { namespacedName } from '../lib/key.ts';
import type { Tenancy } from '../manifest/tenancy.ts';

/** In whose name the objects of a file are written and deleted. */
export interface Writers {
  of(path: string): Cluster;
  /** For people. */
  nameOf(path: string): string;
  /** What it has to be allowed, for people. Whoever writes for a tenant need not list and watch: the agent does. */
  rightsOf(path: string): string;
}

/** A tenant with a service account has its rights and no others. */
export function createWriters(cluster: Cluster, tenancy: Tenancy | undefined): Writers {
  const known = new Map<string, Cluster>();
  const accountOf = (path: string): ServiceAccountName | undefined => tenancy?.tenantOf(path)?.serviceAccount;
  return {
    of(path) {
      const account = accountOf(path);
      if (!account) return cluster;
      const name = namespacedName(account);
      const writer = known.get(name) ?? cluster.as(account);
      known.set(name, writer);
      return writer;
    },
    nameOf(path) {
      const account = accountOf(path);
      return account ? `the service account ${namespacedName(account)}` : "the agent's service account";
    },
    rightsOf(path) {
      return accountOf(path) ? 'get, create, patch and delete' : 'get, list, watch, create, patch and delete';
    },
  };
}

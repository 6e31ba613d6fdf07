import { AgentError } from '../lib/errors.ts';
import { nearest } from '../lib/nearest.ts';
import type { Tenant } from '../manifest/tenancy.ts';

const fields = ['name', 'folder', 'namespaces', 'kinds', 'denied-kinds', 'refers-to', 'service-account'];
const dnsName = /^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/;
const namespacePattern = /^[-a-z0-9*]{1,63}$/;
const kindPattern = /^(\*|[A-Z][A-Za-z0-9]*\*?)(\.[-.a-z0-9*]*)?$/;

/**
 * What `tenants:` of the settings file says. `path`: the folder that is synced. Throws CONFIG_INVALID with every problem at once: what is
 * not understood must not leave a tenant more than was meant.
 */
export function readTenants(value: unknown, path: string): readonly Tenant[] {
  const problems: string[] = [];
  if (!Array.isArray(value) || value.length === 0)
    throw new AgentError('CONFIG_INVALID', 'tenants: write a list of tenants, or leave it out where there are none');
  const tenants = value.map((entry: unknown, index) => {
    const place = `tenants[${index}]`;
    return readTenant(entry, (field, problem) =>
      problems.push(`${place}${field === '' ? '' : `.${field}`}: ${problem}`),
    );
  });
  const tell = (index: number, problem: string): void => void problems.push(`tenants[${index}].${problem}`);
  tenants.forEach(({ name, folder }, index) => {
    const before = tenants.slice(0, index);
    if (name !== '' && before.some((other) => other.name === name)) tell(index, `name: "${name}" is there twice`);
    if (before.some((other) => other.folder === folder))
      tell(index, `folder: "${folder || '.'}" belongs to another tenant`);
    if (!isWithin(folder, path) && !isWithin(path, folder))
      tell(index, `folder: "${folder}" is not below --git-path, which is ${path}`);
  });
  if (problems.length > 0) throw new AgentError('CONFIG_INVALID', problems.join('\n'));
  return tenants;
}

const isWithin = (folder: string, other: string): boolean =>
  other === '' || folder === other || folder.startsWith(`${other}/`);

type Tell = (field: string, problem: string) => void;

function readTenant(entry: unknown, tell: Tell): Tenant {
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    tell('', `write a map with ${fields.join(', ')}`);
    return { name: '', folder: '', namespaces: [] };
  }
  const given = new Map<string, unknown>(Object.entries(entry));
  for (const field of given.keys()) {
    if (fields.includes(field)) continue;
    const close = nearest(field, fields);
    tell(
      '',
      `"${field}" is no field of a tenant${close === undefined ? `; they are ${fields.join(', ')}` : `; did you mean ${close}?`}`,
    );
  }
  const list = (field: string, pattern: RegExp, wanted: string): readonly string[] | undefined => {
    const written = given.get(field);
    if (written === undefined) return undefined;
    if (!Array.isArray(written) || written.length === 0) tell(field, `write a list of ${wanted}`);
    const words: readonly unknown[] = Array.isArray(written) ? written : [];
    for (const word of words)
      if (typeof word !== 'string' || !pattern.test(word)) tell(field, `"${String(word)}" is none of ${wanted}`);
    return words.map(String);
  };
  const name = given.get('name');
  if (typeof name !== 'string' || !dnsName.test(name)) tell('name', 'write small letters, digits and hyphens');
  const namespaces = list('namespaces', namespacePattern, 'names of namespaces, in which * stands for any letters');
  if (!namespaces) tell('namespaces', 'name the namespaces that it may write to');
  const kinds = list('kinds', kindPattern, 'kinds, such as Deployment, Deployment.apps, *.example.com or *');
  const deniedKinds = list(
    'denied-kinds',
    kindPattern,
    'kinds, such as Ingress, Ingress.networking.k8s.io or *.example.com',
  );
  const refersTo = list('refers-to', namespacePattern, 'names of namespaces, in which * stands for any letters');
  const serviceAccount = readServiceAccount(given.get('service-account'), tell);
  return {
    name: String(name),
    folder: readFolder(given.get('folder'), tell),
    namespaces: namespaces ?? [],
    ...(kinds ? { kinds } : {}),
    ...(deniedKinds ? { deniedKinds } : {}),
    ...(refersTo ? { refersTo } : {}),
    ...(serviceAccount ? { serviceAccount } : {}),
  };
}

function readFolder(written: unknown, tell: Tell): string {
  if (typeof written !== 'string' || written === '') {
    tell('folder', 'name a folder of the repository; "." is all of it');
    return '';
  }
  const parts = written.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) tell('folder', `"${written}" leads out of the repository`);
  if (parts.some((part) => part.includes('*')))
    tell('folder', `"${written}": each tenant has a folder of its own, without *`);
  return parts.join('/');
}

function readServiceAccount(written: unknown, tell: Tell): Tenant['serviceAccount'] {
  if (written === undefined) return undefined;
  const [namespace = '', name = '', ...more] = typeof written === 'string' ? written.split('/') : [];
  if (dnsName.test(namespace) && dnsName.test(name) && more.length === 0) return { namespace, name };
  tell('service-account', 'write NAMESPACE/NAME of a ServiceAccount');
  return undefined;
}

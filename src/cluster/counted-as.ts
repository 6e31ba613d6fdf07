import type { ApiRequest } from './api-request.ts';

/** What a request is counted as, e.g. `patch` of `canaries/status`; everything but objects is `other`. */
export function countedAs({ method, path }: Pick<ApiRequest, 'method' | 'path'>): { verb: string; resource: string } {
  const [plain = '', query = ''] = path.split('?', 2);
  const [root, ...segments] = plain.split('/').slice(1);
  const own = root === 'api' ? segments.slice(1) : root === 'apis' ? segments.slice(2) : [];
  const [plural, name, subresource] = own[0] === 'namespaces' && own.length > 2 ? own.slice(2) : own;
  const read = plural === undefined || name !== undefined ? 'get' : /(?:^|&)watch=1/.test(query) ? 'watch' : 'list';
  const verbs = { GET: read, POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' } as const;
  const place = subresource === undefined ? plural : `${plural}/${subresource}`;
  return { verb: verbs[method], resource: place ?? 'other' };
}

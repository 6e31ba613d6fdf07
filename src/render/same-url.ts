/** Whether two URLs name one repository, however it is reached: `git@host:a/b.git`, `ssh://git@host/a/b`, `https://host/a/b`. */
export function isSameRepositoryUrl(a: string, b: string): boolean {
  return plainUrl(a) === plainUrl(b);
}

function plainUrl(url: string): string {
  const short = /^(?:[\w.-]+@)?([\w.-]+):(?!\/\/)(.+)$/.exec(url.trim());
  const full =
    short && !url.includes('://') ? `${short[1] ?? ''}/${short[2] ?? ''}` : url.trim().replace(/^[a-z+]+:\/\//, '');
  const host = full
    .replace(/^[^@/]*@/, '')
    .replace(/\/+$/, '')
    .replace(/\.git$/, '');
  const [name = '', ...path] = host.split('/');
  return [name.toLowerCase().replace(/:(?:22|80|443)$/, ''), ...path.filter((part) => part !== '')].join('/');
}

/**
 * The images that a registry's webhook tells of, as `HOST/NAME`: of Docker Hub, GitHub (ghcr.io), Harbor, Quay, Gitea and Forgejo, the distribution
 * project and those that speak as it (GitLab, Zot), and `{"image": …}` or `{"images": […]}` of anybody else. Undefined: it is none of these. What is told is believed of
 * nobody: it only says where to look.
 */
export function imagesIn(payload: unknown): readonly string[] | undefined {
  const found = new Set<string>();
  const add = (image: unknown): void => {
    if (typeof image === 'string' && image !== '' && image.length <= maxLength && found.size < maxImages)
      found.add(image.replace(/^[a-z]+:\/\//, ''));
  };
  const generic = fieldOf(payload, 'image');
  add(generic);
  for (const image of listIn(payload, 'images')) add(image);
  // Docker Hub.
  const hub = fieldOf(fieldOf(payload, 'repository'), 'repo_name');
  if (typeof hub === 'string' && fieldOf(payload, 'push_data') !== undefined) add(`docker.io/${hub}`);
  // GitHub: events package and registry_package.
  for (const name of ['package', 'registry_package'])
    add(fieldOf(fieldOf(fieldOf(payload, name), 'package_version'), 'package_url'));
  // Gitea and Forgejo.
  add(giteaImage(fieldOf(payload, 'package')));
  // Harbor.
  for (const resource of listIn(fieldOf(payload, 'event_data'), 'resources')) add(fieldOf(resource, 'resource_url'));
  // Quay.
  add(fieldOf(payload, 'docker_url'));
  // Distribution: its host is the one that the push was sent to.
  for (const event of listIn(payload, 'events').slice(0, maxImages)) {
    const [host, repository] = [
      fieldOf(fieldOf(event, 'request'), 'host'),
      fieldOf(fieldOf(event, 'target'), 'repository'),
    ];
    if (fieldOf(event, 'action') === 'push' && typeof host === 'string' && typeof repository === 'string')
      add(`${host}/${repository}`);
  }
  return found.size > 0 || listIn(payload, 'events').length > 0 ? [...found] : undefined;
}

/** Their packages are of several types; the host is that of the page about one. */
function giteaImage(told: unknown): string | undefined {
  const [type, name, page] = ['type', 'name', 'html_url'].map((field) => fieldOf(told, field));
  const owner = fieldOf(fieldOf(told, 'owner'), 'login') ?? fieldOf(fieldOf(told, 'owner'), 'username');
  if (type !== 'container' || typeof name !== 'string' || typeof owner !== 'string') return undefined;
  if (typeof page !== 'string' || !URL.canParse(page)) return undefined;
  return `${new URL(page).host}/${owner}/${name}`.toLowerCase();
}

const maxImages = 50;
const maxLength = 640;

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

function listIn(value: unknown, name: string): readonly unknown[] {
  const list = fieldOf(value, name);
  return Array.isArray(list) ? (list as readonly unknown[]) : [];
}

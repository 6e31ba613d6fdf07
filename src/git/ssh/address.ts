import { AgentError } from '../../lib/errors.ts';

/** Where a repository is on an SSH server. */
export interface SshAddress {
  /** As it was written, without a password: safe to show. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** Undefined: the URL names nobody. */
  readonly username: string | undefined;
  /** As the server takes it: absolute, below the home folder (`~bob/x`), or relative to it. */
  readonly path: string;
}

const SCHEME = /^(?:git\+ssh|ssh\+git|ssh):\/\//i;
const DEFAULT_PORT = 22;

/** Whether a Git URL means SSH: `ssh://…`, or the short way `git@host:path`. */
export const isSshUrl = (text: string): boolean => SCHEME.test(text) || shortParts(text) !== undefined;

/** Reads `ssh://[user@]host[:port]/path` and `[user@]host:path` as git does. Throws CONFIG_INVALID, without a password. */
export function parseSshUrl(text: string): SshAddress {
  return SCHEME.test(text) ? parseLong(text) : parseShort(text);
}

function parseLong(text: string): SshAddress {
  if (!URL.canParse(text)) throw wrong('it cannot be read; write ssh://git@HOST/PATH.git');
  const { hostname, port, username, password, pathname } = new URL(text.replace(SCHEME, 'ssh://'));
  if (password !== '') throw wrong('SSH takes no password from it; name a key with --git-ssh-key-file');
  const path = decoded(pathname).replace(/\/+$/, '');
  return checked({
    url: text.replace(/\/+$/, ''),
    host: hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase(),
    port: port === '' ? DEFAULT_PORT : Number(port),
    username: username === '' ? undefined : decoded(username),
    path: path.startsWith('/~') ? path.slice(1) : path,
  });
}

function parseShort(text: string): SshAddress {
  const parts = shortParts(text);
  if (!parts) throw wrong('it cannot be read; write git@HOST:PATH.git');
  const { username, host, port, path } = parts;
  return checked({
    url: text.replace(/\/+$/, ''),
    host: host.toLowerCase(),
    port,
    username,
    path: path.replace(/\/+$/, '').replace(/^\/(?=~)/, ''),
  });
}

interface ShortParts {
  readonly username: string | undefined;
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** A colon before the first slash, after a host; a letter alone is a drive of Windows. */
function shortParts(text: string): ShortParts | undefined {
  if (text.includes('://')) return undefined;
  const at = text.slice(0, (text.indexOf('/') + 1 || text.length + 1) - 1).lastIndexOf('@');
  const username = at > 0 ? text.slice(0, at) : undefined;
  const rest = text.slice(at + 1);
  if (rest.startsWith('[')) {
    const end = rest.indexOf(']:');
    if (end < 0) return undefined;
    const inside = rest.slice(1, end);
    // `[host:port]:path` of git, and `[::1]:path`.
    const [, host, port] = /^([^:]+):(\d{1,5})$/.exec(inside) ?? [];
    const named = host === undefined ? { host: inside, port: DEFAULT_PORT } : { host, port: Number(port) };
    return { username, ...named, path: rest.slice(end + 2) };
  }
  const colon = rest.indexOf(':');
  const slash = rest.indexOf('/');
  if (colon < 2 || (slash >= 0 && slash < colon)) return undefined;
  return { username, host: rest.slice(0, colon), port: DEFAULT_PORT, path: rest.slice(colon + 1) };
}

function checked(address: SshAddress): SshAddress {
  const { host, port, username = '', path } = address;
  // oxlint-disable-next-line no-control-regex
  if (!/^[a-z0-9_.:-]+$/i.test(host) || host.startsWith('-')) throw wrong('its host cannot be read');
  if (port < 1 || port > 65_535) throw wrong('its port is none');
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u0020\u007f:]/.test(username))
    throw wrong('its user name cannot be read; SSH takes no password from it');
  if (path === '' || path === '/') throw wrong('it names no repository behind the host');
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f]/.test(path) || path.startsWith('-'))
    throw wrong('its path cannot be the one of a repository');
  return address;
}

const wrong = (what: string): AgentError => new AgentError('CONFIG_INVALID', `the Git URL for SSH: ${what}`);

/** A percent sign that stands for itself is left alone. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** `host`, or `[host]:port` where the port is not SSH's own: as known_hosts spells it. */
export const hostName = ({ host, port }: Pick<SshAddress, 'host' | 'port'>): string =>
  port === DEFAULT_PORT ? host : `[${host}]:${port}`;

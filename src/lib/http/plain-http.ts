import { isIP } from 'node:net';

/** Whether what is sent to this URL can be read on its way: it is no https, and leads off this machine. */
export function isReadable(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'http:') return false;
  const isLoopback = isIP(hostname) === 4 ? hostname.startsWith('127.') : ['localhost', '[::1]'].includes(hostname);
  return !isLoopback;
}

/** What may be told of a URL: credentials, path and query are secrets, as of a Slack webhook. */
export function shownOrigin(url: string): string {
  if (!URL.canParse(url)) return '(no URL)';
  const { origin, host, protocol, pathname, search } = new URL(url);
  const shown = origin === 'null' ? `${protocol}//${host}` : origin;
  return pathname.length > 1 || search !== '' ? `${shown}/...` : shown;
}

/** What an operator decides of the dashboard, as plain data that a thread can be given. */
export interface UiSettings {
  /** 0 for any. */
  readonly port: number;
  /** The address that is listened on. Undefined: all. */
  readonly host: string | undefined;
  /** The address that browsers know, without a slash at its end: `https://deploy.example.com/serin`. Undefined: the one that they ask by. */
  readonly url: string | undefined;
  /** Names that it is asked by, in small letters and without a port, beside that of `url`, addresses of loopback and `localhost`. */
  readonly hosts: readonly string[];
  /** What may be done without signing in, in all namespaces. */
  readonly anonymous: 'none' | 'read' | 'operate';
  /** The file with tokens and their rights. Undefined: there are none. */
  readonly tokenFile: string | undefined;
  /** The Kubernetes API server says whose a token is and what he may do. */
  readonly kubernetes: boolean;
  /** Undefined: nobody signs in by OpenID Connect. */
  readonly oidc: OidcSettings | undefined;
}

export interface OidcSettings {
  /** As the provider names itself: `https://accounts.example.com`. */
  readonly issuer: string;
  readonly clientId: string;
  /** Undefined: a public client. */
  readonly clientSecretFile: string | undefined;
  readonly scopes: readonly string[];
  /** Claim with the person's name. */
  readonly nameClaim: string;
  /** Claim with the person's groups. */
  readonly groupsClaim: string;
  /** Which group may do what. Undefined: whoever can sign in may read. */
  readonly rightsFile: string | undefined;
  /** PEM of certificate authorities beside those that Node trusts. Undefined: none. */
  readonly caFile: string | undefined;
}

/** Below which path browsers see it: empty, or `/serin`. */
export const prefixOf = ({ url }: Pick<UiSettings, 'url'>): string =>
  url === undefined ? '' : new URL(url).pathname.replace(/\/$/, '');

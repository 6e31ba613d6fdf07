import type { AlertSeverity } from '../canary/types.ts';
import type { About } from '../lib/about.ts';
import type { HttpRequest } from '../lib/http/http.ts';

/** One line of an alert's details; their order is part of the message. */
export interface AlertField {
  readonly name: string;
  readonly value: string;
}

/** What is to be told. */
export interface Alert {
  /** Of the Canary. */
  readonly namespace: string;
  readonly name: string;
  readonly severity: AlertSeverity;
  readonly message: string;
  readonly fields: readonly AlertField[];
}

/** Where it is told, and as whom. */
export interface Channel {
  /** URL of the receiver. It is a secret: whoever knows it can write there. */
  readonly address: string;
  /** Bearer token, or the key that the receiver knows us by. Absent: none is sent. */
  readonly token?: string;
  /** By which a `webhook` is signed. Absent: it is not. */
  readonly signingKey?: string;
  readonly channel: string;
  readonly username: string;
}

/**
 * A way to tell people of alerts.
 *
 * How to add one: write its file, add its line to `registry.ts` and its name to the enum of `manifests/crds/alertproviders.flagger.app.yaml`.
 * `test/providers/notifiers.test.ts` holds every notifier against the same rules; `npx vitest run test/arch --update` writes its line of the README.
 */
export interface Notifier {
  /** As in `spec.type` of an AlertProvider. */
  readonly name: string;
  /** What people call it, and where its own documentation is. */
  readonly about: About;
  /** Nobody there takes a message without a token, so a Secret has to have one. Absent: not needed. */
  readonly needsToken?: boolean;
  /** The whole message as one request. Any 2xx is success. Throws nothing; the address has been checked to be an http(s) URL. */
  request(alert: Alert, channel: Channel): Pick<HttpRequest, 'url' | 'headers' | 'body'>;
}

/** `<name>.<namespace>`, as Flagger signs its messages. */
export function subjectOf({ name, namespace }: Pick<Alert, 'name' | 'namespace'>): string {
  return `${name}.${namespace}`;
}

/** The headers that every notifier sends. */
export function jsonHeaders(token: string | undefined): Record<string, string> {
  return { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
}

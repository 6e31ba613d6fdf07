import type { AlertSeverity } from '../canary/types.ts';
import type { About } from '../lib/about.ts';
import type { HttpRequest, HttpResponse } from '../lib/http/http.ts';
import type { Mail, MailServer } from '../lib/mail.ts';

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
  /** What was told of the same release before, in its order. Only in a message that holds all of it. Absent: nothing. */
  readonly before?: readonly Pick<Alert, 'severity' | 'message'>[];
}

/** One request that carries a message. */
export type Sent = Pick<HttpRequest, 'url' | 'headers' | 'body'> & Partial<Pick<HttpRequest, 'method'>>;

/** A channel that lets its messages be changed. Throws nothing, as `request`. */
interface InPlace {
  /** Whether it does at this address, with this token. */
  holds(channel: Channel): boolean;
  /** The name of a message that was taken; undefined where the answer tells none, so it stays as it is. */
  nameOf(response: HttpResponse): string | undefined;
  /** Changes the message of this name. */
  update(alert: Alert, channel: Channel, name: string): Sent;
  /** A message beside the one of this name, which people hear of: changes are silent. */
  beside(alert: Alert, channel: Channel, name: string): Sent;
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
  /** Of who signs in. Absent: nobody does. */
  readonly login?: { readonly user: string; readonly password: string };
}

/**
 * A way to tell people of alerts.
 *
 * How to add one: write its file, add its line to `registry.ts` and its name to the enum of `manifests/crds/alertproviders.flagger.app.yaml`.
 * `test/providers/notifiers.test.ts` holds every notifier against the same rules; `npx vitest run test/arch --update` writes its line of the README.
 */
interface AnyNotifier {
  /** As in `spec.type` of an AlertProvider. */
  readonly name: string;
  /** What people call it, and where its own documentation is. */
  readonly about: About;
  /** Nobody there takes a message without a token, so a Secret has to have one. Absent: not needed. */
  readonly needsToken?: boolean;
  /** Of addresses. Absent: http and https. */
  readonly schemes?: readonly string[];
  /** What is wrong with a channel whose address is right: the field, and what to do. Absent: nothing can be. */
  problem?(channel: ChannelToCheck): readonly [field: string, message: string] | undefined;
}

/** A channel as far as it is known without its Secret. */
export interface ChannelToCheck {
  readonly channel: string;
  readonly username: string;
  readonly proxy?: string;
  /** As the address asks for. Absent: it says nothing of it. */
  readonly tls?: string;
  /** Somebody signs in. */
  readonly login: boolean;
}

/** By mail. */
export interface MailNotifier extends AnyNotifier {
  /** The whole message, and who takes it. Throws nothing. */
  mail(alert: Alert, channel: Channel): { readonly server: MailServer; readonly mail: Mail };
}

/** By HTTP. */
export interface HttpNotifier extends AnyNotifier {
  /** The whole message as one request, a POST. Any 2xx is success. Throws nothing; the address has been checked to be an http(s) URL. */
  request(alert: Alert, channel: Channel): Sent;
  /** What an answer with 2xx refuses all the same, in words that are known beforehand; `passes`: it may be taken later. Undefined: nothing. */
  refusal?(response: HttpResponse, channel: Channel): { readonly reason: string; readonly passes: boolean } | undefined;
  /** Absent: each alert is a message of its own. */
  readonly inPlace?: InPlace;
}

export type Notifier = HttpNotifier | MailNotifier;

/** All that was told of a release: what is bad first, the newest of it first. */
export function wholeStory({ severity, message, before = [] }: Alert): readonly Pick<Alert, 'severity' | 'message'>[] {
  const newestFirst = [{ severity, message }, ...before.toReversed()];
  return newestFirst.toSorted((a, b) => badness[b.severity] - badness[a.severity]);
}
const badness = { info: 0, warn: 0, error: 1 } as const;

/** `<name>.<namespace>`, as Flagger signs its messages. */
export function subjectOf({ name, namespace }: Pick<Alert, 'name' | 'namespace'>): string {
  return `${name}.${namespace}`;
}

/** The headers that every notifier sends. */
export function jsonHeaders(token: string | undefined): Record<string, string> {
  return { 'content-type': 'application/json', ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
}

declare const brand: unique symbol;

/**
 * Names an app: namespace and name of its Canary. The only place that makes such keys, takes them apart and shows them; as text it is
 * `NAMESPACE/NAME`, which annotations, ledgers and logs have.
 */
export type AppKey = string & { readonly [brand]: 'AppKey' };

/** What has a name in a namespace: an app, or the metadata of its Canary. */
export interface Named {
  /** Undefined: the empty string, which no app has. */
  readonly namespace?: string | undefined;
  readonly name: string;
}

export const keyOf = (named: Named): AppKey => namespacedName(named) as AppKey;

export function partsOf(key: AppKey): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf('/');
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** A key that others wrote, as into an annotation or a file's name. Undefined: it is none. */
export function readKey(text: string): AppKey | undefined {
  const [namespace = '', name = '', ...more] = text.split('/');
  return namespace === '' || name === '' || more.length > 0 ? undefined : keyOf({ namespace, name });
}

/** As Flagger's texts have it: `NAME.NAMESPACE`. */
export const shownKey = (key: AppKey): string => {
  const { namespace, name } = partsOf(key);
  return `${name}.${namespace}`;
};

/** `NAMESPACE/NAME` of any object, for people and for maps. An app's is an `AppKey`. */
export const namespacedName = ({ namespace = '', name }: Named): string => `${namespace}/${name}`;

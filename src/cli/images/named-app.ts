import { containerNames, type FoundApp, type FoundContainer } from '../../agent/images/found.ts';
import { AgentError } from '../../lib/errors.ts';
import { keyOf } from '../../lib/key.ts';
import { nearest } from '../../lib/nearest.ts';

/** `test/podinfo`: the Canary's, else the workload's own. */
export const nameOfApp = ({ id }: FoundApp): string => keyOf(id);

/** `deployment/test/podinfo`: where two have one name. */
function wholeNameOf({ manifest: { object }, id }: FoundApp): string {
  const { namespace = id.namespace, name } = object.metadata;
  return `${object.kind.toLowerCase()}/${namespace}/${name}`;
}

const mostShown = 12;

/** The app that a person means. Throws CONFIG_INVALID where it is none, or several. */
export function namedApp(apps: readonly FoundApp[], word: string, branch: string): FoundApp {
  const lower = word.toLowerCase();
  const names = (app: FoundApp): readonly string[] => [
    nameOfApp(app),
    wholeNameOf(app),
    wholeNameOf(app).replace(/^[^/]+\//, ''),
    ...app.canaries.map(keyOf),
  ];
  const exact = apps.filter((app) => names(app).includes(lower));
  const found =
    exact.length > 0 || lower.includes('/')
      ? exact
      : apps.filter((app) => names(app).some((name) => name.endsWith(`/${lower}`)));
  // A Canary goes before a workload that only has its name.
  const first = found.filter(({ canaries }) => canaries.length > 0);
  const [app, ...more] = first.length === 1 ? first : found;
  if (app && more.length === 0) return app;
  if (app)
    throw usage(`${word} may be each of these, name one: ${[app, ...more].map(wholeNameOf).toSorted().join(', ')}`);
  const all = [...new Set(apps.map(nameOfApp))].toSorted();
  const meant =
    nearest(lower, all) ??
    all.find(
      (name) => name.slice(name.indexOf('/') + 1) === nearest(lower.slice(lower.indexOf('/') + 1), all.map(shortOf)),
    );
  throw usage(
    `there is no app ${word} on ${branch}${
      meant === undefined
        ? all.length === 0
          ? ': nothing there has images'
          : `: it has ${all.slice(0, mostShown).join(', ')}${all.length > mostShown ? ' and others' : ''}`
        : `; did you mean ${meant}?`
    }`,
  );
}

const shortOf = (name: string): string => name.slice(name.indexOf('/') + 1);

/** The container that a person means. Throws CONFIG_INVALID where there is none of that name. */
export function namedContainer(app: FoundApp, word: string): FoundContainer {
  const found = app.containers.filter(({ place }) => place.container === word);
  const [container] = found;
  if (container && found.length === 1) return container;
  if (container) throw usage(`${nameOfApp(app)} has several containers ${word}`);
  const names = containerNames(app);
  const meant = nearest(word, names);
  throw usage(
    `${nameOfApp(app)} has no container ${word}${
      meant === undefined ? `: it has ${names.join(', ')}` : `; did you mean ${meant}?`
    }`,
  );
}

const usage = (message: string): AgentError => new AgentError('CONFIG_INVALID', message);

import { expect, it } from 'vitest';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/lib/log.ts';
import { startHookServer } from '../../src/server/hook-server.ts';
import { startRegistryDouble } from '../helpers/registry-double.ts';
import { deploymentYaml, namespaceYaml } from './apps.ts';
import { onStage, onceMore } from './stage.ts';

/** What each registry posts when `org/app` has a new tag, as its documentation shows it, and under which name the image is in Git. */
const hooks: Readonly<Record<string, { readonly image: string; readonly payload: object }>> = {
  'docker-hub': {
    image: 'org/app',
    payload: {
      callback_url: 'https://registry.hub.docker.com/u/org/app/hook/2141b5bi5i5b02bec211i4eeih0242eg11000a/',
      push_data: { pushed_at: 1417566161, pusher: 'ana', tag: '1.1.0' },
      repository: { name: 'app', namespace: 'org', owner: 'org', repo_name: 'org/app', status: 'Active' },
    },
  },
  ghcr: {
    image: 'ghcr.io/org/ghcr-app',
    payload: {
      action: 'published',
      registry_package: {
        name: 'ghcr-app',
        namespace: 'org',
        package_type: 'CONTAINER',
        package_version: { version: 'sha256:1', package_url: 'ghcr.io/org/ghcr-app:1.1.0' },
      },
    },
  },
  harbor: {
    image: 'harbor.example.org/org/harbor-app',
    payload: {
      type: 'PUSH_ARTIFACT',
      occur_at: 1586922308,
      operator: 'ana',
      event_data: {
        resources: [{ digest: 'sha256:1', tag: '1.1.0', resource_url: 'harbor.example.org/org/harbor-app:1.1.0' }],
        repository: { name: 'harbor-app', namespace: 'org', repo_full_name: 'org/harbor-app' },
      },
    },
  },
  quay: {
    image: 'quay.io/org/quay-app',
    payload: {
      name: 'quay-app',
      repository: 'org/quay-app',
      namespace: 'org',
      docker_url: 'quay.io/org/quay-app',
      homepage: 'https://quay.io/repository/org/quay-app',
      updated_tags: ['1.1.0'],
    },
  },
  gitea: {
    image: 'gitea.example.org/org/gitea-app',
    payload: {
      action: 'created',
      package: {
        owner: { login: 'org' },
        type: 'container',
        name: 'gitea-app',
        version: '1.1.0',
        html_url: 'https://gitea.example.org/org/-/packages/container/gitea-app/1.1.0',
      },
    },
  },
  gitlab: {
    image: 'registry.gitlab.example.org/org/gitlab-app',
    payload: {
      events: [
        {
          action: 'push',
          target: { repository: 'org/gitlab-app', tag: '1.1.0' },
          request: { host: 'registry.gitlab.example.org', method: 'PUT' },
        },
      ],
    },
  },
  generic: { image: 'r.example.org/org/any-app', payload: { image: 'r.example.org/org/any-app:1.1.0' } },
};

it('a webhook of each registry makes a commit on the branch of its new tag in less than two seconds', {
  ...onceMore,
}, async () => {
  const double = await startRegistryDouble();
  const repositoryOf = (image: string): string => image.replace(/^[^/]*\.[^/]*\//, '');
  for (const { image } of Object.values(hooks)) await double.push(repositoryOf(image), '1.0.0');
  const app = (name: string, image: string): string =>
    deploymentYaml({ name, tag: '1.0.0' })
      .replace('registry.test/podinfo', image)
      .replace(
        `  labels: { app: ${name} }\n`,
        `  labels: { app: ${name} }\n  annotations: { fluxcd.io/automated: "true", fluxcd.io/tag.podinfod: "semver:^1" }\n`,
      )
      .replace(/ {10}envFrom:[\s\S]*$/, '');
  const files = {
    'apps/all.yaml': [namespaceYaml(), ...Object.entries(hooks).map(([name, { image }]) => app(name, image))].join(
      '---\n',
    ),
  };
  const hosts = ['docker.io', ...Object.values(hooks).map(({ image }) => image.split('/')[0] ?? '')];
  const flags = { 'registry-plain-http': hosts.filter((host) => host.includes('.')).join(','), 'image-interval': '1h' };
  try {
    await onStage({ files, flags, hosts: [], clock: systemClock, registryProxy: double.url }, async (stage) => {
      const server = await startHookServer({
        port: 0,
        host: '127.0.0.1',
        tokens: () => Promise.resolve(['word-of-the-test']),
        look: (image) => stage.agent.imagePushed(image),
        log: createLogger('error', () => undefined),
      });
      try {
        const count = Object.keys(hooks).length;
        await stage.until(
          'first lists',
          async () =>
            [...(await stage.agent.metrics()).matchAll(/^serin_image_list_timestamp_seconds\{.*\} [1-9]/gm)].length ===
            count,
        );
        // One that was asked just now is not asked again at once.
        await stage.restsFor(2_000);
        const tookMs: number[] = [];
        for (const [name, { image, payload }] of Object.entries(hooks)) {
          await double.push(repositoryOf(image), '1.1.0');
          const beganMs = performance.now();
          const answer = await fetch(`http://127.0.0.1:${server.port}/hook/images/word-of-the-test`, {
            method: 'POST',
            body: JSON.stringify(payload),
          });
          expect(answer.status).toBe(202);
          await stage.untilPushed(`an upgrade of ${name}`, async () =>
            (await stage.run('log', '-1', '--format=%s', 'main')).startsWith(`upgrade test/${name} 1.0.0 -> 1.1.0`),
          );
          tookMs.push(Math.round(performance.now() - beganMs));
        }
        // What else uses the machine may hold up one of them.
        expect(tookMs.sort((a, b) => a - b)[Math.floor(count / 2)], `in ms: ${tookMs.join(', ')}`).toBeLessThan(2_000);
      } finally {
        await server.close();
      }
    });
  } finally {
    await double.close();
  }
});

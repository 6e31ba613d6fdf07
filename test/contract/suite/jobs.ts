import { describe, expect, test } from 'vitest';
import type { Json } from '../cluster-api.ts';
import type { Given, Output } from '../cluster-under-test.ts';

const busybox = 'registry.test:5000/busybox:1.35';

function job(name: string, script: string, spec: Json = {}, restartPolicy = 'Never'): Json {
  const containers = [{ name: 'app', image: busybox, command: ['sh', '-c', script] }];
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name },
    spec: { template: { spec: { restartPolicy, terminationGracePeriodSeconds: 1, containers } }, ...spec },
  };
}

const conditionsOf = (body: Json): readonly Json[] => (body['status'] as { conditions: Json[] }).conditions;

export function jobs(given: Given): void {
  const path = (namespace: string, name = ''): string =>
    `/apis/batch/v1/namespaces/${namespace}/jobs${name === '' ? '' : `/${name}`}`;
  const kubectl = async (...args: string[]): Promise<string> => {
    const output: Output = await given().kubectl(args);
    expect(output, output.stderr).toMatchObject({ code: 0 });
    return output.stdout;
  };
  const create = (namespace: string, object: Json) => given().api.call('POST', path(namespace), object);

  test('have their defaults, and labels by which their pods are found', () =>
    given().inNamespace(async (ns) => {
      const { status, body } = await create(ns, job('a', 'exit 0', { suspend: true }));
      expect(status).toBe(201);
      const labels = {
        'batch.kubernetes.io/controller-uid': body.metadata.uid,
        'batch.kubernetes.io/job-name': 'a',
        'controller-uid': body.metadata.uid,
        'job-name': 'a',
      };
      expect(body.metadata.labels).toEqual(labels);
      expect(body.spec).toMatchObject({
        template: { metadata: { labels } },
        backoffLimit: 6,
        completionMode: 'NonIndexed',
        completions: 1,
        manualSelector: false,
        parallelism: 1,
        podReplacementPolicy: 'TerminatingOrFailed',
        selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': body.metadata.uid } },
      });
    }));

  test('are refused where their pods do not end, and keep their template', () =>
    given().inNamespace(async (ns) => {
      const wrong = await create(ns, job('a', 'exit 0', {}, 'Always'));
      expect(wrong.status).toBe(422);
      expect(wrong.body.message).toContain(
        'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
      );
      await create(ns, job('a', 'exit 0', { suspend: true }));
      const patch = { spec: { template: { spec: { restartPolicy: 'OnFailure' } } } };
      const changed = await given().kubectl(['-n', ns, 'patch', 'job', 'a', '-p', JSON.stringify(patch)]);
      expect(changed.code).not.toBe(0);
      expect(changed.stderr).toContain('field is immutable');
    }));

  describe('run', () => {
    test('until as many pods as asked for have ended well', () =>
      given().inNamespace(async (ns) => {
        await create(ns, job('two', 'echo done', { completions: 2, parallelism: 2 }));
        await kubectl('-n', ns, 'wait', '--for=condition=Complete', 'job/two', '--timeout=90s');
        const { body } = await given().api.call('GET', path(ns, 'two'));
        expect(body.status).toMatchObject({ succeeded: 2, ready: 0, uncountedTerminatedPods: {} });
        expect(body.status.completionTime).toMatch(/Z$/);
        expect(body.status.active).toBeUndefined();
        expect(conditionsOf(body).map(({ type, reason }: Json) => [type, reason])).toEqual([
          ['SuccessCriteriaMet', 'CompletionsReached'],
          ['Complete', 'CompletionsReached'],
        ]);
        expect(await kubectl('-n', ns, 'logs', 'job/two')).toBe('done\n');
        expect(await kubectl('-n', ns, 'get', 'job')).toMatch(
          /^NAME +STATUS +COMPLETIONS +DURATION +AGE\ntwo +Complete +2\/2 +\S+ +\S+\n$/,
        );
        expect(await kubectl('-n', ns, 'get', 'events', '--field-selector=involvedObject.kind=Job')).toMatch(
          /SuccessfulCreate +job\/two +Created pod: two-\w{5}\n[^]*Completed +job\/two +Job completed/,
        );
      }));

    test('until they have failed too often', () =>
      given().inNamespace(async (ns) => {
        await create(ns, job('bad', 'exit 3', { backoffLimit: 0 }));
        await kubectl('-n', ns, 'wait', '--for=condition=Failed', 'job/bad', '--timeout=90s');
        const { body } = await given().api.call('GET', path(ns, 'bad'));
        expect(body.status.failed).toBe(1);
        expect(conditionsOf(body).at(-1)).toMatchObject({
          type: 'Failed',
          reason: 'BackoffLimitExceeded',
          message: 'Job has reached the specified backoff limit',
        });
        expect(await kubectl('-n', ns, 'get', 'job', 'bad')).toMatch(/bad +Failed +0\/1/);
      }));

    test('no longer than their deadline, and go when they are told to', () =>
      given().inNamespace(async (ns) => {
        await create(ns, job('late', 'sleep 600', { activeDeadlineSeconds: 2 }));
        await create(ns, job('short', 'exit 0', { ttlSecondsAfterFinished: 0 }));
        await kubectl('-n', ns, 'wait', '--for=condition=Failed', 'job/late', '--timeout=90s');
        const { body } = await given().api.call('GET', path(ns, 'late'));
        expect(conditionsOf(body).at(-1)).toMatchObject({ type: 'Failed', reason: 'DeadlineExceeded' });
        await kubectl('-n', ns, 'wait', '--for=delete', 'job/short', '--timeout=90s');
      }));
  });

  test('are made by kubectl, also of a CronJob, which keeps them as its own', () =>
    given().inNamespace(async (ns) => {
      await kubectl('-n', ns, 'create', 'job', 'once', `--image=${busybox}`, '--', 'sh', '-c', 'echo once');
      const script = ['--', 'sh', '-c', 'echo now'];
      await kubectl('-n', ns, 'create', 'cronjob', 'often', `--image=${busybox}`, '--schedule=0 0 1 1 *', ...script);
      expect(await kubectl('-n', ns, 'get', 'cronjob')).toMatch(
        /^NAME +SCHEDULE +TIMEZONE +SUSPEND +ACTIVE +LAST SCHEDULE +AGE\noften +0 0 1 1 \* +<none> +False +0 +<none> +\S+\n$/,
      );
      await kubectl('-n', ns, 'create', 'job', 'now', '--from=cronjob/often');
      await kubectl('-n', ns, 'wait', '--for=condition=Complete', 'job/once', 'job/now', '--timeout=90s');
      expect(await kubectl('-n', ns, 'logs', 'job/now')).toBe('now\n');
      const { body } = await given().api.call('GET', path(ns, 'now'));
      expect(body.metadata.ownerReferences).toMatchObject([{ kind: 'CronJob', name: 'often', controller: true }]);
      const never = await given().api.call('POST', `/apis/batch/v1/namespaces/${ns}/cronjobs`, {
        metadata: { name: 'never' },
        spec: { schedule: 'soon', jobTemplate: { spec: job('a', 'exit 0').spec } },
      });
      expect(never.status).toBe(422);
      expect(never.body.message).toContain('spec.schedule: Invalid value: "soon"');
    }));
}

import { describe, expect, it } from 'vitest';
import { cloudwatch } from '../../src/metrics/cloudwatch.ts';
import { datadog } from '../../src/metrics/datadog.ts';
import { dynatrace } from '../../src/metrics/dynatrace.ts';
import { externalmetrics } from '../../src/metrics/externalmetrics.ts';
import { graphite } from '../../src/metrics/graphite.ts';
import { influxdb } from '../../src/metrics/influxdb.ts';
import { keptn } from '../../src/metrics/keptn.ts';
import { newrelic } from '../../src/metrics/newrelic.ts';
import { opensearch } from '../../src/metrics/opensearch.ts';
import { prometheus } from '../../src/metrics/prometheus.ts';
import type { Reading, SeriesReading } from '../../src/metrics/provider.ts';
import { metricProviders } from '../../src/metrics/registry.ts';
import { splunk } from '../../src/metrics/splunk.ts';
import { stackdriver } from '../../src/metrics/stackdriver.ts';
import { web } from '../../src/metrics/web.ts';
import {
  describeMetricProvider,
  type ProviderCase,
  readingOf,
  requestOf,
} from '../conformance/describe-metric-provider.ts';

const value = (number: number) => ({ kind: 'value', value: number }) as const;
const nothing = { kind: 'no-data', cause: 'noSeries' } as const;
const several: Partial<Reading> = {
  kind: 'refused',
  passing: false,
  reason: expect.stringContaining('multiple values') as unknown as string,
};
const noNumber = { kind: 'refused', passing: false, reason: 'the result is no number' } as const;

const basic = `Basic ${Buffer.from('ann:pass-word').toString('base64')}`;

/** As InfluxDB writes records: annotations, names, rows. */
const csv = (...rows: readonly string[]): string =>
  [
    '#datatype,string,long,dateTime:RFC3339,double,string',
    '#group,false,false,false,false,true',
    '#default,_result,,,,',
    ',result,table,_time,_value,app',
    ...rows.map((row) => `,,${row}`),
    '',
  ].join('\r\n');

/** As CloudWatch answers, with the values of each series, newest first. */
const xml = (...series: readonly (readonly [id: string, values: readonly (number | string)[], status?: string])[]) =>
  [
    '<GetMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><GetMetricDataResult><Messages/><MetricDataResults>',
    ...series.map(([id, values, status = 'Complete']) => {
      const members = (all: readonly unknown[]): string => all.map((one) => `<member>${String(one)}</member>`).join('');
      const times = members(values.map(() => '2001-09-09T01:46:00Z'));
      return `<member><Id>${id}</Id><Label>a &lt;label&gt;</Label><Timestamps>${times}</Timestamps><Values>${members(values)}</Values><StatusCode>${status}</StatusCode></member>`;
    }),
    '</MetricDataResults></GetMetricDataResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetMetricDataResponse>',
  ].join('\n');

/** As SignalFlow answers over HTTP: server-sent events, the newest values last. */
const events = (...told: readonly (readonly [event: string, data: unknown])[]): string =>
  [['control-message', { event: 'STREAM_START' }] as const, ...told]
    .map(([event, data]) => {
      const lines = JSON.stringify(data, null, 1)
        .split('\n')
        .map((line) => `data: ${line}`);
      return [`event: ${event}`, ...lines, ''].join('\n');
    })
    .join('\n');
const point = (...data: readonly (readonly [tsId: string, value: unknown])[]) =>
  ['data', { data: data.map(([tsId, value]) => ({ tsId, value })), logicalTimestampMs: 1e12 }] as const;
const ended = ['control-message', { event: 'END_OF_CHANNEL' }] as const;

const monitored = (...values: readonly unknown[]) => ({
  timeSeriesDescriptor: { pointDescriptors: [{ key: 'value', valueType: 'DOUBLE', metricKind: 'GAUGE' }] },
  timeSeriesData: values.map((value) => ({ labelValues: [], pointData: [{ values: [value], timeInterval: {} }] })),
});
const external = (...values: readonly unknown[]) => ({
  kind: 'ExternalMetricValueList',
  apiVersion: 'external.metrics.k8s.io/v1beta1',
  metadata: {},
  items: values.map((value) => ({ metricName: 'queue', metricLabels: { app: 'shop' }, timestamp: null, value })),
});

const cases: readonly ProviderCase[] = [
  {
    title: 'cloudwatch [PV10] [PV11]',
    provider: cloudwatch,
    more: { region: 'eu-west-1' },
    contentType: 'text/xml',
    probe: { asks: 'POST /', answer: xml() },
    query: JSON.stringify([
      { Id: 'e1', Expression: 'm1 / 2', Label: 'rate' },
      {
        id: 'm1',
        MetricStat: {
          Metric: { Namespace: 'shop', MetricName: 'errors', Dimensions: [{ Name: 'app', Value: 'a b' }] },
          Period: 60,
          Stat: 'Sum',
        },
        ReturnData: false,
        Unknown: 1,
      },
    ]),
    credentials: {
      aws_access_key_id: 'AKIDEXAMPLE',
      aws_secret_access_key: 'secret-key',
      aws_session_token: 'sess-ion',
    },
    asks: 'POST /',
    body: [
      'Action=GetMetricData&Version=2010-08-01&StartTime=2001-09-09T01%3A36%3A40Z&EndTime=2001-09-09T01%3A46%3A40Z&MaxDatapoints=20',
      'MetricDataQueries.member.1.Id=e1&MetricDataQueries.member.1.Expression=m1+%2F+2&MetricDataQueries.member.1.Label=rate',
      'MetricDataQueries.member.2.Id=m1&MetricDataQueries.member.2.MetricStat.Metric.Namespace=shop',
      'MetricDataQueries.member.2.MetricStat.Metric.MetricName=errors',
      'MetricDataQueries.member.2.MetricStat.Metric.Dimensions.member.1.Name=app',
      'MetricDataQueries.member.2.MetricStat.Metric.Dimensions.member.1.Value=a+b',
      'MetricDataQueries.member.2.MetricStat.Period=60&MetricDataQueries.member.2.MetricStat.Stat=Sum',
      'MetricDataQueries.member.2.ReturnData=false',
    ].join('&'),
    headers: { 'x-amz-date': '20010909T014640Z', 'x-amz-security-token': 'sess-ion' },
    answers: [
      ['the newest value [PV12]', xml(['e1', [1.5, 9]]), value(1.5)],
      ['the series of the first query among those of its steps', xml(['m1', [7]], ['e1', [2]]), value(2)],
      ['a series under a name that is not asked for', xml(['other', [3]]), value(3)],
      ['an exponent', xml(['e1', ['1.2E-4']]), value(0.00012)],
      ['no series', xml(), nothing],
      ['a series without values', xml(['e1', []]), nothing],
      ['lists that are empty', xml().replace(/<MetricDataResults>.*/s, '<MetricDataResults/>'), nothing],
      ['two series of one search', xml(['e1', [1]], ['e1', [2]]), several],
      ['a series that may not be read', xml(['e1', [], 'Forbidden']), { kind: 'refused', passing: false }],
      ['a series that failed within', xml(['e1', [], 'InternalError']), { kind: 'refused', passing: true }],
      ['a word', xml(['e1', ['topsecret']]), noNumber],
    ],
  },
  {
    title: 'stackdriver [PV19] [PV20] [PV21]',
    provider: stackdriver,
    io: { clouds: { google: async () => 'ya29.token', aws: () => Promise.reject(new Error('not asked')) } },
    probe: { asks: 'POST /v3/projects/our-project/timeSeries:query', answer: {} },
    query: 'fetch k8s_container\n| within 1m\n',
    credentials: { project: 'our-project\n', serviceAccountKey: '{"private_key":"k"}' },
    asks: 'POST /v3/projects/our-project/timeSeries:query',
    body: '{"query":"fetch k8s_container\\n| within 1m"}',
    headers: { authorization: 'Bearer ya29.token', 'content-type': 'application/json' },
    answers: [
      ['a double', monitored({ doubleValue: 0.5 }), value(0.5)],
      ['a whole number, which Flagger takes for 0', monitored({ int64Value: '12' }), value(12)],
      ['no series', monitored(), nothing],
      ['nothing at all', {}, nothing],
      ['a series without points', { timeSeriesData: [{ pointData: [] }] }, nothing],
      ['a point without values', { timeSeriesData: [{ pointData: [{ values: [] }] }] }, nothing],
      ['two series', monitored({ doubleValue: 1 }, { doubleValue: 2 }), several],
      ['a distribution', monitored({ distributionValue: { count: '1' } }), noNumber],
      ['a word', monitored({ stringValue: 'topsecret' }), noNumber],
    ],
  },
  {
    title: 'splunk [PV33] [PV34]',
    provider: splunk,
    contentType: 'text/event-stream;charset=utf-8',
    probe: { asks: 'GET /v2/metric?limit=1', answer: { results: [] } },
    query: "data('errors').sum().publish()\n",
    credentials: { sf_token_key: 'sf-token\n' },
    asks: 'POST /v2/signalflow/execute?start=999999400000&stop=1000000000000&immediate=true',
    body: "data('errors').sum().publish()",
    headers: { 'x-sf-token': 'sf-token' },
    answers: [
      ['the newest value', events(point(['A', 1]), point(['A', 2.5]), ended), value(2.5)],
      ['the newest that there is', events(point(['A', 4]), point(['A', null]), ended), value(4)],
      ['no values', events(ended), nothing],
      ['series that are silent', events(point(['A', null], ['B', null]), ended), nothing],
      ['two series', events(point(['A', 1], ['B', 2]), ended), several],
      ['two series, one after the other', events(point(['A', 1]), point(['B', 2]), ended), several],
      ['a program that is wrong', events(['error', { message: 'topsecret' }]), { kind: 'refused', passing: false }],
      [
        'a program that the server ended',
        events(point(['A', 1]), ['control-message', { event: 'CHANNEL_ABORT', abortInfo: 'topsecret' }]),
        { kind: 'refused', passing: true },
      ],
      ['NaN', events(point(['A', 'NaN']), ended), { kind: 'no-data', cause: 'noTraffic' }],
      ['a word', events(point(['A', 'topsecret']), ended), noNumber],
    ],
  },
  {
    title: 'externalmetrics [PV36] [PV38] [PV39]',
    provider: externalmetrics,
    probe: {
      asks: 'GET /apis/external.metrics.k8s.io/v1beta1/namespaces/kube-system/dummy-metric',
      answer: external(),
    },
    query: 'prod/queue|depth?labelSelector=app%3Dshop\n',
    credentials: { token: 'tok-en' },
    asks: 'GET /apis/external.metrics.k8s.io/v1beta1/namespaces/prod/queue%7Cdepth?labelSelector=app%3Dshop',
    headers: { authorization: 'Bearer tok-en' },
    answers: [
      ['a number', external('12'), value(12)],
      ['thousandths', external('1500m'), value(1.5)],
      ['binary thousands', external('2Ki'), value(2048)],
      ['no values', external(), nothing],
      ['two values', external('1', '2'), several],
      ['a word', external('topsecret'), noNumber],
      ['another list', { kind: 'Status', items: [] }, { kind: 'refused', passing: true }],
    ],
  },
  {
    title: 'opensearch, by SQL',
    provider: opensearch,
    probe: { asks: 'GET /', answer: { version: { distribution: 'opensearch' } } },
    query: 'SELECT avg(took) FROM access\n  WHERE app = "shop"\n',
    credentials: { username: 'ann', password: 'pass-word' },
    asks: 'POST /_plugins/_sql',
    headers: { authorization: basic },
    answers: [
      [
        'the one number',
        { schema: [{ name: 'avg(took)', type: 'double' }], datarows: [[12.5]], total: 1, size: 1, status: 200 },
        value(12.5),
      ],
      ['no rows', { schema: [], datarows: [], total: 0, size: 0, status: 200 }, nothing],
      ['an average of nothing', { datarows: [[null]] }, nothing],
      ['two rows', { datarows: [[1], [2]] }, several],
      ['two columns', { datarows: [[1, 'topsecret']] }, several],
      ['a word', { datarows: [['topsecret']] }, noNumber],
      ['rows that are none', { datarows: ['topsecret'] }, { kind: 'refused', passing: true }],
      ['what Elasticsearch answers', { columns: [], rows: [[1]] }, { kind: 'refused', passing: true }],
    ],
  },
  {
    title: 'opensearch, by PPL',
    provider: opensearch,
    probe: { asks: 'GET /', answer: { version: { distribution: 'opensearch' } } },
    query: 'source=access | where app="shop"\n| stats avg(took)',
    credentials: { token: 'tok-en' },
    asks: 'POST /_plugins/_ppl',
    headers: { authorization: 'Bearer tok-en' },
    answers: [['the one number', { datarows: [[0.5]] }, value(0.5)]],
  },
  {
    title: 'influxdb, by Flux [PV22] [PV23] [PV24]',
    provider: influxdb,
    contentType: 'text/csv; charset=utf-8',
    probe: { asks: 'GET /health', answer: { status: 'pass' } },
    query: 'from(bucket: "a") |> mean()\n',
    credentials: { token: 'tok-en', org: 'our org' },
    asks: 'POST /api/v2/query?org=our+org',
    headers: { authorization: 'Token tok-en' },
    answers: [
      ['the first record', csv('0,2026-01-01T00:00:00Z,1.5,shop', '0,2026-01-01T00:01:00Z,9,shop'), value(1.5)],
      ['words with commas and quotes', csv('0,"a ""b"", c",2.5,"x,y"'), value(2.5)],
      ['whole numbers', csv('0,2026-01-01T00:00:00Z,12,shop'), value(12)],
      ['no records, which Flagger takes for 0', '\r\n', nothing],
      ['a value that is null', csv('0,2026-01-01T00:00:00Z,,shop'), nothing],
      ['nothing divided by nothing', csv('0,x,NaN,shop'), { kind: 'no-data', cause: 'noTraffic' }],
      ['two tables', csv('0,x,1,shop', '1,x,2,cart'), several],
      [
        'a second yield that is empty',
        `${csv('0,x,1,shop')}\r\n#datatype,string\r\n,result,table,_time,_value,app\r\n`,
        value(1),
      ],
      ['a word', csv('0,x,many,shop'), noNumber],
      [
        'a failure after the beginning',
        'error,reference\r\n"topsecret, no memory",897\r\n',
        { kind: 'refused', passing: false },
      ],
    ],
  },
  {
    title: 'influxdb, by InfluxQL',
    provider: influxdb,
    probe: { asks: 'GET /health', answer: { status: 'pass' } },
    query: 'SELECT mean("x")\n  FROM "y"',
    credentials: { database: 'metrics', username: 'ann', password: 'pass-word' },
    asks: 'GET /query?db=metrics&epoch=ms&q=SELECT+mean%28%22x%22%29+FROM+%22y%22',
    headers: { authorization: basic },
    answers: [
      [
        'the newest row',
        {
          results: [
            {
              series: [
                {
                  columns: ['time', 'mean'],
                  values: [
                    [1, 2],
                    [3, 0.5],
                    [5, null],
                  ],
                },
              ],
            },
          ],
        },
        value(0.5),
      ],
      ['no series', { results: [{ statement_id: 0 }] }, nothing],
      ['rows without a value', { results: [{ series: [{ values: [[1, null]] }] }] }, nothing],
      ['two series', { results: [{ series: [{ values: [[1, 2]] }, { values: [[1, 3]] }] }] }, several],
      ['a refusal', { results: [{ error: 'topsecret' }] }, { kind: 'refused', passing: false }],
      ['a word', { results: [{ series: [{ values: [[1, 'many']] }] }] }, noNumber],
    ],
  },
  {
    title: 'web',
    provider: web,
    probe: { asks: 'GET /', answer: {} },
    query: "/api/stats?app=shop\n$.data[1]['error rate']",
    credentials: { token: 'tok-en' },
    asks: 'GET /api/stats?app=shop',
    headers: { authorization: 'Bearer tok-en', accept: 'application/json' },
    answers: [
      ['a number', { data: [{}, { 'error rate': 0.25 }] }, value(0.25)],
      ['a number in quotes', { data: [{}, { 'error rate': '7' }] }, value(7)],
      ['yes', { data: [{}, { 'error rate': true }] }, value(1)],
      ['no', { data: [{}, { 'error rate': false }] }, value(0)],
      ['null', { data: [{}, { 'error rate': null }] }, nothing],
      ['an answer without that place', { data: [{}] }, { kind: 'refused', passing: true }],
      ['a list', { data: [{}, { 'error rate': [1] }] }, noNumber],
      ['a word', { data: [{}, { 'error rate': 'many' }] }, noNumber],
    ],
  },
  {
    title: 'prometheus',
    provider: prometheus,
    probe: {
      asks: 'GET /api/v1/query?query=vector(1)',
      answer: { status: 'success', data: { resultType: 'vector', result: [{ value: [1, '1'] }] } },
    },
    query: 'sum(rate(x[1m]))\n  / 2',
    credentials: { username: 'ann', password: 'pass-word' },
    asks: 'GET /api/v1/query?query=sum(rate(x%5B1m%5D))%20%2F%202',
    series: {
      asks: 'GET /api/v1/query_range?query=sum(rate(x%5B1m%5D))%20%2F%202&start=999999400&end=1000000000&step=60',
      asksOfAYear:
        'GET /api/v1/query_range?query=sum(rate(x%5B1m%5D))%20%2F%202&start=968464000&end=1000000000&step=31567.568',
      answer: (points) => ({
        status: 'success',
        data: {
          resultType: 'matrix',
          result:
            points.length === 0
              ? []
              : [{ metric: {}, values: points.map(([at, value]) => [at, value === null ? 'NaN' : `${value}`]) }],
        },
      }),
      answers: [
        [
          'infinite numbers as holes',
          {
            status: 'success',
            data: {
              resultType: 'matrix',
              result: [
                {
                  values: [
                    [1, '+Inf'],
                    [2, '3'],
                  ],
                },
              ],
            },
          },
          { kind: 'series', points: [{ atMs: 2_000, value: 3 }] },
        ],
        [
          'several series',
          { status: 'success', data: { resultType: 'matrix', result: [{ values: [] }, { values: [] }] } },
          several as Partial<SeriesReading>,
        ],
        ['one value', { status: 'success', data: { resultType: 'scalar', result: [1, '1'] } }, { kind: 'refused' }],
        [
          'values that are none',
          { status: 'success', data: { resultType: 'matrix', result: [{ values: [1, null] }] } },
          nothing,
        ],
      ],
    },
    headers: { authorization: basic },
    answers: [
      ['a scalar', { status: 'success', data: { resultType: 'scalar', result: [1, '0.5'] } }, value(0.5)],
      ['no series', { status: 'success', data: { resultType: 'vector', result: [] } }, nothing],
      [
        'no traffic',
        { status: 'success', data: { resultType: 'scalar', result: [1, 'NaN'] } },
        { kind: 'no-data', cause: 'noTraffic' },
      ],
      ['a word', { status: 'success', data: { resultType: 'scalar', result: [1, 'many'] } }, noNumber],
    ],
  },
  {
    title: 'datadog [PV07] [PV09]',
    provider: datadog,
    probe: { asks: 'GET /api/v1/validate', answer: { valid: true } },
    query: '\n  avg:system.cpu.user{*}\n',
    credentials: { datadog_api_key: 'api-key', datadog_application_key: 'app-key\n' },
    asks: 'GET /api/v1/query?query=avg%3Asystem.cpu.user%7B*%7D&from=999999400&to=1000000000',
    series: {
      asks: 'GET /api/v1/query?query=avg%3Asystem.cpu.user%7B*%7D&from=999999400&to=1000000000',
      asksOfAYear: 'GET /api/v1/query?query=avg%3Asystem.cpu.user%7B*%7D&from=968464000&to=1000000000',
      answer: (points) => ({
        status: 'ok',
        series: points.length === 0 ? [] : [{ pointlist: points.map(([at, value]) => [at * 1_000, value]) }],
      }),
      answers: [
        [
          'two series',
          { series: [{ pointlist: [[1, 1]] }, { pointlist: [[1, 2]] }] },
          several as Partial<SeriesReading>,
        ],
        ['points that are none', { series: [{ pointlist: [1, 'x', [], [null, 1], ['x', 1], [5_000, 'x']] }] }, nothing],
        ['a refusal', { status: 'error', error: 'topsecret' }, { kind: 'refused', passing: false }],
      ],
    },
    headers: { 'dd-api-key': 'api-key', 'dd-application-key': 'app-key' },
    answers: [
      [
        'the oldest point [PV08]',
        {
          status: 'ok',
          series: [
            {
              pointlist: [
                [1, 1.25],
                [2, 9],
              ],
            },
          ],
        },
        value(1.25),
      ],
      [
        'the oldest point that there is',
        {
          series: [
            {
              pointlist: [
                [1, null],
                [2, 9],
                [3, 7],
              ],
            },
          ],
        },
        value(9),
      ],
      ['zero', { series: [{ pointlist: [[1, 0]] }] }, value(0)],
      ['no series', { status: 'ok', series: [] }, nothing],
      ['no points', { series: [{ pointlist: [] }] }, nothing],
      ['a point that is cut off', { series: [{ pointlist: [[1]] }] }, noNumber],
      ['series of another shape', { series: [{ pointlist: 7 }] }, { kind: 'refused', passing: true }],
      ['two series', { series: [{ pointlist: [[1, 1]] }, { pointlist: [[1, 2]] }] }, several],
      ['an error', { status: 'error', error: 'topsecret' }, { kind: 'refused', passing: false }],
    ],
  },
  {
    title: 'graphite [PV16] [PV18]',
    provider: graphite,
    probe: { asks: 'GET /render?target=test&format=json', answer: [] },
    query: 'target=summarize(\n  stats.app.{{x}},"1min")&from=-2min',
    credentials: { username: 'ann', password: 'pass-word' },
    asks: 'GET /render?target=summarize%28+stats.app.%7B%7Bx%7D%7D%2C%221min%22%29&from=-2min&format=json',
    series: {
      asks: 'GET /render?target=summarize%28+stats.app.%7B%7Bx%7D%7D%2C%221min%22%29&from=999999400&format=json&until=1000000000',
      asksOfAYear:
        'GET /render?target=summarize%28+stats.app.%7B%7Bx%7D%7D%2C%221min%22%29&from=968464000&format=json&until=1000000000',
      answer: (points) => (points.length === 0 ? [] : [{ datapoints: points.map(([at, value]) => [value, at]) }]),
      answers: [
        ['two series', [{ datapoints: [[1, 1]] }, { datapoints: [[2, 1]] }], several as Partial<SeriesReading>],
        ['points that are none', [{ datapoints: [1, [], [1], [1, 'x'], ['x', 1]] }], nothing],
      ],
    },
    headers: { authorization: basic },
    answers: [
      [
        'the newest point [PV17]',
        [
          {
            target: 't',
            datapoints: [
              [1, 10],
              [2.5, 20],
            ],
          },
        ],
        value(2.5),
      ],
      [
        'the newest point that there is',
        [
          {
            target: 't',
            datapoints: [
              [1, 10],
              [2, 20],
              [null, 30],
            ],
          },
        ],
        value(2),
      ],
      ['a number that is written out', [{ datapoints: [['3.5', 1]] }], value(3.5)],
      ['no series', [], nothing],
      ['points without a value', [{ datapoints: [[null, 1]] }], nothing],
      ['two series', [{ datapoints: [[1, 1]] }, { datapoints: [[2, 1]] }], several],
      ['a word', [{ datapoints: [['topsecret', 1]] }], noNumber],
      ['something else', [{ rows: [] }], { kind: 'refused', passing: true }],
    ],
  },
  {
    title: 'newrelic [PV13] [PV15]',
    provider: newrelic,
    probe: { asks: 'GET /v1/accounts/12%2F3/query?nrql=SELECT+*+FROM+Metric', answer: { results: [] } },
    query: 'SELECT\n  average(duration)',
    credentials: { newrelic_account_id: '12/3', newrelic_query_key: 'query-key' },
    asks: 'GET /v1/accounts/12%2F3/query?nrql=SELECT+average%28duration%29+SINCE+60+seconds+ago',
    headers: { 'x-query-key': 'query-key' },
    answers: [
      ['its result [PV14]', { results: [{ result: 4.5 }] }, value(4.5)],
      ['no result', { results: [] }, nothing],
      ['another result', { results: [{ average: 1 }] }, nothing],
      ['two results', { results: [{ result: 1 }, { result: 2 }] }, nothing],
      ['a word', { results: [{ result: 'topsecret' }] }, noNumber],
    ],
  },
  {
    title: 'dynatrace [PV25] [PV27]',
    provider: dynatrace,
    probe: { asks: 'GET /api/v2/metrics?pageSize=1', answer: { metrics: [] } },
    query: ' builtin:service.response.time ',
    credentials: { dynatrace_token: 'dt0c01' },
    asks: 'GET /api/v2/metrics/query?metricSelector=builtin%3Aservice.response.time&resolution=Inf&from=999999400000&to=1000000000000',
    series: {
      asks: 'GET /api/v2/metrics/query?metricSelector=builtin%3Aservice.response.time&resolution=1m&from=999999400000&to=1000000000000',
      asksOfAYear:
        'GET /api/v2/metrics/query?metricSelector=builtin%3Aservice.response.time&resolution=527m&from=968464000000&to=1000000000000',
      answer: (points) => ({
        result:
          points.length === 0
            ? []
            : [{ data: [{ timestamps: points.map(([at]) => at * 1_000), values: points.map(([, value]) => value) }] }],
      }),
      answers: [
        ['two metrics', { result: [{ data: [] }, { data: [] }] }, several as Partial<SeriesReading>],
        [
          'more values than times',
          { result: [{ data: [{ timestamps: [5], values: [1, 2] }] }] },
          { points: [{ atMs: 5, value: 1 }] },
        ],
        ['times that are none', { result: [{ data: [{ timestamps: 'x', values: [1] }] }] }, { kind: 'refused' }],
      ],
    },
    headers: { authorization: 'Api-Token dt0c01' },
    answers: [
      ['the last value [PV26]', { result: [{ data: [{ values: [1] }, { values: [7] }] }] }, value(7)],
      ['no metric', { result: [] }, nothing],
      ['no data', { result: [{ data: [] }] }, nothing],
      ['no value', { result: [{ data: [{ values: [null] }] }] }, nothing],
      ['two metrics', { result: [{ data: [] }, { data: [] }] }, several],
      ['a word', { result: [{ data: [{ values: ['topsecret'] }] }] }, noNumber],
    ],
  },
];

for (const one of cases) describeMetricProvider(one);

it('says of a query that OpenSearch refuses what is wrong with it, and nothing else of the answer', async () => {
  const said = async (error: unknown) =>
    readingOf(opensearch, { status: 400, body: JSON.stringify({ error, status: 400 }) });
  await expect(said({ type: 'SyntaxCheckException', details: 'topsecret' })).resolves.toEqual({
    kind: 'refused',
    passing: false,
    reason: 'error response: Status 400 Bad Request: SyntaxCheckException',
  });
  for (const error of [{ type: 'topsecret' }, 'topsecret', null, { type: { topsecret: 1 } }])
    await expect(said(error)).resolves.toEqual({
      kind: 'refused',
      passing: false,
      reason: 'error response: Status 400 Bad Request',
    });
});

describe('metrics providers', () => {
  it('are all held to the same rules', () => {
    // Keptn is asked by the cluster alone.
    expect([...new Set([keptn, ...cases.map(({ provider }) => provider)].map(({ name }) => name))].toSorted()).toEqual(
      Object.keys(metricProviders).toSorted(),
    );
    for (const [type, { name }] of Object.entries(metricProviders)) expect(name).toBe(type);
  });

  it.each([
    [datadog, 'https://api.datadoghq.com/'],
    [newrelic, 'https://insights-api.newrelic.com/'],
  ])('have an address of their own where the vendor has one', (provider, address) => {
    expect(`${provider.address}/`).toBe(address);
  });

  it('asks without a check of the certificate only where that is said', async () => {
    const query = { query: 'target=a', address: 'https://graphite', nowMs: 0, windowMs: 1 };
    expect((await requestOf(graphite, query)).insecure).toBeUndefined();
    expect((await requestOf(graphite, { ...query, insecureSkipVerify: true })).insecure).toBe(true);
  });
});

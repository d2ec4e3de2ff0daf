import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Meter, MeterProvider } from '@opentelemetry/api';
import { describe, expect, it } from 'vitest';
import { QUESTIONS } from '../bench/support/questions.ts';
import { ENTRY_LAYER, LAYERS } from '../scripts/architecture.ts';
import { listPages } from '../scripts/doc-links.ts';
import { EXAMPLES } from '../src/cli/example-files.ts';
import { TracerRegistry } from '../src/core/registry.ts';
import { API_ROUTES } from '../src/dashboard/server/api-routes.ts';
import { DROP_REASONS } from '../src/processing/ledger.ts';
import { INTEGER_OPTIONS, type IntegerOption } from '../src/utils/integer-options.ts';
import { isotraceOnce } from './cli/cli-kit.ts';

const root = new URL('../', import.meta.url);
const read = (file: string): string => readFileSync(new URL(file, root), 'utf8');
const missingIn = (page: string, names: readonly string[]): string[] =>
  names.filter((name) => !new RegExp(`(?<![\\w-])${name.replaceAll('.', '\\.')}(?![\\w-])`).test(read(page)));

/** The options that a page has to name, by the section of the API reference that lists them. */
const OPTIONS_OF_PAGES: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'agents.md': { isotrace: ['AgentCallOptions', 'ModelCallOptions', 'ModelPrice', 'TokenUsage', 'ToolCallOptions'] },
  'builder.md': { isotrace: ['BuilderConventions', 'CredentialOptions', 'CredentialRules', 'RetrySteps'] },
  'commands.md': { commands: ['CommandBusOptions', 'LogItem'], 'commands-client': ['CommandClientOptions'] },
  'configuration.md': {
    isotrace: [
      ...['AgentOptions', 'BatchOptions', 'CaptureOptions', 'CreateTracerOptions', 'DestinationOptions'],
      ...['DestinationPaths', 'LateBindingBounds', 'LimitOptions', 'LogOptions', 'MetricOptions', 'MetricViewOptions'],
      ...['PropagationOptions', 'RedactOptions', 'RegistryOptions', 'RetryOptions', 'SamplingOptions'],
      ...['SelfMetricsOptions', 'ServiceOptions', 'SignalOptions', 'SpoolOptions', 'TlsOptions', 'TracerOptions'],
    ],
  },
  'dashboard.md': {
    dashboard: ['AlertRule', 'ClickHouseStoreOptions', 'DashboardOptions', 'DashboardToken', 'SegmentRingOptions'],
  },
  'destinations.md': { isotrace: ['DestinationOptions', 'DestinationPaths', 'RetryOptions', 'TlsOptions'] },
  'enrichment.md': { isotrace: ['Enrichment', 'EventOptions', 'TraceClassOptions', 'VcsOptions'] },
  'failures.md': { isotrace: ['ContainOptions', 'ErrorHandlingOptions'] },
  'health.md': {
    isotrace: ['DestinationHealth', 'FlushReport', 'RegistryHealth', 'RegistryStats', 'TracerHealth', 'TracerStats'],
  },
  'http.md': { http: ['HttpOptions'] },
  'instrumentation.md': { isotrace: ['InstallOptions'] },
  'messaging.md': { messaging: ['ConsumingOptions', 'MessageFacts', 'MessagingOptions', 'Publication'] },
  'metrics.md': { isotrace: ['HistogramOptions', 'InstrumentOptions'], prometheus: ['PrometheusOptions'] },
  'outgoing.md': { grpc: ['RpcOptions'], isotrace: ['QueryOptions'] },
  'queries.md': { queries: ['AggregateMetrics', 'GetMetric', 'QueryBusOptions', 'SearchTraces', 'Searched'] },
  'redaction.md': { isotrace: ['RedactOptions'] },
  'registry.md': { isotrace: ['FlushOptions', 'ProcessHookOptions'] },
  'testing.md': { testing: ['FakeClockOptions', 'LeakCheckOptions', 'LeakCheckTenant'] },
  'tracing.md': { isotrace: ['TraceOptions'] },
  'workers.md': { workers: ['SerializedScope', 'WorkerStats'] },
};

/** The properties that a section of the API reference lists. */
function propertiesOf(apiPage: string, section: string): string[] {
  const [, text] = new RegExp(`^### ${section}\\n(.*?)^##`, 'ms').exec(`${read(`docs/api/${apiPage}.md`)}\n##`) ?? [];
  return [...(text ?? '').matchAll(/^- `(\w+)\??:/gm)].map(([, name]) => name as string);
}

/** The ways in which the tables write it: `10,000`, and of bytes also `4 MiB`. */
function waysToWrite(value: number, unit: string): string[] {
  const powers = [
    [2 ** 30, 'GiB'],
    [2 ** 20, 'MiB'],
    [2 ** 10, 'KiB'],
  ] as const;
  const [size, name] = powers.find(([power]) => value >= power && value % power === 0) ?? [1, undefined];
  const plain = value.toLocaleString('en');
  return unit === 'bytes' && name !== undefined ? [plain, `${value / size} ${name}`] : [plain];
}

describe('the tables of the documentation', () => {
  it('name every option of the interfaces that their pages are about', () => {
    const missing = Object.entries(OPTIONS_OF_PAGES).flatMap(([page, sections]) =>
      Object.entries(sections).flatMap(([apiPage, names]) =>
        names.flatMap((name) => {
          const properties = propertiesOf(apiPage, name);
          if (properties.length === 0) return [`${name} is not in docs/api/${apiPage}.md`];
          return missingIn(`docs/${page}`, properties).map((property) => `${page}: ${name}.${property}`);
        }),
      ),
    );
    expect(missing).toEqual([]);
  });

  it.each(Object.entries(INTEGER_OPTIONS))('give %s its default and bounds', (option, range: IntegerOption) => {
    const name = option.split('.').at(-1) as string;
    const group = option.split('.')[0] as string;
    const rows = read('docs/configuration.md')
      .split('\n')
      .filter((line) => line.startsWith('| ') && line.split(' | ')[0]?.includes(group));
    const row = rows.find((line) => new RegExp(`[\`.]${name}\``).test(line.split(' | ')[0] ?? ''));
    const { min, max, default: given, unit } = range;
    const [, shown = '', accepted = ''] = row?.split(' | ') ?? [];
    expect(Number.isFinite(given) ? waysToWrite(given, unit) : ['none']).toContain(shown);
    for (const bound of [min, max]) {
      const ways = waysToWrite(bound, unit).map((way) => new RegExp(`(?<![\\d,.])${way}(?![\\d,]\\d)`));
      expect(ways.some((way) => way.test(accepted))).toBe(true);
    }
  });

  it('name every entry of the package in the README', () => {
    const { exports } = JSON.parse(read('package.json')) as { readonly exports: object };
    const entries = Object.keys(exports).filter((entry) => entry !== './package.json');
    const names = entries.map((entry) => `\`${entry.replace(/^\./, 'isotrace')}\``);
    expect(names.filter((name) => !read('README.md').includes(name))).toEqual([]);
  });

  it('name every reason for a drop', () => {
    expect(missingIn('docs/failures.md', DROP_REASONS)).toEqual([]);
  });

  it('name every channel that events are published on', () => {
    const channels = [...read('src/utils/diagnostics.ts').matchAll(/'(isotrace:[\w:]+)'/g)].map(
      ([, name]) => name ?? '',
    );
    expect(channels.length).toBeGreaterThan(5);
    expect(missingIn('docs/health.md', channels)).toEqual([]);
  });

  it('name all that isotrace measures of itself', async () => {
    const names: string[] = [];
    const meter = new Proxy({} as Meter, {
      get: (_target, method: string) => (name: unknown) => {
        if (method.startsWith('create')) names.push(String(name));
        return { record() {}, add() {} };
      },
    });
    const meterProvider: MeterProvider = { getMeter: () => meter };
    const registry = new TracerRegistry({ platform: false, meterProvider });
    await registry.shutdown();
    expect(names).toContain('otel.sdk.span.started');
    expect(missingIn('docs/platform.md', names)).toEqual([]);
  });

  it('name every question of the benchmarks', () => {
    expect(missingIn('docs/performance.md', Object.keys(QUESTIONS))).toEqual([]);
  });

  it("name every path of the dashboard's API", () => {
    expect(missingIn('docs/dashboard.md', [...API_ROUTES.map(({ path }) => path), 'live'])).toEqual([]);
  });

  it('name every command, every flag of it, and every example', async () => {
    const { stdout } = await isotraceOnce(['--help']);
    const commands = [...stdout.matchAll(/^ {2}(\w+) /gm)].map(([, name]) => name as string);
    expect(commands).toContain('doctor');
    const flags: string[] = [];
    for (const command of commands) {
      const { stdout: help } = await isotraceOnce([command, '--help']);
      flags.push(...[...help.matchAll(/^ {2}(?:-\w, )?(--[\w-]+)/gm)].map(([, flag]) => flag as string));
    }
    expect(flags).toContain('--tenant-header');
    expect(missingIn('docs/cli.md', [...commands, ...new Set(flags), ...Object.keys(EXAMPLES)])).toEqual([]);
  });
});

describe('the page about the architecture', () => {
  const page = read('docs/architecture.md');

  it('has the layers that are checked', () => {
    const rows = [...page.matchAll(/^\| (\d) \| `src\/([\w*]+)(?:\.ts)?` \|/gm)];
    const table = Object.fromEntries(rows.map(([, layer, folder]) => [folder, Number(layer)]));
    expect(table).toEqual({ ...LAYERS, '*': ENTRY_LAYER });
  });

  it('names files and folders that exist', () => {
    const sources = readdirSync(new URL('src/', root), { recursive: true, encoding: 'utf8' });
    const named = [...page.matchAll(/`((?:[\w-]+\/)*[\w-]+\.ts)`/g)].map(([, file]) => file as string);
    expect(named.length).toBeGreaterThan(50);
    const isThere = (file: string): boolean =>
      existsSync(new URL(file, root)) || sources.some((source) => `/${source}`.endsWith(`/${file}`));
    expect(named.filter((file) => !isThere(file))).toEqual([]);
  });
});

describe('the page about mixins', () => {
  it('shows how the tracer is composed', () => {
    const [declared = ''] =
      /^export (class Tracer extends .*?) \{\}$/ms.exec(read('src/core/tracer.ts'))?.slice(1) ?? [];
    expect(declared).not.toBe('');
    expect(read('docs/mixins.md')).toContain(declared);
  });
});

describe('the pictures of the documentation', () => {
  it('are all shown on a page', () => {
    const text = listPages(fileURLToPath(root)).map(read).join('\n');
    expect(readdirSync(new URL('docs/images/', root)).filter((file) => !text.includes(`images/${file}`))).toEqual([]);
  });
});

import type { DestinationKind, InitAnswers } from './answers.ts';
import { middlewareModule } from './middleware-template.ts';
import { applicationLines, tryCommands } from './next-steps.ts';
import type { Start } from './project.ts';
import { lines } from './source-text.ts';

interface Variable {
  readonly name: string;
  readonly example: string;
  readonly meaning: string;
}

/** `README.md` beside the modules. */
export function renderGuide(answers: InitAnswers, start: Start): string {
  const { destination } = answers;
  const module = middlewareModule(answers.framework);
  return lines(
    '# Telemetry',
    '',
    "Each tenant's traces and logs, apart from those of all others, by [isotrace](https://www.npmjs.com/package/isotrace).",
    '',
    '| file | |',
    '|---|---|',
    '| `registry.ts` | which tenants there are, and where their telemetry goes |',
    destination === 'directory'
      ? "| `directory.ts` | each tenant's endpoint and key: put your database there |"
      : undefined,
    `| \`${module.file}.ts\` | ${answers.framework === 'none' ? 'runs work as a tenant' : 'which tenant a request is of'} |`,
    '',
    'In the application:',
    '',
    '```ts',
    ...applicationLines(answers, start),
    '```',
    '',
    'Anywhere below a request, the tenant is known:',
    '',
    '```ts',
    "await registry.withSpan('load order', async (span) => { … });",
    "registry.current()?.log.info('paid', { 'order.id': 7 });",
    '```',
    '',
    '| variable | |',
    '|---|---|',
    ...variablesOf(answers).map(({ name, example, meaning }) => `| \`${name}\` | ${meaning}, such as \`${example}\` |`),
    '',
    'Node reads a file of them with `node --env-file=.env`.',
    '',
    'To see what is sent:',
    '',
    '```sh',
    ...tryCommands(answers, start),
    '```',
  );
}

/** `.env.example` of the project. */
export function renderVariables(answers: InitAnswers): string {
  return variablesOf(answers)
    .map(({ name, example, meaning }) => `# ${meaning[0]?.toUpperCase()}${meaning.slice(1)}.\n${name}='${example}'\n`)
    .join('\n');
}

const ENDPOINT: Variable = {
  name: 'ISOTRACE_ENDPOINT',
  example: 'http://localhost:4318',
  meaning: 'OTLP over HTTP, without /v1/traces',
};

const BY_DESTINATION: Readonly<Record<DestinationKind, readonly Variable[]>> = {
  dashboard: [
    ENDPOINT,
    { name: 'ISOTRACE_DASHBOARD_TOKEN', example: '', meaning: 'what lets spans into the dashboard, if it has a token' },
  ],
  collector: [
    ENDPOINT,
    { name: 'COLLECTOR_TENANT_HEADER', example: 'X-Scope-OrgID', meaning: 'the header that names the tenant' },
    {
      name: 'COLLECTOR_TOKEN',
      example: 'change-me',
      meaning: 'goes into the authorization header; needs https, except on this machine',
    },
  ],
  directory: [
    {
      name: 'TELEMETRY_ACCOUNTS',
      example: '{"acme":{"endpoint":"http://localhost:4318","apiKey":"key-of-acme"}}',
      meaning: 'tenants for development, as directory.ts reads them',
    },
  ],
};

function variablesOf({ destination, tenant }: InitAnswers): readonly Variable[] {
  return [
    ...BY_DESTINATION[destination],
    ...(tenant === 'subdomain'
      ? [{ name: 'TENANT_DOMAIN', example: 'localhost', meaning: 'the domain that tenants have their subdomains of' }]
      : []),
  ];
}

import type { DestinationKind, InitAnswers } from './answers.ts';
import { lines, quote } from './source-text.ts';

/** `registry.ts`: whose telemetry there is, and where it goes. */
export function renderRegistry({ destination, service }: InitAnswers): string {
  const { imports, before, options } = PARTS[destination];
  return lines(
    "import { TracerRegistry } from 'isotrace';",
    ...imports,
    '',
    ...before,
    '/** One tracer for each tenant: made when it is first used, evicted when idle, without losing a span. */',
    'export const registry = new TracerRegistry({',
    `  service: { name: process.env['OTEL_SERVICE_NAME'] ?? ${quote(service)} },`,
    ...options,
    '});',
    '',
    '// Delivers what waits when the process runs out of work, and at SIGTERM.',
    'registry.installProcessHooks();',
  );
}

/** `directory.ts`: the tenants and their backends. */
export function renderDirectory(): string {
  return DIRECTORY;
}

interface Parts {
  readonly imports: readonly string[];
  readonly before: readonly string[];
  readonly options: readonly string[];
}

const ENDPOINT = "process.env['ISOTRACE_ENDPOINT'] ?? 'http://localhost:4318'";
const TENANT_ID = [
  '/** Which ids are tenants of yours. A look into your own list of tenants is better still. */',
  'const TENANT_ID = /^[\\w-]{1,64}$/;',
  '',
];

/** The line that reads a token, and what goes into the destination when there is one. */
const tokenFrom = (variable: string): string => `const token = process.env['${variable}'];`;
const TOKEN_HEADER = '...(token && { headers: { authorization: `Bearer $' + '{token}` } })';

const PARTS: Readonly<Record<DestinationKind, Parts>> = {
  dashboard: {
    imports: [],
    before: [tokenFrom('ISOTRACE_DASHBOARD_TOKEN'), '', ...TENANT_ID],
    options: [
      '  // Seen within a second. Leave it out in production.',
      "  profile: 'low-latency',",
      '  // `undefined`: there is no such tenant, and nothing is recorded.',
      "  configure: (tenantId) => (TENANT_ID.test(tenantId) ? { attributes: { 'tenant.id': tenantId } } : undefined),",
      '  destination: {',
      `    endpoint: ${ENDPOINT},`,
      `    ${TOKEN_HEADER},`,
      '  },',
    ],
  },
  collector: {
    imports: [],
    before: [tokenFrom('COLLECTOR_TOKEN'), '', ...TENANT_ID],
    options: [
      '  // `undefined`: there is no such tenant, and nothing is recorded.',
      '  configure: (tenantId) => (TENANT_ID.test(tenantId) ? {} : undefined),',
      '  destination: {',
      `    endpoint: ${ENDPOINT},`,
      "    tenantHeader: process.env['COLLECTOR_TENANT_HEADER'] ?? 'X-Scope-OrgID',",
      `    ${TOKEN_HEADER},`,
      '  },',
    ],
  },
  directory: {
    imports: ["import { findAccount } from './directory.js';"],
    before: [],
    options: [
      '  configure: async (tenantId) => {',
      '    const account = await findAccount(tenantId);',
      '    if (account === undefined) return undefined; // there is no such tenant, and nothing is recorded',
      '    const { endpoint, apiKey } = account;',
      '    return { destination: { endpoint, headers: { authorization: `Bearer $' + '{apiKey}` } } };',
      '  },',
      "  // Add `endpointPolicy: 'public'` if tenants enter their endpoints themselves: it keeps them out of your network.",
    ],
  },
};

const DIRECTORY = `/** Where a tenant's telemetry goes, and what lets it in. */
export interface Account {
  readonly endpoint: string;
  readonly apiKey: string;
}

/**
 * Asked once for each tenant, when it is first used. Put a query of your database here. While it fails, the tenant's
 * spans wait, and it is asked again; \`undefined\` means that there is no such tenant.
 */
export async function findAccount(tenantId: string): Promise<Account | undefined> {
  const accounts = JSON.parse(process.env['TELEMETRY_ACCOUNTS'] ?? '{}') as Record<string, Account>;
  return Object.hasOwn(accounts, tenantId) ? accounts[tenantId] : undefined;
}
`;

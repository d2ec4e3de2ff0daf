import type { TracerRegistry } from '../../core/registry.ts';
import { detectGlobalSdk, type GlobalSdk } from '../../infra/global-sdk.ts';
import { describeError } from '../../utils/errors.ts';
import { checkTracer } from './check-destination.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { loadModule } from './load-module.ts';

interface ExaminedModule {
  readonly file: string;
  /** As the user wrote it. */
  readonly name: string;
  /** Whether the project has packages that record through OpenTelemetry's globals. */
  readonly instrumented: boolean;
}

/** Loads a module of the user's and looks at what it did: who owns the globals, how its registry does. Never rejects. */
export async function checkModule(
  module: ExaminedModule,
  tenants: readonly string[],
  timeoutMillis: number,
): Promise<Finding[]> {
  const listening = new AbortController();
  const release = keepStandardOutput();
  const failed = firstUncaught(listening.signal).then((error) => [
    problem(
      module.name,
      `something that it started failed: ${describeError(error)}`,
      'give a module that exports the registry and starts nothing, such as the one that init wrote',
    ),
  ]);
  try {
    return await Promise.race([examineModule(module, tenants, timeoutMillis), failed]);
  } finally {
    release();
    listening.abort();
  }
}

/** Standard output is for what was found: what the module prints goes to standard error. */
function keepStandardOutput(): () => void {
  const { stdout, stderr } = process;
  const { write } = stdout;
  stdout.write = stderr.write.bind(stderr);
  return () => {
    stdout.write = write;
  };
}

/** A server whose port is in use, say, fails after the module was loaded. */
function firstUncaught(until: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    for (const event of ['uncaughtException', 'unhandledRejection']) {
      process.on(event, resolve);
      until.addEventListener('abort', () => process.off(event, resolve), { once: true });
    }
  });
}

async function examineModule(
  { file, name, instrumented }: ExaminedModule,
  tenants: readonly string[],
  timeoutMillis: number,
): Promise<Finding[]> {
  let exported: Readonly<Record<string, unknown>>;
  try {
    exported = await loadModule(file);
  } catch (error) {
    return [problem(name, `it cannot be loaded: ${describeError(error)}`, adviceForModule(error))];
  }
  const findings = [checkGlobals(instrumented)];
  const registry = Object.values(exported).find(isRegistry);
  if (registry === undefined) {
    return [
      ...findings,
      warning(name, 'it exports no registry', 'export it, as in "export const registry = new TracerRegistry(…)"'),
    ];
  }
  const { issues } = registry.health();
  for (const { option, accepted, received } of issues) {
    findings.push(problem(option, `${received} is not acceptable`, `accepted: ${accepted}`));
  }
  if (issues.length === 0) findings.push(ok('registry', 'its options are good'));
  for (const tenant of tenants) {
    findings.push(await checkTenant(registry, tenant, timeoutMillis));
  }
  await registry.shutdown({ timeoutMillis });
  return findings;
}

function adviceForModule(error: unknown): string {
  const isTypeScript = (error as { readonly code?: unknown } | null)?.code === 'ERR_UNKNOWN_FILE_EXTENSION';
  if (!isTypeScript) return 'give a module that exports the registry';
  return `give the compiled module, or have it translated: NODE_OPTIONS="--import tsx" npx isotrace doctor …`;
}

/** Whose OpenTelemetry's globals are by now. */
export function checkGlobals(instrumented: boolean, owner: GlobalSdk = detectGlobalSdk()): Finding {
  const check = "OpenTelemetry's globals";
  if (owner === 'isotrace') return ok(check, 'isotrace owns them: instrumentation finds the tenant');
  if (owner === 'none') {
    if (!instrumented) return ok(check, 'nobody owns them, and no instrumentation is installed that would need it');
    return warning(
      check,
      'nobody owns them',
      'spans of instrumentation go nowhere; call registry.install(), or import isotrace/register first',
    );
  }
  return warning(
    check,
    `${owner} owns them`,
    'isotrace joins in: add createSpanProcessor(registry) to its span processors',
  );
}

async function checkTenant(registry: TracerRegistry, tenant: string, timeoutMillis: number): Promise<Finding> {
  const check = `tenant ${tenant}`;
  const tracer = registry.get(tenant);
  // A tenant that is configured asynchronously has its configuration once something of it is flushed.
  await tracer.flush({ timeoutMillis });
  const { reason, state } = tracer.health();
  if (state === 'disabled')
    return problem(check, reason ?? 'there is no such tenant', 'configure() answers undefined for it');
  if (state === 'degraded' || state === 'pending') {
    return problem(
      check,
      reason ?? 'its configuration has not come',
      'configure() threw, or took longer than two seconds',
    );
  }
  return checkTracer(tracer, check, timeoutMillis);
}

/** Also one of another copy of the package. */
function isRegistry(value: unknown): value is TracerRegistry {
  if (typeof value !== 'object' || value === null) return false;
  return ['get', 'health', 'install', 'shutdown'].every(
    (name) => typeof (value as Record<string, unknown>)[name] === 'function',
  );
}

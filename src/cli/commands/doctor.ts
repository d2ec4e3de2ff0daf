import path from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { DestinationOptions } from '../../core/destination-options.ts';
import { TracerBuilder } from '../../core/tracer-builder.ts';
import { toDestinationOptions } from '../../core/tracer-config.ts';
import { readEnvironment } from '../../infra/environment.ts';
import { detectGlobalSdk } from '../../infra/global-sdk.ts';
import { proxyFor } from '../../infra/proxy-rules.ts';
import type { ConfigIssue } from '../../utils/errors.ts';
import { type CliHost, CommandError, EXIT, type Outcome } from '../cli-host.ts';
import { checkDestination, describeDestination } from '../doctor/check-destination.ts';
import { checkEnvironment, checkNode } from '../doctor/check-environment.ts';
import { checkGlobals, checkModule } from '../doctor/check-module.ts';
import { checkPackages, hasInstrumentations, isOfInterest } from '../doctor/check-packages.ts';
import { type Finding, problem } from '../doctor/finding.ts';
import { findPackages } from '../doctor/installed-packages.ts';
import { packageManagerOf } from '../init/package-manager.ts';
import { printable } from '../terminal.ts';
import { wholeNumber } from '../whole-number.ts';
import { stopped } from './dashboard.ts';

interface DoctorFlags {
  readonly endpoint: readonly string[];
  readonly header: Readonly<Record<string, string>>;
  readonly protocol?: 'http/protobuf' | 'http/json' | 'grpc';
  readonly module?: string;
  readonly tenant: readonly string[];
  readonly timeout: number;
}

const SYMBOLS = { ok: ['green', 'ok'], warning: ['yellow', 'warning'], problem: ['red', 'problem'] } as const;

/** Looks at the machine, the project and its destinations, and says what is wrong and what to do about it. */
export function doctorCommand(host: CliHost, outcome: Outcome): Command {
  return new Command('doctor')
    .description('find what is wrong with a setup')
    .option('--endpoint <url>', 'a destination to send a test span to; may be given again', collect, [])
    .option('--header <name=value>', 'a header for --endpoint; may be given again', collectHeader, {})
    .addOption(new Option('--protocol <protocol>', 'of --endpoint').choices(['http/protobuf', 'http/json', 'grpc']))
    .option('--module <file>', 'a module that exports the registry; it is imported')
    .option(
      '--tenant <id>',
      "a tenant of the module's registry to send a test span for; may be given again",
      collect,
      [],
    )
    .option(
      '--timeout <millis>',
      'how long to wait for each destination',
      wholeNumber(1, 999_999, 'Milliseconds, from 1 to 999999.'),
      5_000,
    )
    .action(async (flags: DoctorFlags) => {
      checkFlags(flags);
      const stop = stopped(host.signal).then(() => {
        throw new CommandError('stopped');
      });
      const findings = await Promise.race([examine(host, flags), stop]).finally(() => host.terminal.progress());
      const count = (status: Finding['status']): number =>
        findings.filter((finding) => finding.status === status).length;
      const [problems, warnings] = [count('problem'), count('warning')];
      outcome.exitCode = problems === 0 ? EXIT.good : EXIT.problems;
      if (host.terminal.json) host.terminal.value({ problems, warnings, findings });
      else print(host, findings, `${counted(problems, 'problem')}, ${counted(warnings, 'warning')}`);
    });
}

/** A flag that nothing would come of is a mistake. */
function checkFlags({ endpoint, header, protocol, module, tenant }: DoctorFlags): void {
  if (endpoint.length === 0 && (Object.keys(header).length > 0 || protocol !== undefined)) {
    throw new CommandError('--header and --protocol are for an --endpoint', EXIT.usage);
  }
  if (module === undefined && tenant.length > 0) {
    throw new CommandError('--tenant is for the registry of a --module', EXIT.usage);
  }
}

async function examine({ checkVariables, cwd, env, terminal }: CliHost, flags: DoctorFlags): Promise<Finding[]> {
  const { endpoint, header: headers, protocol, module, tenant, timeout } = flags;
  const packages = findPackages(cwd, isOfInterest);
  const findings = [
    checkNode(process.version),
    ...checkPackages(packages, cwd, packageManagerOf(cwd, env)),
    ...checkEnvironment(env, checkVariables(env)),
  ];
  const given = endpoint.map((url): DestinationOptions => ({ endpoint: url, headers, ...(protocol && { protocol }) }));
  const { found, wrong } = ofBuilder(env, findings);
  findings.push(...wrong);
  for (const destination of [...ofPlatform(env), ...found, ...given]) {
    terminal.progress(`asking ${describeDestination(destination)}`);
    findings.push(await checkDestination(destination, timeout));
  }
  if (module === undefined) {
    // Somebody who was preloaded, as by NODE_OPTIONS.
    if (detectGlobalSdk() !== 'none') findings.push(checkGlobals(hasInstrumentations(packages)));
  } else {
    terminal.progress(`loading ${module}, and asking for its tenants`);
    const instrumented = hasInstrumentations(packages);
    findings.push(
      ...(await checkModule({ file: path.resolve(cwd, module), name: module, instrumented }, tenant, timeout)),
    );
  }
  return findings;
}

/** Where `OTEL_*` variables send what the platform tracer records, and through which proxy. */
function ofPlatform(env: CliHost['env']): DestinationOptions[] {
  const { disabled, options } = readEnvironment(env);
  if (disabled) return [];
  return options.destinations.map(toDestinationOptions).map((destination) => {
    const isGrpc = destination.protocol === 'grpc';
    const proxy = options.proxies && proxyFor(new URL(destination.endpoint), isGrpc, options.proxies);
    return { ...destination, proxy: proxy?.reveal().href };
  });
}

/**
 * Where `ISOTRACE_*` variables send what a builder makes of them, or a module that `init` wrote; and what is wrong with
 * them together. What is wrong with one of them by itself has been told.
 */
function ofBuilder(env: CliHost['env'], told: readonly Finding[]): { found: DestinationOptions[]; wrong: Finding[] } {
  if ((env['ISOTRACE_ENDPOINT'] ?? '') === '') return { found: [], wrong: [] };
  const result = TracerBuilder.fromEnv(env).options();
  if (result.ok) return { found: [result.options.destination ?? []].flat(), wrong: [] };
  const isNew = ({ option }: ConfigIssue): boolean => !told.some(({ check }) => check === option);
  const wrong = result.issues
    .filter(isNew)
    .map(({ option, accepted, received }) =>
      problem(`ISOTRACE_*: ${option}`, `${received} is not acceptable`, `accepted: ${accepted}`),
    );
  return { found: [], wrong };
}

function counted(count: number, name: string): string {
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

function print({ terminal }: CliHost, findings: readonly Finding[], sum: string): void {
  for (const { check, status, message, advice } of findings) {
    const [colour, word] = SYMBOLS[status];
    terminal.line(
      `${terminal.style(colour, word.padEnd(7))}  ${terminal.style('bold', printable(check))}  ${printable(message)}`,
    );
    if (advice !== undefined) terminal.line(`         ${printable(advice)}`);
  }
  terminal.line();
  terminal.line(sum);
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

function collectHeader(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  if (at <= 0) throw new InvalidArgumentError('Such as authorization="Bearer …".');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { resolveRegistrySettings } from '../../core/config.ts';
import { readEnvironment, readHostPlatform } from '../../infra/environment.ts';
import type { ConfigIssue } from '../../utils/errors.ts';
import { type CliHost, CommandError, EXIT, type Outcome } from '../cli-host.ts';
import { builderRows, registryRows, type SettingRow, settingRows } from '../setting-rows.ts';
import { printable, table } from '../terminal.ts';

/** Prints what options and variables come to. */
export function configCommand(host: CliHost, outcome: Outcome): Command {
  return new Command('config')
    .description('print the settings that are in force, and where each comes from')
    .option('--file <json>', "a registry's options as JSON")
    .action(({ file }: { file?: string }) => {
      const { env, terminal } = host;
      const given = file === undefined ? {} : readOptions(path.resolve(host.cwd, file));
      const { settings, issues } = resolveRegistrySettings(given, readEnvironment(env), readHostPlatform(env).platform);
      const { defaults, platform } = settings;
      const own = (given as { platform?: unknown }).platform;
      const { rows: builder, issues: builderIssues } = builderRows(env);
      const ofTenants = { given: [given], env: {}, profile: defaults.profile, issues };
      const sections: Sections = {
        registry: registryRows(settings, ofTenants),
        tenants: settingRows(defaults, ofTenants),
        platform:
          platform === false
            ? false
            : settingRows(platform, { given: [own, given], env, profile: platform.profile, issues }),
        builder,
      };
      const all = [...issues, ...builderIssues];
      outcome.exitCode = all.length === 0 ? EXIT.good : EXIT.problems;
      if (terminal.json) terminal.value({ ...sections, issues: all });
      else print(host, sections, all);
    });
}

interface Sections {
  readonly registry: readonly SettingRow[];
  readonly tenants: readonly SettingRow[];
  readonly platform: readonly SettingRow[] | false;
  /** Empty when none of its variables is set. */
  readonly builder: readonly SettingRow[];
}

function print(
  { terminal }: CliHost,
  { registry, tenants, platform, builder }: Sections,
  issues: readonly ConfigIssue[],
): void {
  const section = (title: string, rows: readonly SettingRow[]): void => {
    terminal.line(terminal.style('bold', title));
    for (const line of table(
      rows.map(({ option, value, source }) => ['', printable(option), printable(value), source]),
    )) {
      terminal.line(line);
    }
    terminal.line();
  };
  section('registry', registry);
  section('tenants', tenants);
  if (platform === false) terminal.line('platform: none\n');
  else section('platform', platform);
  if (builder.length > 0) section('TracerBuilder.fromEnv()', builder);
  for (const { option, accepted, received } of issues) {
    terminal.line(`${terminal.style('red', 'problem')}  ${printable(`${option}: ${accepted}; received ${received}`)}`);
  }
}

function readOptions(file: string): object {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (error) {
    throw new CommandError(`${file} cannot be read: ${(error as Error).message}`, EXIT.usage);
  }
  throw new CommandError(`${file} is not a JSON object`, EXIT.usage);
}

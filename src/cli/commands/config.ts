import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command } from 'commander';
import { resolveRegistrySettings } from '../../core/config.ts';
import { readEnvironment, readHostPlatform } from '../../infra/environment.ts';
import type { ConfigIssue } from '../../utils/errors.ts';
import { type CliHost, CommandError, EXIT, type Outcome } from '../cli-host.ts';
import { type SettingRow, settingRows } from '../setting-rows.ts';
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
      const tenants = settingRows(defaults, { given, env: {}, profile: defaults.profile });
      const platformRows =
        platform === false ? false : settingRows(platform, { given: own, env, profile: platform.profile });
      outcome.exitCode = issues.length === 0 ? EXIT.good : EXIT.problems;
      if (terminal.json) terminal.value({ tenants, platform: platformRows, issues });
      else print(host, tenants, platformRows, issues);
    });
}

function print(
  { terminal }: CliHost,
  tenants: readonly SettingRow[],
  platform: readonly SettingRow[] | false,
  issues: readonly ConfigIssue[],
): void {
  const section = (title: string, rows: readonly SettingRow[]): void => {
    terminal.line(terminal.style('bold', title));
    for (const line of table(rows.map(({ option, value, source }) => ['', option, printable(value), source]))) {
      terminal.line(line);
    }
    terminal.line();
  };
  section('tenants', tenants);
  if (platform === false) terminal.line('platform: none');
  else section('platform', platform);
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

import { readBuilderVariables } from '../core/builder-variables.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { IssueLog } from '../utils/option-reader.ts';
import { readHoneyHiveVariables } from './honeyhive-variables.ts';
import { readSwitches, TELEMETRYFLOW_CONVENTIONS, type TelemetryFlowVariables } from './telemetryflow-conventions.ts';

/** What is wrong with the variables that `isotrace/honeyhive` and `isotrace/telemetryflow` read. Never throws. */
export function checkCompatVariables(env: TelemetryFlowVariables): readonly ConfigIssue[] {
  const log = new IssueLog();
  readBuilderVariables(env, TELEMETRYFLOW_CONVENTIONS.variablePrefix, undefined, (_name, found) => log.addAll(found));
  for (const [, found] of readSwitches(env).issues) log.addAll(found);
  readHoneyHiveVariables(env, log);
  // Variables of OpenTelemetry are not HoneyHive's to judge.
  return log.list().filter(({ option }) => !option.startsWith('OTEL_'));
}

import { readBuilderVariables } from '../core/builder-variables.ts';
import type { ConfigIssue } from '../utils/errors.ts';
import { resolveHoneyHive } from './honeyhive-options.ts';
import { readSwitches, TELEMETRYFLOW_CONVENTIONS, type TelemetryFlowVariables } from './telemetryflow-conventions.ts';

/** What is wrong with the variables that `isotrace/honeyhive` and `isotrace/telemetryflow` read. Never throws. */
export function checkCompatVariables(env: TelemetryFlowVariables): readonly ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  readBuilderVariables(env, TELEMETRYFLOW_CONVENTIONS.variablePrefix, undefined, (_name, found) => {
    issues.push(...found);
  });
  issues.push(...readSwitches(env).issues.flatMap(([, found]) => found));
  // A key may also be given in code; variables of OpenTelemetry are not HoneyHive's to judge.
  const { issues: found } = resolveHoneyHive({ apiKey: 'any' }, env);
  return [...issues, ...found.filter(({ option }) => option.startsWith('HH_'))];
}

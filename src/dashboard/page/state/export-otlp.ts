import { formatCount } from '../model/format.ts';
import { countRecords, type OtlpPage } from '../model/otlp-file.ts';
import { announce } from './announce.ts';
import { type Answer, apiPath, ask, isGone, type Values } from './api.ts';

const AT_A_TIME = 8;
/** Of one request to the dashboard. */
const MOST_RECORDS = 10_000;

/** OTLP as JSON, one request a line, as the Collector's file exporter writes it. */
export async function exportTraces(
  traces: readonly { readonly traceId: string; readonly tenant: string }[],
): Promise<void> {
  const answers: Answer<string>[] = [];
  for (let at = 0; at < traces.length; at += AT_A_TIME) {
    answers.push(...(await Promise.all(traces.slice(at, at + AT_A_TIME).map(traceAsOtlp))));
  }
  const lines = answers.flatMap((answer) => ('value' in answer ? answer.value : []));
  const errors = answers.flatMap((answer) => ('error' in answer ? answer.error : []));
  const failed = errors.filter((error) => !isGone(error));
  const gone = errors.length - failed.length;
  if (lines.length > 0) saveFile('traces.jsonl', `${lines.join('\n')}\n`);
  announce(
    [
      `Exported ${formatCount(lines.length)} traces`,
      ...(gone > 0 ? [`${formatCount(gone)} are gone already`] : []),
      ...(failed[0] === undefined ? [] : [`${formatCount(failed.length)} failed: ${failed[0].message}`]),
    ].join('; '),
  );
}

/** The newest log records, or data points, that match: one request of OTLP. */
export async function exportPage(signal: 'logs' | 'metrics', values: Values): Promise<void> {
  const [path, what] = signal === 'logs' ? ['logs', 'log records'] : ['metrics/points', 'data points'];
  const answer = await ask<OtlpPage>(apiPath(path, { ...values, format: 'otlp', limit: MOST_RECORDS }));
  if ('error' in answer) {
    announce(answer.error.message);
    return;
  }
  saveFile(`${signal}.jsonl`, `${JSON.stringify(answer.value)}\n`);
  const count = countRecords(answer.value);
  announce(`Exported ${count < MOST_RECORDS ? '' : 'the newest '}${formatCount(count)} ${what}`);
}

/** One trace, as a file. */
export async function exportTrace(trace: { readonly traceId: string; readonly tenant: string }): Promise<void> {
  const answer = await traceAsOtlp(trace);
  if ('error' in answer) announce(answer.error.message);
  else saveFile(`trace-${trace.traceId}.json`, answer.value);
}

export async function traceAsOtlp(trace: {
  readonly traceId: string;
  readonly tenant: string;
}): Promise<Answer<string>> {
  const answer = await ask<unknown>(otlpPath(trace));
  return 'value' in answer ? { value: JSON.stringify(answer.value) } : answer;
}

export function otlpPath({ traceId, tenant }: { readonly traceId: string; readonly tenant: string }): string {
  return apiPath(`traces/${traceId}`, { tenant, format: 'otlp', limit: 100_000 });
}

function saveFile(name: string, text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

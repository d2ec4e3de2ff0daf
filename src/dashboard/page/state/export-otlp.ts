import { formatCount } from '../model/format.ts';
import { countRecords, type OtlpPage } from '../model/otlp-file.ts';
import { announce } from './announce.ts';
import { apiPath, ask, type Values } from './api.ts';

const AT_A_TIME = 8;
/** Of one request to the dashboard. */
const MOST_RECORDS = 10_000;

/** OTLP as JSON, one request a line, as the Collector's file exporter writes it. */
export async function exportTraces(
  traces: readonly { readonly traceId: string; readonly tenant: string }[],
): Promise<void> {
  const lines: string[] = [];
  for (let at = 0; at < traces.length; at += AT_A_TIME) {
    lines.push(...(await Promise.all(traces.slice(at, at + AT_A_TIME).map(traceAsOtlp))).filter((line) => line !== ''));
  }
  saveFile('traces.jsonl', `${lines.join('\n')}\n`);
  const lost = traces.length - lines.length;
  announce(`Exported ${formatCount(lines.length)} traces${lost > 0 ? `; ${formatCount(lost)} are gone already` : ''}`);
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

/** Empty when it is gone. */
export async function traceAsOtlp(trace: { readonly traceId: string; readonly tenant: string }): Promise<string> {
  const answer = await ask<unknown>(otlpPath(trace));
  return 'value' in answer ? JSON.stringify(answer.value) : '';
}

export function otlpPath({ traceId, tenant }: { readonly traceId: string; readonly tenant: string }): string {
  return apiPath(`traces/${traceId}`, { tenant, format: 'otlp', limit: 100_000 });
}

export function saveFile(name: string, text: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

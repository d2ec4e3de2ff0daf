import { PEER_NAMES } from '../peers/peer.ts';
import type { Comparison } from './baseline.ts';
import type { Answer, AnsweredRow, PeerAnswer } from './rounds.ts';

/** An answer as a Markdown table: a row for each figure, a column for each peer. */
export function formatAnswer({ question, rounds, rows, title }: Answer): string {
  const peers = PEER_NAMES.filter((peer) => rows.some(({ answers }) => answers[peer] !== undefined));
  const table = formatTable([
    ['', 'figure', ...peers, 'goal', ''],
    ...rows.map((row, index) => [
      rows[index - 1]?.variant === row.variant ? '' : row.variant,
      row.figure,
      ...peers.map((peer) => formatPeer(row.answers[peer], row.unit)),
      formatGoal(row),
      row.met === undefined ? '' : row.met ? 'met' : 'MISSED',
    ]),
  ]);
  const times = rounds === 1 ? '1 round' : `${rounds} rounds`;
  return `${title} (${question}, ${times})\n\n${table}`;
}

/** What was measured beside its baseline. */
export function formatComparisons(comparisons: readonly Comparison[]): string {
  return formatTable([
    ['ratio to stock, or figure', 'baseline', 'now', ''],
    ...comparisons.map(({ baseline, failed, measured, name }) => [
      ...[name, baseline.toFixed(2), measured.toFixed(2)],
      failed ? 'WORSE BY MORE THAN A THIRD' : '',
    ]),
  ]);
}

function formatTable(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const [head, ...body] = lines.map(
    (line) => `| ${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`,
  );
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [head, rule, ...body, ''].join('\n');
}

function formatPeer(answer: PeerAnswer | undefined, unit: string): string {
  if (answer === undefined) return '';
  const ratio = answer.ratio === undefined ? '' : ` (${answer.ratio.toFixed(2)})`;
  return `${formatNumber(answer.value)}${unit === '' ? '' : ` ${unit}`}${ratio}`;
}

function formatGoal({ better, goal, unit }: AnsweredRow): string {
  if (goal === undefined) return '';
  const sign = better === 'higher' ? '≥' : '≤';
  return 'ratio' in goal
    ? `${sign} ${goal.ratio} × stock`
    : `${sign} ${formatNumber(goal.value)}${unit === '' ? '' : ` ${unit}`}`;
}

function formatNumber(value: number): string {
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}

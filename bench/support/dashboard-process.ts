import { startDashboard } from 'isotrace/dashboard';
import { makeTraceRequest, SPANS_PER_REQUEST } from './trace-requests.ts';

/** The other process: a dashboard with so many spans, which tells its port, and on demand its memory. */
const spans = Number(process.argv[2]);
const dashboard = await startDashboard({ port: 0 });
const start = Date.now() - 1_800_000;
for (let index = 0; index < spans / SPANS_PER_REQUEST; index += 1) {
  const headers = { 'content-type': 'application/x-protobuf' };
  const body = Buffer.from(makeTraceRequest(index, start));
  const answer = await fetch(`${dashboard.url}/v1/traces`, { method: 'POST', headers, body });
  if (answer.status !== 200) throw new Error(`the dashboard answered ${answer.status}`);
}
process.on('message', () => {
  void globalThis.gc?.({ execution: 'async', type: 'major' }).then(() => {
    process.send?.({ rss: process.memoryUsage().rss });
  });
});
process.on('disconnect', () => process.exit());
process.send?.({ port: dashboard.port });

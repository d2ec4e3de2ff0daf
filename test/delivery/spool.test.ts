import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { allSpans, decodeTraceRequest } from '../support/otlp-decoder.ts';
import type { OtlpReceiver } from '../support/otlp-receiver.ts';
import { endSpans, eventually, missing, receiverWith, registryWith } from './delivery-kit.ts';

const DOWN = { mode: 'status', status: 503 } as const;

function spoolDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'isotrace-spool-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return path.join(directory, 'spool');
}

function filesIn(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}

function segmentsIn(directory: string): string[] {
  return filesIn(directory).filter((file) => file.endsWith('.seg'));
}

describe('a spool', () => {
  it('keeps what a shutdown cannot deliver, for the next registry to deliver with its own resource', async () => {
    const directory = spoolDirectory();
    const receiver = await receiverWith({ fault: DOWN });
    const options = (version: string) => ({
      service: { name: 'shop', version, instanceId: `instance-${version}` },
      spool: { directory },
      configure: (id: string) => ({ destination: { endpoint: receiver.url, paths: { traces: `/${id}/v1/traces` } } }),
    });
    const first = registryWith(options('1'));
    for (const id of ['a', 'b']) endSpans(first.get(id), 10);
    const report = await first.shutdown({ timeoutMillis: 50 });
    expect(report).toMatchObject({ ok: true, delivered: 0, pending: 0, spooled: 20, dropped: {} });
    expect(first.stats().traces).toMatchObject({ created: 20, queued: 0, spooled: 20, dropped: {} });
    expect(segmentsIn(directory)).toHaveLength(2);

    receiver.setFault({ mode: 'ok' });
    const second = registryWith(options('2'));
    await receiver.waitForSpans(20);
    await eventually(
      () => segmentsIn(directory).length === 0,
      () => 'files are left',
    );
    expect(second.stats().traces).toMatchObject({ created: 20, exported: 20, queued: 0, spooled: 0, dropped: {} });
    for (const request of receiver.requests.filter(({ accepted }) => accepted)) {
      const decoded = decodeTraceRequest(request.body);
      expect(decoded.resourceSpans[0]?.resource.attributes).toMatchObject({
        'service.version': '1',
        'service.instance.id': 'instance-1',
      });
      expect(allSpans(decoded)).toHaveLength(10);
    }
  });
});

import diagnosticsChannel from 'node:diagnostics_channel';
import { expect, it, onTestFinished } from 'vitest';
import { publishDiagnostic } from '../../src/utils/diagnostics.ts';

it('reaches the subscribers of its channel only', () => {
  const seen: unknown[] = [];
  const listener = (message: unknown, name: unknown): void => void seen.push({ name, message });
  diagnosticsChannel.subscribe('isotrace:dropped', listener);
  onTestFinished(() => void diagnosticsChannel.unsubscribe('isotrace:dropped', listener));
  publishDiagnostic('isotrace:dropped', { tenantId: 'acme', reason: 'queue_full', count: 3 });
  publishDiagnostic('isotrace:tenant:created', { tenantId: 'acme' });
  expect(seen).toEqual([{ name: 'isotrace:dropped', message: { tenantId: 'acme', reason: 'queue_full', count: 3 } }]);
});

it('leaves it to Node to report a subscriber that throws', async () => {
  const listener = (): never => {
    throw new Error('from a subscriber');
  };
  diagnosticsChannel.subscribe('isotrace:tenant:closed', listener);
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  onTestFinished(() => {
    diagnosticsChannel.unsubscribe('isotrace:tenant:closed', listener);
    for (const other of others) process.on('uncaughtException', other);
  });
  const reported = new Promise((resolve) => {
    process.once('uncaughtException', resolve);
  });
  expect(() => publishDiagnostic('isotrace:tenant:closed', { tenantId: 'acme' })).not.toThrow();
  await expect(reported).resolves.toMatchObject({ message: 'from a subscriber' });
});

import { describe, expect, it } from 'vitest';
import { UrlTable } from '../../src/utils/url-table.ts';

describe('a table of addresses', () => {
  it('answers the same object for the same address, however many others it has seen', () => {
    const table = new UrlTable();
    const first = table.of('https://otlp.test/v1/traces');
    expect(first.href).toBe('https://otlp.test/v1/traces');
    expect(table.of('https://otlp.test/v1/traces')).toBe(first);
    for (let index = 0; index < 5_000; index += 1)
      expect(table.of(`https://${index}.test/`).host).toBe(`${index}.test`);
    expect(table.of('https://otlp.test/v1/traces').href).toBe(first.href);
    expect(table.of('https://otlp.test/v1/traces')).not.toBe(first);
  });

  it.each(['https://user@otlp.test/', 'https://user:secret@otlp.test/', 'https://otlp.test/?key=secret'])(
    'remembers none that may hold credentials: %s',
    (address) => {
      const table = new UrlTable();
      expect(table.of(address).href).toBe(address);
      expect(table.of(address)).not.toBe(table.of(address));
    },
  );
});

import type { Attributes } from '@opentelemetry/api';
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SettledResource } from '../../src/processing/settled-resource.ts';

const someAttributes = fc.dictionary(
  fc.constantFrom('a', 'b', 'c', 'd'),
  fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.string())),
) as fc.Arbitrary<Attributes>;

function read(resource: Resource) {
  return {
    attributes: { ...resource.attributes },
    raw: Object.fromEntries(resource.getRawAttributes()),
    pending: resource.asyncAttributesPending,
    schemaUrl: resource.schemaUrl,
  };
}

describe('SettledResource', () => {
  it('reads as the resource that OpenTelemetry makes of the same attributes, also merged with others of both kinds', () => {
    fc.assert(
      fc.property(someAttributes, someAttributes, (first, second) => {
        const [ours, theirs] = [new SettledResource(first), resourceFromAttributes(first)];
        expect(read(ours)).toEqual(read(theirs));
        const merged = read(theirs.merge(resourceFromAttributes(second)));
        // OpenTelemetry's keeps each name's older values behind the newer one: their attributes are what counts.
        const attributesOf = (resource: Resource) => ({ ...resource.attributes });
        expect(attributesOf(ours.merge(new SettledResource(second)))).toEqual(merged.attributes);
        expect(attributesOf(ours.merge(resourceFromAttributes(second)))).toEqual(merged.attributes);
        expect(attributesOf(theirs.merge(new SettledResource(second)))).toEqual(merged.attributes);
      }),
    );
    expect(new SettledResource({ a: 1 }).merge(null).attributes).toEqual({ a: 1 });
  });

  it('waits, merged with a resource that still waits, for what that waits for', async () => {
    const detected = resourceFromAttributes({ a: Promise.resolve('detected'), b: 'known' }, { schemaUrl: 'https://x' });
    const merged = new SettledResource({ a: 'old', c: 'own' }).merge(detected);
    expect(merged.asyncAttributesPending).toBe(true);
    await merged.waitForAsyncAttributes?.();
    expect(merged.attributes).toEqual({ a: 'detected', b: 'known', c: 'own' });
    expect(merged.schemaUrl).toBe('https://x');
  });
});

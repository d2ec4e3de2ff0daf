import type { Attributes } from '@opentelemetry/api';
import type { RawResourceAttribute, Resource } from '@opentelemetry/resources';

/**
 * What span processors and exporters of OpenTelemetry read as a span's resource: attributes that are all known. Merged
 * with a resource of OpenTelemetry's that still waits for some, it is one of OpenTelemetry's.
 */
export class SettledResource implements Resource {
  readonly attributes: Attributes;
  readonly asyncAttributesPending = false;

  constructor(attributes: Readonly<Attributes>) {
    this.attributes = attributes;
  }

  async waitForAsyncAttributes(): Promise<void> {}

  /** This one's attributes, and the other's over them. */
  merge(other: Resource | null): Resource {
    if (other === null || other === undefined) return this;
    if (other instanceof SettledResource) return new SettledResource({ ...this.attributes, ...other.attributes });
    const theirs = new Set(other.getRawAttributes().map(([name]) => name));
    const rest = Object.entries(this.attributes).filter(([name]) => !theirs.has(name));
    return other.merge(new SettledResource(Object.fromEntries(rest)));
  }

  getRawAttributes(): RawResourceAttribute[] {
    return Object.entries(this.attributes);
  }
}

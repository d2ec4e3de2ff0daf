import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { TlsOptions } from '../infra/transport.ts';
import type { CaptureSettings } from '../processing/capture.ts';
import type { RedactOptions } from '../processing/redaction.ts';
import type { AgentSettings } from '../processing/usage.ts';
import { Secret } from '../utils/secret.ts';
import { REDACTED } from '../utils/secret-shapes.ts';
import { TELEMETRY_SIGNALS } from '../utils/telemetry-signal.ts';
import type { DestinationSettings, PropagationSettings, TracerDefaults } from './settings.ts';

/**
 * Makes a function that answers the same text for settings that behave the same, and another when an endpoint, a
 * header, the resource or anything else differs. Functions and objects of the user's (header functions, samplers …)
 * count by identity. The text is a keyed hash: nothing can be read from it, and it means nothing to another
 * fingerprint function.
 */
export function createFingerprint(): (settings: TracerDefaults) => string {
  const key = randomBytes(32);
  const identities = new WeakMap<object, number>();
  let identityCount = 0;

  function identify(value: object | undefined): number {
    if (value === undefined) return 0;
    let identity = identities.get(value);
    if (identity === undefined) {
      identityCount += 1;
      identity = identityCount;
      identities.set(value, identity);
    }
    return identity;
  }

  function describeDestination(destination: DestinationSettings): unknown {
    const { urls, protocol, headers, tenantHeader, tls, addresses, compression, timeoutMillis, redact } = destination;
    const { isolateConnections, temporality } = destination;
    const credentials = headers instanceof Secret ? sorted(headers.reveal()) : identify(headers);
    return [
      [
        TELEMETRY_SIGNALS.map((signal) => urls.of(signal)?.reveal()),
        protocol,
        compression,
        timeoutMillis,
        addresses,
        [isolateConnections, temporality],
      ],
      [credentials, tenantHeader, tls && describeTls(tls.reveal())],
      describeRedact(redact),
    ];
  }

  function describeRedact(redact: RedactOptions | undefined): unknown {
    if (redact === undefined) return undefined;
    const { keys = [], values = true, custom, replacement = REDACTED } = redact;
    return [keys.map((key) => (typeof key === 'string' ? key : identify(key))), values, identify(custom), replacement];
  }

  function describeCapture({ arguments: args, result, aggregate, maxBytes, maxDepth }: CaptureSettings): unknown {
    const sides = [args, result].map((side) => (typeof side === 'boolean' ? side : `function ${identify(side)}`));
    return [sides, identify(aggregate), maxBytes, maxDepth];
  }

  function describePropagation({ baggage, propagateTo }: PropagationSettings): unknown {
    return [
      typeof baggage === 'function' ? identify(baggage) : baggage.toSorted(),
      typeof propagateTo === 'function' ? identify(propagateTo) : propagateTo?.map(({ text }) => text).sort(),
    ];
  }

  return (settings) => {
    const { service, environment, attributes, sampling, limits, batch, boundary, resilience, propagation, profile } =
      settings;
    const { agents, capture, destinations, logs, metrics, redact, retry, signals } = settings;
    const { sessions, spanProcessors, exporter, idGenerator, spool } = settings;
    const description = JSON.stringify([
      [service.name, service.version, service.namespace, service.instanceId, environment, sorted(attributes)],
      [destinations.map(describeDestination), describeRedact(redact)],
      sampling.kind === 'rules' ? sorted(sampling) : identify(sampling.sampler),
      [sorted(limits), sorted(batch), sorted(retry), boundary, resilience, profile],
      [spool && sorted(spool), sorted(signals), sorted(metrics), sorted(logs)],
      [spanProcessors.map(identify), identify(exporter), identify(idGenerator)],
      [sessions, describeCapture(capture), agents && describeAgents(agents)],
      describePropagation(propagation),
    ]);
    return createHmac('sha256', key).update(description).digest('base64url');
  };
}

function describeAgents({ prices, currency, pendingAfterMillis }: AgentSettings): unknown {
  return [sorted(prices).map(([model, price]) => [model, sorted(price as object)]), currency, pendingAfterMillis];
}

function describeTls({ ca, cert, key, serverName }: TlsOptions): unknown {
  const hashes = [ca, cert, key].map((part) => part && createHash('sha256').update(part).digest('base64url'));
  return [...hashes, serverName];
}

function sorted(record: object): [key: string, value: unknown][] {
  return Object.entries(record).sort(([left], [right]) => (left < right ? -1 : 1));
}

/** Where a promise is held: a file of tests, below `test/`, and titles of tests in it. */
type Tests = Readonly<Record<string, readonly string[]>>;

export interface FaultPromise {
  readonly fault: string;
  readonly promise: string;
  readonly tests: Tests;
  /** What is not held by a test, and why. */
  readonly gap?: string;
}

const ANSWERS = 'faults/answers.ts';
const ANY_ANSWER: Tests = { [ANSWERS]: ['%s has the batch %s'] };
const SIGNALS = 'faults/signals.test.ts';
const RANDOM = 'answers that fail at random in every way that a retry survives cost nothing but time';

/** Every fault that we make a promise for. What is written here is part of docs/reliability.md. */
export const PROMISES: readonly FaultPromise[] = [
  {
    fault: 'The receiver hangs',
    promise: 'One deadline an attempt, the body of the answer included; retried; one request at a time from then on',
    tests: {
      ...ANY_ANSWER,
      'delivery/answers.test.ts': ['costs one deadline, and gets the spans when it is back'],
      'delivery/neighbours.test.ts': ['has one request at a time after the first failure, however much it produces'],
      'infra/transport.test.ts': ['has not passed a millisecond earlier'],
    },
  },
  {
    fault: 'Any of these, for log records and metrics',
    promise:
      'As for spans: the same answers are retried, kept or believed, each signal in its own account; 413 halves log records, and drops a request of metrics, 1,000 points at most',
    tests: {
      [SIGNALS]: [
        '%s has the batch of that signal %s',
        'a receiver that is not there gets everything when it is, once',
        'gets log records in halves, and a request of metrics, which are never many, counted as refused',
        'of %s is lost alone',
      ],
    },
  },
  {
    fault: 'One signal of a tenant is refused',
    promise:
      'The tenant’s other signals go on; what cannot be reached at all is asked by one request at a time for all',
    tests: {
      [SIGNALS]: ['what is refused on the path of one signal holds up none of the others, nor other tenants'],
      'delivery/signals.test.ts': ['that is away is tried with one request at a time, whatever the number of signals'],
    },
  },
  {
    fault: 'An outage of many collections of metrics',
    promise: 'No storm: one request at a time; points wait as spans do, and the latest cumulative one says all',
    tests: { [SIGNALS]: ['wait with one request at a time, and the latest says all in the end'] },
  },
  {
    fault: 'Refused, no route, no DNS entry',
    promise:
      'Backoff with full jitter from 1 to 30 s for 5 minutes, at most 20 attempts; nothing lost within the bound',
    tests: {
      'faults/network.test.ts': [
        'a receiver that goes away and comes back on its port gets everything, and is not asked hotly',
        'connections that are %s cost attempts, not spans',
      ],
      'processing/lane.test.ts': [
        'is survived without loss up to five minutes, with at most 20 attempts',
        'is never hot, however many batches wait',
      ],
      'infra/transport.test.ts': ['without a name in the DNS is `dns`'],
    },
  },
  {
    fault: 'TLS error, bad certificate, wrong protocol, redirect',
    promise: 'Kept, asked again once a minute; no redirect is followed, nothing goes out in plain',
    tests: {
      ...ANY_ANSWER,
      'faults/network.test.ts': [
        'a certificate that %s keeps the spans, without a second attempt, and nothing goes out in plain',
        '%s keeps the spans',
      ],
      'delivery/answers.test.ts': ['with a redirect is not followed, and keeps the spans'],
      'processing/lane.test.ts': ['that shows a broken configuration leads to one attempt a minute, and loses nothing'],
    },
  },
  {
    fault: 'Reset before the answer',
    promise: 'The same bytes again; at most one duplicate for each reset',
    tests: {
      [ANSWERS]: ['%s has the batch %s', RANDOM],
      'faults/network.test.ts': ['a line that %s is tried again over a new connection'],
    },
  },
  {
    fault: 'Reset, trickle or rubbish after a 2xx status',
    promise: 'Counts as delivered: no duplicate',
    tests: {
      ...ANY_ANSWER,
      'delivery/answers.test.ts': [
        'with a success and then breaks is not sent the same again',
        'but accepts and trickles has the spans, and each once',
      ],
    },
  },
  {
    fault: 'Slow upload, slow line',
    promise: 'The deadline holds for the upload too; shutdown ends in its own time',
    tests: {
      'faults/network.test.ts': [
        'an upload that is too slow ends at the deadline, and is made again when the line is good',
        'a slow, bumpy line delivers everything once',
        'an answer that never ends does not hold up shutdown, and keeps no handle',
      ],
    },
  },
  {
    fault: '429 or 503 with Retry-After',
    promise: 'Pauses that tenant only, until then, at most 10 minutes; a flush does not cut it short',
    tests: {
      'faults/retry-after.test.ts': [
        'a receiver gets the pause that it asks for, half a second at least, and only from the tenant that it asked',
      ],
      'delivery/answers.test.ts': ['429 with a Retry-After gets nothing before, although the host flushes'],
      'processing/retry-policy.test.ts': ['is what the receiver asked for, plus at most a fifth and a second'],
    },
  },
  {
    fault: 'Retry-After of 0, negative or rubbish',
    promise: 'As if it were absent: at least half a second between attempts',
    tests: {
      'faults/retry-after.test.ts': [
        'a receiver gets the pause that it asks for, half a second at least, and only from the tenant that it asked',
      ],
      'processing/outcome.test.ts': ['is a bounded wait or nothing for any text'],
    },
  },
  {
    fault: 'Every other status, every code of gRPC',
    promise: 'Retried where OTLP says so, and only there',
    tests: {
      [ANSWERS]: ['%s has the batch %s', RANDOM],
      'processing/grpc-outcome.test.ts': [
        'is listed here for every code of gRPC',
        '%d (%s) is %j, with a RetryInfo %j',
      ],
      'processing/outcome.test.ts': [
        'is success for 2xx, a wrong configuration for 3xx and 407 and permanent for all others but 429, 502, 503, 504',
      ],
    },
  },
  {
    fault: 'Partial success',
    promise: 'Never sent again; counted to the span',
    tests: {
      [ANSWERS]: ['a partial success is believed to the span, with and without a message'],
      'processing/outcome.test.ts': ['cuts and masks the warning'],
    },
  },
  {
    fault: '400, 413, a span that cannot be encoded',
    promise: 'A refused batch is dropped and the next goes through; 413 halves; a bad span is dropped alone',
    tests: {
      'delivery/answers.test.ts': [
        '400 to a poisoned batch loses that batch, counted, and the next one goes through',
        '413 to more than four spans gets them in halves',
      ],
      'processing/lane.test.ts': ['that finds a batch too large halves it, down to the one span that is'],
      'delivery/ways-out.test.ts': ['is dropped alone'],
    },
  },
  {
    fault: '401, 403',
    promise: 'Credentials are read again once, then one probe a minute; the spans are kept, each batch for 5 minutes',
    tests: {
      'delivery/credentials.test.ts': ['that are refused twice are probed only, and lose nothing'],
      'processing/lane.test.ts': [
        'that refuses the credentials leads to one attempt at once, then one a minute',
        'that refuses the credentials for five minutes loses the batch, not the queue',
      ],
    },
  },
  {
    fault: 'Credentials rotate under way',
    promise: 'Each attempt reads them anew; none of 100 rotations loses a span',
    tests: {
      'delivery/credentials.test.ts': [
        'are read for every attempt: of 100 rotations in flight none loses a span or is missed twice',
      ],
    },
  },
  {
    fault: 'SIGTERM',
    promise: 'With the hooks: delivered in their time, then the signal takes its action',
    tests: {
      'faults/processes.test.ts': [
        'delivers the 100 spans that wait, and ends by the signal',
        'ends in its time although the receiver hangs',
      ],
      'lifecycle/process-hooks.test.ts': ['leaves the end to listeners of the host'],
    },
  },
  {
    fault: 'The process runs out of work',
    promise: 'With the hooks: delivered; no timer or socket of ours keeps it alive',
    tests: {
      'faults/processes.test.ts': [
        'delivers the 100 spans that wait before it ends',
        'ends in the time of its hooks although the receiver answers with $mode',
        'does not wait for a receiver that hangs when it has no hooks',
      ],
      'core/registry-shutdown.test.ts': [
        'ends by itself while a receiver hangs, a retry waits and tenants are configured',
      ],
    },
  },
  {
    fault: 'SIGKILL in the middle of an export',
    promise:
      'Without a spool what waited is lost, at most the bound of the queue; with one, half a second of spans and log records, or nothing; at most one batch twice',
    tests: {
      'faults/processes.test.ts': ['loses at most what waited: what was answered is there, whole and once'],
      'delivery/spool.test.ts': ['with fsync %s loses of %i spans, and of as many log records, %s'],
      'processing/spool-model.test.ts': [
        'loses nothing that was safe, mixes nothing up and repeats no more than what was under way',
      ],
    },
  },
  {
    fault: 'The disk of the spool is full, read-only, torn',
    promise: 'Falls back to memory, skips bad records, never ends the host',
    tests: {
      'delivery/spool.test.ts': ['that cannot be made changes nothing but the health'],
      'processing/spool.test.ts': [
        'does not stop delivery',
        'at the end counts what is not on it, and only that',
        'lose one span at most by one bit, wherever it is',
      ],
      'processing/spool-frame.test.ts': [
        'loses one span at most, and counts it, whichever bit is flipped',
        'loses only what is behind the place where it was torn off',
      ],
    },
  },
  {
    fault: 'The wall clock jumps',
    promise: 'Durations, pauses and deadlines are those of the monotonic clock',
    tests: {
      'faults/clock.test.ts': [
        'a wall clock that jumps by %i ms neither changes a duration nor makes an attempt sooner or later',
      ],
      'processing/retry-policy.test.ts': ['comes five minutes after the first attempt, by the monotonic clock'],
      'utils/clock.test.ts': ['follows a jump of the wall clock by %i ms within a second'],
    },
  },
  {
    fault: '10,000 tenants through an LRU of 500',
    promise: 'No span lost; memory, sockets and timers come back',
    tests: {
      'core/registry-eviction.test.ts': [
        'lose no span, open ones included, and leave no memory, sockets or timers',
        'over and over costs no memory',
      ],
    },
  },
  {
    fault: 'Eviction with active spans',
    promise: 'They are delivered; one engine for a tenant at any time; after the grace counted as evicted',
    tests: {
      'core/registry-eviction.test.ts': [
        'waits for its open spans and delivers them',
        'has the spans that end after the grace delivered, by coming back',
        'never makes a second tracer while somebody holds the first, also across garbage collections',
        'gives up what it could not deliver when the grace is over, counted',
      ],
    },
  },
  {
    fault: 'A thousand calls of get for one cold tenant',
    promise: '`configure` is asked once',
    tests: { 'core/registry-configure.test.ts': ['is asked for once, however many want it'] },
  },
  {
    fault: '`configure` throws, hangs, answers rubbish or another tenant’s object',
    promise: 'The tenant records on; asked again after 5 to 30 s; the others notice nothing',
    tests: {
      'core/registry-configure.test.ts': [
        'is asked again after 5 to 30 seconds, not in step for all tenants',
        'by hanging is given 2 seconds, then asked again; an answer that comes late still counts',
        'keeps what the tenant was, and nothing of what another one said',
        'does not hold up the flush of the others',
      ],
      'core/resilience.test.ts': [
        'that answers one object for all tenants, and goes on changing it, gives each what it said then',
      ],
    },
  },
  {
    fault: 'An exporter throws, fails, answers twice or never',
    promise: 'Retried; only its first answer counts; no timer left, nothing unhandled',
    tests: {
      'core/resilience.test.ts': [
        'that answers twice is believed the first time',
        'gives up no span that it gets when it works again',
      ],
      'processing/object-cargo.test.ts': ['that never answers is tried again, and its late answer counts for nothing'],
      'core/registry-shutdown.test.ts': ['shuts the exporter down even when it fails or hangs'],
    },
  },
  {
    fault: 'A processor, sampler, id generator, redactor or logger throws',
    promise: 'Each is guarded by itself; the others still run; ten failures a minute switch it off',
    tests: {
      'core/resilience.test.ts': [
        'are switched off at level %s after %i failures, each by itself',
        'costs one line a minute, which says how many there were',
      ],
      'never-throw.test.ts': [
        'covers every option of a tracer and of a registry',
        'neither throws nor loses the span around: %s',
      ],
    },
  },
  {
    fault: 'Hostile attributes: getters, proxies, cycles, 100 MB strings',
    promise: 'Copied when set, cut to the limits; never a throw',
    tests: {
      'never-throw.test.ts': ['covers every method of a span: recording, ended, not sampled, doing nothing'],
      'processing/span.test.ts': ['holds no more of 100 MB strings than its limits'],
    },
  },
  {
    fault: 'The user’s function throws an odd value',
    promise: 'The very same value comes out; its span ends once',
    tests: {
      'core/operations.test.ts': ['lets the very same value out of every operation, and ends its span once as failed'],
      'processing/track-thenable.test.ts': ['may throw from then'],
    },
  },
  {
    fault: 'Generators and streams that are left early',
    promise: 'Ended exactly once, in 1,000 of 1,000',
    tests: {
      'processing/track-iterator.test.ts': ['ends 1,000 of 1,000 calls that are left early'],
      'processing/track-stream.test.ts': ['ends 1,000 of 1,000 calls that are left early'],
      'processing/track-web-stream.test.ts': ['ends 1,000 of 1,000 calls that are left early'],
    },
  },
  {
    fault: 'Tenants inside of tenants',
    promise: '10,000 random interleavings: nothing in a wrong place',
    tests: {
      'isolation/canary.test.ts': [
        'stay apart on the wire through 10,000 random interleavings of their work',
        'stay apart while most of them are evicted, revived and configured again',
      ],
    },
  },
  {
    fault: '10,000 spans in one tick',
    promise: 'None lost within the bound; beyond it counted exactly',
    tests: {
      'delivery/overload.test.ts': ['of 10,000 spans in one tick loses none', 'above the bound is exactly counted'],
    },
  },
  {
    fault: 'Worker threads, forks',
    promise: 'Each by itself, with ids that differ; what a dead one left on disk is taken over once',
    tests: {
      'faults/processes.test.ts': ['deliver each its own spans, with ids that differ'],
      'delivery/spool.test.ts': ['leave each other’s files alone'],
      'processing/spool.test.ts': ['is taken by exactly one of several that look at the same time'],
    },
  },
  {
    fault: 'Two copies of the package',
    promise: 'Separate, and none adopts the spans of the other',
    tests: {
      'core/two-copies.test.ts': ['do not adopt the spans of one another, and find the way back to their own'],
    },
  },
  {
    fault: 'Two versions of @opentelemetry/api, a provider of the host',
    promise:
      'Tenants have their spans complete, whichever version came first; what the API of another version does not see is said in health() and by the doctor; a provider of the host keeps what is its own',
    tests: {
      'isolation/boundaries.test.ts': [
        "of a host with an SDK of its own keeps its spans apart: neither takes the other's parent or sampling",
      ],
      'routing/api-versions.test.ts': [
        'that takes what ours registers, %s, is routed: its spans go to the tenant, below its span',
        'that does not take what older or other ones register, %s, changes nothing for the tenants',
        'that was the first to register something, %s, leaves the tenants their spans, and is named',
        'that has a provider of its own, %s, keeps it, also when isotrace is told to take the globals',
        'of another major version has globals of its own, which isotrace does not touch',
      ],
      'cli/doctor.test.ts': ['two versions of the API'],
    },
  },
  {
    fault: 'Shutdown twice, during an export, while exporters hang',
    promise: 'One report; in its time; never rejects; everything closed',
    tests: {
      'core/registry-shutdown.test.ts': [
        'gives the same report however often it is called',
        'is exact with %s, for the registry and for one tenant',
        'waits for what is in flight already',
        'is one for all of 200 tenants whose receivers hang, by the real clock too',
      ],
    },
  },
  {
    fault: 'Everything at once for a long time',
    promise:
      '200 tenants, random faults, receivers that die: every span by its id delivered or counted, nothing in a wrong place; no growth, in an hour that was measured',
    tests: { 'faults/soak.test.ts': ['finds nothing wrong with a run of a few seconds', 'fails when %s'] },
  },
];

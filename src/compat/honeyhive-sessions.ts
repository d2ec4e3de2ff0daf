import { randomUUID } from 'node:crypto';
import type { Context } from '@opentelemetry/api';
import { within } from '../lifecycle/deadline.ts';
import type { Redaction } from '../processing/redaction.ts';
import type { Clock } from '../utils/clock.ts';
import { HoneyHiveApi } from './honeyhive-api.ts';
import type { HoneyHiveSettings } from './honeyhive-options.ts';
import { type EnrichSessionParams, readFields, type SessionParams } from './honeyhive-params.ts';
import { redactFields } from './honeyhive-redaction.ts';
import { evaluationOf, type HoneyHiveSession } from './honeyhive-span-processor.ts';
import { honeyHiveHeaders, isOnline } from './honeyhive-tracer-options.ts';

export interface HoneyHiveSessionsOptions {
  readonly clock: Clock;
  /** Of the tracer, for what the API is told. */
  readonly redaction: Redaction | undefined;
  /** Told what the API refused, and what of the host's cannot be read. */
  readonly failed: (component: 'delivery' | 'host', operation: string, error: unknown) => void;
}

/** Sessions that HoneyHive's API has not been told of, by id. */
const MAX_UNTOLD = 1_000;

/** The sessions of one tracer: its own, those of running code, and what HoneyHive's API is told of them. */
export class HoneyHiveSessions {
  readonly #settings: HoneyHiveSettings;
  readonly #options: HoneyHiveSessionsOptions;
  readonly #api: HoneyHiveApi | undefined;
  /** Under which a context knows this tracer's session. */
  readonly #key = Symbol('isotrace honeyhive session');
  readonly #untold = new Map<string, HoneyHiveSession>();
  readonly #running = new Set<Promise<unknown>>();
  #own: HoneyHiveSession;
  #started: Promise<boolean> | undefined;

  constructor(settings: HoneyHiveSettings, options: HoneyHiveSessionsOptions) {
    const { isNewSession, serverUrl, sessionId, sessionName } = settings;
    this.#settings = settings;
    this.#options = options;
    this.#own = { id: sessionId, name: sessionName, isNew: isNewSession };
    if (serverUrl === undefined || !isOnline(settings)) return;
    this.#api = new HoneyHiveApi({
      serverUrl,
      headers: honeyHiveHeaders(settings),
      clock: options.clock,
      failed: (operation, error) => options.failed('delivery', operation, error),
    });
  }

  /** That of the code of a context, else the tracer's own. */
  of(context: Context): HoneyHiveSession {
    return (context.getValue(this.#key) as HoneyHiveSession | undefined) ?? this.#own;
  }

  /** Another session of the tracer's own, which exists. */
  replaceOwn(id: unknown): void {
    if (typeof id !== 'string' || id === '') return;
    this.#own = { id, name: undefined, isNew: false };
    this.#started = undefined;
  }

  /** Tells of the tracer's own session, if it is new and was not told of yet. */
  async start(): Promise<string> {
    const { id } = this.#own;
    await this.#track('startSession', this.#startOwn());
    return id;
  }

  /** A session beside the tracer's own. */
  async create(given: SessionParams | undefined): Promise<string> {
    const params = this.#read('createSession', given);
    const session = this.#newSession(params);
    const isTold = params.skipApiCall !== true && (await this.#track('createSession', this.#tell(session, params)));
    if (!isTold) this.#remember(session);
    return session.id;
  }

  /** The context of `context` in another session: one that exists, by its id, or a new one. */
  enter(context: Context, given: string | SessionParams | undefined): Context {
    return context.setValue(
      this.#key,
      typeof given === 'string' && given !== '' ? this.#known(given) : this.#begin(given),
    );
  }

  /** Adds to a session. */
  enrich(given: EnrichSessionParams | undefined, active: string): Promise<boolean> {
    return this.#track('enrichSession', this.#enrich(this.#read('enrichSession', given), active));
  }

  /** Waits for what is under way; answers whether it was over in time. */
  settled(timeoutMillis: number): Promise<boolean> {
    return within(this.#options.clock, timeoutMillis, this.#drain(), true);
  }

  /** Gives up what is under way; the API is called no more. */
  close(): void {
    this.#api?.close();
  }

  async #drain(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  #known(id: string): HoneyHiveSession {
    return this.#untold.get(id) ?? { id, name: undefined, isNew: false };
  }

  #begin(given: unknown): HoneyHiveSession {
    const params = this.#read('withSession', given as SessionParams);
    const session = this.#newSession(params);
    if (params.skipApiCall !== true) void this.#track('withSession', this.#tell(session, params));
    return session;
  }

  async #enrich(params: EnrichSessionParams, active: string): Promise<boolean> {
    const id = typeof params.sessionId === 'string' && params.sessionId !== '' ? params.sessionId : active;
    const inputs = recordOf(params.inputs, 'value');
    const metadata = recordOf(params.metadata);
    const fields = {
      ...given('metadata', inputs ? { ...this.#read('enrichSession', metadata), inputs } : metadata),
      ...given('feedback', recordOf(params.feedback)),
      ...given('metrics', recordOf(params.metrics)),
      ...given('config', recordOf(params.config)),
      ...given('outputs', recordOf(params.outputs, 'value')),
      ...given('user_properties', recordOf(params.userProperties)),
    };
    if (this.#api === undefined || Object.keys(fields).length === 0) return false;
    if (id === this.#own.id) await this.#startOwn();
    return this.#api.updateEvent({ event_id: id, ...this.#redacted(fields) });
  }

  async #startOwn(): Promise<boolean> {
    if (!this.#own.isNew) return true;
    const { inputs, metadata } = this.#settings;
    const attempt =
      this.#started ?? this.#tell(this.#own, { inputs, metadata: { ...metadata, ...evaluationOf(this.#settings) } });
    this.#started = attempt;
    const isTold = await attempt;
    // The next one who needs it tries again.
    if (!isTold && this.#started === attempt) this.#started = undefined;
    return isTold;
  }

  async #tell({ id, name }: HoneyHiveSession, params: SessionParams): Promise<boolean> {
    if (this.#api === undefined) return false;
    const { project, source } = this.#settings;
    const fields = {
      session_name: name,
      ...given('inputs', recordOf(params.inputs, 'value')),
      ...given('metadata', recordOf(params.metadata)),
      ...given('user_properties', recordOf(params.userProperties)),
    };
    return this.#api.startSession({
      ...given('project', project),
      source: typeof params.source === 'string' ? params.source : source,
      session_id: id,
      ...this.#redacted(fields),
    });
  }

  #redacted(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const { clock, redaction } = this.#options;
    return redactFields(fields, redaction, clock);
  }

  #newSession({ sessionId, sessionName }: SessionParams): HoneyHiveSession {
    const isGiven = typeof sessionId === 'string' && sessionId !== '';
    const name = typeof sessionName === 'string' && sessionName !== '' ? sessionName : this.#settings.sessionName;
    return { id: isGiven ? sessionId : randomUUID(), name, isNew: true };
  }

  /** Its spans tell of it, whoever enters it by its id. */
  #remember(session: HoneyHiveSession): void {
    this.#untold.set(session.id, session);
    for (const oldest of this.#untold.keys()) {
      if (this.#untold.size <= MAX_UNTOLD) break;
      this.#untold.delete(oldest);
    }
  }

  #read<T extends object>(operation: string, params: T | undefined): Partial<T> {
    return readFields(params, (error) => this.#options.failed('host', operation, error));
  }

  /** Answers `false` when something of the host's could not be looked at. */
  async #track(operation: string, work: Promise<boolean>): Promise<boolean> {
    this.#running.add(work);
    try {
      return await work;
    } catch (error) {
      this.#options.failed('host', operation, error);
      return false;
    } finally {
      this.#running.delete(work);
    }
  }
}

function given(name: string, value: unknown): Readonly<Record<string, unknown>> {
  return value === undefined ? {} : { [name]: value };
}

/** HoneyHive takes objects; anything else has its place under `key`, or none. */
function recordOf(value: unknown, key?: string): Readonly<Record<string, unknown>> | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  return key === undefined ? undefined : { [key]: value };
}

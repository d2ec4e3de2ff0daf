type Values = Readonly<Record<string, unknown>>;

/** What can be said about a span. Objects become one attribute a leaf, such as `honeyhive_metadata.user.id`. */
export interface EnrichSpanParams {
  /** How it was set up. */
  readonly config?: Values | undefined;
  /** Anything about it. */
  readonly metadata?: Values | undefined;
  /** Figures. */
  readonly metrics?: Values | undefined;
  /** What people or programs think of it. */
  readonly feedback?: Values | undefined;
  /** What went in. */
  readonly inputs?: Values | undefined;
  /** What came out. */
  readonly outputs?: Values | undefined;
  /** About its user. */
  readonly userProperties?: Values | undefined;
  /** What went wrong. */
  readonly error?: unknown;
  /** The name under which it is shown. */
  readonly eventName?: string | undefined;
}

/** What is known of a session by now. */
export interface EnrichSessionParams {
  /** Default: the session of the running code, else the tracer's. */
  readonly sessionId?: string | undefined;
  /** Anything about it. */
  readonly metadata?: Values | undefined;
  /** What people or programs think of it. */
  readonly feedback?: Values | undefined;
  /** Figures. */
  readonly metrics?: Values | undefined;
  /** How it was set up. */
  readonly config?: Values | undefined;
  /** In `metadata.inputs`: HoneyHive has no inputs of sessions that have begun. */
  readonly inputs?: Values | undefined;
  /** What came out. */
  readonly outputs?: Values | undefined;
  /** About its user. */
  readonly userProperties?: Values | undefined;
}

/** A new session. */
export interface SessionParams {
  /** Default: a new UUID. */
  readonly sessionId?: string | undefined;
  /** Default: the tracer's. */
  readonly sessionName?: string | undefined;
  /** Where it comes from, such as `production`. Default: that of the tracer. */
  readonly source?: string | undefined;
  /** What it begins with. */
  readonly inputs?: Values | undefined;
  /** Anything about it. */
  readonly metadata?: Values | undefined;
  /** About its user. */
  readonly userProperties?: Values | undefined;
  /** Whether spans only tell of the session, and the API is not called. Default: `false`. */
  readonly skipApiCall?: boolean | undefined;
}

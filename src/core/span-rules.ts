import type { SpanPath } from './span-path.ts';

/** What spans of a tenant go by, as the configuration in force says. */
export abstract class SpanRules {
  abstract readonly path: SpanPath;

  get spanLimits() {
    return this.path.settings.limits;
  }

  get sampler() {
    return this.path.sampler;
  }

  get hooks() {
    return this.path.hooks;
  }

  get captureSettings() {
    return this.path.settings.capture;
  }

  get rootSessions() {
    return this.path.rootSessions;
  }

  get hostIds() {
    return this.path.hostIds;
  }
}

import { IsotraceError } from '../../utils/errors.ts';

export const VIEW_CHARTS = ['line', 'bar', 'heatmap', 'stat', 'table'] as const;
/** How a saved view is drawn. */
export type ViewChart = (typeof VIEW_CHARTS)[number];

/** A metric that the page shows from the beginning. */
export interface View {
  readonly metric: string;
  readonly chart: ViewChart;
}

const MAX_VIEWS = 100;
const MAX_NAME = 255;

/** The views that were registered, one for each metric. */
export class ViewList {
  readonly #views = new Map<string, View>();

  /** Another chart for the same metric replaces the first. Throws an `IsotraceError` on what is no view. */
  register(metric: string, chart: ViewChart): void {
    const isMetric = typeof metric === 'string' && metric.length > 0 && metric.length <= MAX_NAME;
    if (!isMetric || !VIEW_CHARTS.includes(chart)) {
      const accepted = `the name of a metric, and one of ${VIEW_CHARTS.join(', ')}`;
      throw new IsotraceError('config_invalid', `a view needs ${accepted}`);
    }
    if (!this.#views.has(metric) && this.#views.size >= MAX_VIEWS) {
      throw new IsotraceError('config_invalid', `there are ${MAX_VIEWS} views at most`);
    }
    this.#views.set(metric, { metric, chart });
  }

  list(): readonly View[] {
    return [...this.#views.values()];
  }
}

export { type PrometheusHandler, type PrometheusOptions, prometheusHandler } from './integration/prometheus-handler.ts';

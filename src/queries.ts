export type { Plain } from './dashboard/ask/plain.ts';
export { createQueryBus, type QueryBus, type QueryContext } from './dashboard/ask/query-bus.ts';
export type { QueryBusOptions, QueryTarget } from './dashboard/ask/query-bus-options.ts';
export type {
  AggregateMetrics,
  AnswerValues,
  GetHealth,
  GetLogs,
  GetMetric,
  GetStatus,
  GetTrace,
  HealthAnswer,
  LogsAnswer,
  MetricValuesAnswer,
  QueryFailure,
  QueryResult,
  Question,
  QuestionOf,
  QuestionType,
  SearchTraces,
  StatusAnswer,
  TraceAnswer,
  TracesAnswer,
} from './dashboard/ask/question.ts';
export type { BusResult, CustomMessage, CustomMessages, CustomValue } from './utils/bus-result.ts';

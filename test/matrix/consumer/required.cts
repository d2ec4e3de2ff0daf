// A CommonJS program, which requires the ES modules of isotrace.
import api = require('@opentelemetry/api');
import isotrace = require('isotrace');
import testing = require('isotrace/testing');

const registry = new isotrace.TracerRegistry({ destination: { endpoint: 'http://localhost:4318' } });
const tracer: api.Tracer = registry.get('acme');
export = { tracer, recorded: testing.createTestRegistry() };

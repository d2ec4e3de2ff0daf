const api = require('@opentelemetry/api');
const isotrace = require('isotrace');
const { play } = require('./scenario.cjs');

// It waits for what it prepares, so that only `node --import` can load it, of both kinds of programs.
const AWAITING = new Set(['isotrace/register']);

void play(isotrace, api, (name) => (AWAITING.has(name) ? import(name) : require(name)));

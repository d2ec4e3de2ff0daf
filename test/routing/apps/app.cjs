// The same application as CommonJS.
const { createServer } = require('node:http');
const express = require('express');
const { TracerRegistry } = require('../../../src/index.ts');
const { serve } = require('./serve.cjs');

void serve({ express, createServer, TracerRegistry });

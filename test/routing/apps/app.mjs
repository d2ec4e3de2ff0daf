// An application as ES modules: everything that is instrumented is imported before the registry is installed.
import { createServer } from 'node:http';
import express from 'express';
import { TracerRegistry } from '../../../src/index.ts';
import { serve } from './serve.cjs';

await serve({ express, createServer, TracerRegistry });

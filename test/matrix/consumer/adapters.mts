// The entries that need an optional peer, or whose types are those of one.
import type { Interceptor, ServerInterceptor } from '@grpc/grpc-js';
import { Module } from '@nestjs/common';
import express4 from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import { TracerRegistry } from 'isotrace';
import { express, recordErrors } from 'isotrace/express';
import { fastify } from 'isotrace/fastify';
import { clientInterceptor, serverInterceptor } from 'isotrace/grpc';
import { hono } from 'isotrace/hono';
import * as nestjs from 'isotrace/nestjs';
import 'isotrace/register';

const registry = new TracerRegistry({ destination: { endpoint: 'http://localhost:4318' } });
export const app = express4();
app.use(express(registry, { tenant: (request) => request.get('x-org') }));
app.use(recordErrors());
export const server = Fastify();
await server.register(fastify(registry, { tenant: (request) => request.headers.host }));
export const web = new Hono().use(hono(registry, { tenant: (context) => context.req.header('x-org') }));
export const client: Interceptor = clientInterceptor(registry);
export const calls: ServerInterceptor = serverInterceptor(registry, {
  tenant: (metadata) => metadata.get('x-org').join(),
});
export const modules: [typeof nestjs, typeof Module] = [nestjs, Module];

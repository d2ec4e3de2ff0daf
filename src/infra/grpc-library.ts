import { createRequire } from 'node:module';
import { type ConfigIssue, IsotraceError } from '../utils/errors.ts';

const PACKAGE = '@grpc/grpc-js';

/** The optional peer `@grpc/grpc-js`. */
export type GrpcLibrary = typeof import('@grpc/grpc-js');

/** What is wrong when `option` asks for gRPC: `undefined` if the optional peer can be found. Loads nothing. */
export function findGrpcIssue(
  option: string,
  resolve: (specifier: string) => unknown = createRequire(import.meta.url).resolve,
): ConfigIssue | undefined {
  try {
    resolve(PACKAGE);
    return undefined;
  } catch {
    return {
      option,
      accepted: `'http/protobuf' or 'http/json', or 'grpc' with the package ${PACKAGE} installed`,
      received: `'grpc' without the package ${PACKAGE}`,
    };
  }
}

/**
 * Loads the optional peer.
 *
 * @throws IsotraceError `config_invalid` when it is not installed or cannot be loaded
 */
export async function loadGrpc(load: () => Promise<GrpcLibrary> = () => import('@grpc/grpc-js')): Promise<GrpcLibrary> {
  try {
    return await load();
  } catch (cause) {
    throw new IsotraceError('config_invalid', `the protocol 'grpc' needs the package ${PACKAGE}: install it`, {
      cause,
    });
  }
}

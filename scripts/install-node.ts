import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * The binary of the newest Node of a version or range (`24.21.0`, `20.19`, `26`), from npm's packages of Node, installed
 * into the directory where that has not been done. Rejects if there is none for this machine.
 */
export async function installNode(range: string, directory: string): Promise<string> {
  const isWindows = process.platform === 'win32';
  const name = `node-${isWindows ? 'win' : process.platform}-${process.arch}`;
  const binary = path.join(directory, 'node_modules', name, 'bin', isWindows ? 'node.exe' : 'node');
  if (existsSync(binary)) return binary;
  await mkdir(directory, { recursive: true });
  const quiet = ['--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error'];
  try {
    await run('npm', ['install', '--ignore-scripts', ...quiet, '--prefix', directory, `${name}@${range}`]);
  } catch (error) {
    throw new Error(`npm has no Node ${range} for ${process.platform} on ${process.arch}`, { cause: error });
  }
  return binary;
}

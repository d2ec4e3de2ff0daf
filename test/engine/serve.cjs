// Serves ClickHouse over HTTP and TCP from the library in the package `chdb`: `node serve.cjs <clickhouse-local arguments>`.
// The library exports what `clickhouse local` runs; the call does not return, so that the process is ended by a signal.
const { readdirSync } = require('node:fs');
const path = require('node:path');
const { DataType, load, open } = require('ffi-rs');

const folder = path.join(__dirname, 'node_modules', '@chdb');
const platform = readdirSync(folder).find((name) => name.startsWith('lib-'));
open({ library: 'chdb', path: path.join(folder, platform, 'libchdb.so') });
const argv = ['clickhouse-local', ...process.argv.slice(2)];
load({
  library: 'chdb',
  funcName: 'chdb_query_cmdline',
  retType: DataType.External,
  paramsType: [DataType.I32, DataType.StringArray],
  paramsValue: [argv.length, argv],
});

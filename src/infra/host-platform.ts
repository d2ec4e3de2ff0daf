import type { Attributes } from '@opentelemetry/api';

/** Where the process runs, the most specific of what can be told without asking the network. */
export type HostPlatform =
  | 'aws_lambda'
  | 'gcp_cloud_functions'
  | 'azure_functions'
  | 'vercel'
  | 'netlify'
  | 'gcp_cloud_run'
  | 'gcp_app_engine'
  | 'azure_container_apps'
  | 'azure_app_service'
  | 'aws_ecs'
  | 'fly'
  | 'heroku'
  | 'render'
  | 'railway'
  | 'kubernetes'
  | 'docker'
  | 'aws_ec2'
  | 'gcp_compute_engine'
  | 'azure_vm'
  | 'unknown';

/** What detection may look at: environment variables and local files; nothing else. */
export interface HostFacts {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The text of a small file, `undefined` when there is none or it cannot be read. Must not throw. */
  readFile(path: string): string | undefined;
  exists(path: string): boolean;
}

export interface DetectedPlatform {
  readonly platform: HostPlatform;
  /** Resource attributes by OpenTelemetry's semantic conventions. */
  readonly attributes: Readonly<Attributes>;
}

type Env = HostFacts['env'];
type Found = Readonly<Record<string, string | number | undefined>>;

interface Candidate {
  readonly platform: HostPlatform;
  applies(facts: HostFacts): boolean;
  describe?(facts: HostFacts): Found;
}

/** Platforms that freeze or end the process between two calls. */
const FUNCTIONS: ReadonlySet<HostPlatform> = new Set([
  'aws_lambda',
  'gcp_cloud_functions',
  'azure_functions',
  'vercel',
  'netlify',
]);

const NAMESPACE_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';
const DMI = '/sys/class/dmi/id/';
/** Azure marks its machines with it. */
const AZURE_ASSET_TAG = '7783-7084-3265-9085-8269-3286-77';
const MAX_VALUE_LENGTH = 255;

/** In order: what runs inside of something else comes before it. */
const CANDIDATES: readonly Candidate[] = [
  {
    platform: 'vercel',
    applies: ({ env }) => env['VERCEL'] === '1' && !has(env, 'CI'),
    describe: ({ env }) => ({ 'cloud.region': env['VERCEL_REGION'] }),
  },
  {
    platform: 'netlify',
    applies: ({ env }) => has(env, 'SITE_ID') && has(env, 'SITE_NAME') && has(env, 'AWS_LAMBDA_FUNCTION_NAME'),
    describe: ({ env }) => ({ 'cloud.region': env['AWS_REGION'] }),
  },
  {
    platform: 'aws_lambda',
    // AWS_EXECUTION_ENV is set in each of Lambda's runtimes, AWS_LAMBDA_FUNCTION_NAME in containers of one's own too.
    applies: ({ env }) =>
      has(env, 'AWS_LAMBDA_FUNCTION_NAME') || (env['AWS_EXECUTION_ENV'] ?? '').startsWith('AWS_Lambda_'),
    describe: ({ env }) => ({
      ...aws('aws_lambda', env),
      'faas.name': env['AWS_LAMBDA_FUNCTION_NAME'],
      'faas.version': env['AWS_LAMBDA_FUNCTION_VERSION'],
      'faas.instance': env['AWS_LAMBDA_LOG_STREAM_NAME'],
      'faas.max_memory': mebibytes(env['AWS_LAMBDA_FUNCTION_MEMORY_SIZE']),
    }),
  },
  {
    platform: 'gcp_cloud_functions',
    applies: ({ env }) => has(env, 'FUNCTION_TARGET') && has(env, 'K_SERVICE'),
    describe: ({ env }) => ({ ...gcp('gcp_cloud_functions'), ...knative(env) }),
  },
  {
    platform: 'azure_functions',
    applies: ({ env }) => has(env, 'FUNCTIONS_WORKER_RUNTIME') || has(env, 'FUNCTIONS_EXTENSION_VERSION'),
    describe: ({ env }) => ({
      ...azure('azure.functions', env['REGION_NAME']),
      'faas.name': env['WEBSITE_SITE_NAME'],
      'faas.instance': env['WEBSITE_INSTANCE_ID'],
      'faas.max_memory': mebibytes(env['WEBSITE_MEMORY_LIMIT_MB']),
    }),
  },
  {
    platform: 'gcp_cloud_run',
    // Knative sets the same two variables in any cluster.
    applies: ({ env }) =>
      has(env, 'CLOUD_RUN_JOB') ||
      (has(env, 'K_SERVICE') && has(env, 'K_REVISION') && !has(env, 'KUBERNETES_SERVICE_HOST')),
    describe: ({ env }) => ({
      ...gcp('gcp_cloud_run'),
      ...knative(env),
      ...(has(env, 'CLOUD_RUN_JOB') && { 'faas.name': env['CLOUD_RUN_JOB'] }),
      'gcp.cloud_run.job.execution': env['CLOUD_RUN_EXECUTION'],
    }),
  },
  {
    platform: 'gcp_app_engine',
    applies: ({ env }) => has(env, 'GAE_SERVICE'),
    describe: ({ env }) => ({
      ...gcp('gcp_app_engine'),
      'faas.name': env['GAE_SERVICE'],
      'faas.version': env['GAE_VERSION'],
      'faas.instance': env['GAE_INSTANCE'],
    }),
  },
  {
    platform: 'azure_container_apps',
    applies: ({ env }) => has(env, 'CONTAINER_APP_NAME'),
    describe: ({ env }) => ({
      ...azure('azure.container_apps', undefined),
      'container.name': env['CONTAINER_APP_NAME'],
    }),
  },
  {
    platform: 'azure_app_service',
    applies: ({ env }) => has(env, 'WEBSITE_SITE_NAME'),
    describe: ({ env }) => azure('azure.app_service', env['REGION_NAME']),
  },
  {
    platform: 'aws_ecs',
    applies: ({ env }) => has(env, 'ECS_CONTAINER_METADATA_URI_V4') || has(env, 'ECS_CONTAINER_METADATA_URI'),
    describe: (facts) => ({ ...aws('aws_ecs', facts.env), ...container(facts) }),
  },
  {
    platform: 'fly',
    applies: ({ env }) => has(env, 'FLY_APP_NAME'),
    describe: ({ env }) => ({ 'cloud.region': env['FLY_REGION'], 'host.id': env['FLY_MACHINE_ID'] }),
  },
  {
    platform: 'heroku',
    applies: ({ env }) => has(env, 'DYNO'),
    describe: ({ env }) => ({
      'cloud.provider': 'heroku',
      'heroku.app.id': env['HEROKU_APP_ID'],
      'heroku.release.commit': env['HEROKU_SLUG_COMMIT'],
      'heroku.release.creation_timestamp': env['HEROKU_RELEASE_CREATED_AT'],
    }),
  },
  {
    platform: 'render',
    applies: ({ env }) => env['RENDER'] === 'true',
  },
  {
    platform: 'railway',
    applies: ({ env }) => has(env, 'RAILWAY_PROJECT_ID'),
    describe: ({ env }) => ({ 'cloud.region': env['RAILWAY_REPLICA_REGION'] }),
  },
  {
    platform: 'kubernetes',
    applies: ({ env }) => has(env, 'KUBERNETES_SERVICE_HOST'),
    describe: (facts) => ({ ...kubernetes(facts), ...container(facts) }),
  },
  {
    platform: 'docker',
    applies: ({ exists }) => exists('/.dockerenv') || exists('/run/.containerenv'),
    describe: container,
  },
  {
    platform: 'aws_ec2',
    applies: ({ readFile }) => readFile(`${DMI}sys_vendor`)?.trim() === 'Amazon EC2',
    describe: ({ env, readFile }) => {
      const instance = readFile(`${DMI}board_asset_tag`)?.trim();
      return { ...aws('aws_ec2', env), 'host.id': instance?.startsWith('i-') ? instance : undefined };
    },
  },
  {
    platform: 'gcp_compute_engine',
    applies: ({ readFile }) => readFile(`${DMI}product_name`)?.trim() === 'Google Compute Engine',
    describe: () => gcp('gcp_compute_engine'),
  },
  {
    platform: 'azure_vm',
    applies: ({ readFile }) => readFile(`${DMI}chassis_asset_tag`)?.trim() === AZURE_ASSET_TAG,
    describe: () => azure('azure.vm', undefined),
  },
];

/**
 * Where the process runs, from what its environment and a few local files say: no network, no guess. What only hints
 * (such as a region that is set on a developer's machine too) does not count.
 */
export function detectPlatform(facts: HostFacts): DetectedPlatform {
  const found = CANDIDATES.find(({ applies }) => applies(facts));
  const attributes: Attributes = {};
  for (const [key, value] of Object.entries(found?.describe?.(facts) ?? {})) {
    if (value === undefined || value === '' || (typeof value === 'string' && value.length > MAX_VALUE_LENGTH)) continue;
    attributes[key] = value;
  }
  return Object.freeze({ platform: found?.platform ?? 'unknown', attributes: Object.freeze(attributes) });
}

/** Whether the process may be frozen or ended as soon as a call is answered. */
export function isFunctionPlatform(platform: HostPlatform): boolean {
  return FUNCTIONS.has(platform);
}

function has(env: Env, name: string): boolean {
  return (env[name] ?? '') !== '';
}

function aws(platform: string, env: Env): Found {
  const region = env['AWS_REGION'] || env['AWS_DEFAULT_REGION'];
  return { 'cloud.provider': 'aws', 'cloud.platform': platform, 'cloud.region': region };
}

function gcp(platform: string): Found {
  return { 'cloud.provider': 'gcp', 'cloud.platform': platform };
}

function azure(platform: string, region: string | undefined): Found {
  return { 'cloud.provider': 'azure', 'cloud.platform': platform, 'cloud.region': region };
}

/** Cloud Run and Cloud Functions tell their names as Knative does. */
function knative(env: Env): Found {
  return { 'faas.name': env['K_SERVICE'], 'faas.version': env['K_REVISION'] };
}

function kubernetes({ env, readFile }: HostFacts): Found {
  return {
    // A pod's host name is its own name, except on the host's network; the variables are those of the Downward API
    // as OpenTelemetry's operator and guides name them.
    'k8s.pod.name': env['K8S_POD_NAME'] || env['POD_NAME'] || env['HOSTNAME'],
    'k8s.pod.uid': env['K8S_POD_UID'] || env['POD_UID'],
    'k8s.namespace.name': env['K8S_NAMESPACE'] || env['POD_NAMESPACE'] || readFile(NAMESPACE_FILE)?.trim(),
    'k8s.node.name': env['K8S_NODE_NAME'] || env['NODE_NAME'],
  };
}

/** The container's id, from where cgroup v1 or, with v2, the mounts of the container's own files name it. */
function container({ readFile }: HostFacts): Found {
  const group = /[/-]([\da-f]{64})(?:\.scope)?\s*$/m.exec(readFile('/proc/self/cgroup') ?? '');
  const mount = /\/containers\/([\da-f]{64})\//.exec(readFile('/proc/self/mountinfo') ?? '');
  return { 'container.id': group?.[1] ?? mount?.[1] };
}

/** A size in MiB as bytes. */
function mebibytes(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,7}$/.test(text) ? Number(text) * 1_024 * 1_024 : undefined;
}

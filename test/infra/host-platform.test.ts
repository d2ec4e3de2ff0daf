import { describe, expect, it } from 'vitest';
import { detectPlatform, type HostPlatform, isFunctionPlatform } from '../../src/infra/host-platform.ts';

const ID = 'f'.repeat(64);

interface World {
  readonly env?: Record<string, string>;
  readonly files?: Record<string, string>;
}

const detect = ({ env = {}, files = {} }: World) =>
  detectPlatform({ env, readFile: (path) => files[path], exists: (path) => path in files });

const LAMBDA = { AWS_LAMBDA_FUNCTION_NAME: 'checkout', AWS_REGION: 'eu-west-1' };
const KUBERNETES = { KUBERNETES_SERVICE_HOST: '10.0.0.1' };

const TABLE: [HostPlatform, World, Record<string, unknown>][] = [
  ['unknown', {}, {}],
  [
    'aws_lambda',
    {
      env: {
        ...LAMBDA,
        AWS_LAMBDA_FUNCTION_VERSION: '7',
        AWS_LAMBDA_LOG_STREAM_NAME: '2025/[7]ab',
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
      },
    },
    {
      'cloud.provider': 'aws',
      'cloud.platform': 'aws_lambda',
      'cloud.region': 'eu-west-1',
      'faas.name': 'checkout',
      'faas.version': '7',
      'faas.instance': '2025/[7]ab',
      'faas.max_memory': 134_217_728,
    },
  ],
  [
    'aws_lambda',
    { env: { AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x' } },
    { 'cloud.provider': 'aws', 'cloud.platform': 'aws_lambda' },
  ],
  ['vercel', { env: { ...LAMBDA, VERCEL: '1', VERCEL_REGION: 'fra1' } }, { 'cloud.region': 'fra1' }],
  ['netlify', { env: { ...LAMBDA, SITE_ID: 'id', SITE_NAME: 'shop' } }, { 'cloud.region': 'eu-west-1' }],
  [
    'gcp_cloud_functions',
    { env: { FUNCTION_TARGET: 'main', K_SERVICE: 'checkout', K_REVISION: 'checkout-3' } },
    {
      'cloud.provider': 'gcp',
      'cloud.platform': 'gcp_cloud_functions',
      'faas.name': 'checkout',
      'faas.version': 'checkout-3',
    },
  ],
  [
    'azure_functions',
    {
      env: {
        FUNCTIONS_WORKER_RUNTIME: 'node',
        WEBSITE_SITE_NAME: 'checkout',
        REGION_NAME: 'westeurope',
        WEBSITE_MEMORY_LIMIT_MB: 'lots',
      },
    },
    {
      'cloud.provider': 'azure',
      'cloud.platform': 'azure.functions',
      'cloud.region': 'westeurope',
      'faas.name': 'checkout',
    },
  ],
  [
    'gcp_cloud_run',
    { env: { K_SERVICE: 'api', K_REVISION: 'api-1' } },
    { 'cloud.provider': 'gcp', 'cloud.platform': 'gcp_cloud_run', 'faas.name': 'api', 'faas.version': 'api-1' },
  ],
  [
    'gcp_cloud_run',
    { env: { CLOUD_RUN_JOB: 'nightly', CLOUD_RUN_EXECUTION: 'nightly-x' } },
    {
      'cloud.provider': 'gcp',
      'cloud.platform': 'gcp_cloud_run',
      'faas.name': 'nightly',
      'gcp.cloud_run.job.execution': 'nightly-x',
    },
  ],
  ['gcp_app_engine', { env: { GAE_SERVICE: 'api' } }, { 'cloud.platform': 'gcp_app_engine', 'faas.name': 'api' }],
  ['azure_container_apps', { env: { CONTAINER_APP_NAME: 'api' } }, { 'cloud.platform': 'azure.container_apps' }],
  ['azure_app_service', { env: { WEBSITE_SITE_NAME: 'api' } }, { 'cloud.platform': 'azure.app_service' }],
  [
    'aws_ecs',
    {
      env: { ECS_CONTAINER_METADATA_URI_V4: 'http://169.254.170.2/v4' },
      files: { '/proc/self/cgroup': `1:name=systemd:/ecs/task/${ID}\n` },
    },
    { 'cloud.provider': 'aws', 'cloud.platform': 'aws_ecs', 'container.id': ID },
  ],
  ['fly', { env: { FLY_APP_NAME: 'api', FLY_REGION: 'ams', FLY_MACHINE_ID: 'm1' } }, { 'host.id': 'm1' }],
  ['heroku', { env: { DYNO: 'web.1', HEROKU_APP_ID: 'a' } }, { 'cloud.provider': 'heroku', 'heroku.app.id': 'a' }],
  ['render', { env: { RENDER: 'true' } }, {}],
  ['railway', { env: { RAILWAY_PROJECT_ID: 'p', RAILWAY_REPLICA_REGION: 'us' } }, { 'cloud.region': 'us' }],
  // Knative in a cluster sets the variables of Cloud Run.
  [
    'kubernetes',
    {
      env: { ...KUBERNETES, K_SERVICE: 'api', K_REVISION: 'api-1', HOSTNAME: 'api-5d9-x' },
      files: {
        '/.dockerenv': '',
        '/var/run/secrets/kubernetes.io/serviceaccount/namespace': 'shop\n',
        '/proc/self/cgroup': '0::/\n',
        '/proc/self/mountinfo': `1 2 0:1 /var/lib/docker/containers/${ID}/hostname /etc/hostname rw\n`,
      },
    },
    { 'k8s.pod.name': 'api-5d9-x', 'k8s.namespace.name': 'shop', 'container.id': ID },
  ],
  [
    'kubernetes',
    {
      env: {
        ...KUBERNETES,
        HOSTNAME: 'node-1',
        POD_NAME: 'api-1',
        POD_UID: 'u',
        POD_NAMESPACE: 'n',
        NODE_NAME: 'node-1',
      },
    },
    { 'k8s.pod.name': 'api-1', 'k8s.pod.uid': 'u', 'k8s.namespace.name': 'n', 'k8s.node.name': 'node-1' },
  ],
  [
    'docker',
    { files: { '/.dockerenv': '', '/proc/self/cgroup': `0::/system.slice/docker-${ID}.scope\n` } },
    { 'container.id': ID },
  ],
  ['docker', { files: { '/run/.containerenv': '' } }, {}],
  [
    'aws_ec2',
    { files: { '/sys/class/dmi/id/sys_vendor': 'Amazon EC2\n', '/sys/class/dmi/id/board_asset_tag': 'i-0abc\n' } },
    { 'cloud.provider': 'aws', 'cloud.platform': 'aws_ec2', 'host.id': 'i-0abc' },
  ],
  [
    'gcp_compute_engine',
    { files: { '/sys/class/dmi/id/product_name': 'Google Compute Engine\n' } },
    { 'cloud.provider': 'gcp', 'cloud.platform': 'gcp_compute_engine' },
  ],
  [
    'azure_vm',
    { files: { '/sys/class/dmi/id/chassis_asset_tag': '7783-7084-3265-9085-8269-3286-77\n' } },
    { 'cloud.provider': 'azure', 'cloud.platform': 'azure.vm' },
  ],
];

describe('detectPlatform', () => {
  it.each(TABLE)('tells %s (%#)', (platform, world, attributes) => {
    const found = detect(world);
    expect(found.platform).toBe(platform);
    expect(found.attributes).toMatchObject(attributes);
    for (const value of Object.values(found.attributes)) expect(value).not.toBe('');
  });

  it('takes no hint for a fact: a region, a project or a build alone says nothing', () => {
    const hints = { AWS_REGION: 'eu-west-1', GOOGLE_CLOUD_PROJECT: 'p', VERCEL: '1', CI: 'true', HOSTNAME: 'laptop' };
    expect(detect({ env: hints })).toEqual({ platform: 'unknown', attributes: {} });
  });

  it('counts an empty variable as unset and leaves out what is empty or absurdly long', () => {
    expect(detect({ env: { AWS_LAMBDA_FUNCTION_NAME: '' } }).platform).toBe('unknown');
    const { attributes } = detect({ env: { ...KUBERNETES, POD_NAME: 'x'.repeat(10_000), NODE_NAME: '' } });
    expect(attributes).toEqual({});
  });

  it('tells functions, which may be frozen after each call, from the rest', () => {
    const functions = TABLE.map(([platform]) => platform).filter(isFunctionPlatform);
    expect([...new Set(functions)].sort()).toEqual([
      'aws_lambda',
      'azure_functions',
      'gcp_cloud_functions',
      'netlify',
      'vercel',
    ]);
  });
});

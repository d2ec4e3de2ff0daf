import { isTenantId } from '../../utils/tenant-id.ts';
import type { AppendRequest } from '../store/telemetry-store.ts';
import { isInScope } from '../store/tenant-scope.ts';
import type { Access } from './access.ts';

/** Whose telemetry it is when nothing says so. */
const DEFAULT_TENANT = 'default';

/**
 * The header goes before the attribute. A token that is limited to one tenant speaks for that one, and any limited
 * token for none but its own; what claims to be another's is refused.
 */
export function createTenantChoice(header: string | undefined, { scope }: Access): AppendRequest['tenantOf'] {
  const only = scope !== 'all' && scope.size === 1 ? [...scope][0] : undefined;
  return (claimed) => {
    const tenant = header ?? claimed ?? only ?? DEFAULT_TENANT;
    return isTenantId(tenant) && isInScope(scope, tenant) ? tenant : undefined;
  };
}

import type { ComponentChildren, JSX } from 'preact';
import { address } from '../state/address.ts';
import type { ApiError } from '../state/api.ts';
import { chosenTenants } from '../state/scope.ts';
import { CopyButton } from './copy-button.tsx';
import { Icon, type IconName } from './icon.tsx';

export function EmptyState(props: {
  readonly icon: IconName;
  readonly title: string;
  readonly children?: ComponentChildren;
}): JSX.Element {
  return (
    <div class="empty">
      <Icon name={props.icon} size={36} />
      <h2>{props.title}</h2>
      {props.children}
    </div>
  );
}

/** What to do when nothing has ever come in: the exact lines for this dashboard. */
export function GetStarted({ icon, title }: { readonly icon: IconName; readonly title: string }): JSX.Element {
  const endpoint = `OTEL_EXPORTER_OTLP_ENDPOINT=${location.origin}`;
  const tenant = `OTEL_RESOURCE_ATTRIBUTES=tenant.id=${chosenTenants()[0] ?? 'acme'}`;
  return (
    <EmptyState icon={icon} title={title}>
      <p>Start your application with these, and what it sends appears here at once.</p>
      <CopyLine text={endpoint} />
      <CopyLine text={tenant} />
      <p class="hint">
        Or drop a file with OTLP onto this page. With isotrace, point a tenant's <code>destination.endpoint</code> here.
      </p>
    </EmptyState>
  );
}

export function NothingFound({ what }: { readonly what: string }): JSX.Element {
  const { params, path } = address.value;
  const tenant = params.get('tenant');
  return (
    <EmptyState icon="search" title={`No ${what} here`}>
      <p>
        {params.get('q') ? 'Nothing matches this search in this time. ' : 'There is nothing in this time. '}
        Widen the time{tenant === null ? '' : ', choose other tenants'} or change the search.
      </p>
      <p>
        <a class="button" href={`${path}?last=168h`}>
          Look at everything of the last 7 days
        </a>
      </p>
    </EmptyState>
  );
}

export function Problem({ error }: { readonly error: ApiError }): JSX.Element {
  return (
    <div class="problem" role="alert">
      <Icon name="errors" /> {error.message}
    </div>
  );
}

function CopyLine({ text }: { readonly text: string }): JSX.Element {
  return (
    <div class="copy-line">
      <code>{text}</code>
      <CopyButton what={text} text={() => text} />
    </div>
  );
}

import type { ComponentChildren, JSX } from 'preact';
import { serviceClass } from '../model/service-hue.ts';

export type Tone = 'error' | 'warn' | 'good' | 'quiet' | 'accent';

export function Badge(props: {
  readonly tone: Tone;
  readonly title?: string | undefined;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <span class={`badge ${props.tone}`} title={props.title}>
      {props.children}
    </span>
  );
}

/** A service by name and colour. */
export function ServiceName({ name }: { readonly name: string }): JSX.Element {
  return (
    <span class={`service ${serviceClass(name)}`} title={name}>
      <i />
      {name === '' ? 'no service' : name}
    </span>
  );
}

export function TenantName({ name }: { readonly name: string }): JSX.Element {
  return (
    <span class="tenant" title={`Tenant ${name}`}>
      {name}
    </span>
  );
}

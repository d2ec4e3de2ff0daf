/**
 * A class that a mixin can extend, whose instances have at least what `T` has. A mixin that needs what another one
 * adds says so here: `MixinBase<TracerBase & Operations>`.
 */
// TypeScript requires `any[]` of a mixin's constructor (TS2545).
export type MixinBase<T extends object = object> = abstract new (...args: any[]) => T;

/** What a mixin adds, as the type of its result: `Base & Mixed<Operations>`. */
// TypeScript requires `any[]` of a mixin's constructor (TS2545).
export type Mixed<T extends object> = abstract new (...args: any[]) => T;

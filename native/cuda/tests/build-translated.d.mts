import type { Shape } from './build.d.mts'

export function buildTranslated(shape: Shape, ptx: string, options?: { readonly sanitizer?: boolean }): string

import { armColor, type Scheme } from './theme.js'

/** What pages have in common: readable from 320 pixels on, light or dark as the reader's system is. */
export function baseStyle(variables: (scheme: Scheme) => string): string {
  return `
:root { color-scheme: light dark; --page: #fff; --text: #1b1b1b; --faint: #6a6a6a; --line: #d9d9d9; --soft: #f4f5f7; ${variables('light')} }
@media (prefers-color-scheme: dark) {
  :root { --page: #16181c; --text: #e8e8e8; --faint: #a2a8b1; --line: #3a3e45; --soft: #20242a; ${variables('dark')} }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 64rem; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem } h3 { font-size: 1rem; margin: 1.5rem 0 .25rem }
p { margin: .5rem 0; max-width: 46rem } .quiet, figcaption { color: var(--faint); font-size: .9rem }`
}

/** Variables `--arm-0`, `--arm-1`, …: the arms' colours as in every picture. */
export function armVariables(scheme: Scheme, arms: number): string {
  return Array.from({ length: arms }, (_, arm) => `--arm-${arm}: ${armColor(scheme, arm)};`).join(' ')
}

import { armColor, type Scheme } from '../../plots/theme.js'

/** The page's look: readable from 320 pixels on, light or dark as the reader's system is. */
export function pageStyle(arms: number): string {
  return `
:root { color-scheme: light dark; --page: #fff; --text: #1b1b1b; --faint: #6a6a6a; --line: #d9d9d9; --soft: #f4f5f7; ${colors('light', arms)} }
@media (prefers-color-scheme: dark) {
  :root { --page: #16181c; --text: #e8e8e8; --faint: #a2a8b1; --line: #3a3e45; --soft: #20242a; ${colors('dark', arms)} }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 64rem; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem } h3 { font-size: 1rem; margin: 1.5rem 0 .25rem }
p { margin: .5rem 0; max-width: 46rem } .quiet, figcaption { color: var(--faint); font-size: .9rem }
figure { margin: 0 0 2rem } figcaption { max-width: 46rem } .chart { width: 100%; overflow-x: auto; min-height: 8rem } .chart svg { max-width: none; display: block }
.table { overflow-x: auto } table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; width: 100% }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; overflow-wrap: normal } th { font-weight: 600; color: var(--faint) }
th:first-child, td:first-child, .left { text-align: left } td.wrap { white-space: normal; min-width: 12rem; overflow-wrap: anywhere } tr.best td { font-weight: 600 } tr.best td:first-child::after { content: " ★"; color: var(--faint) }
@media (min-width: 40rem) { .arms { position: sticky; top: 0; z-index: 1 } }
.arms { display: flex; flex-wrap: wrap; gap: .4rem; padding: .6rem 0; background: var(--page); border-bottom: 1px solid var(--line); max-height: 30vh; overflow-y: auto }
.arms button { font: inherit; font-size: .875rem; display: flex; align-items: center; gap: .5rem; padding: .2rem .6rem; border: 1px solid var(--line); border-radius: 1rem; background: var(--soft); color: inherit; cursor: pointer; text-align: left }
.arms button[aria-pressed="false"] { opacity: .5; text-decoration: line-through } .arms svg { flex: none }
.warnings { border-left: 4px solid #d55e00; padding: .5rem 1rem; background: var(--soft) } .warnings ul { margin: 0; padding-left: 1.2rem }
pre { background: var(--soft); padding: .8rem 1rem; overflow-x: auto; font-size: .85rem; line-height: 1.45; overflow-wrap: normal } summary { cursor: pointer } details { margin: .5rem 0 }
#tooltip { position: fixed; z-index: 2; pointer-events: none; max-width: 20rem; padding: .4rem .6rem; font-size: .85rem; line-height: 1.35; background: var(--text); color: var(--page); border-radius: .3rem } #tooltip[hidden] { display: none }
`
}

/** Of the swatches in the arms' buttons. */
function colors(scheme: Scheme, arms: number): string {
  return Array.from({ length: arms }, (_, arm) => `--arm-${arm}: ${armColor(scheme, arm)};`).join(' ')
}

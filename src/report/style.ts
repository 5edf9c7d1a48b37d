import { armVariables, baseStyle } from '../pages/theme.js'

export function pageStyle(arms: number): string {
  return `${baseStyle((scheme) => armVariables(scheme, arms))}
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

import { armVariables, baseStyle } from '../html.js'

// Light and dark pictures of images become each other, and colours keep their hues.
const inverted = {
  light: 'filter: invert(.91) hue-rotate(180deg)',
  dark: 'filter: invert(1) hue-rotate(180deg) brightness(1.1)',
}

/** Returns the style of a report. @param arms the number of arms with a colour */
export function reportStyle(arms: number): string {
  return `${baseStyle((scheme) => armVariables(scheme, arms))}
:root { --better: #00639c; --worse: #b34a00; --accent: #00639c }
@media (prefers-color-scheme: dark) { :root { --better: #6cc3f5; --worse: #ffab40; --accent: #6cc3f5 } }
body { max-width: 120rem; padding: 1.5rem clamp(1rem, 3vw, 3rem) 4rem } html { scroll-padding-top: 4rem } a { color: var(--accent) }
nav { margin-bottom: 1.2rem } nav ul { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .9rem }
@media (min-width: 80rem) {
  nav { margin: 0 } .page { display: grid; grid-template-columns: 11rem minmax(0, 1fr); gap: 2.5rem } nav { position: sticky; top: 1.5rem; align-self: start } nav ul { flex-direction: column }
}
@media (max-width: 40rem) { .table td:first-child { white-space: normal; min-width: 11rem } }
@media print { nav, .buttons, .controls { display: none } }
main { min-width: 0 } section { margin: 2.5rem 0 } section > h2 { margin-top: 0 } .facts p { margin: .1rem 0; max-width: none }
.notes { border-left: 4px solid var(--accent); padding: .2rem 1.2rem; margin: 1.2rem 0; background: var(--soft); max-width: 60rem } .notes img { max-width: 100% } .notes > :first-child { margin-top: .6rem } .notes table { min-width: 0; margin: .6rem 0 } .notes th { background: none; padding: .3rem .7rem } .notes th, .notes td { text-align: left }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 36rem), 1fr)); gap: 1rem 2.5rem } .charts > * { min-width: 0 }
@media (min-width: 110rem) { .charts { grid-template-columns: repeat(2, minmax(0, 1fr)) } }
figure { margin: 0 0 1rem } figcaption { max-width: 46rem } .chart { width: 100%; overflow-x: auto; min-height: 8rem } .chart svg, .chart canvas { max-width: none; display: block } .still { max-width: 100% }
@media (prefers-color-scheme: dark) { .still.light { ${inverted.light} } } @media (prefers-color-scheme: light) { .still.dark { ${inverted.dark} } }
.controls { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: center; max-width: none } .controls label { min-width: 0; max-width: 100% } .controls select, .controls input[type="search"] { font: inherit; max-width: 100%; min-width: 0; padding: .2rem .4rem; background: var(--soft); color: inherit; border: 1px solid var(--line); border-radius: .3rem }
.buttons { display: flex; gap: .4rem; margin: .3rem 0 } .buttons button { font: inherit; font-size: .8rem; padding: .15rem .6rem; border: 1px solid var(--line); border-radius: .3rem; background: var(--soft); color: inherit; cursor: pointer }
.table { overflow: auto; max-height: 80vh; contain: content } table { border-collapse: separate; border-spacing: 0; font-size: .9rem; font-variant-numeric: tabular-nums; min-width: 60% }
th, td { padding: .3rem .55rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; overflow-wrap: normal } th { position: sticky; top: 0; z-index: 1; background: var(--page); padding: 0 } .table td:first-child { position: sticky; left: 0; background: var(--page); max-width: min(24rem, 50vw); overflow: hidden; text-overflow: ellipsis }
th button { font: inherit; font-weight: 600; color: var(--faint); background: none; border: 0; padding: .3rem .55rem; cursor: pointer; width: 100%; text-align: inherit } th[aria-sort] button { color: var(--text) } th[aria-sort="ascending"] button::after { content: " ▲"; font-size: .7em } th[aria-sort="descending"] button::after { content: " ▼"; font-size: .7em }
.left { text-align: left } .best { font-weight: 700 } .incomplete { color: var(--worse) } .marks { list-style: none; padding: 0; font-size: .9rem } .better { color: var(--better) } .worse { color: var(--worse) }
.swatch { display: inline-block; width: .7rem; height: .7rem; border-radius: 50%; margin-right: .5rem; vertical-align: baseline }
@media (min-width: 40rem) { .arms { position: sticky; top: 0; z-index: 2 } }
.arms { display: flex; flex-wrap: wrap; gap: .4rem; padding: .6rem 0; background: var(--page); border-bottom: 1px solid var(--line); max-height: 30vh; overflow-y: auto }
.arms button { font: inherit; font-size: .875rem; display: flex; align-items: center; gap: .5rem; padding: .2rem .6rem; border: 1px solid var(--line); border-radius: 1rem; background: var(--soft); color: inherit; cursor: pointer; text-align: left }
.arms button[aria-pressed="false"] { opacity: .5; text-decoration: line-through } .arms svg { flex: none }
.warnings { border-left: 4px solid #d55e00; padding: .5rem 1rem; margin: 1rem 0; background: var(--soft) } .warnings ul { margin: 0; padding-left: 1.2rem }
pre { background: var(--soft); padding: .8rem 1rem; overflow-x: auto; font-size: .85rem; line-height: 1.45; overflow-wrap: normal } summary { cursor: pointer } details { margin: .5rem 0 }
#tooltip { position: fixed; z-index: 3; pointer-events: none; max-width: 20rem; padding: .4rem .6rem; font-size: .85rem; line-height: 1.35; background: var(--text); color: var(--page); border-radius: .3rem } #tooltip[hidden] { display: none }
`
}

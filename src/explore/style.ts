import { armVariables, baseStyle, labelColor, type Scheme } from '../pages/theme.js'

/** The page's look: two columns where they fit, one on a phone. */
export function exploreStyle(runs: number, labels: readonly number[]): string {
  return `${baseStyle((scheme) => `${armVariables(scheme, runs)} ${labelVariables(scheme, labels)}`)}
body { max-width: ${runs > 1 ? '78rem' : '64rem'} } h2 { margin-top: 2rem } figure { margin: 0 } canvas { display: block; image-rendering: pixelated }
.lead { max-width: 58rem } .quiet { margin: .25rem 0 } [hidden] { display: none !important } #trouble { border-left: 4px solid #d55e00; padding: .5rem 1rem; background: var(--soft) }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .7rem; min-height: 2rem }
button, select { font: inherit; font-size: .875rem; padding: .2rem .7rem; border: 1px solid var(--line); border-radius: 1rem; background: var(--soft); color: inherit; cursor: pointer } button:disabled { opacity: .45; cursor: default }
:focus-visible { outline: 3px solid var(--arm-0); outline-offset: 2px } input[type=range] { accent-color: var(--arm); height: 1.25rem; margin: 0; cursor: pointer } output { font-variant-numeric: tabular-nums }
.input { --arm: var(--arm-0); display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; align-items: flex-start; margin: 1.25rem 0 0 } .pictures { display: flex; gap: .75rem } .pictures canvas { width: 8.75rem; border: 1px solid var(--line) }
.controls { flex: 1 1 21rem; min-width: 0 } .controls .row label { min-width: 3rem } #noise { flex: 1; max-width: 20rem; min-width: 8rem } #image { min-width: 9.5rem; text-align: center; font-variant-numeric: tabular-nums }
.labels { display: flex; flex-wrap: wrap; gap: .35rem; margin-bottom: .4rem } .labels button { padding: 2px 2px 0; border-radius: .35rem; line-height: 1.3; font-weight: 600 } .labels canvas { width: 28px } .labels button[aria-pressed=true] { border-color: var(--text); box-shadow: 0 0 0 1px var(--text) }
${labels.map((label) => `.labels [data-label="${label}"] { color: var(--label-${label}) }`).join(' ')}
.runs { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 29rem), 1fr)); gap: 0 2rem } .run { min-width: 0 } .run h2 { border-top: 4px solid var(--arm); padding-top: .5rem; margin-bottom: 0 } .facts { min-height: 1.4em }
${Array.from({ length: runs }, (_, run) => `[data-run="${run}"] { --arm: var(--arm-${run}) }`).join(' ')}
.decode { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; margin-top: .75rem } .made { flex: 1 1 9rem; max-width: 14rem } .made .picture { width: 100%; border: 1px solid var(--line) } .made .row { margin-top: .4rem } .error { display: block; min-height: 3em; white-space: pre-line; line-height: 1.4 }
.sliders-box { flex: 2 1 18rem; max-width: 26rem } .sliders { max-height: 42rem; overflow-y: auto; padding: 3px }
.direction { display: grid; grid-template-columns: 1.4rem 4.2rem minmax(0, 1fr) 2.9rem; column-gap: .4rem; align-items: center; margin-bottom: .45rem; font-size: .875rem } .direction label, .direction output { text-align: right; font-variant-numeric: tabular-nums } .direction label { font-weight: 600 }
.direction input { width: calc(100% * 6 / 7 + 16px); margin-left: calc(100% / 14 - 8px) } .strip { grid-column: 3; width: 100%; max-width: 100% } .direction input:focus-visible { position: relative; z-index: 1; outline-offset: 0; border-radius: .3rem } .dead { color: var(--faint) } .dead label { font-weight: 400 }
.direction output, .direction span { white-space: nowrap } .share { grid-row: span 2; align-self: start; padding-top: .4rem; display: block; line-height: 1.3 } .share svg { display: block; width: 100%; height: .5rem; background: var(--soft) } .share rect { fill: var(--arm) }
.axes { margin: .25rem 0 .5rem; font-size: .875rem } .scatter { position: relative; aspect-ratio: 4 / 3; max-height: 70vh; width: 100%; border: 1px solid var(--line); cursor: crosshair; touch-action: pan-y } .scatter canvas { position: absolute; inset: 0; width: 100%; height: 100%; image-rendering: auto } .point { min-height: 1.5em }
#preview { position: fixed; z-index: 2; pointer-events: none; padding: 3px; background: var(--page); border: 1px solid var(--line); border-radius: .3rem; font-size: .8rem; line-height: 1.3; text-align: center; font-weight: 600 } #preview canvas { width: 56px }
li { max-width: 50rem; margin-bottom: .3rem }
@media (max-width: 30rem) { .labels { gap: .15rem } .labels button { padding: 1px 1px 0 } .pictures canvas { width: 7rem } .decode { display: block } .made { display: grid; grid-template-columns: 9rem 1fr; gap: 0 .8rem; max-width: none; margin-bottom: .75rem } .made .picture { grid-row: span 2 } .made .row { align-content: flex-start } .sliders-box { max-width: none } .sliders { max-height: 46rem } .direction { grid-template-columns: 1.2rem 3rem minmax(0, 1fr) 2.7rem } button, select { min-height: 2rem } }
`
}

function labelVariables(scheme: Scheme, labels: readonly number[]): string {
  return labels.map((label) => `--label-${label}: ${labelColor(scheme, label)};`).join(' ')
}

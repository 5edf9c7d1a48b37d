import { mostDrawn } from '../../plots/chart.js'
import { html } from '../html.js'
import { pageWithContents, reportStyle } from '../report/page.js'

let page: Promise<string> | undefined

/** Returns the page, which gets all its content from the server. */
export function watchPage(title: string): Promise<string> {
  page ??= pageWithContents('watch', {
    title,
    style: reportStyle(mostDrawn) + style,
    contents: [
      { id: 'state', title: 'State' },
      { id: 'failures', title: 'Failed runs' },
      { id: 'runs', title: 'Runs' },
    ],
    body: html`<h1 id="title">${title}</h1><p id="connection" role="status">connecting …</p>
<section id="state"><h2 class="hidden">State</h2><div id="bar" role="img"></div><p id="counts"></p><p id="pace" class="quiet"></p><div id="sweeps" class="quiet"></div><div id="machine"></div></section>
<section id="failures" hidden><h2>Failed runs</h2><div class="table" id="table-failures"></div></section>
<section id="runs"><h2>Runs</h2><p class="controls"><label>status <select id="status"><option value="">all</option></select></label><label>name <input type="search" id="search" placeholder="part of the name"></label><span id="shown" class="quiet"></span></p><div class="table" id="table-watched"></div></section>
<div id="report"><p class="quiet" id="no-report">The results appear when the first run completes an epoch.</p></div>`,
  })
  return page
}

const style = `
.hidden { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden }
#connection { color: var(--faint); font-size: .9rem; margin: 0 } #connection.lost { color: var(--worse); font-weight: 600 }
#state { margin: 1rem 0 } #counts { margin-bottom: 0 } #counts b { font-variant-numeric: tabular-nums }
#bar { display: flex; height: .8rem; border-radius: .4rem; overflow: hidden; background: var(--soft) } #bar span { min-width: 0 }
.completed { --tone: #2a9d6f } .running { --tone: #3a8fd0 } .failed { --tone: #d55e00 } .interrupted { --tone: #c99700 } .damaged { --tone: #b0528c } .waiting { --tone: var(--line) }
#bar span { background: var(--tone) } td.status::before { content: ""; display: inline-block; width: .6rem; height: .6rem; border-radius: 50%; background: var(--tone); margin-right: .4rem }
#table-watched { max-height: 45vh } #table-failures td:nth-child(3) { white-space: pre-wrap; min-width: 20rem; text-align: left }
svg.curve { display: block; width: 6rem; height: 1.2rem; margin-left: auto } svg.curve path { fill: none; stroke: var(--accent); stroke-width: 1.5; vector-effect: non-scaling-stroke }
#machine { display: flex; flex-wrap: wrap; gap: .5rem 2rem; font-size: .9rem } #machine meter { width: 6rem; vertical-align: middle }
`

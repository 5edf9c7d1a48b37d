/** The script of the page of `eigenae watch`: it shows the messages of the server as they come. */
import type { MachineState, Update } from '../watch/state.js'
import { LiveResults } from './live-results.js'
import { RunList } from './run-list.js'
import { showMachine, showSummary } from './watch-summary.js'

const connection = document.getElementById('connection')!
const runs = new RunList()
const results = new LiveResults()

// Its address carries the token of the page.
const events = new EventSource('events')
events.addEventListener('open', () => {
  connection.className = ''
  connection.textContent = 'live'
})
events.addEventListener('error', () => {
  connection.className = 'lost'
  connection.textContent =
    'Not connected: the watch has ended, or this machine cannot reach it. The page shows the last state.'
})
listen<Update>('state', (update) => {
  runs.clear()
  show(update)
})
listen<Update>('update', show)
listen<MachineState>('machine', showMachine)
listen<null>('report', () => results.refresh())

function listen<Data>(name: string, act: (data: Data) => void): void {
  events.addEventListener(name, ({ data }: MessageEvent<string>) => act(JSON.parse(data) as Data))
}

let latest: Update['summary'] | null = null

/** Updates that arrive in one frame are drawn together, and those of a hidden page when it is shown again. */
function show(update: Update): void {
  runs.apply(update)
  if (latest === null) requestAnimationFrame(draw)
  latest = update.summary
}

function draw(): void {
  if (latest !== null) showSummary(latest)
  latest = null
  runs.draw()
  document.body.dataset.ready = 'true'
  document.body.dataset.updates = String(Number(document.body.dataset.updates ?? 0) + 1)
}

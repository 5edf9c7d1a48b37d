/** The live page of a folder: what is served, and how it is updated. */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, resolve } from 'node:path'
import { isDeepStrictEqual, promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { type EigenaeError, fileError, hasCode, usageError } from '../../errors.js'
import { mostDrawn } from '../../plots/drawn.js'
import { html } from '../html.js'
import { pageWithContents, reportStyle } from '../report/report-page.js'
import { LiveReports } from './live-report.js'
import { Machine } from './machine.js'
import { Monitor } from './monitor.js'
import type { FolderUpdate } from './watch-format.js'

export interface WatchOptions {
  readonly host: string
  /** 0 for any free port. */
  readonly port: number
  /** Called with the address when it can be opened. */
  readonly onListening: (address: string) => void
}

// A new report at most this often, and rarely enough to leave most of a core to the trainings.
const reportMilliseconds = 1000
const pausePerReport = 5

const machineMilliseconds = 5000

/** Serves the page of a folder until the signal is aborted. @throws EigenaeError if the folder cannot be read. */
export async function serveWatch(folder: string, options: WatchOptions, signal: AbortSignal): Promise<void> {
  const machine = new Machine(signal)
  const monitor = new Monitor(folder, (update) => {
    server.send('update', update)
    if (update.changed.length + update.removed.length > 0) scheduleReport()
  })
  const reports = new LiveReports(monitor)
  let timer: NodeJS.Timeout | undefined
  let nextReport = 0
  const scheduleReport = () => {
    timer ??= setTimeout(
      () => {
        timer = undefined
        nextReport = performance.now() + reportMilliseconds
        server.send('report', null)
      },
      Math.max(0, nextReport - performance.now()),
    )
  }
  const refreshMachine = async () => {
    const before = machine.state
    await machine.refresh()
    if (!isDeepStrictEqual(machine.state, before)) server.send('machine', machine.state)
  }
  let machineTimer: NodeJS.Timeout | undefined
  const server = watchServer({
    page: () => watchPage(basename(resolve(folder))),
    report: async () => {
      const began = performance.now()
      const text = JSON.stringify(await reports.make())
      nextReport = Math.max(nextReport, performance.now() + pausePerReport * (performance.now() - began))
      return text
    },
    firstEvents: () => [
      ...stateInParts(monitor).map((data, part) => ({ name: part === 0 ? 'state' : 'update', data })),
      { name: 'machine', data: machine.state },
      { name: 'report', data: null },
    ],
    onReaders: (present) => {
      clearInterval(machineTimer)
      if (!present) return
      void refreshMachine()
      machineTimer = setInterval(() => void refreshMachine(), machineMilliseconds)
    },
  })
  try {
    await monitor.requireFolder({ mayBeMissing: true })
    options.onListening(await server.listen(options.host, options.port))
    await monitor.follow(signal)
  } finally {
    clearTimeout(timer)
    clearInterval(machineTimer)
    server.close()
  }
}

// A page reads a message in one task, which is short.
const runsPerMessage = 500

function stateInParts({ rows, summary }: Monitor): readonly FolderUpdate[] {
  return Array.from({ length: Math.max(1, Math.ceil(rows.length / runsPerMessage)) }, (_, part) => {
    const changed = rows.slice(part * runsPerMessage, (part + 1) * runsPerMessage)
    return { summary, changed, removed: [] }
  })
}

/** A page, and the content of its address "report.json". */
interface Site {
  readonly page: () => Promise<string>
  readonly report: () => Promise<string>
  /** The first messages of a new reader. */
  readonly firstEvents: () => readonly ServerEvent[]
  /** Called when the first reader comes and when the last one goes. */
  readonly onReaders: (present: boolean) => void
}

/** A message to all readers, in the format of server-sent events (WHATWG HTML, section 9.2). */
interface ServerEvent {
  readonly name: string
  readonly data: unknown
}

// A proxy or a router drops a connection that is silent for longer.
const heartbeatMilliseconds = 15_000

// A reader that takes nothing is dropped before its messages fill the memory. Its browser connects again.
const mostUnsentBytes = 64 << 20

const headers = {
  'Cache-Control': 'no-store',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
} as const

/**
 * Serves a page to readers who know the address, which has a random token. Without the token, no other user of the machine and
 * no page in the same browser can read anything. Nothing can be changed through it.
 */
function watchServer(site: Site) {
  const readers = new Set<ServerResponse>()
  const token = randomBytes(16).toString('hex')
  let servedHost = ''
  const server = createServer((request, response) => {
    answer(request, response).catch((error) => fail(response, error))
  })
  const heartbeat = setInterval(() => {
    for (const reader of readers) reader.write(':\n\n')
  }, heartbeatMilliseconds)

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = pathOf(request)
    if (path !== null && request.method !== 'GET')
      return void response.writeHead(405, { ...headers, Allow: 'GET' }).end()
    if (path === '') return sendText(request, response, 'text/html', await site.page())
    if (path === 'report.json') return sendText(request, response, 'application/json', await site.report())
    if (path === 'events') return addReader(response)
    response.writeHead(404, headers).end()
  }

  /** Returns the path below the token; null if the token is wrong or the request was meant for another host. */
  function pathOf({ url = '', headers: { host = '' } }: IncomingMessage): string | null {
    // A page of another site could point its own name to this machine (DNS rebinding).
    if (isLoopback(servedHost) && !isLoopback(host.replace(/:\d+$/, ''))) return null
    const [, given = '', path] = /^\/([^/?]*)\/([^?]*)(?:\?.*)?$/.exec(url) ?? []
    const isRight =
      given.length === token.length && timingSafeEqual(Buffer.from(given, 'latin1'), Buffer.from(token))
    return isRight ? path! : null
  }

  function addReader(response: ServerResponse): void {
    response.writeHead(200, { ...headers, 'Content-Type': 'text/event-stream' })
    for (const event of site.firstEvents()) response.write(eventText(event))
    readers.add(response)
    if (readers.size === 1) site.onReaders(true)
    response.on('close', () => {
      readers.delete(response)
      if (readers.size === 0) site.onReaders(false)
    })
  }

  return {
    /** Starts to listen and returns the page's address. @throws a usage error if the host or the port cannot be used. */
    async listen(host: string, port: number): Promise<string> {
      servedHost = host
      await new Promise<void>((resolve, reject) => {
        server.once('error', (error) => reject(listenError(error, host, port)))
        server.listen(port, host, resolve)
      })
      const { port: used } = server.address() as AddressInfo
      return `http://${host.includes(':') ? `[${host}]` : host}:${used}/${token}/`
    },

    send(name: string, data: unknown): void {
      const text = eventText({ name, data })
      for (const reader of readers) {
        reader.write(text)
        if (reader.writableLength > mostUnsentBytes) reader.destroy()
      }
    },

    /** Ends all connections. */
    close(): void {
      clearInterval(heartbeat)
      server.close()
      for (const reader of readers) reader.end()
      server.closeAllConnections()
    },
  }
}

function isLoopback(host: string): boolean {
  return /^(127(\.\d+){3}|localhost|\[?::1\]?)$/.test(host)
}

function eventText({ name, data }: ServerEvent): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}

async function sendText(
  request: IncomingMessage,
  response: ServerResponse,
  type: string,
  text: string,
): Promise<void> {
  const isZipped = /\bgzip\b/.test(String(request.headers['accept-encoding']))
  const body = isZipped ? await promisify(gzip)(text, { level: 3 }) : Buffer.from(text)
  response.writeHead(200, {
    ...headers,
    'Content-Type': `${type}; charset=utf-8`,
    'Content-Length': body.length,
    ...(isZipped && { 'Content-Encoding': 'gzip' }),
  })
  response.end(body)
}

function fail(response: ServerResponse, error: unknown): void {
  if (!response.headersSent)
    response.writeHead(500, { ...headers, 'Content-Type': 'text/plain; charset=utf-8' })
  response.end(error instanceof Error ? error.message : String(error))
}

function listenError(error: Error, host: string, port: number): EigenaeError {
  if (hasCode(error, 'EADDRINUSE'))
    return usageError({
      problem: 'port already in use',
      subject: `--port ${port}`,
      hint: 'Choose another, or leave out --port for a free one.',
    })
  if (hasCode(error, 'EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN'))
    return usageError({
      problem: 'is not an address of this machine',
      subject: `--host ${host}`,
      hint: 'Use 0.0.0.0 for all addresses.',
    })
  if (hasCode(error, 'EACCES'))
    return usageError({ problem: 'this port requires root', subject: `--port ${port}` })
  return fileError('listen at', `${host}:${port}`, error)
}

let page: Promise<string> | undefined

/** Returns the page, which gets all its content from the server. */
function watchPage(title: string): Promise<string> {
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
@media (max-width: 40rem) { #table-failures td:nth-child(n) { white-space: pre-wrap; overflow-wrap: anywhere; min-width: 0 } #table-failures td:first-child { width: 40% } #table-failures :is(th, td):nth-child(2) { display: none } }
svg.curve { display: block; width: 6rem; height: 1.2rem; margin-left: auto } svg.curve path { fill: none; stroke: var(--accent); stroke-width: 1.5; vector-effect: non-scaling-stroke }
#machine { display: flex; flex-wrap: wrap; gap: .5rem 2rem; font-size: .9rem } #machine meter { width: 6rem; vertical-align: middle }
`

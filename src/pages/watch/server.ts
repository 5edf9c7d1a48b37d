import { randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { type EigenaeError, fileError, hasCode, usageError } from '../../errors.js'

/** A page, and the content of its address "report.json". */
export interface Site {
  readonly page: () => Promise<string>
  readonly report: () => Promise<string>
  /** The first message of a new reader. */
  readonly firstEvents: () => readonly ServerEvent[]
  /** Called when the first reader comes and when the last one goes. */
  readonly onReaders: (present: boolean) => void
}

/** A message to all readers, in the format of server-sent events (WHATWG HTML, section 9.2). */
export interface ServerEvent {
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
export class WatchServer {
  readonly #site: Site
  readonly #token = randomBytes(16).toString('hex')
  readonly #server: Server
  readonly #readers = new Set<ServerResponse>()
  readonly #heartbeat: NodeJS.Timeout
  #host = ''

  constructor(site: Site) {
    this.#site = site
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error) => fail(response, error))
    })
    this.#heartbeat = setInterval(() => {
      for (const reader of this.#readers) reader.write(':\n\n')
    }, heartbeatMilliseconds)
  }

  /** Starts to listen and returns the page's address. @throws a usage error if the host or the port cannot be used. */
  async listen(host: string, port: number): Promise<string> {
    this.#host = host
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error) => reject(listenError(error, host, port)))
      this.#server.listen(port, host, resolve)
    })
    const { port: used } = this.#server.address() as AddressInfo
    return `http://${host.includes(':') ? `[${host}]` : host}:${used}/${this.#token}/`
  }

  get hasReaders(): boolean {
    return this.#readers.size > 0
  }

  send(event: ServerEvent): void {
    const text = eventText(event)
    for (const reader of this.#readers) {
      reader.write(text)
      if (reader.writableLength > mostUnsentBytes) reader.destroy()
    }
  }

  /** Ends all connections. */
  close(): void {
    clearInterval(this.#heartbeat)
    this.#server.close()
    for (const reader of this.#readers) reader.end()
    this.#server.closeAllConnections()
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = this.#pathOf(request)
    if (path === null) return void response.writeHead(404, headers).end()
    if (request.method !== 'GET') return void response.writeHead(405, { ...headers, Allow: 'GET' }).end()
    switch (path) {
      case '':
        return sendText(request, response, 'text/html', await this.#site.page())
      case 'report.json':
        return sendText(request, response, 'application/json', await this.#site.report())
      case 'events':
        return this.#addReader(response)
      default:
        response.writeHead(404, headers).end()
    }
  }

  /** Returns the path below the token; null if the token is wrong or the request was meant for another host. */
  #pathOf({ url = '', headers: { host = '' } }: IncomingMessage): string | null {
    // A page of another site could point its own name to this machine (DNS rebinding).
    if (isLoopback(this.#host) && !isLoopback(host.replace(/:\d+$/, ''))) return null
    const [, token = '', path] = /^\/([^/?]*)\/([^?]*)(?:\?.*)?$/.exec(url) ?? []
    const [given, expected] = [Buffer.from(token), Buffer.from(this.#token)]
    const isRight = given.length === expected.length && timingSafeEqual(given, expected)
    return isRight ? path! : null
  }

  #addReader(response: ServerResponse): void {
    response.writeHead(200, { ...headers, 'Content-Type': 'text/event-stream' })
    for (const event of this.#site.firstEvents()) response.write(eventText(event))
    this.#readers.add(response)
    if (this.#readers.size === 1) this.#site.onReaders(true)
    response.on('close', () => {
      this.#readers.delete(response)
      if (this.#readers.size === 0) this.#site.onReaders(false)
    })
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
  const accepted = String(request.headers['accept-encoding'] ?? '')
  const isZipped = /\bgzip\b/.test(accepted)
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

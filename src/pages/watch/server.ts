import { randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { type EigenaeError, fileError, hasCode, usageError } from '../../errors.js'

/** A page, and the content of its address "report.json". */
export interface Site {
  readonly page: () => Promise<string>
  readonly report: () => Promise<string>
  /** The first messages of a new reader. */
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
export function watchServer(site: Site) {
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

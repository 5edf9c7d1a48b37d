import http, { type IncomingMessage, STATUS_CODES } from 'node:http'
import https from 'node:https'
import { createGunzip } from 'node:zlib'
import { EigenaeError, hasCode } from '../errors.js'

export interface DownloadOptions {
  /** Bytes of the unzipped file. A longer file is refused before it fills the memory. */
  readonly bytes: number
  /** The download fails if no data arrives for this many seconds. */
  readonly stallSeconds: number
  readonly signal: AbortSignal
}

const hint = 'Try again, or another mirror with --mirror; "mnist" as data.source needs no download.'
const maximumRedirects = 5
// Far more than gzip adds to incompressible data.
const gzipOverhead = 1 << 20

/**
 * Returns the unzipped bytes at an http or https address. mnist-dataset's own `gunzipUrl` cannot be used: it unzips without
 * a limit, supports only http, ignores the status, and never settles if the connection is lost.
 * @throws EigenaeError for a bad status, a lost or silent connection, and too many bytes; the signal's reason if aborted.
 */
export async function downloadUnzipped(url: string, options: DownloadOptions): Promise<Uint8Array> {
  const { signal, stallSeconds } = options
  signal.throwIfAborted()
  const exchange = new AbortController()
  const stop = () => exchange.abort(signal.reason)
  const stall = setTimeout(
    () => exchange.abort(failure(url, `no data arrived for ${stallSeconds} s`)),
    stallSeconds * 1000,
  )
  signal.addEventListener('abort', stop)
  try {
    const response = await followRedirects(new URL(url), exchange.signal)
    response.on('data', () => stall.refresh())
    return await unzipAtMost(response, options.bytes, url).finally(() => response.destroy())
  } catch (error) {
    if (exchange.signal.aborted) throw exchange.signal.reason
    if (error instanceof EigenaeError) throw error
    throw failure(url, `cannot download: ${messageOf(error)}`, error)
  } finally {
    clearTimeout(stall)
    signal.removeEventListener('abort', stop)
  }
}

/** Returns an address without user and password, for messages. */
export function withoutUser(url: string): string {
  return Object.assign(new URL(url), { username: '', password: '' }).href
}

function failure(url: string, problem: string, cause?: unknown): EigenaeError {
  return new EigenaeError({ problem, subject: withoutUser(url), hint, cause })
}

/** If a host name has several addresses and none answers, Node's error has no message, only a code. */
function messageOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException
  return message || code || String(error)
}

async function followRedirects(first: URL, signal: AbortSignal): Promise<IncomingMessage> {
  let url = first
  for (let redirects = 0; redirects <= maximumRedirects; redirects++) {
    const response = await request(url, signal)
    const { statusCode = 0, headers } = response
    if (statusCode === 200) return response
    response.destroy()
    if (![301, 302, 303, 307, 308].includes(statusCode) || headers.location === undefined)
      throw failure(url.href, `the server answered ${statusCode} ${STATUS_CODES[statusCode] ?? ''}`.trimEnd())
    url = redirected(url, headers.location)
  }
  throw failure(first.href, `the server redirects more than ${maximumRedirects} times`)
}

function request(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  const { get } = url.protocol === 'https:' ? https : http
  return new Promise((resolve, reject) => {
    get(url, { signal, agent: false }, resolve).on('error', reject)
  })
}

function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : null
  const allowed = from.protocol === 'https:' ? ['https:'] : ['http:', 'https:']
  if (to !== null && allowed.includes(to.protocol)) return to
  const target = to === null ? 'no address' : withoutUser(to.href)
  throw failure(from.href, `the server redirects to ${target}, which is not ${allowed.join(' or ')}`)
}

async function unzipAtMost(response: IncomingMessage, maximum: number, url: string): Promise<Uint8Array> {
  const unzipped = createGunzip()
  response.on('error', (error) => unzipped.destroy(error))
  let received = 0
  response.on('data', (chunk: Uint8Array) => {
    received += chunk.length
    if (received > maximum + gzipOverhead) unzipped.destroy(tooMuch(url, maximum))
  })
  response.pipe(unzipped)
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of unzipped as AsyncIterable<Uint8Array>) {
      chunks.push(chunk)
      length += chunk.length
      if (length > maximum) throw tooMuch(url, maximum)
    }
  } catch (error) {
    if (hasCode(error, 'ECONNRESET', 'ABORT_ERR')) throw failure(url, 'the connection broke off', error)
    throw error
  }
  return Buffer.concat(chunks, length)
}

function tooMuch(url: string, maximum: number): EigenaeError {
  return failure(url, `this is not MNIST's file: it has more than ${maximum} bytes`)
}

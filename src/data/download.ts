import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { gunzipUrl } from 'mnist-dataset'
import { EigenaeError } from '../errors.js'

interface Exchange {
  readonly request: ClientRequest
  readonly response?: IncomingMessage
}

const hint = 'Try again, or another mirror with --mirror; "mnist" as data.source needs no download.'
const started = 'http.client.request.start'
const answered = 'http.client.response.finish'

/**
 * The unzipped bytes at a plain-http address, by mnist-dataset's `gunzipUrl`. That function looks at neither status nor
 * length, and never settles when the connection breaks off; so the exchange is watched through Node's diagnostics
 * channels, and a bad status, a cut connection, `stallSeconds` without a byte, or the signal end it with an error.
 */
export async function downloadUnzipped(
  url: string,
  stallSeconds: number,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const address = withoutUser(url)
  let requests: readonly ClientRequest[] = []
  let stall: NodeJS.Timeout | undefined
  signal.throwIfAborted()
  let fail: (reason: string) => void = () => {}
  let stop: () => void = () => {}
  const failure = new Promise<never>((_resolve, reject) => {
    fail = (what) => reject(new EigenaeError({ what, where: address, hint }))
    stop = () => reject(signal.reason)
  })
  signal.addEventListener('abort', stop)
  const restartStall = () => {
    clearTimeout(stall)
    stall = setTimeout(() => fail(`nothing came for ${stallSeconds} s`), stallSeconds * 1000)
  }
  const onStart = (message: unknown) => {
    const { request } = message as Exchange
    if (addressOf(request) === address) requests = [...requests, request]
  }
  const onAnswer = (message: unknown) => {
    const { request, response } = message as Exchange
    if (response === undefined || !requests.includes(request)) return
    if (response.statusCode !== 200)
      fail(`the server answered ${response.statusCode} ${response.statusMessage}`)
    response.on('data', restartStall)
    response.on('close', () => response.complete || fail('the connection broke off'))
  }
  subscribe(started, onStart)
  subscribe(answered, onAnswer)
  restartStall()
  try {
    return await Promise.race([gunzipUrl(url), failure])
  } catch (error) {
    if (error instanceof EigenaeError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new EigenaeError({ what: `cannot download: ${reason}`, where: address, hint, cause: error })
  } finally {
    clearTimeout(stall)
    signal.removeEventListener('abort', stop)
    unsubscribe(started, onStart)
    unsubscribe(answered, onAnswer)
    for (const request of requests) request.destroy()
  }
}

/** A password has no place in messages, and none in what a request knows of its address. */
export function withoutUser(url: string): string {
  return Object.assign(new URL(url), { username: '', password: '' }).href
}

function addressOf(request: ClientRequest): string {
  return new URL(request.path, `http://${request.getHeader('host') ?? request.host}`).href
}

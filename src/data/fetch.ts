import { createHash } from 'node:crypto'
import http, { type IncomingMessage, STATUS_CODES } from 'node:http'
import https from 'node:https'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { testImagesUrl, testLabelsUrl, trainingImagesUrl, trainingLabelsUrl } from 'mnist-dataset'
import { EigenaeError, hasCode, usageError } from '../errors.js'
import { makeFolder } from '../files/folder.js'
import { type NamedContent, writeInto } from '../files/write.js'
import { eigenaeCommand } from '../text/command-line.js'
import { type DataBytes, type DataFile, dataFileKeys, dataFiles } from './idx.js'
import { readDataFile, readDataFileIfPresent } from './read.js'

interface FetchOptions {
  /** The http or https address of the folder that holds the four .gz files. */
  readonly mirror: string
  readonly folder: string
  /** The download fails if no data arrives for this many seconds. */
  readonly stallSeconds: number
  readonly onFile: (file: string) => void
  readonly signal: AbortSignal
}

/**
 * Downloads MNIST's four files. They are written only when all four have the pinned sums; on failure the existing files
 * stay untouched.
 * @throws a usage error, before anything is downloaded, if the folder holds data files of another data set.
 */
export async function fetchMnist(options: FetchOptions): Promise<void> {
  const { folder, mirror } = options
  requireHttp(mirror)
  await refuseOtherData(folder)
  await makeFolder(dirname(folder))
  const files: NamedContent[] = []
  for (const key of dataFileKeys) files.push(await download(key, options))
  await makeFolder(folder)
  await writeInto(folder, files)
}

/** The original addresses. Mirrors keep the file names. */
const originals: Readonly<Record<DataFile, string>> = {
  trainImages: trainingImagesUrl,
  trainLabels: trainingLabelsUrl,
  testImages: testImagesUrl,
  testLabels: testLabelsUrl,
}

async function download(key: DataFile, options: FetchOptions): Promise<NamedContent> {
  const file = dataFiles[key]
  const url = new URL(basename(originals[key]), options.mirror.replace(/\/*$/, '/')).href
  const bytes = await downloadUnzipped(url, file.bytes, options)
  const found = createHash('sha256').update(bytes).digest('hex')
  if (found !== file.sha256)
    throw failure(url, `this is not MNIST's file: SHA-256 is ${found}, expected ${file.sha256}`)
  options.onFile(join(options.folder, file.name))
  return { file: file.name, content: bytes }
}

/** Gzipped files count too, because a downloaded plain file would take precedence over them. */
async function refuseOtherData(folder: string): Promise<void> {
  const others: string[] = []
  for (const key of dataFileKeys) {
    const found = await readDataFileIfPresent(folder, key, () => dataFiles[key].bytes)
    const difference = found === null ? null : differenceFromMnist(found, key)
    if (difference !== null) others.push(difference)
  }
  if (others.length === 0) return
  throw usageError({
    problem: 'holds data files that are not MNIST, which the download would replace',
    subject: folder,
    details: others,
    hint: 'Name another folder with --out, or move these files.',
  })
}

function requireHttp(mirror: string): void {
  if (!/^https?:\/\//.test(mirror) || !URL.canParse(mirror)) {
    throw usageError({
      problem: `expected an address that starts with http:// or https://, got "${mirror.replace(/\/\/[^/]*@/, '//')}"`,
      subject: '--mirror',
      hint: 'For example: --mirror https://ossci-datasets.s3.amazonaws.com/mnist',
    })
  }
}

const maximumRedirects = 5
// Far more than gzip adds to incompressible data.
const gzipOverhead = 1 << 20

/**
 * Returns the unzipped bytes at an http or https address. mnist-dataset's own `gunzipUrl` cannot be used: it unzips without
 * a limit, supports only http, ignores the status, and never settles if the connection is lost.
 * @param maximum bytes of the unzipped file. A longer file is refused before it fills the memory.
 * @throws EigenaeError for a bad status, a lost or silent connection, and too many bytes; the signal's reason if aborted.
 */
async function downloadUnzipped(
  url: string,
  maximum: number,
  { signal, stallSeconds }: FetchOptions,
): Promise<Uint8Array> {
  signal.throwIfAborted()
  const exchange = new AbortController()
  const stop = () => exchange.abort(signal.reason)
  const stall = setTimeout(
    () => exchange.abort(failure(url, `no data arrived for ${stallSeconds} s`)),
    stallSeconds * 1000,
  )
  signal.addEventListener('abort', stop)
  try {
    const chunks: Uint8Array[] = []
    let received = 0
    for await (const chunk of (await followRedirects(
      new URL(url),
      exchange.signal,
    )) as AsyncIterable<Buffer>) {
      stall.refresh()
      chunks.push(chunk)
      received += chunk.length
      if (received > maximum + gzipOverhead) throw tooMuch(url, maximum)
    }
    return await promisify(gunzip)(Buffer.concat(chunks), { maxOutputLength: maximum })
  } catch (error) {
    if (exchange.signal.aborted) throw exchange.signal.reason
    if (error instanceof EigenaeError) throw error
    if (hasCode(error, 'ERR_BUFFER_TOO_LARGE')) throw tooMuch(url, maximum)
    if (hasCode(error, 'ECONNRESET')) throw failure(url, 'the connection broke off', error)
    throw failure(url, `cannot download: ${messageOf(error)}`, error)
  } finally {
    clearTimeout(stall)
    signal.removeEventListener('abort', stop)
  }
}

function tooMuch(url: string, maximum: number): EigenaeError {
  return failure(url, `this is not MNIST's file: it has more than ${maximum} bytes`)
}

/** Returns an address without user and password, for messages. */
function withoutUser(url: string): string {
  return Object.assign(new URL(url), { username: '', password: '' }).href
}

function failure(url: string, problem: string, cause?: unknown): EigenaeError {
  const hint = 'Try again, or another mirror with --mirror; "mnist" as data.source needs no download.'
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

/** Checks the four files of a folder against MNIST's SHA-256. @throws EigenaeError that lists each file that differs. */
export async function verifyMnist(folder: string): Promise<readonly DataBytes[]> {
  const files = await Promise.all(
    dataFileKeys.map((key) => readDataFile(folder, key, () => dataFiles[key].bytes)),
  )
  const wrong = dataFileKeys.flatMap((key, index) => differenceFromMnist(files[index]!, key) ?? [])
  if (wrong.length > 0) {
    throw new EigenaeError({
      problem: 'these files are not the genuine MNIST',
      subject: folder,
      details: wrong,
      hint: `Download them again with "${eigenaeCommand('data fetch')}", or check their origin.`,
    })
  }
  return files
}

/** Returns a line that describes how a file differs from MNIST's, null if it does not. */
function differenceFromMnist({ file, size, sha256 }: DataBytes, key: DataFile): string | null {
  const mnist = dataFiles[key]
  if (size !== mnist.bytes)
    return `${file}: has ${size ?? `more than ${mnist.bytes}`} bytes, MNIST's has ${mnist.bytes}`
  return sha256 === mnist.sha256 ? null : `${file}: SHA-256 is ${sha256}, MNIST's is ${mnist.sha256}`
}

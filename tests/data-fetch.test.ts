import { cp, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { sourceFolder } from '../src/data/load.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { dataFolder } from './support/idx.js'
import { recordSyncs } from './support/synced.js'

const scratch = scratchFolder()

describe('data fetch', () => {
  let server: Server | undefined
  afterEach(() => {
    server?.closeAllConnections()
    server?.close()
  })

  async function mirror(listener: RequestListener): Promise<string> {
    server = createServer(listener)
    await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mnist`
  }

  /** Starts a mirror with TLS. `env` makes the command trust its certificate. */
  async function secureMirror(listener: RequestListener): Promise<string> {
    const [key, cert] = await Promise.all(
      ['key.pem', 'certificate.pem'].map((file) => readFile(join(tls, file))),
    )
    const secure = createSecureServer({ key: key!, cert: cert! }, listener)
    server = secure
    await new Promise<void>((resolve) => secure.listen(0, '127.0.0.1', resolve))
    return `https://127.0.0.1:${(secure.address() as AddressInfo).port}/mnist`
  }
  const tls = join(import.meta.dirname, 'support/tls')
  const env = { NODE_EXTRA_CA_CERTS: join(tls, 'certificate.pem') }

  const zipped = new Map<string, Buffer>()
  const genuine = async (url: string) => {
    const name = url.replace(/^\/mnist\/(.*)\.gz$/, '$1')
    const bytes =
      zipped.get(name) ?? gzipSync(await readFile(join(sourceFolder('mnist'), name)), { level: 1 })
    zipped.set(name, bytes)
    return bytes
  }

  async function fetched(listener: RequestListener, out: string, timeout = 100, env = {}) {
    const url = await mirror(listener)
    const args = ['data', 'fetch', '--mirror', url, '--out', out, '--timeout', String(timeout)]
    const { code, stderr } = await eigenae(args, { env })
    return { code, stderr }
  }

  it('downloads the four files, which data verify accepts', async () => {
    const out = scratch('fetched/mnist')
    const record = recordSyncs(scratch('syncs.json'))
    const { code } = await fetched(
      async (request, response) => response.end(await genuine(request.url!)),
      out,
      100,
      record.env,
    )
    expect(code).toBe(0)
    expect(await readdir(scratch('fetched'))).toEqual(['mnist'])
    expect(record.lost(out)).toEqual([])
    expect((await eigenae(['data', 'verify', out])).code).toBe(0)
  })

  /** Sends empty deflate blocks without end, which unzip to nothing. */
  function endless(response: ServerResponse): void {
    const blocks = Buffer.alloc(5 << 20, Buffer.from('000000ffff', 'hex'))
    function* gzip() {
      yield Buffer.from('1f8b08000000000000ff', 'hex')
      while (true) yield blocks
    }
    Readable.from(gzip()).pipe(response)
  }

  const bomb = gzipSync(Buffer.alloc(60e6))

  const misbehaving: readonly [string, RequestListener, string][] = [
    [
      'a 404 whose page is gzipped',
      (_, response) => response.writeHead(404).end(gzipSync('gone')),
      'answered 404',
    ],
    [
      'a redirect to itself',
      (_, response) => response.writeHead(302, { location: '/' }).end(),
      'redirects more than 5 times',
    ],
    [
      'a redirect to a file',
      (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
      'redirects to file:///etc/passwd, which is not http: or https:',
    ],
    [
      'a bomb of 60 MB in 60 kB',
      (_, response) => response.end(bomb),
      "this is not MNIST's file: it has more than 47040016 bytes",
    ],
    [
      'gzip without end that holds nothing',
      (_, response) => endless(response),
      "this is not MNIST's file: it has more than 47040016 bytes",
    ],
    [
      'other bytes',
      (_, response) => response.end(gzipSync('not MNIST')),
      "this is not MNIST's file: SHA-256 is",
    ],
    ['no gzip', (_, response) => response.end('hello'), 'incorrect header check'],
    ['silence', () => {}, 'no data arrived for 1 s'],
    [
      'a stall in the middle',
      (_, response) => void response.write(gzipSync(Buffer.alloc(1e6)).subarray(0, 100)),
      'no data arrived for 1 s',
    ],
    [
      'a cut connection',
      (_, response) => {
        response.writeHead(200, { 'content-length': 1e6 })
        response.write(gzipSync(Buffer.alloc(1e6)).subarray(0, 100), () => response.destroy())
      },
      'the connection broke off',
    ],
  ]

  it.each(misbehaving)(
    'that receives %s leaves no files and prints a hint',
    async (name, listener, message) => {
      const place = name.replaceAll(' ', '-')
      const { code, stderr } = await fetched(
        listener,
        scratch(place, 'mnist'),
        message.includes('1 s') ? 1 : 100,
      )
      expect(stderr).toContain(message)
      expect(stderr).toContain('--mirror')
      expect(code).toBe(1)
      expect(await readdir(scratch(place))).toEqual([])
    },
  )

  it('accepts https, follows a redirect to it, and refuses one back to http', async () => {
    const secure = await secureMirror(async (request, response) => response.end(await genuine(request.url!)))
    const plain = createServer((request, response) =>
      response.writeHead(301, { location: new URL(request.url!, secure).href }).end(),
    )
    await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(plain.address() as AddressInfo).port}/mnist`
    const args = ['data', 'fetch', '--mirror', url, '--out', scratch('secure')]
    expect(await eigenae(args, { env })).toMatchObject({ code: 0 })
    expect((await readdir(scratch('secure'))).length).toBe(4)
    plain.close()
    const untrusted = await eigenae(['data', 'fetch', '--mirror', secure, '--out', scratch('untrusted')])
    expect(untrusted).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot download: self-signed certificate'),
    })
    server!.close()
    const back = await secureMirror((_, response) => response.writeHead(302, { location: url }).end())
    const downgraded = await eigenae(['data', 'fetch', '--mirror', back, '--out', scratch('back')], { env })
    expect(downgraded.stderr).toContain(`the server redirects to ${url}, which is not https:`)
    expect(downgraded.code).toBe(1)
  })

  it('uses the user and password of a mirror, and does not print the password', async () => {
    const url = await mirror((request, response) => {
      const { authorization } = request.headers
      response.writeHead(authorization === `Basic ${btoa('me:secret')}` ? 404 : 401).end()
    })
    const withUser = url.replace('http://', 'http://me:secret@')
    const { stderr } = await eigenae(['data', 'fetch', '--mirror', withUser, '--out', scratch('user')])
    expect(stderr).toContain(`${url}/train-images-idx3-ubyte.gz: the server answered 404`)
    expect(stderr).not.toContain('secret')
  })

  it('leaves older files untouched when a later file fails', async () => {
    const out = scratch('older')
    await mkdir(out)
    const older = 't10k-labels-idx1-ubyte'
    await cp(join(sourceFolder('mnist'), older), join(out, older))
    await writeFile(join(out, 'note.txt'), 'mine')
    const before = await stat(join(out, older))
    const { code } = await fetched(async (request, response) => {
      if (request.url!.includes('t10k-labels')) response.writeHead(500).end()
      else response.end(await genuine(request.url!))
    }, out)
    expect(code).toBe(1)
    expect((await readdir(out)).sort()).toEqual(['note.txt', older])
    expect((await stat(join(out, older))).ino).toBe(before.ino)
  })

  it.each([false, true])(
    'replaces no other data set (gzipped: %s), and sends no request',
    async (gzipped) => {
      const out = dataFolder(scratch(`own-${gzipped}`), {}, gzipped)
      const before = await readdir(out)
      const requests: string[] = []
      const { code, stderr } = await fetched((request, response) => {
        requests.push(request.url!)
        response.writeHead(500).end()
      }, out)
      expect(stderr).toContain(
        `${out}: holds data files that are not MNIST, which the download would replace`,
      )
      expect(stderr).toContain("t10k-labels-idx1-ubyte: has 58 bytes, MNIST's has 10008")
      expect([code, requests]).toEqual([2, []])
      expect(await readdir(out)).toEqual(before)
    },
  )

  it('reports a refused connection, and refuses an address that is neither http nor https', async () => {
    const url = await mirror(() => {})
    server?.close()
    const refused = await eigenae(['data', 'fetch', '--mirror', url, '--out', scratch('none', 'mnist')])
    expect(refused.stderr).toContain('ECONNREFUSED')
    expect(refused.code).toBe(1)
    const other = ['data', 'fetch', '--mirror', 'ftp://example.org', '--out', scratch('none', 'mnist')]
    const secure = await eigenae(other)
    expect(secure.stderr).toContain('--mirror: expected an address that starts with http:// or https://')
    expect(secure.code).toBe(2)
  })
})

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from 'vitest'
import { loadDataSet, sourceFolder } from '../src/data/load.js'
import { eigenae, scratchFolder, trainArgs } from './support/cli.js'
import { dataFolder, idxImages, idxLabels } from './support/idx.js'

const scratch = scratchFolder()

describe('the embedded MNIST', () => {
  it('is the genuine one', async () => {
    const { code, stdout } = await eigenae(['data', 'verify'])
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db .*train-images/m,
    )
  })

  it('has 60,000 training and 10,000 test images of 784 pixels, the first a 5 and a 7', async () => {
    const { train, test } = await loadDataSet('mnist')
    expect([train.images.count, test.images.count, train.images.pixelsPerImage]).toEqual([
      60_000, 10_000, 784,
    ])
    expect([train.labels[0], test.labels[0]]).toEqual([5, 7])
  })
})

describe('a folder of idx files', () => {
  it.each([
    ['plain', false],
    ['gzipped', true],
  ])('can be trained on when it is %s', async (name, gzipped) => {
    const source = dataFolder(scratch(name), {}, gzipped)
    const out = scratch(`${name}-run`)
    const result = await eigenae(trainArgs('baseline.json', out, `data.source=${source}`, 'train.epochs=1'))
    expect(result.code).toBe(0)
    expect(await readdir(out)).toContain('evaluation.json')
  })

  const train = 'train-images-idx3-ubyte'
  const labels = 'train-labels-idx1-ubyte'
  it.each([
    [
      'a wrong magic number',
      train,
      idxImages(200, 28, 28, 2052),
      'magic number is 2052, an idx file of images has 2051',
    ],
    ['labels for images', train, idxLabels(200), 'magic number is 2049, an idx file of images has 2051'],
    [
      'a cut file',
      train,
      idxImages(200).subarray(0, 1000),
      'has 1000 bytes, its header says 200 images of 28 × 28 pixels: 156816',
    ],
    [
      'trailing bytes',
      labels,
      Buffer.concat([idxLabels(200), Buffer.alloc(3)]),
      'has 211 bytes, its header says 200 labels: 208',
    ],
    ['nothing in it', labels, Buffer.alloc(0), 'has 0 bytes, an idx file of labels has a header of 8'],
    ['fewer labels than images', labels, idxLabels(199), 'has 199 labels for the 200 images of'],
    [
      'another size of image',
      train,
      idxImages(200, 20, 20),
      'its images have 400 pixels, the network takes 784',
    ],
  ])('with %s is refused: the file and both numbers are named', async (_name, file, bytes, message) => {
    const source = dataFolder(scratch('damaged'), { [file]: bytes })
    const { code, stderr } = await eigenae(
      trainArgs('baseline.json', scratch('never'), `data.source=${source}`),
    )
    expect(stderr).toContain(message)
    expect(stderr).toContain(source)
    expect(code).toBe(2)
    expect(existsSync(scratch('never'))).toBe(false)
  })

  it('whose gzipped file unzips to more than its header promises is refused before it fills the memory', async () => {
    const bomb = Buffer.concat([idxImages(200), Buffer.alloc(60e6)])
    const source = dataFolder(scratch('bomb'), { [train]: bomb }, true)
    const { code, stderr } = await eigenae(
      trainArgs('baseline.json', scratch('never'), `data.source=${source}`),
    )
    expect(stderr).toContain(
      'unzips to more than 156816 bytes, its header says 200 images of 28 × 28 pixels: 156816 bytes',
    )
    expect(code).toBe(2)
  })

  it('whose header promises more than any data set holds is refused', async () => {
    const header = idxImages(1)
    header.writeUInt32BE(2 ** 32 - 1, 4)
    for (const gzipped of [false, true]) {
      const source = dataFolder(scratch(`absurd-${gzipped}`), { [train]: header }, gzipped)
      const { code, stderr } = await eigenae(
        trainArgs('baseline.json', scratch('never'), `data.source=${source}`),
      )
      expect(stderr).toContain('its header says 4294967295 images of 28 × 28 pixels: 3367254359296 bytes')
      expect(code).toBe(2)
    }
  })

  it.each(['', '.gz'])(
    'with a FIFO or a device as its file (%j) is refused, and nothing waits for it',
    async (end) => {
      const source = dataFolder(scratch(`odd${end}`))
      const file = join(source, `${train}${end}`)
      await rm(join(source, train))
      execFileSync('mkfifo', [file])
      for (const what of ['fifo', 'device']) {
        const { code, stderr } = await eigenae(
          trainArgs('baseline.json', scratch('never'), `data.source=${source}`),
        )
        expect([what, stderr]).toEqual([what, expect.stringContaining(`${file}: is not a regular file`)])
        expect(code).toBe(2)
        await rm(file)
        await symlink('/dev/zero', file)
      }
    },
  )

  it('that is not MNIST fails data verify, which names each file', async () => {
    const { code, stderr } = await eigenae(['data', 'verify', dataFolder(scratch('other'))])
    expect(code).toBe(1)
    expect(stderr).toContain("t10k-labels-idx1-ubyte: has 58 bytes, MNIST's has 10008")
  })
})

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

  /** A mirror that answers by TLS; the command trusts its certificate by `env`. */
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

  async function fetched(listener: RequestListener, out: string, timeout = 100) {
    const url = await mirror(listener)
    const { code, stderr } = await eigenae([
      'data',
      'fetch',
      '--mirror',
      url,
      '--out',
      out,
      '--timeout',
      String(timeout),
    ])
    return { code, stderr }
  }

  it('downloads the four files, which then are verified', async () => {
    const out = scratch('fetched/mnist')
    const { code } = await fetched(
      async (request, response) => response.end(await genuine(request.url!)),
      out,
    )
    expect(code).toBe(0)
    expect(await readdir(scratch('fetched'))).toEqual(['mnist'])
    expect((await eigenae(['data', 'verify', out])).code).toBe(0)
  })

  /** Empty deflate blocks: nothing to unzip, ever. */
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
    'that meets %s leaves nothing behind and says what to do',
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

  it('takes https, follows a redirect there, and refuses one back', async () => {
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

  it('goes to a mirror with a user as to any, and does not show the password', async () => {
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
    'replaces no other data set (gzipped: %s), and asks the mirror for nothing',
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

  it('reports that no server listens, and refuses an address that is neither http nor https', async () => {
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

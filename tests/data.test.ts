import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
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

  it('that is not MNIST fails data verify, which names each file', async () => {
    const { code, stderr } = await eigenae(['data', 'verify', dataFolder(scratch('other'))])
    expect(code).toBe(1)
    expect(stderr).toContain('t10k-labels-idx1-ubyte: SHA-256 is')
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

  const genuine = async (url: string) =>
    gzipSync(await readFile(join(sourceFolder('mnist'), url.replace(/^\/mnist\/(.*)\.gz$/, '$1'))), {
      level: 1,
    })

  async function fetched(listener: RequestListener, out: string, timeout = 20) {
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

  const misbehaving: readonly [string, RequestListener, string][] = [
    [
      'a 404 whose page is gzipped',
      (_, response) => response.writeHead(404).end(gzipSync('gone')),
      'answered 404',
    ],
    ['a redirect', (_, response) => response.writeHead(302, { location: '/' }).end(), 'answered 302'],
    [
      'other bytes',
      (_, response) => response.end(gzipSync('not MNIST')),
      "this is not MNIST's file: SHA-256 is",
    ],
    ['no gzip', (_, response) => response.end('hello'), 'incorrect header check'],
    ['silence', () => {}, 'nothing came for 1 s'],
    [
      'a stall in the middle',
      (_, response) => void response.write(gzipSync(Buffer.alloc(1e6)).subarray(0, 100)),
      'nothing came for 1 s',
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
      const { code, stderr } = await fetched(listener, scratch(place, 'mnist'), 1)
      expect(stderr).toContain(message)
      expect(stderr).toContain('--mirror')
      expect(code).toBe(1)
      expect(await readdir(scratch(place))).toEqual([])
    },
  )

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

  it('leaves older files as they are when a later file fails', async () => {
    const out = scratch('older')
    await writeFile(join(dataFolder(out), 'note.txt'), 'mine')
    const before = await readdir(out)
    const { code } = await fetched(async (request, response) => {
      if (request.url!.includes('t10k-labels')) response.writeHead(500).end()
      else response.end(await genuine(request.url!))
    }, out)
    expect(code).toBe(1)
    expect(await readdir(out)).toEqual(before)
    expect(await readFile(join(out, 't10k-labels-idx1-ubyte'))).toEqual(idxLabels(50))
  })

  it('says so where no server listens, and refuses an address that is not plain http', async () => {
    const url = await mirror(() => {})
    server?.close()
    const refused = await eigenae(['data', 'fetch', '--mirror', url, '--out', scratch('none', 'mnist')])
    expect(refused.stderr).toContain('ECONNREFUSED')
    expect(refused.code).toBe(1)
    const secure = await eigenae([
      'data',
      'fetch',
      '--mirror',
      'https://example.org',
      '--out',
      scratch('none', 'mnist'),
    ])
    expect(secure.stderr).toContain('--mirror: expected an address that starts with http://')
    expect(secure.code).toBe(2)
  })
})

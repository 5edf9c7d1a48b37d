import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadDataSet } from '../src/data/load.js'
import { eigenae, scratchFolder, trainArgs } from './support/cli.js'
import { dataFolder, idxImages, idxLabels } from './support/idx.js'

const scratch = scratchFolder()

describe('the embedded MNIST', () => {
  it('is the genuine one', async () => {
    const { code, stdout, stderr } = await eigenae(['data', 'verify'])
    expect(code).toBe(0)
    expect(stderr).toBe('the files are the genuine MNIST\n')
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
    ['another size of image', train, idxImages(200, 20, 16), 'its images have 28 × 28 pixels, those of'],
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

  it('whose gzipped file unzips to more than its header claims is refused before it fills the memory', async () => {
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

  it('whose header claims more than any data set holds is refused', async () => {
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

  it('that is not MNIST makes data verify fail, naming each file', async () => {
    const { code, stderr } = await eigenae(['data', 'verify', dataFolder(scratch('other'))])
    expect(code).toBe(1)
    expect(stderr).toContain("t10k-labels-idx1-ubyte: has 58 bytes, MNIST's has 10008")
  })
})

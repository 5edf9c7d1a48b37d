import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { readMetrics } from '../src/runs/read.js'
import { eigenae, scratchFolder, trainArgs } from './support/cli.js'
import { describeUnless } from './support/requirements.js'

const scratch = scratchFolder()
const mounted: string[] = []
afterAll(() => {
  for (const folder of mounted) spawnSync('umount', [folder])
})

/** Mounts a small file system. Returns null if this user may not. */
function smallDisk(name: string, options: string): string | null {
  const folder = scratch(name)
  mkdirSync(folder)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder]).status !== 0) return null
  mounted.push(folder)
  return folder
}

const small = ['data.limit=500', 'train.epochs=3']
const full = smallDisk('full', 'size=3m')
const readOnly = smallDisk('read-only', 'size=1m,ro')
const noMount = full !== null && readOnly !== null ? null : 'no right to mount a tmpfs'

describeUnless(noMount, 'train on a disk that fails', () => {
  it('reports that the disk is full, exits with 1, and leaves complete rows', async () => {
    const folder = `${full}/run`
    const filler = `${full}/filler`
    spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=1k', 'count=1000'])
    const { code, stderr } = await eigenae(trainArgs('eigen.json', folder, ...small))
    expect(stderr).toContain('no space left on the disk')
    expect(stderr).toContain(folder)
    expect(code).toBe(1)
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([])
    expect((await readFile(`${folder}/spectrum.csv`, 'utf8')).endsWith('\n')).toBe(true)
  })

  it('resumes once there is space', async () => {
    spawnSync('mount', ['-o', 'remount,size=30m', full!])
    const folder = `${full}/run`
    expect((await eigenae([...trainArgs('eigen.json', folder, ...small), '--resume'])).code).toBe(0)
    expect((await readMetrics(`${folder}/metrics.csv`)).map((row) => row.epoch)).toEqual([1, 2, 3])
  })

  it('reports that the folder is read-only and exits with 1', async () => {
    const { code, stderr } = await eigenae(trainArgs('eigen.json', `${readOnly}/run`, ...small))
    expect(stderr).toContain(`${readOnly}/run: cannot make the folder: is on a read-only file system`)
    expect(code).toBe(1)
  })
})

describe('train that diverges', () => {
  it('fails in the epoch whose loss is not a number', async () => {
    const folder = scratch('diverged')
    const { code, stderr } = await eigenae(
      trainArgs('eigen.json', folder, ...small, 'optimizer.learningRate=1e30', 'loss.eigen=null'),
    )
    expect(code).toBe(1)
    expect(stderr).toContain('training diverged: the loss of epoch')
    expect(JSON.parse(await readFile(`${folder}/run.json`, 'utf8')).status).toBe('failed')
  })

  it('fails in the epoch whose last step broke the network', async () => {
    const folder = scratch('diverged-last')
    const oneBatch = ['train.epochs=1', 'train.batchSize=64', 'data.limit=64', 'optimizer.learningRate=1e30']
    const { code, stderr } = await eigenae(trainArgs('eigen.json', folder, ...oneBatch))
    expect(code).toBe(1)
    expect(stderr).toMatch(
      /training diverged: test_mse of epoch 1 is NaN\nLower optimizer.learningRate or loss/,
    )
    expect(JSON.parse(await readFile(`${folder}/run.json`, 'utf8')).status).toBe('failed')
  })
})

describe('results that cannot be written', () => {
  it.skipIf(!existsSync('/dev/full'))('are reported in one line, with exit code 1', () => {
    const shell = `${process.execPath} ${join(import.meta.dirname, '../bin/eigenae.js')} runs ${scratch()} > /dev/full`
    const { status, stderr } = spawnSync('sh', ['-c', shell], { encoding: 'utf8' })
    expect(stderr).toMatch(/^eigenae: cannot write the results: ENOSPC.*\n$/)
    expect(status).toBe(1)
  })
})

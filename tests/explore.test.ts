import { existsSync } from 'node:fs'
import { copyFile, cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { thousands } from '../src/text/format.js'
import { eigenae, scratchFolder } from './support/cli.js'
import { trainSmall } from './support/explored-runs.js'
import { dataFolder, idxImages } from './support/idx.js'
import { writeRun } from './support/run-folder.js'
import { sealRun } from './support/seal.js'

const scratch = scratchFolder()
const explore = (...args: readonly string[]) => eigenae(['explore', ...args], { cwd: scratch() })

async function copyRunFile(name: string, folder: string): Promise<void> {
  await mkdir(scratch(folder), { recursive: true })
  await copyFile(scratch('none/seed-0', name), scratch(folder, name))
}

beforeAll(() => trainSmall(scratch, ['none', '<i>norm']))

describe('eigenae explore', () => {
  it('writes one page for two runs and prints its size', async () => {
    const { code, stdout, stderr } = await explore('none', '<i>norm', '--out', 'new/folder/page.html')
    expect(code).toBe(0)
    expect(stdout).toBe('new/folder/page.html\n')
    expect(stderr).toContain('model: none/seed-0')
    const page = await readFile(scratch('new/folder/page.html'))
    expect(stderr).toContain(`1024 test images, ${thousands(page.length / 1024)} KiB`)
    expect(await readdir(scratch('new/folder'))).toEqual(['page.html'])
  })

  it('replaces an earlier page but no other file', async () => {
    const page = ['none', '--images', '20', '--json', '--out'] as const
    const first = await explore(...page, 'page.html')
    expect(JSON.parse(first.stdout)).toMatchObject({ images: 20, runs: ['none/seed-0'] })
    expect((await explore(...page, 'page.html')).code).toBe(0)
    await writeFile(scratch('thesis.html'), '<p>three years')
    const refused = await explore(...page, 'thesis.html')
    expect(refused).toMatchObject({ code: 2, stdout: '' })
    expect(refused.stderr).toContain('thesis.html: exists and was not written by this command')
    expect(await readFile(scratch('thesis.html'), 'utf8')).toBe('<p>three years')
    expect((await explore(...page, 'none')).stderr).toContain('none: is a folder, not a file')
  })

  it('prints a note on a model that is not the final one', async () => {
    for (const name of ['config.json', 'run.json', 'metrics.csv', 'spectrum.csv', 'evaluation.json'])
      await copyRunFile(name, 'without-model')
    await cp(scratch('none/seed-0/checkpoint'), scratch('without-model/checkpoint'), { recursive: true })
    sealRun(scratch('without-model'))
    const { stderr } = await explore('without-model', '--out', 'checkpoint.html')
    expect(stderr).toMatch(
      /^without-model: its model.safetensors is missing; using its checkpoint of epoch \d of \d/,
    )
  })

  it('rejects runs and images that a page cannot show', async () => {
    const out = ['--out', 'refused.html'] as const
    writeRun(scratch('stopped'))
    dataFolder(scratch('tiny'), { 't10k-images-idx3-ubyte': idxImages(50, 4, 3) })
    for (const name of ['config.json', 'run.json', 'metrics.csv', 'spectrum.csv', 'evaluation.json'])
      await copyRunFile(name, 'damaged')
    await writeFile(scratch('damaged/model.safetensors'), 'cut')
    sealRun(scratch('damaged'))
    const foreign = writeRun(scratch('foreign'))
    const config = { name: 'foreign', model: { widths: [784, 4] }, loss: { eigen: null } }
    await writeFile(
      `${foreign}/config.json`,
      JSON.stringify({ ...config, data: {}, train: {}, spectrum: {}, future: 1 }),
    )
    sealRun(foreign)
    const cases = [
      [['foreign', ...out], 1, 'foreign/config.json: this version cannot run the model of this config'],
      [['none', '<i>norm', 'stopped', ...out], 2, '3 runs, but a page shows one, or two side by side'],
      [['stopped', ...out], 2, 'stopped: has no trained model yet'],
      [['damaged', ...out], 1, 'damaged/model.safetensors: this file is damaged'],
      [['none', '--data', 'tiny', ...out], 2, 'tiny/t10k-images-idx3-ubyte: its images have 3 × 4 pixels'],
      [['none'], 2, "required option '--out <file>' not specified"],
    ] as const
    const answers = await Promise.all(cases.map(([args]) => explore(...args)))
    for (const [index, [, code, message]] of cases.entries()) {
      expect(answers[index]!.stderr).toContain(message)
      expect(answers[index]!.code).toBe(code)
    }
    expect(existsSync(scratch('refused.html'))).toBe(false)
  })
})

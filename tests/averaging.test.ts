import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { eigenae, scratchFolder, trainArgs } from './support/cli.js'
import { endedAt } from './support/hold.js'
import { dataFolder } from './support/idx.js'
import { expectSameRuns } from './support/sweeps.js'

const scratch = scratchFolder()
const data = dataFolder(scratch('data'))
const averaging = 'optimizer.averaging={"kind":"ema","decay":0.9}'

const settings = {
  'schedules and warm-up': [
    'optimizer.learningRate={"from":0.01,"to":0.001,"shape":"cosine","epochs":2.5}',
    'optimizer.warmup=3',
    'loss.eigen.weight={"from":1,"to":0,"shape":"linear","epochs":1.5}',
    'model.batchNorm="all"',
  ],
  'SGD and SiLU': ['optimizer.kind="sgd"', 'optimizer.momentum=0.9', 'model.activation="silu"'],
}

const argsFor = (folder: string, ...changes: readonly string[]) =>
  trainArgs(
    'eigen.json',
    folder,
    ...[`data.source=${data}`, 'data.validation=40', 'train.epochs=3', 'train.batchSize=32', ...changes],
  )

describe('a run with averaging', () => {
  it.each(Object.entries(settings))(
    'gives the same bytes when it is killed and resumed: %s',
    async (name, changes) => {
      const whole = scratch(`whole ${name}`)
      const killed = scratch(`killed ${name}`)
      expect(await eigenae(argsFor(whole, averaging, ...changes))).toMatchObject({ code: 0 })
      await endedAt(2, 'SIGKILL', argsFor(killed, averaging, ...changes))
      expect((await eigenae([...argsFor(killed, averaging, ...changes), '--resume'])).code).toBe(0)
      await expectSameRuns(['.'], killed, whole)
    },
  )

  it('trains as without, and evaluates and keeps another network', async () => {
    const [averaged, plain] = [scratch('averaged'), scratch('plain')]
    await eigenae(argsFor(averaged, averaging))
    await eigenae(argsFor(plain))
    const rowsOf = async (folder: string) => {
      const [header, ...rows] = (await readFile(join(folder, 'metrics.csv'), 'utf8')).trim().split('\n')
      const column = (name: string) => rows.map((row) => row.split(',')[header!.split(',').indexOf(name)])
      return { loss: column('train_loss'), test: column('test_mse') }
    }
    const [mine, other] = [await rowsOf(averaged), await rowsOf(plain)]
    expect(mine.loss).toEqual(other.loss)
    expect(mine.test).not.toEqual(other.test)
    const models = await Promise.all(
      [averaged, plain].map((folder) => readFile(join(folder, 'model.safetensors'))),
    )
    expect(models[0]!.equals(models[1]!)).toBe(false)
  })
})

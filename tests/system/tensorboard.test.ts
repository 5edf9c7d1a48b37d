import { readFileSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, it } from 'vitest'
import { readWholeRun, type WholeRun } from '../../src/runs/read.js'
import { eigenae, scratchFolder } from '../support/cli.js'
import { missingPythonWith, pythonWith, runPython } from '../support/python.js'
import { describeUnless } from '../support/requirements.js'
import { tinyConfigs, writeJson } from '../support/sweeps.js'

const packages = ['tensorboard']
const scratch = scratchFolder()
const exported = (...args: readonly string[]) =>
  eigenae(['export', ...args, '--format', 'tensorboard'], { cwd: scratch() })

/** Reads a folder by the reader of TensorBoard's server and by its older one, which has scalars and histograms apart. */
const program = `
import json, sys
from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
from tensorboard.plugins.hparams import plugin_data_pb2

def read(folder):
    events = event_accumulator.EventAccumulator(folder, size_guidance={'scalars': 0, 'histograms': 0})
    served = plugin_event_accumulator.EventAccumulator(folder)
    events.Reload(), served.Reload()
    def hparams(tag):
        content = served.SummaryMetadata(tag).plugin_data.content
        return plugin_data_pb2.HParamsPluginData.FromString(content)
    start = hparams('_hparams_/session_start_info').session_start_info
    fields = {k: getattr(v, v.WhichOneof('kind')) for k, v in start.hparams.items()}
    return {
        'scalars': {tag: [[e.step, e.value, e.wall_time] for e in events.Scalars(tag)] for tag in events.Tags()['scalars']},
        'shares': [[e.step, e.histogram_value.bucket] for e in events.Histograms('spectrum/singular_share')],
        'plugins': {tag: served.SummaryMetadata(tag).plugin_data.plugin_name for tag in served.Tags()['tensors']},
        'config': served.Tensors('config')[0].tensor_proto.string_val[0].decode(),
        'hparams': fields,
        'group': start.group_name,
        'status': hparams('_hparams_/session_end_info').session_end_info.status,
    }

print(json.dumps([read(folder) for folder in json.load(sys.stdin)]))
`

interface Read {
  readonly scalars: Readonly<
    Record<string, readonly (readonly [step: number, value: number, time: number])[]>
  >
  readonly shares: readonly (readonly [step: number, shares: readonly number[]])[]
  readonly plugins: Readonly<Record<string, string>>
  readonly config: string
  readonly hparams: Readonly<Record<string, unknown>>
  readonly group: string
  readonly status: number
}

describeUnless(missingPythonWith(packages), 'the event files of an export, read by TensorBoard', () => {
  let first: Read
  let second: Read
  let run: WholeRun

  beforeAll(async () => {
    tinyConfigs(scratch(), 3)
    const sweep = writeJson(scratch('sweep.json'), {
      name: 'arms',
      variants: { eigen: 'eigen.json' },
      seeds: '0-1',
    })
    expect((await eigenae(['sweep', '--config', sweep], { cwd: scratch() })).code).toBe(0)
    expect((await exported('runs/arms', '--out', 'logs')).code).toBe(0)
    run = await readWholeRun(scratch('runs/arms/eigen/seed-0'))
    const folders = ['logs/eigen/seed-0', 'logs/eigen/seed-1']
    ;[first, second] = JSON.parse(
      runPython(pythonWith(packages), program, scratch(), JSON.stringify(folders)),
    )
  }, 300_000)

  it('have every metric and timing by epoch, in single precision, at ascending times', () => {
    const columns = Object.keys(run.metrics[0]!).filter((name) => name !== 'epoch')
    const measured = columns.filter((name) => !Number.isNaN(run.metrics[0]![name as 'test_mse']))
    const tags = Object.keys(first.scalars)
    expect(tags.filter((tag) => tag.startsWith('metrics/'))).toEqual(
      measured.map((name) => `metrics/${name}`),
    )
    expect(tags).toContain('timings/images_per_second')
    const mse = first.scalars['metrics/test_mse']!
    expect(mse.map(([step, value]) => [step, value])).toEqual(
      run.metrics.map(({ epoch, test_mse }) => [epoch, Math.fround(test_mse)]),
    )
    const times = mse.map(([, , time]) => time)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    expect(times[0]).toBeGreaterThan(Date.parse(run.record.started) / 1000 - 1)
  })

  it('have the measures of every hidden layer from epoch 0 on, and the values of every eigen loss', () => {
    const layers = [...new Set(run.layers.map(({ layer }) => layer))]
    const tagsOf = (group: string) => Object.keys(first.scalars).filter((tag) => tag.startsWith(`${group}/`))
    const valuesOf = (tag: string) => first.scalars[tag]!.map(([step, value]) => [step, value])
    expect(layers).toHaveLength(2)
    expect(tagsOf('layers')).toEqual(
      layers.flatMap((layer) =>
        ['dead_units', 'effective_rank', 'mean_variance'].map((column) => `layers/${layer}/${column}`),
      ),
    )
    for (const each of layers)
      expect(valuesOf(`layers/${each}/effective_rank`)).toEqual(
        run.layers
          .filter(({ layer }) => layer === each)
          .map(({ epoch, effective_rank }) => [epoch, Math.fround(effective_rank)]),
      )
    expect(valuesOf(`layers/${layers[0]}/effective_rank`).map(([step]) => step)).toEqual([0, 1, 2, 3])
    expect(tagsOf('losses')).toEqual(
      ['weight', 'value', 'weighted'].map((column) => `losses/1-top-k/${column}`),
    )
    expect(valuesOf('losses/1-top-k/value')).toEqual(
      run.losses.map(({ epoch, value }) => [epoch, Math.fround(value)]),
    )
  })

  it('have the spectrum of every epoch as a histogram over the rank', () => {
    const shares = [0, 1, 2, 3].map((step) => [
      step,
      run.spectrum.filter(({ epoch }) => epoch === step).map(({ singular_share }) => singular_share),
    ])
    expect(first.shares).toEqual(shares)
    expect(first.plugins['spectrum/singular_share']).toBe('histograms')
  })

  it('have the config as text and as hyperparameters, with the runs of an arm in one group', () => {
    const config = readFileSync(scratch('runs/arms/eigen/seed-0/config.json'), 'utf8')
    expect(first.config).toBe(`\`\`\`json\n${config}\`\`\`\n`)
    expect(first.plugins.config).toBe('text')
    expect(first.hparams).toMatchObject({
      'loss.eigen.kind': 'top-k',
      'train.epochs': 3,
      'model.widths': '[784,8,4]',
    })
    expect(second.group).toBe(first.group)
    expect(first.status).toBe(1)
  })
})

describe('export --format tensorboard', () => {
  it('replaces an export only with --overwrite, and never another folder', async () => {
    tinyConfigs(scratch('guard'), 1)
    const train = ['train', '--config', scratch('guard/none.json'), '--out', scratch('guard/run')]
    expect((await eigenae(train)).code).toBe(0)
    const [run, out] = [scratch('guard/run'), scratch('guard/log')]
    expect((await exported(run, '--out', out)).stdout).toContain('events.out.tfevents.eigenae')
    expect((await exported(run, '--out', out)).code).toBe(2)
    expect((await exported(run, '--out', out, '--overwrite')).code).toBe(0)
    writeFileSync(scratch('guard/log/notes.txt'), '')
    const foreign = await exported(run, '--out', out, '--overwrite')
    expect([foreign.code, foreign.stderr]).toEqual([2, expect.stringContaining('holds notes.txt')])
  })

  it('refuses flags about the model', async () => {
    const { code, stderr } = await exported(scratch('guard/run'), '--out', 'x', '--part', 'encoder')
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('--part: requires --format safetensors or onnx or tfjs'),
    ])
  })

  it('exports the other runs of a folder if one is damaged, and ends with exit code 1', async () => {
    const train = (out: string) => eigenae(['train', '--config', scratch('guard/none.json'), '--out', out])
    await train(scratch('some/good'))
    await train(scratch('some/bad'))
    writeFileSync(scratch('some/bad/metrics.csv'), 'epoch\n')
    const { code, stdout, stderr } = await exported('some', '--out', 'some-logs')
    expect(code).toBe(1)
    expect(stdout).toContain('some-logs/good/events.out.tfevents.eigenae')
    expect(stdout).not.toContain('bad')
    expect(stderr).toContain('some: 1 run could not be exported\n  some/bad: this run is damaged')
  })
})

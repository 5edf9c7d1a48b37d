import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { checkpointName } from '../../src/runs/files.js'
import { sumOf } from '../../src/runs/integrity.js'
import { encodeSafetensors } from '../../src/runs/safetensors.js'
import { type MetricsRow, metricsColumns, spectrumColumns } from '../../src/runs/tables.js'
import { sealRun } from './seal.js'

export interface FakeRun {
  readonly name?: string
  readonly seed?: number
  readonly status?: 'completed' | 'failed' | 'interrupted'
  readonly eigen?: object | null
  readonly batchNorm?: 'none' | 'all'
  readonly noise?: number
  readonly batchSize?: number
  readonly learningRate?: number
  readonly latent?: number
  readonly epochs?: number
  /** The images held out from train, and the validation MSE of the last epoch on noisy images. */
  readonly validation?: { readonly images: number; readonly mse: number }
  /** The test MSE of the last epoch. */
  readonly testMse?: number
  readonly effectiveRank?: number
  readonly probe?: number
  readonly device?: string
  readonly engine?: { readonly name: string; readonly variant: string }
  readonly version?: string
  /** The 5-NN accuracy; null for a run of an earlier version, which lacks it. */
  readonly neighbours?: number | null
}

/** Writes the files of a run folder as `train` does, without a model; the checkpoint of an incomplete run has no tensors. */
export function writeRun(folder: string, run: FakeRun = {}): string {
  const { seed = 0, status = 'completed', latent = 4, epochs = 3, testMse = 0.03 } = run
  mkdirSync(folder, { recursive: true })
  const write = (name: string, content: unknown) => {
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    writeFileSync(join(folder, name), text)
    return sumOf(text)
  }
  const config = write('config.json', configOf(run, seed, latent, epochs))
  const tables = {
    'metrics.csv': write('metrics.csv', csv(metricsColumns, metricsRows(run, epochs, testMse))),
    'spectrum.csv': write('spectrum.csv', csv(spectrumColumns, spectrumRows(epochs, latent))),
  }
  const record = recordOf(run, seed, epochs, status)
  if (status === 'completed') {
    const files = {
      'config.json': config,
      ...tables,
      'evaluation.json': write('evaluation.json', evaluationOf(run)),
    }
    write('run.json', { ...record, files })
  } else {
    write('run.json', { ...record, ...(status === 'failed' && { error: 'no power' }) })
    const { device, dataSha256 } = record
    const origin = JSON.stringify({ configSha256: config.sha256, device, dataSha256, tables })
    const metadata = { format: 'eigenae-checkpoint-1', epoch: String(epochs), step: '1', origin }
    mkdirSync(join(folder, 'checkpoint'), { recursive: true })
    writeFileSync(join(folder, checkpointName), encodeSafetensors({ tensors: new Map(), metadata }))
  }
  sealRun(folder)
  return folder
}

function evaluationOf({ probe = 0.8, neighbours = 0.9 }: FakeRun) {
  return { linear_probe_accuracy: probe, ...(neighbours !== null && { neighbour_accuracy: neighbours }) }
}

function configOf(run: FakeRun, seed: number, latent: number, epochs: number) {
  return {
    name: run.name ?? 'fake',
    seed,
    data: {
      ...{ source: 'mnist', noise: run.noise ?? 0.2, limit: null },
      ...(run.validation !== undefined && { validation: run.validation.images }),
    },
    model: { widths: [784, 32, latent], batchNorm: run.batchNorm ?? 'none' },
    loss: { eigen: run.eigen ?? null },
    optimizer: {
      kind: 'adam',
      learningRate: run.learningRate ?? 0.005,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
    },
    train: { epochs, batchSize: run.batchSize ?? 64 },
    spectrum: { split: 'test', images: 1024, center: false },
    device: 'auto',
  }
}

function recordOf(run: FakeRun, seed: number, epochs: number, status: string) {
  return {
    ...{ status, ended: '2026-11-24T10:01:00.000Z', name: run.name ?? 'fake', seed, epochs },
    ...{ device: run.device ?? 'cpu', deviceReason: 'asked for', gitCommit: null, host: 'here' },
    engine: { ...(run.engine ?? { name: 'native', variant: 'scalar' }), threads: 1 },
    versions: { eigenae: run.version ?? '0.1.0', node: '20.0.0' },
    dataSha256: { trainImages: 'abc' },
    started: '2026-11-24T10:00:00.000Z',
  }
}

/** The metrics of metrics.csv by name, so that a new metric is 0 here and breaks no test. */
function metricsRows(run: FakeRun, epochs: number, last: number): readonly (readonly number[])[] {
  return Array.from({ length: epochs }, (_, index) => {
    const mse = last * (1 + 0.5 * (epochs - 1 - index))
    const row: Partial<MetricsRow> = {
      epoch: index + 1,
      train_loss: mse,
      train_mse: mse,
      test_mse: mse,
      test_denoise_mse: 1.1 * mse,
      top_share: 0.5,
      effective_rank: run.effectiveRank ?? 3,
      validation_denoise_mse: run.validation?.mse ?? 0,
    }
    return metricsColumns.map((column) => row[column] ?? 0)
  })
}

function spectrumRows(epochs: number, latent: number): readonly (readonly number[])[] {
  const values = Array.from({ length: latent }, (_, index) => latent - index)
  const sum = values.reduce((total, value) => total + value)
  const squares = values.reduce((total, value) => total + value * value, 0)
  return Array.from({ length: epochs + 1 }, (_, epoch) =>
    values.map((value, index) => [
      epoch,
      index + 1,
      value,
      value / sum,
      value * value,
      (value * value) / squares,
    ]),
  ).flat()
}

function csv(columns: readonly string[], rows: readonly (readonly number[])[]): string {
  return [columns, ...rows].map((row) => `${row.join(',')}\n`).join('')
}

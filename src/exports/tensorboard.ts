/** The course of a run for TensorBoard. */
import { fieldsByPath } from '../config/paths.js'
import { configJson, withoutSeed } from '../config/schema.js'
import { crc32Of } from '../files/crc32.js'
import { jsonText } from '../files/write.js'
import { groupBy } from '../group-by.js'
import { version } from '../runs/facts.js'
import { sha256 } from '../runs/integrity.js'
import type { WholeRun } from '../runs/read.js'
import type { SpectrumRow, TimingsRow } from '../runs/tables.js'
import { type ExportFile, type FolderFormat, protobufEncoder } from './models/format.js'
import { readmeHead, readmeName } from './models/index.js'

// TensorBoard reads every file whose name contains "tfevents".
const eventsName = 'events.out.tfevents.eigenae'

export const tensorboard: FolderFormat = { name: 'tensorboard', fileNames: [eventsName] }

export async function tensorboardFiles(
  run: WholeRun,
  timings: readonly TimingsRow[],
): Promise<readonly ExportFile[]> {
  return [
    { name: readmeName, content: readme(run) },
    { name: eventsName, content: await eventFile(run, timings) },
  ]
}

function readme({ config, metrics }: WholeRun): string {
  return `${readmeHead(`Course of ${config.name}, seed ${config.seed}`)}
${metrics.length} epochs, exported as tensorboard by eigenae ${version}.

\`\`\`sh
pip install tensorboard
tensorboard --logdir .
\`\`\`

- Scalars \`metrics/…\` and \`timings/…\`: the columns of metrics.csv and timings.csv by epoch, in single precision.
- Scalars \`layers/LAYER/…\`: the columns of layers.csv for each hidden layer, from epoch 0 on.
- Scalars \`losses/TERM-KIND/…\`: the columns of losses.csv for each eigen loss.
- Histograms \`spectrum/singular_share\`: one bar per rank, whose height is the share of that singular value.
- Text \`config\`, and HParams: the config of the run.

TensorBoard compares the runs in the folders below its \`--logdir\`: export each run into a folder there.
`
}

/**
 * Returns the parts of an event file for TensorBoard: the metrics, timings, hidden layers and eigen losses as scalars by
 * epoch, the spectrum as histograms over the rank, the config as text, and its fields as hyperparameters. The values have
 * single precision.
 */
async function eventFile(run: WholeRun, timings: readonly TimingsRow[]): Promise<Iterable<Uint8Array>> {
  const encode = await protobufEncoder(schema)
  const hyperparameters = hyperparameterData(run).map(([tag, data]) => ({
    tag: `_hparams_/${tag}`,
    metadata: pluginMetadata('hparams', encode('HParamsPluginData', data)),
  }))
  function* payloads() {
    for (const event of eventsOf(run, timings, hyperparameters)) yield encode('Event', event)
  }
  return recordsOf(payloads())
}

/** A generator, because the events take many times the memory of their bytes. */
function* eventsOf(
  run: WholeRun,
  timings: readonly TimingsRow[],
  hyperparameters: readonly object[],
): Generator<object> {
  const timeAt = wallTimes(run, timings)
  const summary = (epoch: number, value: readonly object[]) => ({
    wall_time: timeAt(epoch),
    step: epoch,
    summary: { value },
  })
  // The first event names the version of the format.
  yield { wall_time: timeAt(0), file_version: 'brain.Event:2' }
  yield summary(0, [configAsText(run), ...hyperparameters])
  for (const row of run.metrics) yield summary(row.epoch, scalars('metrics', row))
  for (const row of timings) yield summary(row.epoch, scalars('timings', row))
  // Without the width, which no epoch changes.
  for (const { layer, width: _, ...row } of run.layers)
    yield summary(row.epoch, scalars(`layers/${layer}`, row))
  // Terms are numbered, because a config may have several of the same kind.
  for (const { term, kind, ...row } of run.losses)
    yield summary(row.epoch, scalars(`losses/${term}-${kind}`, row))
  const spectra = groupBy(run.spectrum, ({ epoch }) => epoch)
  for (const [epoch, rows] of spectra) yield summary(epoch, [spectrumHistogram(rows)])
}

/** Returns the time, in seconds since 1970, at which an epoch ended, without the time that the run was interrupted. */
function wallTimes({ record }: WholeRun, timings: readonly TimingsRow[]): (epoch: number) => number {
  const started = Date.parse(record.started) / 1000
  const times = new Map<number, number>()
  let elapsed = 0
  for (const { epoch, train_seconds, eval_seconds } of timings) {
    elapsed += train_seconds + eval_seconds
    times.set(epoch, started + elapsed)
  }
  return (epoch) => times.get(epoch) ?? started
}

/** Empty fields of the table have no value. */
function scalars(
  group: string,
  { epoch: _, ...columns }: Readonly<Record<string, number>>,
): readonly object[] {
  return Object.entries(columns)
    .filter(([, value]) => !Number.isNaN(value))
    .map(([name, value]) => ({ tag: `${group}/${name}`, simple_value: value }))
}

/** One bucket per rank, centred on it, whose height is the share of that singular value. */
function spectrumHistogram(rows: readonly SpectrumRow[]): object {
  const shares = rows.map(({ singular_share }) => singular_share)
  const ranks = rows.map(({ rank }) => rank)
  const sumOver = (term: (rank: number) => number) =>
    shares.reduce((sum, share, index) => sum + share * term(ranks[index]!), 0)
  return {
    tag: 'spectrum/singular_share',
    histo: {
      min: 0.5,
      max: ranks.length + 0.5,
      num: sumOver(() => 1),
      sum: sumOver((rank) => rank),
      sum_squares: sumOver((rank) => rank * rank),
      bucket_limit: ranks.map((rank) => rank + 0.5),
      bucket: shares,
    },
  }
}

const stringType = 7

/** TensorBoard shows text as Markdown. */
function configAsText({ config }: WholeRun): object {
  const text = `\`\`\`json\n${jsonText(configJson(config))}\`\`\`\n`
  return {
    tag: 'config',
    metadata: pluginMetadata('text', new Uint8Array()),
    tensor: { dtype: stringType, tensor_shape: {}, string_val: [Buffer.from(text)] },
  }
}

function pluginMetadata(plugin_name: string, content: Uint8Array): object {
  return { plugin_data: { plugin_name, content } }
}

const succeeded = 1

/** The runs of an arm are one group, of which TensorBoard shows the mean; so the seed is not among the fields. */
function hyperparameterData({ config, record }: WholeRun): readonly (readonly [tag: string, data: object])[] {
  const start = {
    hparams: Object.fromEntries(
      [...fieldsByPath(withoutSeed(config))].map(([path, value]) => [path, structValue(value)]),
    ),
    group_name: sha256(JSON.stringify(withoutSeed(config))),
    start_time_secs: Date.parse(record.started) / 1000,
  }
  const startInfo = ['session_start_info', { session_start_info: start }] as const
  if (record.status !== 'completed') return [startInfo]
  const end = { status: succeeded, end_time_secs: Date.parse(record.ended) / 1000 }
  return [startInfo, ['session_end_info', { session_end_info: end }]]
}

/** Returns a value of a google.protobuf.Struct; a list or null as JSON. */
function structValue(value: unknown): object {
  if (typeof value === 'number') return { number_value: value }
  if (typeof value === 'boolean') return { bool_value: value }
  return { string_value: typeof value === 'string' ? value : JSON.stringify(value) }
}

/**
 * The parts of TensorFlow's and TensorBoard's messages that are written here. Sources: event.proto, summary.proto,
 * tensor.proto and tensor_shape.proto in tensorboard/compat/proto, and tensorboard/plugins/hparams/plugin_data.proto.
 */
const schema = `
syntax = "proto3";
message Event {
  double wall_time = 1; int64 step = 2;
  oneof what { string file_version = 3; Summary summary = 5; }
}
message Summary { repeated Value value = 1; }
message Value {
  string tag = 1; SummaryMetadata metadata = 9;
  oneof value { float simple_value = 2; HistogramProto histo = 5; TensorProto tensor = 8; }
}
message SummaryMetadata { PluginData plugin_data = 1; }
message PluginData { string plugin_name = 1; bytes content = 2; }
message HistogramProto {
  double min = 1; double max = 2; double num = 3; double sum = 4; double sum_squares = 5;
  repeated double bucket_limit = 6; repeated double bucket = 7;
}
message TensorProto { int32 dtype = 1; TensorShapeProto tensor_shape = 2; repeated bytes string_val = 8; }
message TensorShapeProto {}
message HParamsPluginData {
  int32 version = 1;
  oneof data { SessionStartInfo session_start_info = 3; SessionEndInfo session_end_info = 4; }
}
message SessionStartInfo { map<string, FieldValue> hparams = 1; string group_name = 4; double start_time_secs = 5; }
message SessionEndInfo { int32 status = 1; double end_time_secs = 2; }
message FieldValue { oneof kind { double number_value = 2; string string_value = 3; bool bool_value = 4; } }
`

/**
 * The framing of TensorFlow's record files: length (uint64, little-endian), its checksum, the bytes, their checksum.
 * Source: https://www.tensorflow.org/tutorials/load_data/tfrecord, "TFRecords format details".
 */
function* recordsOf(payloads: Iterable<Uint8Array>): Generator<Uint8Array> {
  let parts: Uint8Array[] = []
  let bytes = 0
  for (const payload of payloads) {
    parts.push(headOf(payload.length), payload, checksumOf(payload))
    bytes += payload.length
    if (bytes < chunkBytes) continue
    yield Buffer.concat(parts)
    parts = []
    bytes = 0
  }
  yield Buffer.concat(parts)
}

// A write for each record would be slow.
const chunkBytes = 1 << 20

function headOf(length: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(length))
  return Buffer.concat([bytes, checksumOf(bytes)])
}

function checksumOf(bytes: Uint8Array): Buffer {
  const crc = crc32c(bytes)
  const checksum = Buffer.alloc(4)
  // Rotated and shifted, because the checksum of bytes that contain their own checksum would be weak.
  checksum.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0)
  return checksum
}

/** With the polynomial of Castagnoli (RFC 3720, appendix B.4). */
const crc32c = crc32Of(0x82f63b78)

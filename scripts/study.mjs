/**
 * Keeps the values of a study's runs and makes the tables of its pages from them, without training.
 *
 *   node scripts/study.mjs runs FILE FOLDER SWEEP…      writes a row for each completed or failed run of the sweeps in the
 *                                                       folder; rows of FILE for other runs stay
 *   node scripts/study.mjs missing FILE FROM TO         prints those of the seeds that some arm in FILE lacks
 *   node scripts/study.mjs courses FILE FOLDER SWEEP    writes means over the runs of an arm, by epoch
 *   node scripts/study.mjs [--check] [--docs docs/study] writes the tables of README.md, docs/study.md and
 *                                                       docs/study/*.md, or checks them
 *
 * A table is between <!-- table: NAME --> and <!-- /table -->. A table is not changed if the values of its runs were not kept.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import {
  centralQuantile,
  correctByHolm,
  pairedTest,
  summarise,
  welchTest,
} from '../dist/comparison/statistics.js'
import { compareRuns } from '../dist/index.js'
import { metricOf } from '../dist/runs/metrics.js'

const root = join(import.meta.dirname, '..')
const { values: options, positionals } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    docs: { type: 'string', default: join(root, 'docs/study') },
  },
  allowPositionals: true,
})

const metrics = [
  'test_denoise_mse',
  'test_mse',
  'effective_rank',
  'dead_units',
  'linear_probe_accuracy',
  'neighbour_accuracy',
]
const mse = metrics[0]

/* The values of runs. */

// The metric by which the search chose; empty in other runs.
const score = 'validation_denoise_mse'

const measured = [...metrics, score]
const runColumns = ['arm', 'seed', 'status', ...measured, 'smallest_share', 'device', 'engine', 'version']

async function armsOf(folder, sweeps) {
  const { arms, dropped } = await compareRuns(sweeps.map((sweep) => join(folder, sweep)))
  // The folder of a trial has a comma in its name.
  return [...arms, ...dropped].map((arm) => ({
    ...arm,
    key: relative(folder, arm.name).replaceAll(',', ' '),
  }))
}

async function writeRuns(file, folder, sweeps) {
  const made = (await armsOf(folder, sweeps)).flatMap(({ key, runs, leftOut, unusable }) => {
    if (unusable.length > 0) throw unusable[0].error
    return [...runs, ...leftOut.filter(({ status }) => status === 'failed')].map((run) => {
      const { seed, device, engine, versions } = run.record
      const values = measured.map((metric) => (run.status === 'completed' ? metricOf(run, metric) : null))
      const origin = [device, `${engine.name} ${engine.variant}`, versions.eigenae]
      return [key, seed, run.status, ...values, smallestShare(run), ...origin]
    })
  })
  const isMade = new Set(made.map(([arm, seed]) => `${arm} ${seed}`))
  const kept = (rowsOf(file) ?? []).filter(({ arm, seed }) => !isMade.has(`${arm} ${seed}`))
  const rows = [...kept.map(Object.values), ...made]
  const arms = [...new Set([...made, ...rows].map(([arm]) => arm))]
  rows.sort((a, b) => arms.indexOf(a[0]) - arms.indexOf(b[0]) || a[1] - b[1])
  writeCsv(file, runColumns, rows)
}

/** Prints seeds as `sweep --seeds` takes them. */
function printMissing(file, from, to) {
  const rows = rowsOf(file) ?? []
  const arms = new Set(rows.map(({ arm }) => arm)).size
  const seeds = Array.from({ length: to - from + 1 }, (_, index) => `${from + index}`)
  const count = (seed) => rows.filter((row) => row.seed === seed).length
  process.stdout.write(`${seeds.filter((seed) => arms === 0 || count(seed) < arms).join(',')}\n`)
}

/** Returns the last share that can be large: before the latent layer is one of 12 units, which allow about 12 dimensions. */
function smallestShare({ spectrum, config, status }) {
  const rank = Math.min(12, config.model.widths.at(-1))
  return status === 'completed' ? spectrum.findLast((row) => row.rank === rank).singular_share : null
}

/** Writes the mean variance of each hidden layer, and the extreme eigenvalues of ZᵀZ/N for the embedding Z of N images. */
async function writeCourses(file, folder, sweep) {
  const rows = (await armsOf(folder, [sweep])).flatMap(({ key, runs }) => {
    const values = new Map()
    const add = (epoch, quantity, value) => {
      const name = `${epoch},${quantity}`
      values.set(name, [...(values.get(name) ?? []), value])
    }
    for (const { layers, spectrum, config } of runs) {
      for (const { epoch, layer, mean_variance } of layers) add(epoch, `variance ${layer}`, mean_variance)
      const extremes = { 1: 'largest', [config.model.widths.at(-1)]: 'smallest' }
      for (const { epoch, rank, eigenvalue } of spectrum)
        if (rank in extremes) add(epoch, `${extremes[rank]} eigenvalue`, eigenvalue / config.spectrum.images)
    }
    return [...values].map(([name, all]) => [
      key,
      ...name.split(','),
      all.length,
      summarise(all).mean.toPrecision(6),
    ])
  })
  writeCsv(file, ['arm', 'epoch', 'quantity', 'runs', 'mean'], rows)
}

function writeCsv(file, columns, rows) {
  writeFileSync(file, [columns, ...rows].map((row) => `${row.join(',')}\n`).join(''))
  process.stdout.write(`${rows.length} rows → ${file}\n`)
}

const readCsv = (name) => rowsOf(join(options.docs, name))

/** Returns the rows of a CSV file by column, null if it does not exist. */
function rowsOf(file) {
  if (!existsSync(file)) return null
  const [header, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n')
  const columns = header.split(',')
  return lines.map((line) =>
    Object.fromEntries(line.split(',').map((field, index) => [columns[index], field])),
  )
}

/* Statistics. A sample is the values of a metric in the completed runs of an arm, by ascending seed. */

function samplesIn(names) {
  const files = names.map((name) => readCsv(`${name}/runs.csv`))
  if (files.includes(null)) return null
  const rows = files.flat().filter(({ status }) => status === 'completed')
  const samples = new Map(rows.map(({ arm }) => [arm, []]))
  for (const row of rows) samples.get(row.arm).push(row)
  return samples
}

const valuesOf = (rows, metric) => rows.filter((row) => row[metric] !== '').map((row) => Number(row[metric]))

/**
 * Returns the results of arms by key and metric: from the values of the runs, or from the comparison that was made of them if
 * they were not kept.
 */
function resultsOf({ arms, baseline, runs, comparison }) {
  const samples = samplesIn(runs)
  const keys = [baseline, ...arms.filter((arm) => arm !== baseline)]
  if (samples !== null && keys.every((key) => samples.has(key)))
    return new Map(metrics.flatMap((metric) => metricResults(samples, keys, metric)))
  const rows = readCsv(comparison)
  const number = (field) => (field === '' ? null : Number(field))
  return new Map(
    rows.map((row) => [
      `${row.group} ${row.metric}`,
      {
        ...{ n: Number(row.n), mean: Number(row.mean), half: (Number(row.high) - Number(row.low)) / 2 },
        ...{ difference: number(row.difference), p: number(row.p_value) },
        ...{ low: number(row.difference_low), high: number(row.difference_high) },
        ...{ uncorrectedP: number(row.p_value_uncorrected), detectable: number(row.detectable_difference) },
      },
    ]),
  )
}

function metricResults(samples, keys, metric) {
  const [base, ...others] = keys.map((key) => valuesOf(samples.get(key), metric))
  const tests = others.map((values) => pairedTest(values, base))
  const tested = tests.filter(({ test }) => test !== null)
  const corrected = correctByHolm(tested.map(({ test }) => test.p))
  return keys.map((key, index) => {
    const { n, mean, interval } = summarise(index === 0 ? base : others[index - 1])
    const half = interval === null ? 0 : (interval.high - interval.low) / 2
    const test = tests[index - 1]
    const versus = test && {
      ...{ difference: test.difference, p: corrected[tested.indexOf(test)] ?? null },
      ...{ low: test.interval?.low ?? null, high: test.interval?.high ?? null },
      ...{ uncorrectedP: test.test?.p ?? null, detectable: test.detectable },
    }
    return [`${key} ${metric}`, { n, mean, half, ...versus }]
  })
}

/* Texts. */

const minus = (text) => text.replace('-', '−')
const signed = (value, digits) => minus(`${value < 0 ? '' : '+'}${value.toFixed(digits)}`)
const mseText = ({ mean, half }) => `${mean.toFixed(5)} ± ${half.toFixed(5)}`
const percent = (value) => (100 * value).toFixed(1)

function pText(p) {
  if (p === null || p === undefined) return '–'
  if (p < 0.001) return '< 0.001'
  return p > 0.9995 ? '1' : p.toFixed(3)
}

/** Returns a difference with its interval in percent of a mean. */
function differenceText({ difference, low, high }, mean) {
  const values = [difference, low, high].map((value) => (100 * value) / mean)
  const digits = Math.abs(values[0]) < 20 ? 1 : 0
  const [text, from, to] = values.map((value) => signed(value, digits))
  return `${text} (${from} to ${to})`
}

function deadText({ mean, half }) {
  return mean === 0 ? '0' : `${mean.toFixed(1)} ± ${half.toFixed(1)}`
}

function table(header, rows) {
  const rule = header.map((_, index) => (index === 0 ? '---' : '---:'))
  return [header, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/* The tables. Each returns its text, or null if values are missing. */

const conditions = ['final', 'latent-2', 'latent-4', 'latent-32', 'noise-0.5', 'batch-256', 'epochs-30']
const conditionNames = ['default', 'latent 2', 'latent 4', 'latent 32', 'noise 0.5', 'batch 256', '30 epochs']

/** Returns the results of a condition: the best configs of all families and the four arms of the original experiment. */
function conditionResults(name) {
  const families = Object.keys(
    JSON.parse(readFileSync(join(root, 'configs/study/final.json'), 'utf8')).variants,
  )
  const original = Object.keys(
    JSON.parse(readFileSync(join(root, 'configs/sweeps/original.json'), 'utf8')).variants,
  )
  const arms = [...families.map((arm) => `${name}/${arm}`), ...original.map((arm) => `${name}-author/${arm}`)]
  const baseline = `${name}/batch-norm`
  const results = resultsOf({ arms, baseline, runs: [name], comparison: `${name}/comparison.csv` })
  return { arms, baseline, of: (arm, metric = mse) => results.get(`${arm} ${metric}`) }
}

function armName(key) {
  const [sweep, arm] = key.split('/')
  return sweep.endsWith('-author') ? `original: \`${arm}\`` : `\`${arm}\``
}

function finalTable() {
  const { arms, baseline, of } = conditionResults('final')
  const rows = arms
    .toSorted((a, b) => of(a).mean - of(b).mean)
    .map((arm) => [
      armName(arm),
      mseText(of(arm)),
      arm === baseline ? '–' : differenceText(of(arm), of(baseline).mean),
      arm === baseline ? '–' : pText(of(arm).p),
      mseText(of(arm, 'test_mse')),
      `${of(arm, 'effective_rank').mean.toFixed(2)} ± ${of(arm, 'effective_rank').half.toFixed(2)}`,
      isLeaky(arm) ? '–' : deadText(of(arm, 'dead_units')),
      percent(of(arm, 'linear_probe_accuracy').mean),
      percent(of(arm, 'neighbour_accuracy').mean),
    ])
  const header = ['arm', 'MSE, noisy input', 'difference, % of batch norm', 'p', 'MSE, clean input']
  return table([...header, 'effective rank', 'dead units', 'linear probe, %', '5-NN, %'], rows)
}

const compared = ['batch-norm-kl-normal', 'batch-norm-entropy', 'batch-norm-leaky-relu', 'leaky-relu']
const alsoCompared = ['leaky-relu-kl-normal', 'leaky-relu-entropy', 'leaky-relu-top-k', 'latent-entropy']
const moreCompared = ['latent-top-k', 'all-kl-diagonal', 'silu', 'none']

function conditionsTable() {
  const all = conditions.map(conditionResults)
  const rows = [...compared, ...alsoCompared, ...moreCompared, 'original'].map((arm) => [
    arm === 'original' ? armName('-author/batch-norm') : `\`${arm}\``,
    ...all.map(({ baseline, of }, index) => {
      const sweep = conditions[index]
      const result = of(arm === 'original' ? `${sweep}-author/batch-norm` : `${sweep}/${arm}`)
      const text = differenceText(result, of(baseline).mean)
      return result.p < 0.05 ? `**${text}**` : text
    }),
  ])
  const means = all.map(({ baseline, of }) => of(baseline).mean.toFixed(5))
  return table(['arm', ...conditionNames], [['`batch-norm`, MSE', ...means], ...rows])
}

/**
 * Returns the smallest true differences that 20 seeds find with a power of 80 % at the criterion, in percent of batch norm. The
 * test's t must exceed that of p = 0.01 / 27, Holm's first step; by the approximation of Johnson and Welch (1940) to the
 * noncentral t distribution, that takes (t (1 − 1/4ν) + z √(1 + t²/2ν)) standard errors, with z the 80 % quantile of the
 * normal distribution. The mean must also be 3 % lower, which takes 3 % and t₀.₈ standard errors.
 */
function powerTable() {
  const { arms, baseline, of } = conditionResults('final')
  const { n, mean } = of(baseline)
  const freedom = n - 1
  const usual = centralQuantile(0.95, freedom) + centralQuantile(0.6, freedom)
  const t = centralQuantile(1 - 0.01 / (arms.length - 1), freedom)
  const z = centralQuantile(0.6, 1e6)
  const factor = t * (1 - 1 / (4 * freedom)) + z * Math.sqrt(1 + t ** 2 / (2 * freedom))
  const rows = arms
    .filter((arm) => arm !== baseline && Math.abs(of(arm).difference) < 0.07 * mean)
    .toSorted((a, b) => of(a).detectable - of(b).detectable)
    .map((arm) => {
      const error = (100 * of(arm).detectable) / usual / mean
      const needed = Math.max(factor * error, 3 + centralQuantile(0.6, freedom) * error)
      return [armName(arm), (usual * error).toFixed(1), needed.toFixed(1)]
    })
  return table(['arm', 'uncorrected p < 0.05, %', 'corrected p < 0.01 and 3 %, %'], rows)
}

/** Returns the best trial of each family of the search, with the settings of its config. */
function searchTable() {
  const samples = samplesIn(['search'])
  if (samples === null) return null
  const trials = [...samples].map(([key, rows]) => ({
    family: key.match(/([\w-]+) trial-\d+$/)[1],
    ...summarise(valuesOf(rows, score)),
  }))
  const ascending = trials.toSorted((a, b) => a.mean - b.mean)
  const rows = ascending
    .filter(({ family }, index) => ascending.findIndex((other) => other.family === family) === index)
    .map(({ family, mean, interval }) => {
      const half = interval.high - mean
      const digits = 1 - Math.floor(Math.log10(half))
      return [`\`${family}\``, `${mean.toFixed(digits)} ± ${half.toFixed(digits)}`, ...settingsText(family)]
    })
  const header = [
    'family',
    'validation MSE with noisy input',
    'learning rate',
    'averaging',
    'weight',
    'slope',
  ]
  return table(header, rows)
}

function settingsText(family) {
  const file = join(root, 'configs/study/best', `${family}.json`)
  const { optimizer, loss, model } = JSON.parse(readFileSync(file, 'utf8'))
  const weights = [loss.eigen ?? []].flat().map(({ weight }) => weight)
  return [
    scheduleText(optimizer.learningRate),
    String(optimizer.averaging?.decay ?? '–'),
    weights.map(scheduleText).join(', ') || '–',
    model.activation?.slope === undefined ? '–' : twoDigits(model.activation.slope),
  ]
}

/** Returns a schedule with its shape; the shape "step" is a constant here, because it lasts for the whole training. */
function scheduleText(value) {
  if (typeof value === 'number' || value.shape === 'step') return twoDigits(value.from ?? value)
  return `${twoDigits(value.from)} → ${twoDigits(value.to)} ${value.shape}`
}

const twoDigits = (value) => String(Number(value.toPrecision(2)))

function ablationRows(results, baseline, names) {
  return Object.entries(names).map(([key, name]) => {
    const of = (metric) => results.get(`${key} ${metric}`)
    const reference = results.get(`${baseline} ${mse}`).mean
    const rank = of('effective_rank')
    return [
      name,
      mseText(of(mse)),
      key === baseline ? '–' : differenceText(of(mse), reference),
      key === baseline ? '–' : pText(of(mse).p),
      `${rank.mean.toFixed(2)} ± ${rank.half.toFixed(2)}`,
      isLeaky(key) ? '–' : deadText(of('dead_units')),
    ]
  })
}

/** Whether no unit of an arm can be dead. */
function isLeaky(key) {
  return /^why\/.*(?<!relu)$|silu|leaky|no-(hidden-|latent-)?loss/.test(key) && !/^why-/.test(key)
}

const ablationHeader = ['config', 'MSE, noisy input', 'difference, %', 'p', 'effective rank', 'dead units']

function ablationTable() {
  const names = {
    'why/runs/winner': 'unchanged',
    'why/runs/no-loss': 'without the loss',
    'why/runs/constant-weight': 'constant weight',
    'why/runs/constant-rate': 'constant learning rate',
    'why/runs/relu': 'ReLU',
    'why/runs/narrow-layers': 'also on the two layers of 12 units',
    'why/runs/batch-norm': 'batch norm instead of the loss',
  }
  const [baseline] = Object.keys(names)
  const arms = Object.keys(names)
  const results = resultsOf({ arms, baseline, runs: ['why'], comparison: 'why/comparison.csv' })
  return table(ablationHeader, ablationRows(results, baseline, names))
}

function longTable() {
  const names = {
    'epochs-30/all-kl-diagonal': '`all-kl-diagonal`',
    'why-long/no-loss': 'without the loss',
    'why-long/batch-norm': 'batch norm instead of the loss',
    'why-long/falling-rate': '`batch-norm`, with a cosine schedule instead of a constant rate',
    'epochs-30/batch-norm': '`batch-norm`',
  }
  const [baseline] = Object.keys(names)
  const runs = ['epochs-30', 'why-long']
  const results = resultsOf({
    arms: Object.keys(names),
    baseline,
    runs,
    comparison: 'why-long/comparison.csv',
  })
  return table(ablationHeader, ablationRows(results, baseline, names))
}

/** Seeds of the original runs, whose values were not kept, in which an arm almost loses a dimension; 0 of other arms. */
const lostSeeds = {
  ...{ 'final/batch-norm': 8, 'why-batch-norm/runs/no-loss': 6 },
  ...{ 'latent-32/batch-norm': 10, 'latent-32-no-loss/no-loss': 15 },
  ...{ 'noise-0.5/batch-norm': 11, 'noise-0.5-no-loss/no-loss': 14 },
  ...{ 'batch-256/batch-norm': 3, 'batch-256-no-loss/no-loss': 2 },
  ...{ 'epochs-30/batch-norm': 3, 'epochs-30-no-loss/no-loss': 4 },
}

/** Returns in how many seeds of an arm the smallest singular value has less than 3 % of the sum. */
function lostText(condition, arm) {
  const rows = samplesIn([condition])?.get(arm)
  if (rows === undefined) return `${lostSeeds[arm] ?? 0} of 20`
  const shares = valuesOf(rows, 'smallest_share')
  return `${shares.filter((share) => share < 0.03).length} of ${shares.length}`
}

function lostTable() {
  const rows = conditions.map((name, index) => {
    const { baseline, of } = conditionResults(name)
    const arm = `${name}/batch-norm-kl-normal`
    const difference = differenceText(of(arm), of(baseline).mean)
    return [
      conditionNames[index],
      lostText(name, baseline),
      lostText(name, arm),
      difference,
      pText(of(arm).p),
    ]
  })
  return table(
    ['condition', 'tuned batch norm, seeds', 'with `kl-normal`, seeds', 'difference, %', 'p'],
    rows,
  )
}

/** Returns the table of batch-norm-kl-normal and the same config without its loss. */
function withoutLossTable() {
  const rows = ['final', 'latent-32', 'noise-0.5', 'batch-256', 'epochs-30'].map((name) => {
    const isDefault = name === 'final'
    const [folder, file] = isDefault ? ['why-batch-norm', 'comparison'] : [name, name]
    const baseline = isDefault ? 'why-batch-norm/runs/winner' : `${name}/batch-norm-kl-normal`
    const arm = isDefault ? 'why-batch-norm/runs/no-loss' : `${name}-no-loss/no-loss`
    const comparison = `why-batch-norm/${file}.csv`
    const results = resultsOf({ arms: [arm], baseline, runs: [folder], comparison })
    const of = (key) => results.get(`${key} ${mse}`)
    const text = differenceText(of(arm), of(baseline).mean)
    const tuned = conditionResults(name).of(`${name}/batch-norm-kl-normal`)
    const reverse = { difference: -tuned.difference, low: -tuned.high, high: -tuned.low }
    return [
      ...[conditionNames[conditions.indexOf(name)], text, pText(of(arm).uncorrectedP)],
      ...[lostText(folder, arm), differenceText(reverse, tuned.mean)],
    ]
  })
  return table(['condition', 'without the loss, %', 'p', 'almost lost, seeds', 'tuned batch norm, %'], rows)
}

/* The confirmation. */

const confirmed = ['kl-silu', 'batch-norm-silu', 'batch-norm', 'batch-norm-kl-normal']
const without = ['no-hidden-loss', 'no-latent-loss', 'no-loss']
const claim = 3

function confirmation(epochs) {
  const name = `confirmation/epochs-${epochs}`
  const rows = readCsv(`${name}/runs.csv`)
  if (rows === null) return null
  const samples = samplesIn([name])
  const keys = Object.fromEntries([...confirmed, ...without].map((arm) => [arm, `epochs-${epochs}/${arm}`]))
  const runs = (arm) => samples.get(keys[arm])
  const values = (arm, metric = mse) => valuesOf(runs(arm), metric)
  const all = (arm) => rows.filter((row) => row.arm === keys[arm]).length
  /** Returns how much lower the error of kl-silu is than that of an arm, in percent of that arm's mean. */
  const improvement = (arm) => {
    const { mean } = summarise(values(arm))
    const ours = new Map(runs('kl-silu').map((row) => [row.seed, Number(row[mse])]))
    const pairs = runs(arm).filter(({ seed }) => ours.has(seed))
    const [first, second] = [pairs.map(({ seed }) => ours.get(seed)), valuesOf(pairs, mse)]
    const inPercent = ({ difference, interval }) => ({
      ...{ difference: (-100 * difference) / mean },
      ...{ low: (-100 * interval.high) / mean, high: (-100 * interval.low) / mean },
    })
    return {
      welch: inPercent(welchTest(values('kl-silu'), values(arm))),
      paired: inPercent(pairedTest(first, second)),
      correlation: correlationOf(first, second),
    }
  }
  const [better] = ['batch-norm-silu', 'batch-norm'].toSorted(
    (a, b) => summarise(values(a)).mean - summarise(values(b)).mean,
  )
  return { values, all, improvement, better }
}

function correlationOf(a, b) {
  const [x, y] = [summarise(a), summarise(b)]
  const products = a.reduce((sum, value, index) => sum + (value - x.mean) * (b[index] - y.mean), 0)
  return products / ((a.length - 1) * x.sd * y.sd)
}

const rangeText = ({ low, high }, digits) => minus(`${low.toFixed(digits)} to ${minus(high.toFixed(digits))}`)

function confirmationTable(epochs) {
  const found = confirmation(epochs)
  if (found === null) return `The runs with ${epochs} epochs are not complete yet.`
  const { values, all, improvement } = found
  const rows = [...confirmed, ...without].map((arm) => {
    const summary = (metric) => {
      const { mean, interval } = summarise(values(arm, metric))
      return { mean, half: interval === null ? 0 : interval.high - mean }
    }
    const lower = arm === 'kl-silu' ? null : improvement(arm)
    const rank = summary('effective_rank')
    const complete = values(arm).length
    return [
      `\`${arm}\`${complete < all(arm) ? ` (${complete} of ${all(arm)} runs)` : ''}`,
      mseText(summary(mse)),
      ...(lower === null
        ? ['–', '–']
        : [
            `${minus(lower.welch.difference.toFixed(1))} (${rangeText(lower.welch, 1)})`,
            rangeText(lower.paired, 1),
          ]),
      mseText(summary('test_mse')),
      `${rank.mean.toFixed(2)} ± ${rank.half.toFixed(2)}`,
      isLeaky(arm) ? '–' : deadText(summary('dead_units')),
      percent(summary('linear_probe_accuracy').mean),
      percent(summary('neighbour_accuracy').mean),
    ]
  })
  const header = [
    'arm',
    'MSE, noisy input',
    '`kl-silu` is lower by, % (Welch)',
    'paired, %',
    'MSE, clean input',
  ]
  return table([...header, 'effective rank', 'dead units', 'linear probe, %', '5-NN, %'], rows)
}

function verdict(epochs) {
  const found = confirmation(epochs)
  if (found === null) return `The runs with ${epochs} epochs are not complete yet.`
  const { values, all, improvement, better } = found
  const mean = (arm) => summarise(values(arm)).mean.toFixed(5)
  const { welch, paired, correlation } = improvement(better)
  const isSuccess = welch.low > claim && paired.low > claim
  const counts = ['kl-silu', better].map((arm) => `${values(arm).length} of ${all(arm)}`)
  return wrap(
    `- **After ${epochs} epochs, the error of \`kl-silu\` is ${minus(welch.difference.toFixed(1))} % lower than that of the better batch`,
    `norm**, \`${better}\`: ${mean('kl-silu')} and ${mean(better)}. The 95 % interval is ${rangeText(welch, 2)} % (Welch) and`,
    `${rangeText(paired, 2)} % (paired; correlation over the seeds ${minus(correlation.toFixed(2))}), so the advantage of at`,
    `least ${claim} % that the protocol asks for is **${isSuccess ? 'confirmed' : 'not confirmed'}**. ${counts[0]} and ${counts[1]} runs were completed.`,
  )
}

/** Returns the differences from the ablations in words. */
function partsText(epochs) {
  const found = confirmation(epochs)
  if (found === null) return `The runs with ${epochs} epochs are not complete yet.`
  const lower = (arm) => {
    const { welch } = found.improvement(arm)
    return `${minus(welch.difference.toFixed(1))} % (${rangeText(welch, 1)} %)`
  }
  return wrap(
    `After ${epochs} epochs, the error of \`kl-silu\` is lower by ${lower('no-loss')} than without both losses, by`,
    `${lower('no-hidden-loss')} than without \`kl-diagonal\` on the hidden layers, and by ${lower('no-latent-loss')} than without`,
    '`kl-normal` on the latent layer.',
  )
}

/** Returns the two sentences of README.md. */
function readmeText() {
  const found = [10, 30].map(confirmation)
  const measured = found.flatMap((each, index) => {
    if (each === null) return []
    const { welch } = each.improvement(each.better)
    return [
      `${welch.difference.toFixed(1)} % (${rangeText(welch, 1)} %) lower after ${['ten', '30'][index]} epochs`,
    ]
  })
  const open = found.includes(null) ? '; the runs with 30 epochs are not complete yet' : ''
  const result = `With 100 fresh seeds, its error on noisy test images is ${measured.join(' and ')} than that of the better of two tuned networks with batch norm (95 % intervals)${open}`
  return wrap(
    '[docs/study.md](docs/study.md) asks the question again with tuned settings and finds a network without batch norm:',
    '`configs/kl-silu.json`, with the activation SiLU and two eigen losses that keep the outputs of all layers varied while the',
    `training starts. ${result}.`,
  )
}

/** Joins texts to a paragraph or an item of a list, in lines of up to 125 characters. */
function wrap(...texts) {
  const indent = texts[0].startsWith('- ') ? '  ' : ''
  const lines = ['']
  for (const word of texts.join(' ').split(/ (?!%)/)) {
    const longer = `${lines.at(-1)}${lines.at(-1).trim() === '' ? '' : ' '}${word}`
    if (longer.length <= 125) lines[lines.length - 1] = longer
    else lines.push(`${indent}${word}`)
  }
  return lines.join('\n')
}

/** Returns the table of what the losses act on, by epoch. */
function courseTable() {
  const rows = readCsv('confirmation/courses.csv')
  if (rows === null) return 'The runs with 10 epochs are not complete yet.'
  const values = new Map(
    rows.map(({ arm, epoch, quantity, mean }) => [`${arm} ${epoch} ${quantity}`, Number(mean)]),
  )
  const cells = (arm, epoch) => {
    const at = (quantity) => values.get(`epochs-10/${arm} ${epoch} ${quantity}`)
    const layers = ['encoder.0', 'encoder.1', 'encoder.2', 'decoder.0', 'decoder.1', 'decoder.2']
    const variances = layers.map((layer) => at(`variance ${layer}`))
    const range = (low, high) => `${low.toPrecision(2)} to ${high.toPrecision(2)}`
    return [
      range(Math.min(...variances), Math.max(...variances)),
      range(at('smallest eigenvalue'), at('largest eigenvalue')),
    ]
  }
  const header = [
    '`kl-silu`: hidden variances',
    'latent eigenvalues',
    '`no-loss`: hidden variances',
    'latent eigenvalues',
  ]
  return table(
    ['epoch', ...header],
    ['0', '1', '2', '5', '10'].map((epoch) => [
      epoch,
      ...cells('kl-silu', epoch),
      ...cells('no-loss', epoch),
    ]),
  )
}

/** Returns the errors of some seeds in eigenae and in PyTorch. */
function pytorchTable() {
  const peers = readCsv('confirmation/pytorch.csv')
  const own = readCsv('confirmation/epochs-10/runs.csv') ?? []
  const arms = ['kl-silu', 'batch-norm-silu', 'batch-norm']
  const columns = arms.flatMap((arm) => [
    new Map(own.filter((row) => row.arm === `epochs-10/${arm}`).map((row) => [row.seed, Number(row[mse])])),
    new Map(peers.filter((row) => row.arm === arm).map((row) => [row.seed, Number(row[mse])])),
  ])
  const seeds = [...new Set(peers.map(({ seed }) => seed))]
  const rows = seeds.map((seed) => [seed, ...columns.map((values) => values.get(seed))])
  const means = columns.map((values) => {
    const known = seeds.flatMap((seed) => values.get(seed) ?? [])
    return known.length < seeds.length ? undefined : summarise(known).mean
  })
  const cells = (row) => row.map((value) => (typeof value === 'number' ? value.toFixed(5) : (value ?? '–')))
  const header = ['seed', ...arms.flatMap((arm) => [`\`${arm}\``, 'PyTorch'])]
  const [silu, norm] = [columns[1], columns[3]].map((values) => [...values.values()])
  const { difference, interval } = welchTest(silu, norm)
  const lower = (value) => minus(((-100 * value) / summarise(norm).mean).toFixed(1))
  const text = wrap(
    `In PyTorch, the mean of \`kl-silu\` is ${lower(difference)} % lower than that of \`batch-norm-silu\``,
    `(${lower(interval.high)} to ${lower(interval.low)} %, Welch).`,
  )
  return `${table(header, [...rows, ['mean', ...means]].map(cells))}\n\n${text}`
}

const tables = {
  search: searchTable,
  final: finalTable,
  power: powerTable,
  conditions: conditionsTable,
  ablations: ablationTable,
  'without-loss': withoutLossTable,
  'long-ablations': longTable,
  lost: lostTable,
  'confirmation-10': () => confirmationTable(10),
  'confirmation-30': () => confirmationTable(30),
  'verdict-10': () => verdict(10),
  'verdict-30': () => verdict(30),
  'parts-10': () => partsText(10),
  'parts-30': () => partsText(30),
  readme: readmeText,
  courses: courseTable,
  pytorch: pytorchTable,
}

function writeTables() {
  const pages = readdirSync(options.docs).filter((name) => name.endsWith('.md'))
  const readme = join(options.docs, '../../README.md')
  for (const page of [readme, `${options.docs}.md`, ...pages.map((name) => join(options.docs, name))]) {
    const text = readFileSync(page, 'utf8')
    const made = text.replaceAll(
      /(<!-- table: ([\w-]+) -->\n\n)[\s\S]*?(\n\n<!-- \/table -->)/g,
      (whole, begin, name, end) => {
        const content = tables[name]()
        return content === null ? whole : `${begin}${content}${end}`
      },
    )
    if (made === text) continue
    if (options.check) process.exitCode = 1
    else writeFileSync(page, made)
    const problem = options.check ? 'differs from the values of its runs' : 'written'
    process.stderr.write(`${relative('.', page)}: ${problem}\n`)
  }
}

const [command, file, folder, ...sweeps] = positionals
if (command === 'runs') await writeRuns(file, folder, sweeps)
else if (command === 'missing') printMissing(file, Number(folder), Number(sweeps[0]))
else if (command === 'courses') await writeCourses(file, folder, sweeps[0])
else writeTables()
